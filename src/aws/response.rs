//! Answers that end too early, or never.
//!
//! The SDK reads XML as far as it goes and takes what it has found by then for all there is. A list of tags that was cut
//! short, by a proxy say, would make a bucket look untagged, and its changes would be ignored for good; a list of keys
//! would make it look as if there were no others. So an answer counts only if its root element is closed and the element
//! that matters occurs; if not, the call fails, and may be made again. The same holds for errors that say that all is well.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{BoxError, SdkError};
use aws_sdk_s3::primitives::SdkBody;
use http_body_util::Limited;

/// The longest error that is read, in bytes. AWS's own have some hundred; a longer one is a page of something in between.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// The longest answer that is read where AWS has little to say, in bytes.
pub(crate) const SMALL_RESPONSE_BYTES: usize = 256 * 1024;

/// Fails calls whose answer is too long, instead of filling the memory with it. A success may have so many bytes: as many as
/// the operation's longest, since several calls are made at the same time. Of several bounds the lowest holds.
#[derive(Debug)]
pub(crate) struct SizeLimit(pub(crate) usize);

impl Intercept for SizeLimit {
    fn name(&self) -> &'static str {
        "BoundedAnswer"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let longest = if response.status().is_success() { self.0 } else { MAX_ERROR_BYTES };
        let body = std::mem::replace(response.body_mut(), SdkBody::taken());
        *response.body_mut() = SdkBody::from_body_1_x(Limited::new(body, longest));
        Ok(())
    }
}

/// Fails calls whose successful answer is not a whole XML document with this element in it. For operations that answer
/// with one.
#[derive(Debug)]
pub(crate) struct CompleteXml(pub(crate) &'static str);

impl Intercept for CompleteXml {
    fn name(&self) -> &'static str {
        "WholeAnswer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if !response.status().is_success()
            || response.body().bytes().is_some_and(|it| is_complete_xml(it) && contains_element(it, self.0))
        {
            return Ok(());
        }
        Err(format!("the answer is not a whole XML document with {}>", self.0).into())
    }
}

/// Whether this error is a whole answer with this status, as AWS gives it: one whose words can be taken for an outcome.
pub(crate) fn is_complete_with_status<E>(error: &SdkError<E, HttpResponse>, status: u16) -> bool {
    let answer = error.raw_response();
    answer.is_some_and(|it| it.status().as_u16() == status && it.body().bytes().is_some_and(is_complete_xml))
}

/// Whether the root element is closed at the end.
fn is_complete_xml(document: &[u8]) -> bool {
    let document = document.trim_ascii_end();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric();
    let root = document
        .split(|&byte| byte == b'<')
        .skip(1)
        // Not the declaration, nor a comment.
        .find(|tag| tag.first().is_some_and(is_name))
        .map(|tag| tag.split(|byte| !is_name(byte)).next().unwrap_or_default());
    root.is_some_and(|root| {
        document.strip_suffix(b">").and_then(|rest| rest.strip_suffix(root)).is_some_and(|rest| rest.ends_with(b"</"))
    })
}

fn contains_element(document: &[u8], element: &str) -> bool {
    document.windows(element.len()).any(|window| window == element.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_document_whose_root_is_closed_is_whole() {
        let complete =
            b"<?xml version=\"1.0\"?>\n<!-- tags -->\n<Tagging xmlns=\"urn:x\"><TagSet><Tag/></TagSet></Tagging>\n";
        assert!(is_complete_xml(complete));
        for end in 0..complete.len() - 1 {
            assert!(!is_complete_xml(&complete[..end]), "{}", String::from_utf8_lossy(&complete[..end]));
        }
        assert!(!is_complete_xml(b"<Tag><Tagging></Tagging>"));
    }
}

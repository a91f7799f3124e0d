//! Interceptors that reject truncated and oversized responses.
//!
//! The SDK's XML parser accepts a document that ends early and returns what it has found by then. If a proxy truncated
//! a list of tags, the bucket would look untagged and its changes would be skipped permanently; a truncated list of
//! keys would hide the other objects. So a response counts only if its root element is closed and the expected element
//! occurs. Otherwise the call fails, and may be retried. The same applies to error responses that count as an outcome,
//! such as `NoSuchTagSet`.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{BoxError, SdkError};
use aws_sdk_s3::primitives::SdkBody;
use http_body_util::Limited;

/// The longest error response that is read, in bytes. AWS's own have some hundred bytes; a longer one is a proxy's
/// page.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// The longest response that is read from operations with short responses, in bytes.
pub(crate) const SMALL_RESPONSE_BYTES: usize = 256 * 1024;

/// Fails calls with an oversized response, instead of filling the memory with it. The limit, in bytes, applies to
/// successful responses. It should be no larger than the operation's longest response requires, since several calls are
/// made concurrently. If several limits are set, the lowest applies.
#[derive(Debug)]
pub(crate) struct SizeLimit(pub(crate) usize);

impl Intercept for SizeLimit {
    fn name(&self) -> &'static str {
        "SizeLimit"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let limit = if response.status().is_success() { self.0 } else { MAX_ERROR_BYTES };
        let body = std::mem::replace(response.body_mut(), SdkBody::taken());
        *response.body_mut() = SdkBody::from_body_1_x(Limited::new(body, limit));
        Ok(())
    }
}

/// Fails calls whose successful response is not a complete XML document that contains this element. Only for
/// operations that answer with such a document.
#[derive(Debug)]
pub(crate) struct CompleteXml(pub(crate) &'static str);

impl Intercept for CompleteXml {
    fn name(&self) -> &'static str {
        "CompleteXml"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if !response.status().is_success()
            || response.body().bytes().is_some_and(|it| is_complete_xml(it) && contains(it, self.0.as_bytes()))
        {
            return Ok(());
        }
        Err(format!("the response is not a complete XML document with the element {}>", self.0).into())
    }
}

/// Whether this error is a complete response from AWS with this status, so that its code counts as an outcome.
pub(crate) fn is_complete_response_with_status<E>(error: &SdkError<E, HttpResponse>, status: u16) -> bool {
    let answer = error.raw_response();
    answer.is_some_and(|it| it.status().as_u16() == status && it.body().bytes().is_some_and(is_complete_xml))
}

/// Whether the document ends with the end tag of its root element.
fn is_complete_xml(document: &[u8]) -> bool {
    let document = document.trim_ascii_end();
    let is_name_byte = |byte: &u8| byte.is_ascii_alphanumeric();
    let root = document
        .split(|&byte| byte == b'<')
        .skip(1)
        // Skips the XML declaration and comments.
        .find(|tag| tag.first().is_some_and(is_name_byte))
        .map(|tag| tag.split(|byte| !is_name_byte(byte)).next().unwrap_or_default());
    root.is_some_and(|root| document.ends_with(&[b"</", root, b">"].concat()))
}

fn contains(document: &[u8], element: &[u8]) -> bool {
    document.windows(element.len()).any(|window| window == element)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_document_whose_root_is_closed_is_complete() {
        let complete =
            b"<?xml version=\"1.0\"?>\n<!-- tags -->\n<Tagging xmlns=\"urn:x\"><TagSet><Tag/></TagSet></Tagging>\n";
        assert!(is_complete_xml(complete));
        for end in 0..complete.len() - 1 {
            assert!(!is_complete_xml(&complete[..end]), "{}", String::from_utf8_lossy(&complete[..end]));
        }
        assert!(!is_complete_xml(b"<Tag><Tagging></Tagging>"));
    }
}

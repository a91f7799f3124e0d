//! Rejects a bucket's notification configuration that has elements unknown to this version.
//!
//! The SDK drops unknown elements when it reads a configuration, and S3 replaces the whole configuration on each write.
//! Writing it back would therefore delete them.

use aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use quick_xml::events::Event as Part;

/// The XML elements that this version reads and writes. S3 may add others. Source: S3 API reference,
/// `GetBucketNotificationConfiguration`.
const KNOWN_ELEMENTS: [&str; 15] = [
    "NotificationConfiguration",
    "TopicConfiguration",
    "Topic",
    "QueueConfiguration",
    "Queue",
    "CloudFunctionConfiguration",
    "CloudFunction",
    "EventBridgeConfiguration",
    "Id",
    "Event",
    "Filter",
    "S3Key",
    "FilterRule",
    "Name",
    "Value",
];

/// Fails a call whose successful response is incomplete or has an element that is not one of [`KNOWN_ELEMENTS`].
#[derive(Debug)]
pub(super) struct OnlyKnownElements;

impl Intercept for OnlyKnownElements {
    fn name(&self) -> &'static str {
        "OnlyKnownElements"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        match response.body().bytes().and_then(|bytes| std::str::from_utf8(bytes).ok()) {
            _ if !response.status().is_success() => Ok(()),
            Some(text) => known_only(text).map_err(Into::into),
            None => Err("the response is not UTF-8".into()),
        }
    }
}

/// Returns an error unless the document is complete and has [`KNOWN_ELEMENTS`] only.
fn known_only(document: &str) -> Result<(), String> {
    let mut reader = quick_xml::Reader::from_str(document);
    let (mut depth, mut has_root) = (0_usize, false);
    loop {
        let part = reader.read_event().map_err(|error| error.to_string())?;
        if let Part::Start(element) | Part::Empty(element) = &part {
            let name = element.local_name();
            let name = name.as_ref();
            if !KNOWN_ELEMENTS.contains(&name) {
                return Err(format!(
                    "this version does not support the element {name} and would remove it; update invalidator"
                ));
            }
            has_root |= name == KNOWN_ELEMENTS[0];
        }
        match part {
            // The SDK leaves out text in a CDATA section.
            Part::CData(_) => {
                return Err("the response has a CDATA section, which this version does not support".to_owned());
            }
            Part::Start(_) => depth += 1,
            Part::End(_) => depth = depth.saturating_sub(1),
            Part::Eof if depth > 0 || !has_root => return Err("the response is incomplete".to_owned()),
            Part::Eof => return Ok(()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_element_is_refused() {
        let with = |part: &str| {
            known_only(&format!("<NotificationConfiguration xmlns=\"urn:x\">{part}</NotificationConfiguration>"))
        };
        assert_eq!(with("<QueueConfiguration><Id>a</Id><Queue>q</Queue></QueueConfiguration>"), Ok(()));
        assert_eq!(known_only("<?xml version=\"1.0\"?><NotificationConfiguration xmlns=\"urn:x\"/>"), Ok(()));
        assert!(known_only("").is_err() && known_only("<NotificationConfiguration><Id>").is_err());
        assert!(with("<AgentConfiguration/>").unwrap_err().contains("AgentConfiguration"));
        assert!(with("<QueueConfiguration><Id><![CDATA[a]]></Id></QueueConfiguration>").is_err());
        assert!(with("<QueueConfiguration><Window>60</Window></QueueConfiguration>").is_err());
    }
}

//! What came in: the raw bytes of an invocation, told apart and turned into changes.
//!
//! Pure: no clock, no environment, no SDK. An event is never built up as a tree and never printed: what is quoted in an
//! error is one short value. What belongs to several records is split before it is read, so that one bad record costs
//! only itself.

mod key;
mod object;
mod s3;

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use self::object::Object;
use crate::change::Change;

pub use key::{KeyError, decode_key};

/// The shapes of events that [`decode`] knows, as a message names them.
pub const ACCEPTED_SHAPES: &str = "an S3 event notification (\"Records\" whose \"eventSource\" is \"aws:s3\") or S3's test event (\"Event\": \"s3:TestEvent\")";

/// What an invocation asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Changes of objects, delivered directly by S3.
    Changes(Batch),
    /// The message S3 sends once when a notification is set up: it asks for nothing.
    TestEvent,
}

/// The records of one delivery: every one of them is in exactly one of the three lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Objects whose content changed, in the order of the records; an object can occur several times.
    pub changes: Vec<Change>,
    /// Records of something that changes no content.
    pub ignored: Vec<IgnoredRecord>,
    /// Records that could not be read.
    pub failed: Vec<RecordError>,
}

/// A record of an event that changes no content (a tag, an access list, a replication, a restore …) or that is new to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredRecord {
    /// The event's name, shortened and escaped.
    pub event_name: String,
}

/// A record that could not be read: where it is and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// The record's place in `Records`, from 0.
    pub index: usize,
    /// The field, such as `s3.object.key`; empty if it is the record itself.
    pub field: String,
    /// What is wrong with it, with the value where that helps.
    pub reason: String,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.field.is_empty() { "" } else { "." };
        write!(f, "Records[{}]{dot}{}: {}", self.index, self.field, self.reason)
    }
}

impl std::error::Error for RecordError {}

/// An event as a whole that asks for nothing we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventError {
    /// Not JSON; the message tells line and column.
    NotJson(String),
    /// JSON of another shape.
    UnknownShape,
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(reason) => write!(f, "the event is not JSON: {reason}; accepted: {ACCEPTED_SHAPES}"),
            Self::UnknownShape => write!(f, "the event has no known shape; accepted: {ACCEPTED_SHAPES}"),
        }
    }
}

impl std::error::Error for EventError {}

/// The fields that tell the shapes apart, each left as it stands. Unknown fields are skipped.
#[derive(Deserialize)]
struct Discriminators<'a> {
    #[serde(borrow, rename = "Records")]
    records: Option<&'a RawValue>,
    #[serde(borrow, rename = "Event")]
    event: Option<&'a RawValue>,
}

/// Reads the raw bytes of an event.
///
/// # Errors
/// [`EventError`] where the event as a whole cannot be read. A single record that cannot be read is no error of the
/// event: it is listed in [`Batch::failed`].
///
/// ```
/// use s3_cloudfront_invalidator::event::{Trigger, decode};
///
/// let event = br#"{"Records":[{"eventSource":"aws:s3","awsRegion":"eu-central-1","eventName":"ObjectCreated:Put",
///     "s3":{"bucket":{"name":"site"},"object":{"key":"red+flower.jpg"}}}]}"#;
/// let Trigger::Changes(batch) = decode(event)? else { panic!("changes") };
/// assert_eq!(batch.changes[0].key.as_str(), "red flower.jpg");
/// # Ok::<(), s3_cloudfront_invalidator::event::EventError>(())
/// ```
pub fn decode(event: &[u8]) -> Result<Trigger, EventError> {
    let Object(top): Object<Discriminators<'_>> =
        serde_json::from_slice(event).map_err(|error| match error.classify() {
            // JSON that does not fit is another shape: not an object, or with a discriminator twice.
            serde_json::error::Category::Data => EventError::UnknownShape,
            _ => EventError::NotJson(error.to_string()),
        })?;
    if let Some(records) = top.records {
        let records: Vec<&RawValue> = serde_json::from_str(records.get()).map_err(|_| EventError::UnknownShape)?;
        return s3::decode_records(&records).map(Trigger::Changes).ok_or(EventError::UnknownShape);
    }
    match top.event {
        Some(event) if event.get() == "\"s3:TestEvent\"" => Ok(Trigger::TestEvent),
        _ => Err(EventError::UnknownShape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_event_asks_for_nothing() {
        let event = br#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-01-02T03:04:05.006Z","Bucket":"site","RequestId":"R","HostId":"H"}"#;
        assert_eq!(decode(event), Ok(Trigger::TestEvent));
    }

    #[test]
    fn an_event_of_another_shape_lists_the_accepted_ones_and_not_itself() {
        for event in [
            r#"{"secret":"hunter2"}"#,
            r#"["hunter2"]"#,
            r#""hunter2""#,
            "null",
            "{}",
            r#"{"Records":"hunter2"}"#,
            r#"{"Records":null}"#,
            r#"{"Records":[{"eventSource":"aws:sqs","body":"hunter2"}]}"#,
            r#"{"Records":[{"EventSource":"aws:sns","Sns":{}}]}"#,
            r#"{"Records":["hunter2"]}"#,
            r#"{"Event":"s3:Hunter2"}"#,
            r#"{"Event":{"hunter2":1}}"#,
            r#"{"Records":[],"Records":[]}"#,
            r#"[null,"s3:TestEvent"]"#,
            r#"[[["aws:s3","eu-central-1","ObjectCreated:Put",[["site"],["k"]]]],null]"#,
            r#"{"Records":[["aws:sqs"]]}"#,
        ] {
            let error = decode(event.as_bytes()).unwrap_err();
            assert_eq!(error, EventError::UnknownShape, "{event}");
            let message = error.to_string();
            assert!(message.contains("aws:s3") && message.contains("s3:TestEvent"), "{message}");
            assert!(!message.to_lowercase().contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn what_is_not_json_says_where() {
        for event in [&b""[..], b"{", b"\xff", b"{\"Records\":\"\xff\"}", b"{\"a\":1,}", b"{} {}"] {
            let error = decode(event).unwrap_err();
            assert!(matches!(error, EventError::NotJson(_)), "{error}");
            assert!(error.to_string().contains("line 1 column"), "{error}");
        }
    }

    #[test]
    fn a_notification_without_records_asks_for_nothing() {
        assert_eq!(decode(br#"{"Records":[]}"#), Ok(Trigger::Changes(Batch::default())));
    }

    #[test]
    fn nesting_is_skipped_without_recursion() {
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(decode(deep.as_bytes()), Err(EventError::UnknownShape));
    }
}

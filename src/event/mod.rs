//! Decoding: the payload of an invocation becomes an [`Event`].
//!
//! Pure: no clock, no environment, no SDK. An event is never deserialized into a tree and never printed; an error
//! quotes at most one short value. A list of records is split into raw JSON before its records are decoded, so that one
//! bad record fails alone.
//!
//! The kind of an event is detected by fields that only that kind has (`kind`), never by which type happens to
//! deserialize. To add an event source, start there, and decode it in a module beside `s3` and `eventbridge`. Envelopes
//! are decoded in any nesting (`envelope`), and keys by the rule of the service that wrote them (`s3`, `eventbridge`).

mod envelope;
mod error;
mod eventbridge;
mod job;
mod job_result;
mod json;
mod key;
mod kind;
mod request;
mod s3;

pub use self::error::{ACCEPTED_EVENTS, EventError};
pub use self::job::{Job, JobId};
pub use self::job_result::{
    ContinuationToken, ContinuationTokenError, FailureType, InvalidationRef, JobResult, MAX_MESSAGE_LENGTH,
    MAX_SUMMARY_LENGTH,
};
pub use self::key::{KeyError, decode_key};
pub use self::request::{DEFAULT_WAIT, MAX_WAIT, Request, RequestError, RequestKind, RequestTarget};
use crate::change::Batch;

/// The decoded payload of an invocation.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Objects changed.
    Changes(Batch),
    /// A CodePipeline job, which needs a result.
    Job(Job),
    /// A request that names what to invalidate.
    Request(Request),
}

/// Decodes the payload of an invocation.
///
/// # Errors
/// [`EventError`] if the event as a whole is rejected. A single record or message that cannot be decoded is not an
/// error: it is listed in [`Batch::failed`], or counted in [`Batch::unlisted_failures`].
///
/// ```
/// use s3_cloudfront_invalidator::event::{Event, decode};
///
/// let event = br#"{"Records":[{"eventSource":"aws:s3","awsRegion":"eu-central-1","eventName":"ObjectCreated:Put",
///     "s3":{"bucket":{"name":"site"},"object":{"key":"red+flower.jpg"}}}]}"#;
/// let Event::Changes(batch) = decode(event)? else { panic!("changes") };
/// assert_eq!(batch.changes[0].key.as_str(), "red flower.jpg");
/// # Ok::<(), s3_cloudfront_invalidator::event::EventError>(())
/// ```
pub fn decode(event: &[u8]) -> Result<Event, EventError> {
    let text = std::str::from_utf8(event).map_err(|error| EventError::NotJson(error.to_string()))?;
    envelope::open(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_event_needs_no_action() {
        let event = br#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-01-02T03:04:05.006Z","Bucket":"site","RequestId":"R","HostId":"H"}"#;
        assert_eq!(decode(event), Ok(Event::Changes(Batch { test_events: 1, ..Batch::default() })));
    }

    #[test]
    fn an_unknown_event_lists_the_accepted_kinds_and_not_itself() {
        for event in [
            r#"{"secret":"hunter2"}"#,
            r#"["hunter2"]"#,
            r#""hunter2""#,
            "5",
            r#"{"Records":"hunter2"}"#,
            r#"{"Records":null}"#,
            r#"{"Records":["hunter2"]}"#,
            r#"{"Records":[{"eventSource":"aws:hunter2"}]}"#,
            r#"{"Event":"s3:Hunter2"}"#,
            r#"{"Event":{"hunter2":1}}"#,
            r#"{"Records":[],"Records":[]}"#,
            r#"{"Records":[],"source":"aws.s3","detail-type":"Object Created","detail":{}}"#,
            r#"{"source":"aws.s3","detail":{"hunter2":1}}"#,
            r#"{"Type":"SubscriptionConfirmation","Message":"hunter2"}"#,
            r#"{"requestPayload":{}}"#,
            r#"{"requestContext":{"condition":"Success"},"requestPayload":{"key1":"hunter2"}}"#,
            r#"[null,"s3:TestEvent"]"#,
            r#"[[["aws:s3","eu-central-1","ObjectCreated:Put",[["site"],["k"]]]],null]"#,
            r#"{"Records":[["aws:sqs"]]}"#,
            r#"{"key1":"hunter2","key4":"b"}"#,
        ] {
            let error = decode(event.as_bytes()).unwrap_err();
            assert_eq!(error, EventError::UnknownKind, "{event}");
            let message = error.to_string();
            assert!(message.contains("aws:s3") && message.contains("s3:TestEvent"), "{message}");
            assert!(!message.to_lowercase().contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn invalid_json_reports_its_position() {
        for event in [&b""[..], b"{", b"{\"a\":1,}", b"{} {}", b"[1,2", b"\"hunter2\" 5", b"5 hunter2", b"null\x0c"] {
            let error = decode(event).unwrap_err();
            assert!(matches!(error, EventError::NotJson(_)), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(error.to_string().contains("line 1 column"), "{error}");
        }
        for event in [&b"\xff"[..], b"{\"Records\":\"\xff\"}"] {
            assert!(matches!(decode(event), Err(EventError::NotJson(_))));
        }
    }

    #[test]
    fn a_notification_without_records_needs_no_action() {
        assert_eq!(decode(br#"{"Records":[]}"#), Ok(Event::Changes(Batch::default())));
    }

    /// A single message without an ID fails the whole batch, so listing the first few is enough.
    #[test]
    fn of_messages_without_an_id_only_the_first_are_listed() {
        let message = r#"{"eventSource":"aws:sqs","messageId":"m","body":"{}"}"#;
        let event = format!("{{\"Records\":[{}{message},5,{message}]}}", "0,".repeat(100_000));
        let Ok(Event::Changes(batch)) = decode(event.as_bytes()) else { panic!("changes") };
        assert_eq!(batch.failed.len() + batch.unlisted_failures, 100_003);
        assert_eq!(batch.failed.len(), 10 + 2, "and what is wrong with those that have one");
        let failed: Vec<_> = batch.messages.iter().flatten().map(|it| it.failed.clone()).collect();
        assert_eq!(failed, [10..11, 11..12]);
        assert!(batch.failed[11].to_string().starts_with("Records[100002].body: "), "{}", batch.failed[11]);
    }

    #[test]
    fn nesting_is_skipped_without_recursion() {
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(decode(deep.as_bytes()), Err(EventError::UnknownKind));
    }
}

//! From bytes to an event: the envelopes of SQS, SNS and Lambda around it, nested in any order.
//!
//! Sources: Lambda developer guide, "Using Lambda with Amazon SQS", "… with Amazon SNS", "Retaining records of
//! asynchronous invocations"; SNS developer guide, "Raw message delivery".

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::{JsonObject, JsonText, POLL_QUEUE, read};
use super::job::{self, Job};
use super::kind::{EventKind, event_kind, source_of};
use super::poll::Poll;
use super::request::{Request, RequestKind};
use super::s3::check_source;
use super::unread::may_be_notification;
use super::{EventError, eventbridge, s3};
use crate::change::{Batch, Change, EventSource, FieldError, Message, SkippedRecord};

/// The decoded payload of an invocation.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Objects changed.
    Changes(Batch),
    /// A CodePipeline job, which needs a result.
    Job(Job),
    /// A request that names what to invalidate.
    Request(Request),
    /// A request to poll the function's own queue.
    Poll(Poll),
    /// The event of a schedule that names nothing.
    Schedule,
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
    let json = std::str::from_utf8(event).map_err(|error| EventError::NotJson(error.to_string()))?;
    let mut batch = Batch::default();
    Ok(match open(json, 0, &mut batch)? {
        None => Event::Changes(batch),
        Some(EventKind::Job(job)) => Event::Job(job::decode(job)?),
        Some(EventKind::Request(fields)) => Event::Request(Request::from_fields(&fields)?),
        Some(EventKind::Poll(fields)) => Event::Poll(Poll::from_fields(&fields)?),
        Some(EventKind::Schedule) => Event::Schedule,
        Some(_) => Event::Request(Request::default()),
    })
}

/// The most envelopes accepted around an event. A failed SNS delivery that is kept in a queue has four.
const MAX_DEPTH: usize = 8;

/// Adds the changes of an event in `depth` envelopes to the batch. Returns the event's kind if it is not about changes:
/// a job, a request or an event that names nothing.
fn open<'a>(json: &'a str, depth: usize, batch: &mut Batch) -> Result<Option<EventKind<'a>>, EventError> {
    if depth > MAX_DEPTH {
        return Err(EventError::TooDeep);
    }
    let kind = event_kind(json)?;
    if depth == 0 {
        // Records name their own source, which replaces this one.
        batch.source = match kind {
            EventKind::S3Event(_) => EventSource::EventBridge,
            EventKind::InvocationRecord { .. } => EventSource::InvocationRecord,
            EventKind::SnsMessage(_) => EventSource::Sns,
            _ => EventSource::S3,
        };
    }
    match kind {
        EventKind::Records { list, records } => return open_records(list, records, depth, batch),
        EventKind::ReceivedMessages(messages) => open_received(messages, depth, batch)?,
        EventKind::TestEvent => batch.test_events += 1,
        EventKind::SnsMessage(message) => {
            let JsonText(message) = serde_json::from_str(message.get()).map_err(|_| EventError::UnknownKind)?;
            open_message(&message, "Message", depth, batch);
        }
        EventKind::S3Event(event) => {
            let decoded = eventbridge::decode(&event, batch);
            batch.failed.extend(decoded.err());
        }
        EventKind::InvocationRecord { field, event } => return open_inner(event.get(), field, depth, batch),
        EventKind::Job(_) | EventKind::Request(_) | EventKind::Poll(_) | EventKind::Schedule | EventKind::Other => {
            return Ok(Some(kind));
        }
    }
    Ok(None)
}

/// The number of failures kept per list of records; further ones are only counted. One message can contain half a
/// million records, each of them bad.
const MAX_LISTED_FAILURES: usize = 10;

/// Adds the changes of a list of records to the batch. Returns a kind of event only for an SNS message that names
/// nothing.
fn open_records<'a>(
    list: &str,
    records: &'a RawValue,
    depth: usize,
    batch: &mut Batch,
) -> Result<Option<EventKind<'a>>, EventError> {
    let records: Vec<&RawValue> = serde_json::from_str(records.get()).map_err(|_| EventError::UnknownKind)?;
    if records.is_empty() {
        return Ok(None);
    }
    let source = source_of(&records).ok_or(EventError::UnknownKind)?;
    // Only the outermost batch of messages is answered with batch item failures.
    let needs_ids = depth == 0 && source == EventSource::Sqs;
    if depth == 0 {
        batch.source = source;
        batch.messages = needs_ids.then(Vec::new);
        if source == EventSource::Sns && records.iter().all(|record| is_plain(record)) {
            return Ok(Some(EventKind::Other));
        }
    }
    // The number of failures listed so far that belong to no message with an ID.
    let mut listed = 0;
    for (index, record) in records.into_iter().enumerate() {
        let (changes, failed) = (batch.changes.len(), batch.failed.len());
        let mut is_redelivered = false;
        let (id, decoded) = match source {
            EventSource::Sqs => {
                let message = read(record, "").map(|JsonObject(message)| message);
                let id = if needs_ids { message_id(&message, record) } else { None };
                // Without an ID the message cannot be reported as failed, so its changes are not handled.
                let is_missing = needs_ids && id.is_none();
                is_redelivered = message.as_ref().is_ok_and(SqsRecord::is_redelivered);
                let body = if is_missing { Err(FieldError::missing("messageId")) } else { message.and_then(sqs_body) };
                (id, body.map(|body| open_message(&body, "body", depth, batch)))
            }
            EventSource::Sns => {
                (None, sns_message(record).map(|message| open_message(&message, "Sns.Message", depth, batch)))
            }
            _ => (None, s3::decode(record, batch)),
        };
        batch.failed.extend(decoded.err());
        if batch.failed.len() > failed {
            prefix_locations(batch, failed, &format!("{list}[{index}]"));
        }
        if let (Some(messages), Some(id)) = (&mut batch.messages, id) {
            let (changes, failed) = (changes..batch.changes.len(), failed..batch.failed.len());
            messages.push(Message { id, changes, failed, is_redelivered });
            continue;
        }
        let end = batch.failed.len().min(failed + MAX_LISTED_FAILURES - listed);
        listed += end - failed;
        batch.unlisted_failures += batch.failed.drain(end..).len();
    }
    Ok(None)
}

/// Returns whether the message in a record of SNS is plain text or JSON that names nothing. What begins like JSON and is
/// not may be a notification that could not be read.
fn is_plain(record: &RawValue) -> bool {
    sns_message(record).is_ok_and(|message| match event_kind(&message) {
        Ok(kind) => matches!(kind, EventKind::Other),
        Err(EventError::NotJson(_)) => {
            !message.trim_start().starts_with(['{', '[', '/']) && !may_be_notification(&message)
        }
        Err(_) => false,
    })
}

/// Adds the changes of messages that a person received from a queue to the batch.
fn open_received(messages: &RawValue, depth: usize, batch: &mut Batch) -> Result<(), EventError> {
    #[derive(Deserialize)]
    struct Received<'a> {
        #[serde(borrow, rename = "Body")]
        body: Option<JsonText<'a>>,
    }
    let messages: Vec<&RawValue> = serde_json::from_str(messages.get()).map_err(|_| EventError::UnknownKind)?;
    for (index, message) in messages.into_iter().enumerate() {
        let failed = batch.failed.len();
        match read(message, "").map(|JsonObject(Received { body })| body) {
            Ok(Some(JsonText(body))) => open_message(&body, "Body", depth, batch),
            Ok(None) => batch.failed.push(FieldError::missing("Body")),
            Err(error) => batch.failed.push(error),
        }
        prefix_locations(batch, failed, &format!("Messages[{index}]"));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct SqsRecord<'a> {
    message_id: Option<JsonText<'a>>,
    event_source: Option<JsonText<'a>>,
    body: Option<JsonText<'a>>,
    /// Raw, because attributes of the wrong type must not fail the message.
    attributes: Option<&'a RawValue>,
}

impl SqsRecord<'_> {
    /// Returns whether the message was received before.
    fn is_redelivered(&self) -> bool {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Attributes<'a> {
            #[serde(borrow)]
            approximate_receive_count: JsonText<'a>,
        }
        let attributes: Option<Attributes<'_>> = self.attributes.and_then(|it| serde_json::from_str(it.get()).ok());
        attributes.is_some_and(|it| it.approximate_receive_count.0 != "1")
    }
}

/// Returns the ID of an SQS message. If the record could not be decoded, its ID is decoded alone, so that no other bad
/// field hides it.
fn message_id(message: &Result<SqsRecord<'_>, FieldError>, record: &RawValue) -> Option<Box<str>> {
    #[derive(Deserialize)]
    struct MessageId<'a> {
        #[serde(borrow, rename = "messageId")]
        id: Option<JsonText<'a>>,
    }
    let non_empty = |JsonText(id): &JsonText<'_>| (!id.is_empty()).then(|| Box::from(&**id));
    if let Ok(message) = message {
        return message.message_id.as_ref().and_then(non_empty);
    }
    let JsonObject(MessageId { id }) = serde_json::from_str(record.get()).ok()?;
    id.as_ref().and_then(non_empty)
}

/// Returns the message in a record of SQS.
fn sqs_body(record: SqsRecord<'_>) -> Result<Cow<'_, str>, FieldError> {
    check_source(record.event_source, "eventSource", "aws:sqs")?;
    record.body.map(|JsonText(body)| body).ok_or_else(|| FieldError::missing("body"))
}

/// Returns the message in a record of SNS.
fn sns_message(record: &RawValue) -> Result<Cow<'_, str>, FieldError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase", bound(deserialize = "'de: 'a"))]
    struct SnsRecord<'a> {
        event_source: Option<JsonText<'a>>,
        sns: Option<JsonObject<Sns<'a>>>,
    }
    #[derive(Deserialize)]
    struct Sns<'a> {
        #[serde(borrow, rename = "Message")]
        message: Option<JsonText<'a>>,
    }
    let JsonObject(record): JsonObject<SnsRecord<'_>> = read(record, "")?;
    check_source(record.event_source, "EventSource", "aws:sns")?;
    let message = record.sns.and_then(|JsonObject(sns)| sns.message);
    message.map(|JsonText(message)| message).ok_or_else(|| FieldError::missing("Sns.Message"))
}

/// Adds a message of the function's own queue to the batch, as an SQS event's record would be.
///
/// An error fails only this message: it is listed in [`Batch::failed`].
pub fn decode_message(id: Box<str>, is_redelivered: bool, body: &str, batch: &mut Batch) {
    batch.source = EventSource::Sqs;
    let (changes, failed) = (batch.changes.len(), batch.failed.len());
    open_message(body, "body", 0, batch);
    let (changes, failed) = (changes..batch.changes.len(), failed..batch.failed.len());
    batch.messages.get_or_insert_default().push(Message { id, changes, failed, is_redelivered });
}

/// Decodes an event embedded as a string in another. An error fails only this message, and so does an event that is not
/// about changes. Of requests only one that names the keys of a bucket is about changes; a rule's input transformer
/// writes such. A poll is skipped: Lambda retains the events of invocations that failed, and a poll that failed was
/// followed by the next.
fn open_message(event: &str, field: &str, depth: usize, batch: &mut Batch) {
    let refused = |what| format!("{what} is not accepted in an SQS or SNS message; invoke the function directly");
    let reason = match open_inner(event, field, depth, batch) {
        Ok(None) => return,
        Ok(Some(EventKind::Job(_))) => refused("a CodePipeline job"),
        Ok(Some(EventKind::Request(fields))) => match Request::from_fields(&fields) {
            Ok(Request { kind: RequestKind::Keys { bucket, keys }, .. })
                if fields.kept.iter().all(|(name, _)| ["bucket", "key", "keys"].contains(&&**name)) =>
            {
                for key in keys {
                    batch.push(Change { bucket: bucket.clone(), key }, None);
                }
                return;
            }
            Ok(_) => refused("an invalidation request other than of \"bucket\" with \"key\" or \"keys\""),
            Err(error) => error.to_string(),
        },
        Ok(Some(EventKind::Poll(fields))) => match Poll::from_fields(&fields) {
            Ok(_) => return batch.skipped.push(SkippedRecord { event_name: POLL_QUEUE.to_owned() }),
            Err(error) => error.to_string(),
        },
        Ok(Some(_)) => refused("an event without an object change"),
        Err(error) => error.reason(),
    };
    batch.failed.push(FieldError::new(field, &reason));
}

/// Decodes the event in the field `field` of another.
fn open_inner<'a>(
    event: &'a str,
    field: &str,
    depth: usize,
    batch: &mut Batch,
) -> Result<Option<EventKind<'a>>, EventError> {
    let failed = batch.failed.len();
    let kind = open(event, depth + 1, batch);
    prefix_locations(batch, failed, field);
    kind
}

/// Prefixes the locations of the failures from index `first` on with the field that contains them.
fn prefix_locations(batch: &mut Batch, first: usize, field: &str) {
    for error in batch.failed.iter_mut().skip(first) {
        *error = error.within(field);
    }
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
    fn what_may_be_a_notification_is_rejected_and_not_quoted() {
        for event in [
            r#"{"Records":"hunter2"}"#,
            r#"{"Records":null}"#,
            r#"{"Records":["hunter2"]}"#,
            r#"{"Records":[{"eventSource":"aws:hunter2"}]}"#,
            r#"{"Messages":"hunter2"}"#,
            r#"{"Event":"s3:Hunter2"}"#,
            r#"{"Type":"UnsubscribeConfirmation","Message":"hunter2"}"#,
            r#"{"Type":"Hunter2","Message":"{\"Records\":[{\"eventSource\":\"aws:s3\"}]}"}"#,
            r#"{"Records":[],"Records":[]}"#,
            r#"{"Records":[],"source":"aws.s3","detail-type":"Object Created","detail":{}}"#,
            r#"{"source":"aws.s3","detail":{"hunter2":1}}"#,
            r#"{"Type":"SubscriptionConfirmation","Message":"hunter2"}"#,
            r#"{"requestPayload":{}}"#,
            r#"{"requestContext":{"condition":"Success"},"requestPayload":{"key1":"hunter2"}}"#,
            r#"[null,"s3:TestEvent"]"#,
            r#"[[["aws:s3","eu-central-1","ObjectCreated:Put",[["site"],["k"]]]],null]"#,
            r#"[{"eventSource":"aws:s3","hunter2":1}]"#,
            r#"{"Records":[["aws:sqs"]]}"#,
        ] {
            let error = decode(event.as_bytes()).unwrap_err();
            assert_eq!(error, EventError::UnknownKind, "{event}");
            let message = error.to_string();
            assert!(message.contains("aws:s3") && message.contains("s3:TestEvent"), "{message}");
            assert!(!message.to_lowercase().contains("hunter2"), "{message}");
        }
    }

    /// For the default distribution, if there is one.
    #[test]
    fn any_event_that_names_nothing_is_a_request_for_everything() {
        for event in [
            "null",
            "{}",
            "[]",
            "5",
            r#""go""#,
            r#"["go"]"#,
            r#"{"action":"flush"}"#,
            r#"{"Event":"flush"}"#,
            r#"{"key1":"a","key2":"b","key3":"c","key4":"d"}"#,
            r#"{"source":"com.example","detail-type":"Deployed","detail":{"version":5}}"#,
            r#"{"version":"2.0","rawPath":"/go","requestContext":{"http":{"method":"POST"}},"body":"{\"a\":1}"}"#,
            r#"{"httpMethod":"GET","path":"/go","requestContext":{},"body":null}"#,
            r#"{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"go"}}]}"#,
            r#"{"Records":[{"EventSource":"aws:sns","Sns":{"Message":"{\"action\":\"flush\"}"}}]}"#,
            r#"{"requestContext":{"condition":"RetriesExhausted"},"requestPayload":{"action":"flush"}}"#,
            r#"{"source":"aws.codebuild","detail-type":"x","detail":{"artifact":{"location":"arn:aws:s3:::b/x.zip"}}}"#,
            r#"{"source":"a.b","detail-type":"x","detail":{"data":{"items":[1],"tags":[{"key":"a","value":"b"}]}}}"#,
            r#"{"requestContext":{},"rawPath":"/flush","path":"/flush","body":"go=now"}"#,
        ] {
            assert_eq!(decode(event.as_bytes()), Ok(Event::Request(Request::default())), "{event}");
        }
    }

    #[test]
    fn what_names_something_is_no_request_for_everything() {
        for (event, expected) in [
            (r#"{"distribution":"E1"}"#, "distribution: is unknown (\"distributionId\"?); the fields are"),
            (r#"{"invalidationPaths":["/a"]}"#, "invalidationPaths: is unknown (\"paths\"?)"),
            (r#"{"Key":"a"}"#, "keys: require the \"bucket\""),
            (
                r#"{"source":"com.example","detail-type":"Deployed","detail":{"version":5,"paths":["/a"]}}"#,
                "the event may name what to invalidate in \"detail.paths\", where that is not read; send {\"distributionId\"",
            ),
            (
                r#"{"version":"2.0","requestContext":{},"body":"{\"distribution_id\":\"E1\"}"}"#,
                "the event may name what to invalidate in \"body.distribution_id\", where",
            ),
            (r#"{"source":"com.example","detail-type":"x","detail":{},"path":"/a"}"#, "the event is not recognized"),
            (
                r#"{"source":"a.b","detail-type":"x","detail":{"path":"/a"}}"#,
                "the event may name what to invalidate in \"detail.path\"",
            ),
            (
                r#"{"source":"a.b","detail-type":"x","detail":{"a":{"paths":["/a"]}}}"#,
                "the event may name what to invalidate in \"detail.a.paths\"",
            ),
            (
                r#"{"source":"a.b","detail-type":"x","detail":"{\"paths\":[\"/a\"]}"}"#,
                "the event may name what to invalidate in \"detail.paths\"",
            ),
            (
                r#"{"source":"aws.events","detail-type":"x","detail":{"paths":["/a"]}}"#,
                "the event may name what to invalidate in \"detail.paths\"",
            ),
            (r#"{"body":{"paths":["/a"]}}"#, "the event may name what to invalidate in \"body.paths\""),
            (
                r#"{"requestContext":{},"body":"paths=%2Fa&wait=1"}"#,
                "the event may name what to invalidate in \"body.paths\"",
            ),
            (
                r#"{"requestContext":{},"body":"eyJ9","isBase64Encoded":true}"#,
                "the event may name what to invalidate in \"body\"",
            ),
            (
                r#"{"requestContext":{},"queryStringParameters":{"paths":"/a"}}"#,
                "the event may name what to invalidate in \"queryStringParameters.paths\"",
            ),
            (
                r#"{"InvalidationBatch":{"Paths":{"Quantity":1,"Items":["/a"]}}}"#,
                "the event may name what to invalidate in \"InvalidationBatch.Paths\"",
            ),
            (
                r#"{"s3":{"bucket":{"name":"site"},"object":{"key":"a"}}}"#,
                "the event may name what to invalidate in \"s3.bucket\"",
            ),
            (r#"[{"bucket":"site","key":"a"}]"#, "the event may name what to invalidate in \"[0].bucket\""),
            (
                r#"{"MessageId":"1","Body":"{\"bucket\":\"site\",\"key\":\"a\"}"}"#,
                "the event may name what to invalidate in \"Body.bucket\"",
            ),
            (r#""{\"distributionId\":\"E1\"}""#, "the event may name what to invalidate in \"distributionId\""),
            (r#"["/index.html"]"#, "the event may name what to invalidate, where"),
            (r#""/index.html""#, "the event may name what to invalidate, where"),
            (r#"{"urls":["/a.html"]}"#, "the event may name what to invalidate in \"urls\""),
        ] {
            let error = decode(event.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        for message in [
            "/a.html",
            r#"Notification: {\"Records\":[{\"eventSource\":\"aws:s3\"}]}"#,
            "{go",
            "[go",
            r#"{\"paths\":[\"/a\"]}"#,
            r#"{\"Records\":5}"#,
            r#"\"s3:TestEvent\""#,
        ] {
            let event = format!(r#"{{"Records":[{{"EventSource":"aws:sns","Sns":{{"Message":"{message}"}}}}]}}"#);
            let Ok(Event::Changes(batch)) = decode(event.as_bytes()) else { panic!("{event}") };
            assert_eq!((batch.changes.len(), batch.failed.len()), (0, 1), "{event}");
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
    fn deep_nesting_is_refused_without_recursion() {
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(decode(deep.as_bytes()), Err(EventError::UnknownKind));
    }
}

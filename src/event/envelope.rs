//! From bytes to an event: which kind of event it is, by fields that only one kind has, and the envelopes of SQS, SNS
//! and Lambda, nested in any order around it.
//!
//! Sources: Lambda developer guide, "Using Lambda with Amazon SQS", "… with Amazon SNS", "Retaining records of
//! asynchronous invocations"; SNS developer guide, "Raw message delivery".

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::eventbridge::S3Event;
use super::fields::{EventFields, JsonObject, JsonText, POLL_QUEUE, read};
use super::job::{self, Job};
use super::poll::Poll;
use super::request::{FIELDS as REQUEST_FIELDS, PATHS_ALIAS, Request};
use super::s3::check_source;
use super::{EventError, eventbridge, s3};
use crate::change::{Batch, EventSource, FieldError, Message, SkippedRecord};

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

/// A kind of event, with its content as raw JSON.
pub(super) enum EventKind<'a> {
    /// Records of S3, SQS or SNS.
    Records(&'a RawValue),
    /// S3's test event.
    TestEvent,
    /// An SNS message as delivered to a queue. Contains the field `Message`, a string.
    SnsMessage(&'a RawValue),
    /// An S3 event from EventBridge.
    S3Event(S3Event<'a>),
    /// An invocation record, or an EventBridge event whose detail is one: the field with the event inside.
    InvocationRecord { field: &'static str, event: &'a RawValue },
    /// A CodePipeline job.
    Job(&'a RawValue),
    /// A request.
    Request(EventFields<'a>),
    /// A request to poll the queue.
    Poll(EventFields<'a>),
    /// An event of a schedule.
    Schedule,
    /// An event that names nothing: from another source of EventBridge or the console's Test button.
    Empty,
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
        EventKind::Records(records) => open_records(records, depth, batch)?,
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
        EventKind::Job(_) | EventKind::Request(_) | EventKind::Poll(_) | EventKind::Schedule | EventKind::Empty => {
            return Ok(Some(kind));
        }
    }
    Ok(None)
}

/// The fields of the console's test event template "hello-world".
const HELLO_WORLD: [&str; 3] = ["key1", "key2", "key3"];

/// Detects the kind of an event.
pub(super) fn event_kind(json: &str) -> Result<EventKind<'_>, EventError> {
    let not_json = |error: serde_json::Error| EventError::NotJson(error.to_string());
    let fields = serde_json::from_str::<Option<EventFields<'_>>>(json);
    if fields.as_ref().is_err_and(serde_json::Error::is_data) {
        // The text starts with a JSON value other than an object. The error quotes that value, and what follows may not
        // be JSON, so the text is parsed again.
        serde_json::from_str::<IgnoredAny>(json).map_err(not_json)?;
        return Err(EventError::UnknownKind);
    }
    let Some(fields) = fields.map_err(not_json)? else { return Ok(EventKind::Empty) };
    let mut kinds = [
        fields.get("Records").map(EventKind::Records),
        fields.text("Event").filter(|event| event == "s3:TestEvent").map(|_| EventKind::TestEvent),
        queued_sns_message(&fields),
        from_event_bridge(&fields),
        invocation_record(&fields),
        fields.get("CodePipeline.job").map(EventKind::Job),
    ]
    .into_iter()
    .flatten();
    let is_request = fields.kept.iter().any(|(name, _)| REQUEST_FIELDS.contains(&&**name) || name == PATHS_ALIAS);
    let is_hello_world = fields.kept.iter().all(|(name, _)| HELLO_WORLD.contains(&&**name));
    let is_poll = fields.get(POLL_QUEUE).is_some();
    // An event of two kinds is ambiguous. So is an EventBridge event of another source that has request fields: which
    // of the two is meant is unknown. Beside any other kind, such fields are ignored as unknown ones.
    match (kinds.next(), kinds.next()) {
        _ if fields.ambiguous => Err(EventError::UnknownKind),
        (Some(_), None) if is_poll => Err(EventError::UnknownKind),
        (Some(EventKind::Empty | EventKind::Schedule), None) if is_request => Err(EventError::UnknownKind),
        (Some(EventKind::InvocationRecord { field: "requestPayload", .. }), None) if is_success(&fields) => {
            Err(EventError::UnknownKind)
        }
        (Some(kind), None) => Ok(kind),
        (None, _) if is_poll && !fields.truncated => Ok(EventKind::Poll(fields)),
        (None, _) if is_request && !fields.truncated => Ok(EventKind::Request(fields)),
        (None, _) if is_hello_world && !fields.truncated => Ok(EventKind::Empty),
        _ => Err(EventError::UnknownKind),
    }
}

/// SNS confirms subscriptions by messages of other types, which contain no event.
fn queued_sns_message<'a>(fields: &EventFields<'a>) -> Option<EventKind<'a>> {
    let message = fields.get("Message")?;
    (fields.text("Type")? == "Notification").then_some(EventKind::SnsMessage(message))
}

/// Source: EventBridge user guide, "Event structure"; Lambda developer guide, "Invocation record" for `lambda`.
fn from_event_bridge<'a>(fields: &EventFields<'a>) -> Option<EventKind<'a>> {
    let (source, detail_type, detail) = (fields.text("source")?, fields.text("detail-type")?, fields.get("detail")?);
    Some(match source.as_str() {
        "aws.s3" => {
            EventKind::S3Event(S3Event { detail_type, region: fields.get("region"), time: fields.get("time"), detail })
        }
        "lambda" if detail_type.starts_with("Lambda Function Invocation Result") => {
            EventKind::InvocationRecord { field: "detail", event: detail }
        }
        "aws.events" | "aws.scheduler" => EventKind::Schedule,
        _ => EventKind::Empty,
    })
}

fn invocation_record<'a>(fields: &EventFields<'a>) -> Option<EventKind<'a>> {
    fields.get("requestContext")?;
    fields.get("requestPayload").map(|event| EventKind::InvocationRecord { field: "requestPayload", event })
}

/// Returns whether this is the record of a successful invocation, whose event must not be handled again.
fn is_success(record: &EventFields<'_>) -> bool {
    let context = record.get("requestContext").and_then(|it| serde_json::from_str::<EventFields<'_>>(it.get()).ok());
    context.and_then(|context| context.text("condition")).is_some_and(|condition| condition == "Success")
}

/// The number of failures kept per list of records; further ones are only counted. One message can contain half a
/// million records, each of them bad.
const MAX_LISTED_FAILURES: usize = 10;

fn open_records(records: &RawValue, depth: usize, batch: &mut Batch) -> Result<(), EventError> {
    let records: Vec<&RawValue> = serde_json::from_str(records.get()).map_err(|_| EventError::UnknownKind)?;
    if records.is_empty() {
        return Ok(());
    }
    let source = source_of(&records).ok_or(EventError::UnknownKind)?;
    // Only the outermost batch of messages is answered with batch item failures.
    let needs_ids = depth == 0 && source == EventSource::Sqs;
    if depth == 0 {
        batch.source = source;
        batch.messages = needs_ids.then(Vec::new);
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
            prefix_locations(batch, failed, &format!("Records[{index}]"));
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
    Ok(())
}

/// The services whose events contain a list named `Records`, by the event source that their records name.
const EVENT_SOURCES: [(&str, EventSource); 3] =
    [("aws:sqs", EventSource::Sqs), ("aws:sns", EventSource::Sns), ("aws:s3", EventSource::S3)];

/// Returns the service of a list of records. All records come from one service, so the first that names one decides. If
/// none can be read, returns the first of [`EVENT_SOURCES`] that occurs as a string in a record that is an object.
fn source_of(records: &[&RawValue]) -> Option<EventSource> {
    let mentions = |name: &str| {
        records.iter().any(|record| record.get().starts_with('{') && record.get().contains(&format!("\"{name}\"")))
    };
    let guess = || EVENT_SOURCES.iter().find(|(name, _)| mentions(name)).map(|(_, source)| *source);
    records.iter().find_map(|record| source(record)).or_else(guess)
}

/// The event source of a record. SNS capitalizes the field's name.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct SourceNames<'a> {
    #[serde(rename = "eventSource")]
    event_source: Option<JsonText<'a>>,
    #[serde(rename = "EventSource")]
    sns_source: Option<JsonText<'a>>,
}

/// Returns the service that a record names.
fn source(record: &RawValue) -> Option<EventSource> {
    let JsonObject(named): JsonObject<SourceNames<'_>> = serde_json::from_str(record.get()).ok()?;
    match (named.event_source, named.sns_source) {
        (Some(JsonText(name)), None) if name == "aws:sqs" => Some(EventSource::Sqs),
        (Some(JsonText(name)), None) if name == "aws:s3" => Some(EventSource::S3),
        (None, Some(JsonText(name))) if name == "aws:sns" => Some(EventSource::Sns),
        _ => None,
    }
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
/// about changes. A poll is skipped: Lambda retains the events of invocations that failed, and a poll that failed was
/// followed by the next.
fn open_message(event: &str, field: &str, depth: usize, batch: &mut Batch) {
    let refused = |what| format!("{what} is not accepted in an SQS or SNS message; invoke the function directly");
    let reason = match open_inner(event, field, depth, batch) {
        Ok(None) => return,
        Ok(Some(EventKind::Job(_))) => refused("a CodePipeline job"),
        Ok(Some(EventKind::Request(_))) => refused("an invalidation request"),
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

#[cfg(test)]
mod kind_tests {
    use super::*;
    use crate::event::fields::{DISCRIMINATORS, KEPT_FIELDS};

    /// The kept fields are searched linearly, so their number must be bounded whatever the event contains.
    #[test]
    fn kept_fields_are_bounded() {
        let repeated = |names: &[&str]| -> String {
            let fields = names.iter().flat_map(|name| std::iter::repeat_n(format!("\"{name}\":1,"), 1000));
            format!("{{{}\"last\":1}}", fields.collect::<String>())
        };
        let escaped = DISCRIMINATORS.map(|name| name.replace('e', "\\u0065"));
        let escaped: Vec<_> = escaped.iter().map(String::as_str).collect();
        for (names, ambiguous) in [
            (&DISCRIMINATORS[..], true),
            (&escaped, true),
            (&["x", "wait", "items"], false),
            (&["Event", "x", "Type"], true),
        ] {
            let json = repeated(names);
            let fields: EventFields<'_> = serde_json::from_str(&json).unwrap();
            assert!(fields.kept.len() <= DISCRIMINATORS.len() + KEPT_FIELDS, "{names:?}: {}", fields.kept.len());
            assert_eq!(fields.ambiguous, ambiguous, "{names:?}");
            assert_eq!(event_kind(&json).err(), Some(EventError::UnknownKind), "{names:?}");
        }
    }

    #[test]
    fn json_after_a_repeated_field_is_still_checked() {
        for json in ["{\"Event\":1,\"Event\":2,\"Event\":x}", "{\"Event\":1,\"Event\":2,\"Type\":1"] {
            assert!(matches!(event_kind(json), Err(EventError::NotJson(_))), "{json}");
        }
    }
}

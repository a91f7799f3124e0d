//! Envelopes: SQS and SNS messages and invocation records, nested in any order around an event.
//!
//! Sources: Lambda developer guide, "Using Lambda with Amazon SQS", "… with Amazon SNS", "Retaining records of
//! asynchronous invocations"; SNS developer guide, "Raw message delivery".

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{JsonObject, JsonText};
use super::kind::{EventKind, event_kind};
use super::{Event, EventError, Request, eventbridge, job, s3};
use crate::change::text::excerpt;
use crate::change::{Batch, EventSource, Message, RecordError};

/// The most envelopes accepted around an event. A failed SNS delivery that is kept in a queue has four.
const MAX_DEPTH: usize = 8;

/// The number of failures kept per list of records; further ones are only counted. One message can contain half a
/// million records, each of them bad.
const MAX_LISTED_FAILURES: usize = 10;

/// The position of an event among its envelopes.
#[derive(Clone, Copy)]
struct Nesting {
    depth: usize,
    /// Whether the event is the payload of an invocation, or of an invocation record, and not a message of a queue or
    /// topic. Only then are requests and jobs accepted.
    is_invocation: bool,
}

/// Decodes the payload of an invocation.
pub(super) fn open(event: &str) -> Result<Event, EventError> {
    let mut batch = Batch::default();
    let event = open_at(event, Nesting { depth: 0, is_invocation: true }, &mut batch)?;
    Ok(event.unwrap_or(Event::Changes(batch)))
}

/// Adds the changes of an event to the batch. Returns the event itself if it is a request or a job.
fn open_at(json: &str, nesting: Nesting, batch: &mut Batch) -> Result<Option<Event>, EventError> {
    if nesting.depth > MAX_DEPTH {
        return Err(EventError::TooDeep);
    }
    let not_allowed_here = |what| if nesting.is_invocation { Ok(()) } else { Err(EventError::NotAllowedHere(what)) };
    let kind = event_kind(json)?;
    if nesting.depth == 0 {
        batch.source = kind.source();
    }
    match kind {
        EventKind::Records(records) => open_records(records, nesting, batch)?,
        EventKind::TestEvent => batch.test_events += 1,
        EventKind::SnsMessage(message) => {
            let JsonText(message) = serde_json::from_str(message.get()).map_err(|_| EventError::UnknownKind)?;
            open_message(&message, "Message", nesting, batch);
        }
        EventKind::S3Event { detail_type, region, time, detail } => {
            eventbridge::decode(&detail_type, (region, time), detail, batch);
        }
        EventKind::InvocationRecordEvent(detail) => return open_inner(detail, "detail", nesting, batch),
        EventKind::InvocationRecord { context, payload } => {
            if is_success_record(context) {
                return Err(EventError::UnknownKind);
            }
            return open_inner(payload, "requestPayload", nesting, batch);
        }
        EventKind::Job(job) => {
            not_allowed_here("a CodePipeline job")?;
            return job::decode(job).map(|job| Some(Event::Job(job)));
        }
        EventKind::Request(fields) => {
            not_allowed_here("an invalidation request")?;
            let request = Request::from_fields(fields).map_err(EventError::Request)?;
            return Ok(Some(Event::Request(request)));
        }
        EventKind::Empty | EventKind::OtherEvent => {
            not_allowed_here("an event without an object change")?;
            return Ok(Some(Event::Request(Request::default())));
        }
    }
    Ok(None)
}

/// Decodes an event embedded as JSON in another.
fn open_inner(event: &RawValue, field: &str, nesting: Nesting, batch: &mut Batch) -> Result<Option<Event>, EventError> {
    let failed = batch.failed.len();
    let event = open_at(event.get(), Nesting { depth: nesting.depth + 1, ..nesting }, batch)?;
    prefix_locations(batch, failed, field);
    Ok(event)
}

/// Decodes an event embedded as a string in another. An error fails only this message.
fn open_message(event: &str, field: &str, nesting: Nesting, batch: &mut Batch) {
    let failed = batch.failed.len();
    if let Err(error) = open_at(event, Nesting { depth: nesting.depth + 1, is_invocation: false }, batch) {
        batch.failed.push(RecordError::new("", error.reason()));
    }
    prefix_locations(batch, failed, field);
}

/// Prefixes the locations of the failures from index `first` on with `envelope`.
fn prefix_locations(batch: &mut Batch, first: usize, envelope: &str) {
    let inside = batch.failed.split_off(first);
    batch.failed.extend(inside.into_iter().map(|error| error.within(envelope)));
}

/// Returns whether this is the context of a successful invocation, whose event must not be handled again.
fn is_success_record(context: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct RequestContext<'a> {
        #[serde(borrow)]
        condition: Option<JsonText<'a>>,
    }
    let context = serde_json::from_str(context.get());
    context.is_ok_and(|JsonObject(context): JsonObject<RequestContext<'_>>| {
        context.condition.is_some_and(|it| it.0 == "Success")
    })
}

/// The services whose events contain a list named `Records`, by the event source that their records name.
const EVENT_SOURCES: [(&str, EventSource); 3] =
    [("aws:sqs", EventSource::Sqs), ("aws:sns", EventSource::Sns), ("aws:s3", EventSource::S3)];

/// The event source of a record. SNS capitalizes the field's name.
#[derive(Deserialize)]
struct SourceNames<'a> {
    #[serde(borrow, rename = "eventSource")]
    event_source: Option<JsonText<'a>>,
    #[serde(borrow, rename = "EventSource")]
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

/// Returns the service of a list of records. All records come from one service, so the first that names one decides. If
/// none can be read, returns the first of [`EVENT_SOURCES`] that occurs as a string in a record that is an object.
fn source_of(records: &[&RawValue]) -> Option<EventSource> {
    let mentions = |name: &str| {
        records.iter().any(|record| record.get().starts_with('{') && record.get().contains(&format!("\"{name}\"")))
    };
    let guess = || EVENT_SOURCES.iter().find(|(name, _)| mentions(name)).map(|(_, source)| *source);
    records.iter().find_map(|record| source(record)).or_else(guess)
}

fn open_records(records: &RawValue, nesting: Nesting, batch: &mut Batch) -> Result<(), EventError> {
    let records: Vec<&RawValue> = serde_json::from_str(records.get()).map_err(|_| EventError::UnknownKind)?;
    if records.is_empty() {
        return Ok(());
    }
    let source = source_of(&records).ok_or(EventError::UnknownKind)?;
    if nesting.depth == 0 {
        batch.source = source;
    }
    // Only the outermost batch of messages is answered with batch item failures.
    let mut messages = (nesting.depth == 0 && matches!(source, EventSource::Sqs)).then(Vec::new);
    // The number of failures listed so far that belong to no message with an ID.
    let mut listed = 0;
    for (index, record) in records.into_iter().enumerate() {
        let (changes, failed) = (batch.changes.len(), batch.failed.len());
        let mut id = None;
        match source {
            EventSource::Sns => open_record(read::<SnsRecord<'_>>(record), nesting, batch),
            EventSource::Sqs => {
                let message = read::<SqsRecord<'_>>(record);
                id = messages.is_some().then(|| message_id(&message, record)).flatten();
                if messages.is_some() && id.is_none() {
                    // Without an ID the message cannot be reported as failed, so its changes are not handled.
                    batch.failed.push(RecordError::new("messageId", "missing"));
                } else {
                    open_record(message, nesting, batch);
                }
            }
            _ => s3::decode(record, batch),
        }
        if batch.failed.len() > failed {
            prefix_locations(batch, failed, &format!("Records[{index}]"));
        }
        if let (Some(messages), Some(id)) = (&mut messages, id) {
            let (changes, failed) = (changes..batch.changes.len(), failed..batch.failed.len());
            messages.push(Message { id, changes, failed });
            continue;
        }
        let end = batch.failed.len().min(failed + MAX_LISTED_FAILURES - listed);
        listed += end - failed;
        batch.unlisted_failures += batch.failed.drain(end..).len();
    }
    batch.messages = messages.or_else(|| batch.messages.take());
    Ok(())
}

/// A record that contains a message: of SQS or of SNS.
trait Envelope<'a>: Deserialize<'a> {
    /// The path of the field that contains the message.
    const FIELD: &'static str;

    /// The name of the field for the event source, its value, and the value it must have.
    fn source(&self) -> (&'static str, Option<&str>, &'static str);

    fn message(self) -> Option<JsonText<'a>>;
}

#[derive(Deserialize)]
struct SqsRecord<'a> {
    #[serde(borrow, rename = "messageId")]
    id: Option<JsonText<'a>>,
    #[serde(borrow, rename = "eventSource")]
    source: Option<JsonText<'a>>,
    #[serde(borrow)]
    body: Option<JsonText<'a>>,
}

impl<'a> Envelope<'a> for SqsRecord<'a> {
    const FIELD: &'static str = "body";

    fn source(&self) -> (&'static str, Option<&str>, &'static str) {
        ("eventSource", self.source.as_ref().map(|it| &*it.0), "aws:sqs")
    }

    fn message(self) -> Option<JsonText<'a>> {
        self.body
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SnsRecord<'a> {
    #[serde(borrow)]
    event_source: Option<JsonText<'a>>,
    #[serde(borrow)]
    sns: Option<JsonObject<Sns<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sns<'a> {
    #[serde(borrow)]
    message: Option<JsonText<'a>>,
}

impl<'a> Envelope<'a> for SnsRecord<'a> {
    const FIELD: &'static str = "Sns.Message";

    fn source(&self) -> (&'static str, Option<&str>, &'static str) {
        ("EventSource", self.event_source.as_ref().map(|it| &*it.0), "aws:sns")
    }

    fn message(self) -> Option<JsonText<'a>> {
        self.sns?.0.message
    }
}

/// Decodes the record around a message.
fn read<'a, E: Envelope<'a>>(record: &'a RawValue) -> Result<E, RecordError> {
    match serde_json::from_str(record.get()) {
        Ok(JsonObject(envelope)) => Ok(envelope),
        Err(error) => Err(RecordError::new("", excerpt(&error.to_string()))),
    }
}

/// Decodes the message that a record contains.
fn open_record<'a, E: Envelope<'a>>(record: Result<E, RecordError>, nesting: Nesting, batch: &mut Batch) {
    match record {
        Ok(envelope) => match envelope.source() {
            (_, Some(source), expected) if source == expected => match envelope.message() {
                Some(JsonText(message)) => open_message(&message, E::FIELD, nesting, batch),
                None => batch.failed.push(RecordError::new(E::FIELD, "missing")),
            },
            (field, source, expected) => {
                let reason = match source {
                    Some(other) => format!("\"{}\" is not \"{expected}\"", excerpt(other)),
                    None => "missing".into(),
                };
                batch.failed.push(RecordError::new(field, reason));
            }
        },
        Err(error) => batch.failed.push(error),
    }
}

/// Returns the `messageId` of an SQS record. If the record could not be decoded, its ID is decoded alone, so that no
/// other bad field hides it.
fn message_id(message: &Result<SqsRecord<'_>, RecordError>, record: &RawValue) -> Option<Box<str>> {
    #[derive(Deserialize)]
    struct MessageIdOnly<'a> {
        #[serde(borrow, rename = "messageId")]
        id: Option<JsonText<'a>>,
    }
    let non_empty = |id: &JsonText<'_>| (!id.0.is_empty()).then(|| Box::from(&*id.0));
    if let Ok(message) = message {
        return message.id.as_ref().and_then(non_empty);
    }
    let JsonObject(MessageIdOnly { id }) = serde_json::from_str(record.get()).ok()?;
    id.as_ref().and_then(non_empty)
}

//! Envelopes: messages of SQS and SNS, and records of failed invocations, in whatever order they were put around an event.
//!
//! Sources: Lambda developer guide, "Using Lambda with Amazon SQS", "… with Amazon SNS", "Retaining records of
//! asynchronous invocations"; SNS developer guide, "Raw message delivery".

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{Object, Text};
use super::kind::{Shape, shape};
use super::{EventError, Request, Trigger, eventbridge, job, s3};
use crate::change::text::excerpt;
use crate::change::{Batch, Message, RecordError, Source};

/// How many envelopes there can be around an event. A failed delivery of a topic's, kept in a queue, has four.
const MAX_DEPTH: usize = 8;

/// How many failures of one list of records are spelt out. A message can hold half a million records, each of them bad.
const LISTED_FAILURES: usize = 10;

/// Where an envelope was found.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    /// Whether somebody invoked the function with this, not a queue or a topic that only changes come through.
    invoked: bool,
}

/// Opens an event as the function gets it.
pub(super) fn open(event: &str) -> Result<Trigger, EventError> {
    let mut batch = Batch::default();
    let trigger = open_at(event, Place { depth: 0, invoked: true }, &mut batch)?;
    Ok(trigger.unwrap_or(Trigger::Changes(batch)))
}

/// Adds the changes of an event to the batch, or returns what else it asks for.
fn open_at(json: &str, place: Place, batch: &mut Batch) -> Result<Option<Trigger>, EventError> {
    if place.depth > MAX_DEPTH {
        return Err(EventError::TooDeep);
    }
    let misplaced = |what| if place.invoked { Ok(()) } else { Err(EventError::Misplaced(what)) };
    let shape = shape(json)?;
    if place.depth == 0 {
        batch.source = shape.source();
    }
    match shape {
        Shape::Records(records) => open_records(records, place, batch)?,
        Shape::TestEvent => batch.test_events += 1,
        Shape::Notification(message) => {
            let Text(message) = serde_json::from_str(message.get()).map_err(|_| EventError::UnknownShape)?;
            open_message(&message, "Message", place, batch);
        }
        Shape::S3Event { detail_type, region, time, detail } => {
            eventbridge::decode(&detail_type, (region, time), detail, batch);
        }
        Shape::InvocationEvent(detail) => return open_inner(detail, "detail", place, batch),
        Shape::InvocationRecord { context, payload } => {
            if ended_well(context) {
                return Err(EventError::UnknownShape);
            }
            return open_inner(payload, "requestPayload", place, batch);
        }
        Shape::Job(job) => {
            misplaced("a job of a pipeline")?;
            return job::decode(job).map(|job| Some(Trigger::Job(job)));
        }
        Shape::Request(fields) => {
            misplaced("a direct invocation")?;
            let request = Request::from_fields(fields).map_err(EventError::Request)?;
            return Ok(Some(Trigger::Request(request)));
        }
        Shape::Bare | Shape::OtherEvent => {
            misplaced("an event that names no change")?;
            return Ok(Some(Trigger::Request(Request::default())));
        }
    }
    Ok(None)
}

/// Opens an event that another one holds as JSON.
fn open_inner(event: &RawValue, field: &str, place: Place, batch: &mut Batch) -> Result<Option<Trigger>, EventError> {
    let failed = batch.failed.len();
    let trigger = open_at(event.get(), Place { depth: place.depth + 1, ..place }, batch)?;
    name_envelope(batch, failed, field);
    Ok(trigger)
}

/// Opens an event that another one holds as a string. What is wrong with it costs nothing else.
fn open_message(event: &str, field: &str, place: Place, batch: &mut Batch) {
    let failed = batch.failed.len();
    if let Err(error) = open_at(event, Place { depth: place.depth + 1, invoked: false }, batch) {
        batch.failed.push(RecordError::new("", error.reason()));
    }
    name_envelope(batch, failed, field);
}

/// Says of the failures from `first` on in which envelope they lie.
fn name_envelope(batch: &mut Batch, first: usize, envelope: &str) {
    let inside = batch.failed.split_off(first);
    batch.failed.extend(inside.into_iter().map(|error| error.within(envelope)));
}

/// Whether this is the record of an invocation that succeeded, which must not be done again.
fn ended_well(context: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Context<'a> {
        #[serde(borrow)]
        condition: Option<Text<'a>>,
    }
    let context = serde_json::from_str(context.get());
    context.is_ok_and(|Object(context): Object<Context<'_>>| context.condition.is_some_and(|it| it.0 == "Success"))
}

/// The services whose records are called `Records`.
const SOURCES: [(&str, Source); 3] = [("aws:sqs", Source::Sqs), ("aws:sns", Source::Sns), ("aws:s3", Source::S3)];

/// SNS spells its field with a capital.
#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow, rename = "eventSource")]
    event_source: Option<Text<'a>>,
    #[serde(borrow, rename = "EventSource")]
    sns_source: Option<Text<'a>>,
}

/// The service that a record names.
fn source(record: &RawValue) -> Option<Source> {
    let Object(named): Object<Named<'_>> = serde_json::from_str(record.get()).ok()?;
    match (named.event_source, named.sns_source) {
        (Some(Text(name)), None) if name == "aws:sqs" => Some(Source::Sqs),
        (Some(Text(name)), None) if name == "aws:s3" => Some(Source::S3),
        (None, Some(Text(name))) if name == "aws:sns" => Some(Source::Sns),
        _ => None,
    }
}

/// The service of a list of records: they all come from one. Where no record can be read, what an object among them seems
/// to say.
fn source_of(records: &[&RawValue]) -> Option<Source> {
    let seems = |name: &str| {
        records.iter().any(|record| record.get().starts_with('{') && record.get().contains(&format!("\"{name}\"")))
    };
    let guess = || SOURCES.iter().find(|(name, _)| seems(name)).map(|(_, source)| *source);
    records.iter().find_map(|record| source(record)).or_else(guess)
}

fn open_records(records: &RawValue, place: Place, batch: &mut Batch) -> Result<(), EventError> {
    let records: Vec<&RawValue> = serde_json::from_str(records.get()).map_err(|_| EventError::UnknownShape)?;
    if records.is_empty() {
        return Ok(());
    }
    let source = source_of(&records).ok_or(EventError::UnknownShape)?;
    if place.depth == 0 {
        batch.source = source;
    }
    // Whoever wrapped a batch of messages waits for no answer about each.
    let mut messages = (place.depth == 0 && matches!(source, Source::Sqs)).then(Vec::new);
    // Failures that are no named message's.
    let mut listed = 0;
    for (index, record) in records.into_iter().enumerate() {
        let (changes, failed) = (batch.changes.len(), batch.failed.len());
        let mut id = None;
        match source {
            Source::Sns => open_record(read::<SnsRecord<'_>>(record), place, batch),
            Source::Sqs => {
                let message = read::<SqsRecord<'_>>(record);
                id = messages.is_some().then(|| message_id(&message, record)).flatten();
                if messages.is_some() && id.is_none() {
                    // It could not be named as failed, nor its work as done.
                    batch.failed.push(RecordError::new("messageId", "missing"));
                } else {
                    open_record(message, place, batch);
                }
            }
            _ => s3::decode(record, batch),
        }
        if batch.failed.len() > failed {
            name_envelope(batch, failed, &format!("Records[{index}]"));
        }
        if let (Some(messages), Some(id)) = (&mut messages, id) {
            let (changes, failed) = (changes..batch.changes.len(), failed..batch.failed.len());
            messages.push(Message { id, changes, failed });
            continue;
        }
        let end = batch.failed.len().min(failed + LISTED_FAILURES - listed);
        listed += end - failed;
        batch.failed_too += batch.failed.drain(end..).len();
    }
    batch.messages = messages.or_else(|| batch.messages.take());
    Ok(())
}

/// A record around a message.
trait Envelope<'a>: Deserialize<'a> {
    /// The name of the field that holds the message.
    const FIELD: &'static str;

    /// What it says it is from, in the field and with the value that it should have.
    fn source(&self) -> (&'static str, Option<&str>, &'static str);

    fn message(self) -> Option<Text<'a>>;
}

#[derive(Deserialize)]
struct SqsRecord<'a> {
    #[serde(borrow, rename = "messageId")]
    id: Option<Text<'a>>,
    #[serde(borrow, rename = "eventSource")]
    source: Option<Text<'a>>,
    #[serde(borrow)]
    body: Option<Text<'a>>,
}

impl<'a> Envelope<'a> for SqsRecord<'a> {
    const FIELD: &'static str = "body";

    fn source(&self) -> (&'static str, Option<&str>, &'static str) {
        ("eventSource", self.source.as_ref().map(|it| &*it.0), "aws:sqs")
    }

    fn message(self) -> Option<Text<'a>> {
        self.body
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SnsRecord<'a> {
    #[serde(borrow)]
    event_source: Option<Text<'a>>,
    #[serde(borrow)]
    sns: Option<Object<Sns<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sns<'a> {
    #[serde(borrow)]
    message: Option<Text<'a>>,
}

impl<'a> Envelope<'a> for SnsRecord<'a> {
    const FIELD: &'static str = "Sns.Message";

    fn source(&self) -> (&'static str, Option<&str>, &'static str) {
        ("EventSource", self.event_source.as_ref().map(|it| &*it.0), "aws:sns")
    }

    fn message(self) -> Option<Text<'a>> {
        self.sns?.0.message
    }
}

/// Reads a record around a message.
fn read<'a, E: Envelope<'a>>(record: &'a RawValue) -> Result<E, RecordError> {
    match serde_json::from_str(record.get()) {
        Ok(Object(envelope)) => Ok(envelope),
        Err(error) => Err(RecordError::new("", excerpt(&error.to_string()))),
    }
}

/// Opens what a record holds.
fn open_record<'a, E: Envelope<'a>>(record: Result<E, RecordError>, place: Place, batch: &mut Batch) {
    match record {
        Ok(envelope) => match envelope.source() {
            (_, Some(source), expected) if source == expected => match envelope.message() {
                Some(Text(message)) => open_message(&message, E::FIELD, place, batch),
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

/// A queue's id of a message. Where the message could not be read the id is read by itself, so that nothing else can hide it.
fn message_id(message: &Result<SqsRecord<'_>, RecordError>, record: &RawValue) -> Option<Box<str>> {
    #[derive(Deserialize)]
    struct Identified<'a> {
        #[serde(borrow, rename = "messageId")]
        id: Option<Text<'a>>,
    }
    let non_empty = |id: &Text<'_>| (!id.0.is_empty()).then(|| Box::from(&*id.0));
    if let Ok(message) = message {
        return message.id.as_ref().and_then(non_empty);
    }
    let Object(Identified { id }) = serde_json::from_str(record.get()).ok()?;
    id.as_ref().and_then(non_empty)
}

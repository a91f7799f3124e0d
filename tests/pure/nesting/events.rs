//! Events in envelopes in an SQS batch, and what they must decode to.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use s3_cloudfront_invalidator::local::events::encode_key;

use super::writer::Writer;

/// The most envelopes around an event in an SQS message: eight are opened, and the message is one of them.
pub(super) const MOST_ENVELOPES: usize = 7;

/// JSON that is no event, or that is not accepted from a queue.
const NO_EVENTS: [&str; 9] = [
    "null",
    "5",
    "\"text\"",
    "[]",
    "{}",
    "{\"hello\":\"world\"}",
    "{\"distributionId\":\"E1\"}",
    "{\"CodePipeline.job\":{\"id\":\"1\",\"data\":{}}}",
    "{\"requestContext\":{\"condition\":\"Success\"},\"requestPayload\":{\"Records\":[]}}",
];

/// Text that is not JSON.
const NO_JSON: [&str; 5] = ["", "Hello!", "{\"Records\":[", "{} {}", "\u{feff}{}"];

/// A record of an S3 event notification.
#[derive(Clone, Debug)]
pub(super) enum Record {
    Change(String),
    Skipped,
    Unreadable,
}

/// What an event can be wrapped in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Envelope {
    /// An SNS notification, as in an SQS message.
    Notification,
    /// SNS records, as Lambda receives them.
    Topic,
    Queue,
    InvocationRecord,
    /// An invocation record in an event of EventBridge.
    InvocationEvent,
}

pub(super) const ENVELOPES: [Envelope; 5] =
    [Envelope::Notification, Envelope::Topic, Envelope::Queue, Envelope::InvocationRecord, Envelope::InvocationEvent];

#[derive(Clone, Debug)]
pub(super) enum NestedEvent {
    Notification(Vec<Record>),
    Bridge(String),
    Test,
    None(&'static str),
    /// SNS records and SQS batches can hold several events, the other envelopes hold one.
    In(Envelope, Vec<NestedEvent>),
}

/// What an event must decode to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) keys: Vec<String>,
    pub(super) skipped: usize,
    pub(super) test_events: usize,
    pub(super) failed: usize,
}

fn key() -> impl Strategy<Value = String> {
    "[a-z +%/é\"\\\\😀]{1,6}"
}

fn base() -> impl Strategy<Value = NestedEvent> {
    let record =
        prop_oneof![4 => key().prop_map(Record::Change), 1 => Just(Record::Skipped), 1 => Just(Record::Unreadable)];
    prop_oneof![
        4 => vec(record, 0..=3).prop_map(NestedEvent::Notification),
        3 => key().prop_map(NestedEvent::Bridge),
        1 => Just(NestedEvent::Test),
        1 => select(NO_EVENTS.as_slice()).prop_map(NestedEvent::None),
    ]
}

/// An event in up to five envelopes, as far as so many are opened: one within the other, or with other events beside
/// it.
pub(super) fn event() -> impl Strategy<Value = NestedEvent> {
    let chain = (base(), vec(select(ENVELOPES.as_slice()), 0..=5)).prop_map(|(event, envelopes)| {
        envelopes.into_iter().fold(event, |event, envelope| NestedEvent::In(envelope, vec![event]))
    });
    let event = base().prop_recursive(5, 16, 3, |inner| {
        let several = (select(vec![Envelope::Topic, Envelope::Queue]), vec(inner.clone(), 1..=3));
        let one = select(vec![Envelope::Notification, Envelope::InvocationRecord, Envelope::InvocationEvent]);
        prop_oneof![several, (one, inner.prop_map(|event| vec![event]))]
            .prop_map(|(envelope, events)| NestedEvent::In(envelope, events))
    });
    prop_oneof![chain, event].prop_filter("too deep", |event| event.envelopes() <= MOST_ENVELOPES)
}

/// The body of an SQS message.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Event(NestedEvent),
    Junk(&'static str),
}

pub(super) fn bodies() -> impl Strategy<Value = Vec<Body>> {
    vec(prop_oneof![4 => event().prop_map(Body::Event), 1 => select(NO_JSON.as_slice()).prop_map(Body::Junk)], 1..6)
}

impl Body {
    pub(super) fn write(&self, writer: &mut Writer) -> String {
        match self {
            Self::Event(event) => event.write(writer),
            Self::Junk(text) => (*text).to_owned(),
        }
    }

    pub(super) fn expected(&self) -> Expected {
        let mut expected = Expected::default();
        match self {
            Self::Event(event) => event.add_to(&mut expected),
            Self::Junk(_) => expected.failed = 1,
        }
        expected
    }
}

impl NestedEvent {
    pub(super) fn envelopes(&self) -> usize {
        let Self::In(envelope, events) = self else { return 0 };
        let own = if matches!(envelope, Envelope::InvocationEvent) { 2 } else { 1 };
        own + events.iter().map(Self::envelopes).max().unwrap_or_default()
    }

    fn add_to(&self, expected: &mut Expected) {
        match self {
            Self::Notification(records) => {
                for record in records {
                    match record {
                        Record::Change(key) => expected.keys.push(key.clone()),
                        Record::Skipped => expected.skipped += 1,
                        Record::Unreadable => expected.failed += 1,
                    }
                }
            }
            Self::Bridge(key) => expected.keys.push(key.clone()),
            Self::Test => expected.test_events += 1,
            Self::None(_) => expected.failed += 1,
            Self::In(_, events) => events.iter().for_each(|event| event.add_to(expected)),
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) -> String {
        match self {
            Self::Notification(records) => {
                let records: Vec<_> = records.iter().map(|record| record.write(writer)).collect();
                let records = writer.array(&records);
                writer.object(&[("Records", records)])
            }
            Self::Bridge(key) => bridge(key, writer),
            Self::Test => {
                let name = writer.string("s3:TestEvent");
                writer.object(&[("Service", "\"Amazon S3\"".into()), ("Event", name)])
            }
            Self::None(text) => (*text).to_owned(),
            Self::In(envelope, events) => {
                let events: Vec<_> = events.iter().map(|event| event.write(writer)).collect();
                envelope.write(&events, writer)
            }
        }
    }
}

impl Record {
    fn write(&self, writer: &mut Writer) -> String {
        let (name, key) = match self {
            Self::Change(key) => ("ObjectCreated:Put", encode_key(key)),
            Self::Skipped => ("ObjectTagging:Put", "k".into()),
            Self::Unreadable => ("ObjectRemoved:Delete", "%FF".into()),
        };
        let key = writer.string(&key);
        let site = writer.string("site");
        let (bucket, object) = (writer.object(&[("name", site)]), writer.object(&[("key", key)]));
        let s3 = writer.object(&[("bucket", bucket), ("object", object)]);
        let (source, name) = (writer.string("aws:s3"), writer.string(name));
        writer.object(&[("eventSource", source), ("eventName", name), ("s3", s3)])
    }
}

fn bridge(key: &str, writer: &mut Writer) -> String {
    let (site, key) = (writer.string("site"), writer.string(key));
    let (bucket, object) = (writer.object(&[("name", site)]), writer.object(&[("key", key)]));
    let detail = writer.object(&[("bucket", bucket), ("object", object)]);
    let (source, name) = (writer.string("aws.s3"), writer.string("Object Created"));
    writer.object(&[("source", source), ("detail-type", name), ("detail", detail)])
}

impl Envelope {
    fn write(self, events: &[String], writer: &mut Writer) -> String {
        match self {
            Self::Notification => {
                let (name, message) = (writer.string("Notification"), writer.string(&events[0]));
                writer.object(&[("Type", name), ("Message", message)])
            }
            Self::Topic => {
                let record = |event: &String| {
                    let (source, message) = (writer.string("aws:sns"), writer.string(event));
                    let sns = writer.object(&[("Type", "\"Notification\"".into()), ("Message", message)]);
                    writer.object(&[("EventSource", source), ("Sns", sns)])
                };
                let records: Vec<_> = events.iter().map(record).collect();
                let records = writer.array(&records);
                writer.object(&[("Records", records)])
            }
            Self::Queue => batch(events, "inner", writer),
            Self::InvocationRecord => {
                let condition = writer.string("RetriesExhausted");
                let context = writer.object(&[("condition", condition)]);
                writer.object(&[("requestContext", context), ("requestPayload", events[0].clone())])
            }
            Self::InvocationEvent => {
                let record = Self::InvocationRecord.write(events, writer);
                let (source, name) =
                    (writer.string("lambda"), writer.string("Lambda Function Invocation Result - Failure"));
                writer.object(&[("source", source), ("detail-type", name), ("detail", record)])
            }
        }
    }
}

/// An SQS batch of messages with these bodies. The ID of a message is `prefix` and its index.
pub(super) fn batch(bodies: &[String], prefix: &str, writer: &mut Writer) -> String {
    let record = |(index, body): (usize, &String)| {
        let (source, id, body) =
            (writer.string("aws:sqs"), writer.string(&format!("{prefix}{index}")), writer.string(body));
        writer.object(&[("eventSource", source), ("messageId", id), ("body", body)])
    };
    let records: Vec<_> = bodies.iter().enumerate().map(record).collect();
    let records = writer.array(&records);
    writer.object(&[("Records", records)])
}

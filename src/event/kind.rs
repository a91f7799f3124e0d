//! The kind of an event, detected by fields that only one kind has, never by which type happens to deserialize.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::EventError;
use super::eventbridge::{API_CALL, CLOUD_TRAIL_SOURCE, S3Event};
use super::fields::{EventFields, JsonObject, JsonText, POLL_QUEUE};
use super::request::{field_name, near_field};
use super::unread::check_names_nothing;
use crate::change::EventSource;

/// A kind of event, with its content as raw JSON.
pub(super) enum EventKind<'a> {
    /// Records of S3, SQS or SNS, in a list of this name. EventBridge Pipes sends SQS records in a list without a name.
    Records { list: &'static str, records: &'a RawValue },
    /// Messages as `aws sqs receive-message` prints them.
    ReceivedMessages(&'a RawValue),
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
    /// An event that names nothing.
    Other,
}

/// Detects the kind of an event.
pub(super) fn event_kind(json: &str) -> Result<EventKind<'_>, EventError> {
    let not_json = |error: serde_json::Error| EventError::NotJson(error.to_string());
    match json.trim_ascii_start().as_bytes().first() {
        Some(b'{') => of_object(json, &serde_json::from_str(json).map_err(not_json)?),
        Some(b'[') => {
            let list: &RawValue = serde_json::from_str(json).map_err(not_json)?;
            let records: Vec<&RawValue> = serde_json::from_str(list.get()).map_err(not_json)?;
            if source_of(&records) == Some(EventSource::Sqs) {
                return Ok(EventKind::Records { list: "", records: list });
            }
            other(json)
        }
        _ => {
            serde_json::from_str::<IgnoredAny>(json).map_err(not_json)?;
            other(json)
        }
    }
}

fn of_object<'a>(json: &'a str, fields: &EventFields<'a>) -> Result<EventKind<'a>, EventError> {
    let mut kinds = [
        fields.get("Records").map(|records| EventKind::Records { list: "Records", records }),
        fields.get("Messages").map(EventKind::ReceivedMessages),
        fields.text("Event").filter(|event| event == "s3:TestEvent").map(|_| EventKind::TestEvent),
        queued_sns_message(fields),
        from_event_bridge(fields),
        s3_detail(json, fields),
        invocation_record(fields),
        fields.get("CodePipeline.job").map(EventKind::Job),
    ]
    .into_iter()
    .flatten();
    // A misspelled field of a request must not invalidate everything; an HTTP request has fields of similar names.
    let is_http = fields.get("requestContext").is_some();
    let is_field = |name: &str| field_name(name).is_some() || (!is_http && near_field(name).is_some());
    let is_request = fields.kept.iter().any(|(name, _)| is_field(name));
    let is_poll = fields.get(POLL_QUEUE).is_some();
    // An event of two kinds is ambiguous. So is an EventBridge event of another source that has request fields: which
    // of the two is meant is unknown. Beside any other kind, such fields are ignored as unknown ones.
    match (kinds.next(), kinds.next()) {
        _ if fields.ambiguous => Err(EventError::UnknownKind),
        (Some(_), None) if is_poll => Err(EventError::UnknownKind),
        (Some(EventKind::Other | EventKind::Schedule), None) if is_request => Err(EventError::UnknownKind),
        (Some(kind @ (EventKind::Other | EventKind::Schedule)), None) => check_names_nothing(json).map(|()| kind),
        (Some(EventKind::InvocationRecord { field: "requestPayload", .. }), None) if is_success(fields) => {
            Err(EventError::UnknownKind)
        }
        (Some(kind), None) => Ok(kind),
        (Some(_), Some(_)) => Err(EventError::UnknownKind),
        _ if fields.truncated => Err(EventError::UnknownKind),
        (None, _) if is_poll => Ok(EventKind::Poll(fields.clone())),
        (None, _) if is_request => Ok(EventKind::Request(fields.clone())),
        _ => other(json),
    }
}

/// An event that names nothing.
fn other(json: &str) -> Result<EventKind<'_>, EventError> {
    check_names_nothing(json).map(|()| EventKind::Other)
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
        "aws.s3" => EventKind::S3Event(S3Event {
            detail_type: Some(detail_type),
            at: "detail.",
            region: fields.get("region"),
            time: fields.get("time"),
            detail,
        }),
        "lambda" if detail_type.starts_with("Lambda Function Invocation Result") => {
            EventKind::InvocationRecord { field: "detail", event: detail }
        }
        "aws.events" | "aws.scheduler" => EventKind::Schedule,
        _ => EventKind::Other,
    })
}

/// The detail of an S3 event, or of an API call that CloudTrail recorded, which is all that a rule with the `InputPath`
/// `$.detail` passes on.
fn s3_detail<'a>(json: &'a str, fields: &EventFields<'a>) -> Option<EventKind<'a>> {
    let is_object = |name| fields.get(name).is_some_and(|value: &RawValue| value.get().starts_with('{'));
    let detail_type = if fields.text("eventSource").is_some_and(|source| source == CLOUD_TRAIL_SOURCE) {
        Some(API_CALL.to_owned())
    } else if is_object("bucket") && is_object("object") {
        None
    } else {
        return None;
    };
    let detail = serde_json::from_str(json).ok()?;
    Some(EventKind::S3Event(S3Event { detail_type, at: "", region: None, time: None, detail }))
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

/// The services whose events contain a list named `Records`, by the event source that their records name.
const EVENT_SOURCES: [(&str, EventSource); 3] =
    [("aws:sqs", EventSource::Sqs), ("aws:sns", EventSource::Sns), ("aws:s3", EventSource::S3)];

/// Returns the service of a list of records. All records come from one service, so the first that names one decides. If
/// none can be read, returns the first of [`EVENT_SOURCES`] that occurs as a string in a record that is an object.
pub(super) fn source_of(records: &[&RawValue]) -> Option<EventSource> {
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

#[cfg(test)]
mod tests {
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

//! The kinds of events, one or more for each source, and their detection by fields that only one kind has.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::EventError;
use super::eventbridge::S3Event;
use super::fields::EventFields;
use super::request::{FIELDS as REQUEST_FIELDS, PATHS_ALIAS};

/// The fields of the console's test event template "hello-world".
const HELLO_WORLD: [&str; 3] = ["key1", "key2", "key3"];

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
    /// An event that names nothing: from a schedule, another source of EventBridge or the console's Test button.
    Empty,
}

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
        sns_message(&fields),
        from_event_bridge(&fields),
        invocation_record(&fields),
        fields.get("CodePipeline.job").map(EventKind::Job),
    ]
    .into_iter()
    .flatten();
    let is_request = fields.kept.iter().any(|(name, _)| REQUEST_FIELDS.contains(&&**name) || name == PATHS_ALIAS);
    let is_hello_world = fields.kept.iter().all(|(name, _)| HELLO_WORLD.contains(&&**name));
    // An event of two kinds is ambiguous. So is an EventBridge event of another source that has request fields: which
    // of the two is meant is unknown. Beside any other kind, such fields are ignored as unknown ones.
    match (kinds.next(), kinds.next()) {
        _ if fields.ambiguous => Err(EventError::UnknownKind),
        (Some(EventKind::Empty), None) if is_request => Err(EventError::UnknownKind),
        (Some(EventKind::InvocationRecord { field: "requestPayload", .. }), None) if is_success(&fields) => {
            Err(EventError::UnknownKind)
        }
        (Some(kind), None) => Ok(kind),
        (None, _) if is_request && !fields.truncated => Ok(EventKind::Request(fields)),
        (None, _) if is_hello_world && !fields.truncated => Ok(EventKind::Empty),
        _ => Err(EventError::UnknownKind),
    }
}

/// SNS confirms subscriptions by messages of other types, which contain no event.
fn sns_message<'a>(fields: &EventFields<'a>) -> Option<EventKind<'a>> {
    let message = fields.get("Message")?;
    (fields.text("Type")? == "Notification").then_some(EventKind::SnsMessage(message))
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
        _ => EventKind::Empty,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_after_a_repeated_field_is_still_checked() {
        for json in ["{\"Event\":1,\"Event\":2,\"Event\":x}", "{\"Event\":1,\"Event\":2,\"Type\":1"] {
            assert!(matches!(event_kind(json), Err(EventError::NotJson(_))), "{json}");
        }
    }
}

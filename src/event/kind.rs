//! The kinds of events, one or more for each source, and their detection by fields that only one kind has.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::EventError;
use super::json::JsonText;
use super::request::{FIELDS as REQUEST_FIELDS, PATHS_ALIAS};
use crate::change::EventSource;

/// The fields of the console's test event template "hello-world".
const HELLO_WORLD: [&str; 3] = ["key1", "key2", "key3"];

/// How many fields are kept besides the discriminators. A valid request has fewer; other events may have any number.
const KEPT_FIELDS: usize = 64;

/// The fields that distinguish kinds of events, and the fields decoded with them. They are always kept, and an event in
/// which one occurs twice is rejected. `time` is not among them, because an event is accepted without it.
const DISCRIMINATORS: [&str; 11] = [
    "Records",
    "Event",
    "Type",
    "Message",
    "source",
    "detail-type",
    "detail",
    "region",
    "CodePipeline.job",
    "requestContext",
    "requestPayload",
];

/// A kind of event, with its content as raw JSON.
pub(super) enum EventKind<'a> {
    /// Records of S3, SQS or SNS.
    Records(&'a RawValue),
    /// S3's test event.
    TestEvent,
    /// An SNS message as delivered to a queue. Contains the field `Message`, a string.
    SnsMessage(&'a RawValue),
    /// An S3 event from EventBridge.
    S3Event { detail_type: String, region: Option<&'a RawValue>, time: Option<&'a RawValue>, detail: &'a RawValue },
    /// An EventBridge event from another source.
    OtherEvent,
    /// An EventBridge event whose detail is an invocation record.
    InvocationRecordEvent(&'a RawValue),
    /// An invocation record: its context, which contains the outcome, and the original event.
    InvocationRecord { context: &'a RawValue, payload: &'a RawValue },
    /// A CodePipeline job.
    Job(&'a RawValue),
    /// A request.
    Request(EventFields<'a>),
    /// An event that names nothing: from a schedule or the console's Test button.
    Empty,
}

impl EventKind<'_> {
    /// Returns the source of an outermost event of this kind. Records name their own source, which replaces this one,
    /// and the source of a request or job follows from the decoded event.
    pub(super) fn source(&self) -> EventSource {
        match self {
            Self::S3Event { .. } => EventSource::EventBridge,
            Self::InvocationRecordEvent(_) | Self::InvocationRecord { .. } => EventSource::InvocationRecord,
            Self::SnsMessage(_) => EventSource::Sns,
            _ => EventSource::S3,
        }
    }
}

/// The fields of an object, with their values as raw JSON.
pub(super) struct EventFields<'a> {
    pub(super) kept: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// Whether a discriminator occurs twice.
    ambiguous: bool,
    /// Whether there were more fields than are kept.
    truncated: bool,
}

impl<'a> EventFields<'a> {
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.kept.iter().find(|(field, _)| field == name).map(|(_, value)| *value)
    }

    /// Returns the value of a field if it is a string.
    fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for EventFields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = EventFields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<EventFields<'de>, A::Error> {
                let mut fields = EventFields { kept: Vec::new(), ambiguous: false, truncated: false };
                while let Some(JsonText(name)) = map.next_key()? {
                    let value = map.next_value()?;
                    let is_discriminator = DISCRIMINATORS.contains(&&*name);
                    // Only the first occurrence of a discriminator is kept, so that the list stays short however often
                    // one is repeated.
                    if is_discriminator && fields.get(&name).is_some() {
                        fields.ambiguous = true;
                    } else if is_discriminator || fields.kept.len() < KEPT_FIELDS {
                        fields.kept.push((name, value));
                    } else {
                        fields.truncated = true;
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// Detects the kind of an event.
pub(super) fn event_kind(json: &str) -> Result<EventKind<'_>, EventError> {
    // JSON has fewer whitespace characters than ASCII.
    if json.trim_matches([' ', '\t', '\n', '\r']) == "null" {
        return Ok(EventKind::Empty);
    }
    let fields: EventFields<'_> = serde_json::from_str(json).map_err(|error| match error.classify() {
        // A data error means that the text starts with a JSON value other than an object. The error quotes that value,
        // and what follows may not be JSON, so the text is parsed again.
        serde_json::error::Category::Data => not_an_object(json),
        _ => EventError::NotJson(error.to_string()),
    })?;
    if fields.ambiguous {
        return Err(EventError::UnknownKind);
    }
    let mut kinds = [
        fields.get("Records").map(EventKind::Records),
        fields.text("Event").filter(|event| event == "s3:TestEvent").map(|_| EventKind::TestEvent),
        sns_message(&fields),
        from_event_bridge(&fields),
        fields
            .get("requestPayload")
            .and_then(|payload| Some(EventKind::InvocationRecord { context: fields.get("requestContext")?, payload })),
        fields.get("CodePipeline.job").map(EventKind::Job),
    ]
    .into_iter()
    .flatten();
    let is_request = fields.kept.iter().any(|(name, _)| REQUEST_FIELDS.contains(&&**name) || name == PATHS_ALIAS);
    if let Some(kind) = kinds.next() {
        // An event of two kinds is ambiguous. So is an EventBridge event of another source that has request fields:
        // which of the two is meant is unknown. Beside any other kind, such fields are ignored as unknown ones.
        let is_ambiguous = kinds.next().is_some() || (is_request && matches!(kind, EventKind::OtherEvent));
        return if is_ambiguous { Err(EventError::UnknownKind) } else { Ok(kind) };
    }
    drop(kinds);
    if fields.truncated {
        return Err(EventError::UnknownKind);
    }
    if is_request {
        return Ok(EventKind::Request(fields));
    }
    if fields.kept.iter().all(|(name, _)| HELLO_WORLD.contains(&&**name)) {
        return Ok(EventKind::Empty);
    }
    Err(EventError::UnknownKind)
}

fn not_an_object(text: &str) -> EventError {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => EventError::UnknownKind,
        Err(error) => EventError::NotJson(error.to_string()),
    }
}

/// SNS confirms subscriptions by messages of other types, which contain no event.
fn sns_message<'a>(fields: &EventFields<'a>) -> Option<EventKind<'a>> {
    let message = fields.get("Message")?;
    (fields.text("Type")? == "Notification").then_some(EventKind::SnsMessage(message))
}

/// Source: EventBridge user guide, "Event structure"; Lambda developer guide, "Invocation record" for `lambda`.
fn from_event_bridge<'a>(fields: &EventFields<'a>) -> Option<EventKind<'a>> {
    let (source, detail_type, detail) = (fields.text("source")?, fields.text("detail-type")?, fields.get("detail")?);
    Some(match source.as_str() {
        "aws.s3" => EventKind::S3Event { detail_type, region: fields.get("region"), time: fields.get("time"), detail },
        "lambda" if detail_type.starts_with("Lambda Function Invocation Result") => {
            EventKind::InvocationRecordEvent(detail)
        }
        _ => EventKind::OtherEvent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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

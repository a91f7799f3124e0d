//! Which kind of event a JSON object is, by the fields that only that kind has.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::EventError;
use super::json::JsonText;
use super::request::FIELDS as REQUEST_FIELDS;
use crate::change::EventSource;

/// The fields of the console's template "hello-world".
const HELLO_WORLD: [&str; 3] = ["key1", "key2", "key3"];

/// How many further fields of an object are kept. Requests have all of theirs among the first; other events may have what
/// they like.
const KEPT_FIELDS: usize = 64;

/// The fields that tell events apart, and what is read along with them: they are always kept, and must not
/// occur twice. The time of an event is read where it is given.
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

/// A kind of event, with what it holds.
pub(super) enum EventKind<'a> {
    /// Records of S3, SQS or SNS.
    Records(&'a RawValue),
    /// S3's test event.
    TestEvent,
    /// A message of SNS as a queue gets it; the message is a string.
    Notification(&'a RawValue),
    /// An event of S3 from EventBridge.
    S3Event { detail_type: String, region: Option<&'a RawValue>, time: Option<&'a RawValue>, detail: &'a RawValue },
    /// An event of another source from EventBridge.
    OtherEvent,
    /// An event whose detail is the record of an invocation.
    InvocationEvent(&'a RawValue),
    /// The record of a failed invocation: the context that tells how it ended, and the event.
    InvocationRecord { context: &'a RawValue, payload: &'a RawValue },
    /// A job of CodePipeline.
    Job(&'a RawValue),
    /// A request of a person's.
    Request(EventFields<'a>),
    /// Nothing is named: a schedule, or a press of the console's button.
    Empty,
}

impl EventKind<'_> {
    /// What brought an event of this shape. Records tell it themselves, and what is no change is told by what it asks for.
    pub(super) fn source(&self) -> EventSource {
        match self {
            Self::S3Event { .. } => EventSource::EventBridge,
            Self::InvocationEvent(_) | Self::InvocationRecord { .. } => EventSource::InvocationRecord,
            Self::Notification(_) => EventSource::Sns,
            _ => EventSource::S3,
        }
    }
}

/// The fields of an object, left as they stand.
pub(super) struct EventFields<'a> {
    pub(super) kept: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// Whether a field that tells events apart occurs twice.
    ambiguous: bool,
    /// Whether there are more fields than are kept.
    left_out: bool,
}

impl<'a> EventFields<'a> {
    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.kept.iter().find(|(field, _)| field == name).map(|(_, value)| *value)
    }

    /// The value of a field that is a string.
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
                let mut fields = EventFields { kept: Vec::new(), ambiguous: false, left_out: false };
                while let Some(JsonText(name)) = map.next_key()? {
                    let value = map.next_value()?;
                    let tells = DISCRIMINATORS.contains(&&*name);
                    // Only the first of each is kept, so that the list stays short however often one is repeated.
                    if tells && fields.get(&name).is_some() {
                        fields.ambiguous = true;
                    } else if tells || fields.kept.len() < KEPT_FIELDS {
                        fields.kept.push((name, value));
                    } else {
                        fields.left_out = true;
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// Tells what kind of event a JSON text is.
pub(super) fn event_kind(json: &str) -> Result<EventKind<'_>, EventError> {
    // JSON has fewer blanks than ASCII.
    if json.trim_matches([' ', '\t', '\n', '\r']) == "null" {
        return Ok(EventKind::Empty);
    }
    let fields: EventFields<'_> = serde_json::from_str(json).map_err(|error| match error.classify() {
        // JSON that does not fit is another shape: no object. What starts like that and is no JSON is read again, since
        // this error quotes it.
        serde_json::error::Category::Data => not_an_object(json),
        _ => EventError::NotJson(error.to_string()),
    })?;
    if fields.ambiguous {
        return Err(EventError::UnknownKind);
    }
    let mut kinds = [
        fields.get("Records").map(EventKind::Records),
        fields.text("Event").filter(|event| event == "s3:TestEvent").map(|_| EventKind::TestEvent),
        notification(&fields),
        from_event_bridge(&fields),
        fields
            .get("requestPayload")
            .and_then(|payload| Some(EventKind::InvocationRecord { context: fields.get("requestContext")?, payload })),
        fields.get("CodePipeline.job").map(EventKind::Job),
    ]
    .into_iter()
    .flatten();
    let is_request = fields.kept.iter().any(|(name, _)| REQUEST_FIELDS.contains(&&**name));
    if let Some(event_kind) = kinds.next() {
        // Of two kinds at once: it cannot be told which is meant. An event that asks for nothing in particular is no match
        // for fields that do; in others such a field is new to us.
        let is_two = kinds.next().is_some() || (is_request && matches!(event_kind, EventKind::OtherEvent));
        return if is_two { Err(EventError::UnknownKind) } else { Ok(event_kind) };
    }
    drop(kinds);
    if fields.left_out {
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

/// SNS writes other types to confirm subscriptions; those hold no event.
fn notification<'a>(fields: &EventFields<'a>) -> Option<EventKind<'a>> {
    let message = fields.get("Message")?;
    (fields.text("Type")? == "Notification").then_some(EventKind::Notification(message))
}

/// Source: EventBridge user guide, "Event structure"; Lambda developer guide, "Invocation record" for `lambda`.
fn from_event_bridge<'a>(fields: &EventFields<'a>) -> Option<EventKind<'a>> {
    let (source, detail_type, detail) = (fields.text("source")?, fields.text("detail-type")?, fields.get("detail")?);
    Some(match source.as_str() {
        "aws.s3" => EventKind::S3Event { detail_type, region: fields.get("region"), time: fields.get("time"), detail },
        "lambda" if detail_type.starts_with("Lambda Function Invocation Result") => EventKind::InvocationEvent(detail),
        _ => EventKind::OtherEvent,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is looked for among the fields is looked for in few, however many there are.
    #[test]
    fn the_fields_that_are_kept_are_few() {
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
    fn what_follows_a_repeated_field_must_be_json_all_the_same() {
        for json in ["{\"Event\":1,\"Event\":2,\"Event\":x}", "{\"Event\":1,\"Event\":2,\"Type\":1"] {
            assert!(matches!(event_kind(json), Err(EventError::NotJson(_))), "{json}");
        }
    }
}

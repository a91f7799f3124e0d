//! The fields of an event as raw JSON, strict JSON objects, and borrowed strings.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::change::FieldError;
use crate::change::text::excerpt_of_message;

/// How many fields are kept besides the discriminators. A valid request has fewer; other events may have any number.
pub(super) const KEPT_FIELDS: usize = 64;

/// The field by which a poll of the queue is recognized. Its value is `true`.
pub(super) const POLL_QUEUE: &str = "pollQueue";

/// The fields that distinguish kinds of events, and the fields decoded with them. They are always kept, and an event in
/// which one occurs twice is rejected. `time` is not among them, because an event is accepted without it.
pub(super) const DISCRIMINATORS: [&str; 13] = [
    "Records",
    "Messages",
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
    POLL_QUEUE,
];

/// The fields of an object, with their values as raw JSON.
#[derive(Clone)]
pub(super) struct EventFields<'a> {
    pub(super) kept: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// Whether a discriminator occurs twice.
    pub(super) ambiguous: bool,
    /// Whether there were more fields than are kept.
    pub(super) truncated: bool,
}

impl<'a> EventFields<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.kept.iter().find(|(field, _)| field == name).map(|(_, value)| *value)
    }

    /// Returns the value of a field if it is a string.
    pub(super) fn text(&self, name: &str) -> Option<String> {
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

/// Reads the value of the field `at`.
pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a RawValue, at: &str) -> Result<T, FieldError> {
    serde_json::from_str(json.get()).map_err(|error| FieldError::new(at, &excerpt_of_message(&error)))
}

/// A value that must be a JSON object. A `Deserialize` derived for a struct also accepts an array of the fields, so any
/// list could pass for an event.
pub(super) struct JsonObject<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for JsonObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields))
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

/// A string that borrows from the event unless it contains escapes.
#[derive(serde::Deserialize)]
pub(super) struct JsonText<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

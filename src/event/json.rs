//! Deserialization of strict JSON objects and of borrowed strings.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::change::FieldError;
use crate::change::text::excerpt;

/// Reads the value of the field `at`.
pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a RawValue, at: &str) -> Result<T, FieldError> {
    serde_json::from_str(json.get()).map_err(|error| FieldError::new(at, &excerpt(&error.to_string())))
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

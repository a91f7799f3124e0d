//! Whether an event of no known kind names nothing. The simplest deployment takes such an event for everything, so one
//! that names what to invalidate where that is not read, or that may be a notification, must fail.

use serde_json::{Map, Value};

use super::EventError;
use super::request::{field_name, near_field};
use crate::change::text::excerpt;

/// Texts with which a string begins in a notification, so that an event with one may be a notification that could not be
/// read.
const OF_NOTIFICATIONS: [&str; 9] = [
    "aws:s3",
    "aws.s3",
    "aws:sqs",
    "aws:sns",
    "s3.amazonaws.com",
    "s3:",
    "SubscriptionConfirmation",
    "UnsubscribeConfirmation",
    "requestPayload",
];

/// How deep JSON in strings of JSON is read.
const MAX_DEPTH: usize = 4;

/// Returns whether a text may be a notification, or contain one in a string. A name such as `arn:aws:s3:::site` is none.
pub(super) fn may_be_notification(json: &str) -> bool {
    OF_NOTIFICATIONS.iter().any(|text| json.contains(&format!("\"{text}")))
}

/// Checks that an event, which is JSON, names nothing.
pub(super) fn check_names_nothing(json: &str) -> Result<(), EventError> {
    if may_be_notification(json) {
        return Err(EventError::UnknownKind);
    }
    let event: Value = serde_json::from_str(json).map_err(|_| EventError::UnknownKind)?;
    let found = match &event {
        Value::Object(fields) => in_event(fields),
        Value::Array(items) if items.iter().any(is_path) => Some(String::new()),
        _ if is_path(&event) => Some(String::new()),
        _ => in_value(&event, "", 0),
    };
    found.map_or(Ok(()), |at| Err(EventError::NamedInside { at: excerpt(&at) }))
}

/// Returns whether a text is the path of a URL.
fn is_path(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with('/'))
}

/// Returns where the fields of an event name something that is not read there.
fn in_event(event: &Map<String, Value>) -> Option<String> {
    let is_encoded = event.get("isBase64Encoded") == Some(&Value::Bool(true));
    let in_field = |(name, value): (&String, &Value)| {
        let parsed = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let content = parsed.as_ref().unwrap_or(value);
        match (name.as_str(), content) {
            // What a person wrote, so that similar names count too.
            ("detail" | "body", Value::Object(fields)) => fields
                .iter()
                .find(|(inner, _)| field_name(inner).or_else(|| near_field(inner)).is_some())
                .map(|(inner, _)| format!("{name}.{inner}")),
            ("body", _) if is_encoded => Some(name.clone()),
            ("body", Value::String(form)) => {
                let mut names = form.split('&').filter_map(|pair| pair.split_once('=')).map(|(inner, _)| inner);
                names.find(|inner| field_name(inner).is_some()).map(|inner| format!("{name}.{inner}"))
            }
            (_, Value::Array(items)) if items.iter().any(is_path) => Some(name.clone()),
            _ => None,
        }
        .or_else(|| in_value(value, name, 0))
    };
    names_object(event).then(|| "bucket".to_owned()).or_else(|| event.iter().find_map(in_field))
}

/// Returns where a value at `at`, or JSON in a string of it, names a distribution, paths or an object.
fn in_value(value: &Value, at: &str, depth: usize) -> Option<String> {
    let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    match value {
        Value::Object(fields) if names_object(fields) => Some(below("bucket")),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            // Lists in other events are often called "items".
            let field = field_name(name).filter(|field| matches!(*field, "distributionId" | "paths"));
            let is_named = field.is_some() && !name.eq_ignore_ascii_case("items");
            if is_named { Some(below(name)) } else { in_value(value, &below(name), depth) }
        }),
        Value::Array(items) => {
            (0..).zip(items).find_map(|(index, item): (usize, _)| in_value(item, &format!("{at}[{index}]"), depth))
        }
        Value::String(text) if depth < MAX_DEPTH && text.trim_start().starts_with(['{', '[', '"']) => {
            serde_json::from_str(text).ok().and_then(|inner: Value| in_value(&inner, at, depth + 1))
        }
        _ => None,
    }
}

/// Returns whether an object has a bucket and a key.
fn names_object(fields: &Map<String, Value>) -> bool {
    let has = |expected: &[&str]| {
        fields.keys().any(|name| name == "object" || field_name(name).is_some_and(|field| expected.contains(&field)))
    };
    fields.keys().any(|name| field_name(name) == Some("bucket")) && has(&["key", "keys"])
}

//! Reads a JSON array of keys, as `aws s3api list-objects-v2 --query 'Contents[].Key'` prints it.

use serde_json::Value;

use super::error::{IF_A_KEY, InputError, KEYS_COMMAND, KEYS_OF_S5CMD};
use super::list::{Entry, Format, KeyList};
use crate::change::ObjectKey;

/// Reads an array; `None` if the text is no JSON document. A number or a word alone is none, but a key.
#[must_use]
pub fn read(text: &str) -> Option<Result<KeyList, InputError>> {
    // The whitespace of JSON; other characters are no part of a document.
    let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
    if trimmed == "null" {
        let problem = "null, which the AWS CLI prints if there are no objects, is not a list of keys";
        return Some(Err(InputError::whole(problem, IF_A_KEY)));
    }
    if !trimmed.starts_with(['[', '{']) {
        return None;
    }
    let document: Value = serde_json::from_str(trimmed).ok()?;
    let Value::Array(items) = &document else { return Some(Err(other(&document))) };
    let key = |item: &Value| match item {
        Value::String(name) => {
            let error =
                |error: crate::change::NameError| InputError::whole(error.to_string(), format!("use `{KEYS_COMMAND}`"));
            ObjectKey::new(name).map(Entry::from).map_err(error)
        }
        _ => Err(other(&document)),
    };
    Some(items.iter().map(key).collect::<Result<_, _>>().map(|entries| KeyList::new(Format::Json, entries)))
}

/// The error for a JSON document that is no array of strings.
fn other(document: &Value) -> InputError {
    let object = match document {
        Value::Array(items) => items.iter().find(|item| item.is_object()).unwrap_or(document),
        _ => document,
    };
    let has = |names: &[&str]| names.iter().any(|name| object.get(name).is_some());
    let keys = || format!("print only the keys: `{KEYS_COMMAND}`");
    if has(&["operation"]) && has(&["source", "destination"]) {
        return InputError::whole("the input is output of s5cmd", KEYS_OF_S5CMD);
    }
    if has(&["Contents", "CommonPrefixes", "Versions", "DeleteMarkers", "Key"]) {
        return InputError::whole("the output of `aws s3api list-objects-v2` has more than keys", keys());
    }
    if has(&["fileSchema", "sourceBucket"]) {
        return InputError::whole("the manifest of an S3 Inventory report names no keys", keys());
    }
    if has(&["Records", "detail-type", "detail"]) {
        return InputError::whole("an event is not a list of keys", "name the file with --event");
    }
    InputError::whole("the JSON document is not an array of strings", format!("{}; {IF_A_KEY}", keys()))
}

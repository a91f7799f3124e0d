//! Mutates JSON into other JSON: random bytes rarely get past the parser.

use serde_json::{Value, json};

use crate::mutate::pick;

/// The JSON text with one of its values replaced, wrapped, unwrapped, repeated or shortened; `None` if it is not JSON.
pub(crate) fn mutate_json(input: &[u8], at: u32, how: u32, other: &[u8]) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(input).ok()?;
    let mut index = at as usize % count(&value);
    let node = nth(&mut value, &mut index)?;
    let old = node.take();
    *node = match how % 8 {
        0 => Value::Null,
        1 => pick(
            &[json!([]), json!({}), json!(""), json!(true), json!(-1), json!(1e300), json!("\u{0}\n\u{2028}")],
            how >> 3,
        )
        .clone(),
        2 => serde_json::from_slice(other).unwrap_or_else(|_| json!(String::from_utf8_lossy(other))),
        3 => json!({"Records": [{"eventSource": "aws:sqs", "messageId": "m", "body": old.to_string()}]}),
        4 => json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": old.to_string()}}]}),
        5 => json!({"Type": "Notification", "Message": old.to_string()}),
        6 => json!({"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": old}),
        _ => match old {
            Value::Array(list) => [list.clone(), list].concat().into(),
            Value::Object(fields) => fields.into_iter().skip(1).collect(),
            Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text.repeat(40))),
            other => json!([other]),
        },
    };
    Some(value.to_string().into_bytes())
}

/// The number of values in a value, including itself.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// The value at this index of a depth-first walk.
fn nth<'v>(value: &'v mut Value, index: &mut usize) -> Option<&'v mut Value> {
    if *index == 0 {
        return Some(value);
    }
    *index -= 1;
    match value {
        Value::Array(list) => list.iter_mut().find_map(|it| nth(it, index)),
        Value::Object(fields) => fields.values_mut().find_map(|it| nth(it, index)),
        _ => None,
    }
}

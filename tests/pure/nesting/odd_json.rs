//! JSON that no service sends, made of the names and values that the decoder looks for.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Values, as text. Some are not valid JSON.
const VALUES: [&str; 22] = [
    "null",
    "true",
    "-0",
    "1e999",
    "-1E-999",
    "123456789012345678901234567890",
    "01",
    "\"\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\u{0}\"",
    "\"aws:s3\"",
    "\"aws:sqs\"",
    "\"aws:sns\"",
    "\"aws.s3\"",
    "\"lambda\"",
    "\"s3:TestEvent\"",
    "\"Notification\"",
    "\"Object Created\"",
    "\"ObjectCreated:Put\"",
    "\"{\\\"Records\\\":[]}\"",
    "\"%\"",
];

/// Field names, as text.
const NAMES: [&str; 28] = [
    "Records",
    "Event",
    "Type",
    "Message",
    "Sns",
    "source",
    "detail-type",
    "detail",
    "CodePipeline.job",
    "id",
    "data",
    "requestContext",
    "requestPayload",
    "condition",
    "eventSource",
    "EventSource",
    "eventName",
    "awsRegion",
    "s3",
    "bucket",
    "object",
    "name",
    "key",
    "keys",
    "body",
    "messageId",
    "\\ud800",
    "\\u0052ecords",
];

/// JSON in up to 999 nested openings, each of them closed or none.
fn deep() -> impl Strategy<Value = String> {
    let opening =
        ["[", "{\"detail\":", "{\"requestContext\":{},\"requestPayload\":", "{\"Records\":[", "{\"s3\":{\"object\":"];
    let closing = ["]", "}", "}", "]}", "}}"];
    (0..opening.len(), 0..1000_usize, any::<bool>()).prop_map(move |(kind, depth, balanced)| {
        let end = if balanced { closing[kind].repeat(depth) } else { String::new() };
        format!("{}null{end}", opening[kind].repeat(depth))
    })
}

/// Values in arrays and objects. Objects may have a field twice.
pub(super) fn json() -> impl Strategy<Value = String> {
    let value = prop_oneof![20 => select(VALUES.as_slice()).prop_map(str::to_owned), 1 => deep()];
    value.prop_recursive(6, 40, 5, |inner| {
        let field = (select(NAMES.as_slice()), inner.clone()).prop_map(|(name, value)| format!("\"{name}\":{value}"));
        prop_oneof![
            1 => vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            4 => vec(field, 0..6).prop_map(|fields| format!("{{{}}}", fields.join(","))),
        ]
    })
}

//! The event that Lambda itself produces: the record of a failed invocation.

use serde_json::{Value, json};

use crate::local::{ACCOUNT, REGION};

/// The invocation record that an on-failure destination receives when the retries for the event `payload` are
/// exhausted.
///
/// Source: Lambda developer guide, "Capturing records of Lambda asynchronous invocations".
#[must_use]
pub fn invocation_record(payload: &Value) -> Value {
    json!({
        "version": "1.0",
        "timestamp": "2026-01-02T03:04:05.006Z",
        "requestContext": {
            "requestId": "e4b46cbf-b738-4f1c-8880-a18cdf61200e",
            "functionArn": format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:invalidator:$LATEST"),
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": payload,
        "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
        "responsePayload": { "errorType": "ChangesNotInvalidated", "errorMessage": "1 of 1 change failed" },
    })
}

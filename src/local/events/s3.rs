//! S3's own event notification of a change, and its event on EventBridge.

use serde_json::{Value, json};

use super::with;
use crate::local::{ACCOUNT, REGION};

/// An event notification with these records.
#[must_use]
pub fn notification(records: &[Value]) -> String {
    json!({ "Records": records }).to_string()
}

/// A record of event version 2.1, with every field that S3 sends.
#[must_use]
pub fn record(event_name: &str, bucket: &str, key: &str) -> Value {
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": "1970-01-01T00:00:00.000Z",
        "eventName": event_name,
        "userIdentity": { "principalId": "EXAMPLE" },
        "requestParameters": { "sourceIPAddress": "127.0.0.1" },
        "responseElements": { "x-amz-request-id": "EXAMPLE123456789", "x-amz-id-2": "EXAMPLE123/abcdefgh" },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "invalidation",
            "bucket": {
                "name": bucket,
                "ownerIdentity": { "principalId": "EXAMPLE" },
                "arn": format!("arn:aws:s3:::{bucket}"),
            },
            "object": {
                "key": encode_key(key),
                "size": 1024,
                "eTag": "0123456789abcdef0123456789abcdef",
                "sequencer": "0055AED6DCD90281E5",
            },
        },
    })
}

/// A key as S3 encodes it in a notification: form-encoded, except that `/` stays literal.
#[must_use]
pub fn encode_key(key: &str) -> String {
    form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>().replace("%2F", "/")
}

/// S3's event on EventBridge, with a detail type such as `Object Created` or `Object Deleted`. The key is literal, not
/// encoded.
///
/// Source: S3 user guide, "EventBridge event message structure".
#[must_use]
pub fn event_bridge(detail_type: &str, bucket: &str, key: &str) -> Value {
    // Events for changed tags or ACLs have none of these fields.
    let (object, detail) = match detail_type {
        "Object Created" => {
            (json!({ "size": 1024, "sequencer": "0055AED6DCD90281E5" }), json!({ "reason": "PutObject" }))
        }
        "Object Deleted" => (
            json!({ "sequencer": "0055AED6DCD90281E5" }),
            json!({ "reason": "DeleteObject", "deletion-type": "Permanently Deleted" }),
        ),
        _ => (json!({}), json!({})),
    };
    let always = json!({ "key": key, "etag": "0123456789abcdef0123456789abcdef", "version-id": "EXAMPLE.version" });
    let object = with(always, object);
    let always = json!({
        "version": "0",
        "bucket": { "name": bucket },
        "object": object,
        "request-id": "EXAMPLE123456789",
        "requester": ACCOUNT,
        "source-ip-address": "127.0.0.1",
    });
    json!({
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": ACCOUNT,
        "time": "1970-01-01T00:00:00Z",
        "region": REGION,
        "resources": [format!("arn:aws:s3:::{bucket}")],
        "detail": with(always, detail),
    })
}

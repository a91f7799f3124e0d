//! S3's event notifications, as S3 writes them.

use serde_json::{Value, json};

use super::REGION;

/// A notification with these records.
#[must_use]
pub fn notification(records: &[Value]) -> String {
    json!({ "Records": records }).to_string()
}

/// A record of version 2.1, with every field that S3 sends.
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

/// A key as S3 encodes it for a notification: as in a form, but with `/` left as it is.
#[must_use]
pub fn encode_key(key: &str) -> String {
    form_urlencoded::byte_serialize(key.as_bytes()).collect::<String>().replace("%2F", "/")
}

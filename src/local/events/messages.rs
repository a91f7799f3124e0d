//! The SQS and SNS envelopes around a message.

use serde_json::{Map, Value, json};

use crate::local::{ACCOUNT, REGION};

/// A batch of messages, each an id and a body, as the event source mapping of a standard queue delivers it.
///
/// Source: Lambda developer guide, "Using Lambda with Amazon SQS".
#[must_use]
pub fn sqs(messages: &[(&str, &str)]) -> String {
    let records: Vec<_> = messages
        .iter()
        .map(|&(id, body)| {
            json!({
                "messageId": id,
                "receiptHandle": format!("EXAMPLE-receipt-handle-of-{id}"),
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "1767323045006",
                    "SenderId": "AIDAEXAMPLE",
                    "ApproximateFirstReceiveTimestamp": "1767323045010",
                },
                "messageAttributes": {},
                "md5OfBody": "0123456789abcdef0123456789abcdef",
                "eventSource": "aws:sqs",
                "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:invalidations"),
                "awsRegion": REGION,
            })
        })
        .collect();
    json!({ "Records": records }).to_string()
}

/// An SNS notification of `message` as JSON: the body of an SQS message where the queue is subscribed without raw
/// message delivery.
///
/// Source: SNS developer guide, "Parsing Amazon SNS message formats".
#[must_use]
pub fn sns_notification(message: &str) -> String {
    let mut fields = notification(message);
    fields.insert("SigningCertURL".into(), certificate_url().into());
    fields.insert("UnsubscribeURL".into(), unsubscribe_url().into());
    Value::Object(fields).to_string()
}

/// An SNS notification of `message` as the event of a subscribed function. It has `SigningCertUrl` and `UnsubscribeUrl`
/// where a queue's message has `SigningCertURL` and `UnsubscribeURL`.
///
/// Source: Lambda developer guide, "Invoking Lambda functions with Amazon SNS notifications".
#[must_use]
pub fn sns(message: &str) -> String {
    let mut fields = notification(message);
    fields.insert("SigningCertUrl".into(), certificate_url().into());
    fields.insert("UnsubscribeUrl".into(), unsubscribe_url().into());
    fields.insert("MessageAttributes".into(), json!({}));
    let record = json!({
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn(),
        "Sns": fields,
    });
    json!({ "Records": [record] }).to_string()
}

/// The fields that both forms have in common.
fn notification(message: &str) -> Map<String, Value> {
    let fields = [
        ("Type", "Notification"),
        ("MessageId", "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"),
        ("TopicArn", &topic_arn()),
        ("Subject", "Amazon S3 Notification"),
        ("Message", message),
        ("Timestamp", "2026-01-02T03:04:05.006Z"),
        ("SignatureVersion", "1"),
        ("Signature", "EXAMPLE+signature=="),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

fn topic_arn() -> String {
    format!("arn:aws:sns:{REGION}:{ACCOUNT}:changes")
}

fn subscription_arn() -> String {
    format!("{}:c9135db0-26c4-47ec-8998-413945fb5a96", topic_arn())
}

fn certificate_url() -> String {
    format!("https://sns.{REGION}.amazonaws.com/SimpleNotificationService-EXAMPLE.pem")
}

fn unsubscribe_url() -> String {
    format!("https://sns.{REGION}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={}", subscription_arn())
}

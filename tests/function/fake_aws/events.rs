//! The events of the fake AWS: each has the structure, and every field, that its service documents.

use s3_cloudfront_invalidator::local::events::{
    ARTIFACT_CREDENTIALS, event_bridge, invocation_record, job, sns, sns_notification, sqs,
};
use s3_cloudfront_invalidator::local::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::harness::created;

fn parse(event: &str) -> Value {
    serde_json::from_str(event).unwrap()
}

/// The names of an object's members, sorted.
fn fields(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_batch_of_sqs_has_a_record_for_each_message() {
    let body = created(&[("site", "a b")]);
    let event = parse(&sqs(&[("m1", &body), ("m2", "not JSON")]));
    let records = event["Records"].as_array().unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(fields(&event), ["Records"]);
    for record in records {
        assert_eq!(
            fields(record),
            [
                "attributes",
                "awsRegion",
                "body",
                "eventSource",
                "eventSourceARN",
                "md5OfBody",
                "messageAttributes",
                "messageId",
                "receiptHandle",
            ]
        );
        assert_eq!((&record["eventSource"], &record["awsRegion"]), (&json!("aws:sqs"), &json!(REGION)));
    }
    assert_eq!((&records[0]["messageId"], &records[0]["body"]), (&json!("m1"), &json!(body)));
    assert_eq!((&records[1]["messageId"], &records[1]["body"]), (&json!("m2"), &json!("not JSON")));
}

#[test]
fn sns_wraps_a_message_as_text() {
    let message = created(&[("site", "a b")]);
    let envelope = parse(&sns_notification(&message));
    assert_eq!(
        fields(&envelope),
        [
            "Message",
            "MessageId",
            "Signature",
            "SignatureVersion",
            "SigningCertURL",
            "Subject",
            "Timestamp",
            "TopicArn",
            "Type",
            "UnsubscribeURL",
        ]
    );
    assert_eq!((&envelope["Type"], &envelope["Message"]), (&json!("Notification"), &json!(message)));
}

#[test]
fn sns_hands_a_function_one_record() {
    let event = parse(&sns("text"));
    let record = &event["Records"][0];
    assert_eq!(event["Records"].as_array().unwrap().len(), 1);
    assert_eq!(fields(record), ["EventSource", "EventSubscriptionArn", "EventVersion", "Sns"]);
    assert_eq!(record["EventSource"], "aws:sns");
    let notification = &record["Sns"];
    assert_eq!((&notification["Type"], &notification["Message"]), (&json!("Notification"), &json!("text")));
    for name in ["MessageAttributes", "SigningCertUrl", "UnsubscribeUrl", "TopicArn", "Timestamp"] {
        assert!(!notification[name].is_null(), "{name}");
    }
}

#[test]
fn eventbridge_does_not_encode_the_key() {
    let created = event_bridge("Object Created", "site", "a b+c/é%20.html");
    assert_eq!(
        fields(&created),
        ["account", "detail", "detail-type", "id", "region", "resources", "source", "time", "version"]
    );
    assert_eq!((&created["source"], &created["detail-type"]), (&json!("aws.s3"), &json!("Object Created")));
    assert_eq!((&created["account"], &created["region"]), (&json!(ACCOUNT), &json!(REGION)));
    assert_eq!(created["resources"], json!(["arn:aws:s3:::site"]));
    let detail = &created["detail"];
    assert_eq!(
        fields(detail),
        ["bucket", "object", "reason", "request-id", "requester", "source-ip-address", "version"]
    );
    assert_eq!((&detail["bucket"]["name"], &detail["object"]["key"]), (&json!("site"), &json!("a b+c/é%20.html")));
    assert_eq!(fields(&detail["object"]), ["etag", "key", "sequencer", "size", "version-id"]);
}

#[test]
fn eventbridge_events_have_the_fields_of_their_type() {
    let deleted = &event_bridge("Object Deleted", "site", "a")["detail"];
    assert_eq!(
        (&deleted["reason"], &deleted["deletion-type"]),
        (&json!("DeleteObject"), &json!("Permanently Deleted"))
    );
    assert_eq!(fields(&deleted["object"]), ["etag", "key", "sequencer", "version-id"]);
    let tagged = &event_bridge("Object Tags Added", "site", "a")["detail"];
    assert_eq!(fields(tagged), ["bucket", "object", "request-id", "requester", "source-ip-address", "version"]);
    assert_eq!(fields(&tagged["object"]), ["etag", "key", "version-id"]);
}

#[test]
fn an_invocation_record_has_the_event_in_it() {
    let payload = parse(&created(&[("site", "a")]));
    let record = invocation_record(&payload);
    assert_eq!(
        fields(&record),
        ["requestContext", "requestPayload", "responseContext", "responsePayload", "timestamp", "version"]
    );
    assert_eq!(record["requestPayload"], payload);
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
}

#[test]
fn a_job_has_credentials_and_what_else_it_is_given() {
    let first = parse(&job("j1", Some("E1 /*"), None));
    assert_eq!(fields(&first), ["CodePipeline.job"]);
    let first = &first["CodePipeline.job"];
    assert_eq!((&first["id"], &first["accountId"]), (&json!("j1"), &json!(ACCOUNT)));
    let data = &first["data"];
    assert_eq!(fields(data), ["actionConfiguration", "artifactCredentials", "inputArtifacts", "outputArtifacts"]);
    assert_eq!(data["actionConfiguration"]["configuration"]["UserParameters"], "E1 /*");
    let credentials = &data["artifactCredentials"];
    assert_eq!(fields(credentials), ["accessKeyId", "secretAccessKey", "sessionToken"]);
    for name in fields(credentials) {
        assert!(ARTIFACT_CREDENTIALS.contains(&credentials[name].as_str().unwrap()), "{name}");
    }

    let continued = parse(&job("j1", None, Some("t1")));
    let data = &continued["CodePipeline.job"]["data"];
    assert_eq!(fields(&data["actionConfiguration"]["configuration"]), ["FunctionName"]);
    assert_eq!(data["continuationToken"], "t1");
}

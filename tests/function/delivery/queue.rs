//! Batches of SQS messages: each message succeeds or fails on its own.

use std::collections::BTreeSet;

use s3_cloudfront_invalidator::local::InvocationOutcome;
use s3_cloudfront_invalidator::local::events::{event_bridge, notification, record, sns_notification, sqs};
use serde_json::Value;

use crate::delivery::largest_batch::{self, Scenario, scenario};
use crate::harness::{Harness, created, state};

/// The message ids of the batch item failures.
fn failed(answer: &Value) -> BTreeSet<String> {
    assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
    let failures = answer["batchItemFailures"].as_array().unwrap();
    let ids: BTreeSet<_> = failures.iter().map(|it| it["itemIdentifier"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), failures.len(), "each once");
    ids
}

fn ids<const N: usize>(ids: [&str; N]) -> BTreeSet<String> {
    ids.map(str::to_owned).into()
}

fn put(bucket: &str, key: &str) -> String {
    created(&[(bucket, key)])
}

#[tokio::test]
async fn all_messages_of_a_batch_are_one_invalidation_per_distribution() {
    let harness = Harness::start(state(&[("one", "E1"), ("two", "E1"), ("three", "E2")]), &[]).await;
    let bridge = event_bridge("Object Deleted", "two", "b+c").to_string();
    let messages = [
        ("m1", put("one", "a")),
        ("m2", sns_notification(&put("three", "x y"))),
        ("m3", bridge),
        ("m4", r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"one"}"#.to_owned()),
        ("m5", sns_notification(r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"one"}"#)),
        ("m6", notification(&[])),
    ];
    let messages: Vec<_> = messages.iter().map(|(id, body)| (*id, body.as_str())).collect();
    assert_eq!(failed(&harness.report("r1", sqs(&messages)).await), ids([]));
    assert_eq!(harness.invalidations("E1"), [["/a", "/b%2Bc"]]);
    assert_eq!(harness.invalidations("E2"), [["/x%20y", "/x+y"]]);
}

#[tokio::test]
async fn a_message_fails_if_anything_of_it_does_and_no_other_for_it() {
    let mut state = state(&[("good", "E1"), ("bad", "E2"), ("both", "E1 E2"), ("untagged", ""), ("typo", "E3")]);
    state.distributions.remove("E2");
    state.buckets.get_mut("typo").unwrap().tags.insert("distributionId".into(), "e3?".into());
    let harness = Harness::start(state, &[]).await;
    let messages = [
        ("good", put("good", "1")),
        ("gone-distribution", put("bad", "2")),
        ("one-of-two", put("both", "3")),
        ("one-record-bad", created(&[("good", "4"), ("good", "BAD")]).replace("BAD", "%FF")),
        ("untagged", put("untagged", "5")),
        ("bad-tag", put("typo", "6")),
        ("gone-bucket", put("gone", "7")),
        ("junk", "hunter2".to_owned()),
        ("empty", String::new()),
        ("job", r#"{"CodePipeline.job":{"id":"11111111-abcd-1111-abcd-111111abcdef"}}"#.to_owned()),
        ("request", r#"{"distributionId":"E1"}"#.to_owned()),
        ("button", "{}".to_owned()),
        ("skipped", notification(&[record("ObjectTagging:Put", "good", "8")])),
    ];
    let messages: Vec<_> = messages.iter().map(|(id, body)| (*id, body.as_str())).collect();
    let answer = harness.report("r1", sqs(&messages)).await;
    let expected = ids([
        "gone-distribution",
        "one-of-two",
        "one-record-bad",
        "bad-tag",
        "gone-bucket",
        "junk",
        "empty",
        "job",
        "request",
        "button",
    ]);
    assert_eq!(failed(&answer), expected);
    assert_eq!(harness.invalidations("E1"), [["/1", "/3", "/4"]]);
    let lines = harness.function.stop().await.unwrap();
    for part in [
        r#"message \"junk\": Records[7].body: not JSON: expected value at line 1 column 1"#,
        r#"message \"one-record-bad\": Records[3].body.Records[1].s3.object.key: "#,
        r#"message \"job\": Records[9].body: a CodePipeline job is not accepted in an SQS or SNS message"#,
        "distribution E2 (2 changes in",
        r#"bucket \"gone\" (1 change)"#,
    ] {
        assert!(lines.iter().any(|line| line.contains("ERROR") && line.contains(part)), "{part}: {lines:#?}");
    }
    assert!(!lines.iter().any(|line| line.contains("hunter2")), "{lines:#?}");
}

#[tokio::test]
async fn a_redelivered_message_is_not_billed_again() {
    let harness = Harness::start(state(&[("one", "E1"), ("two", "E2")]), &[]).await;
    let (a, b, c) = (put("one", "a"), put("one", "b"), put("two", "c"));
    harness.report("r1", sqs(&[("m1", &a), ("m2", &b)])).await;
    harness.report("r2", sqs(&[("m2", &b), ("m3", &c), ("m1", &a)])).await;
    assert_eq!(harness.invalidations("E1"), [["/a", "/b"]]);
    assert_eq!(harness.invalidations("E2"), [["/c"]]);
    // A new message about the same objects is a new change.
    harness.report("r3", sqs(&[("m4", &a), ("m5", &b)])).await;
    assert_eq!(harness.invalidations("E1").len(), 2);
}

#[tokio::test]
async fn a_failure_of_no_message_fails_the_whole_batch() {
    let harness = Harness::start(state(&[("one", "E1")]), &[]).await;
    for (from, to) in [(r#""messageId":"m2","#, ""), (r#""messageId":"m2","#, r#""messageId":"","#), (r#""m2""#, "5")] {
        let event = sqs(&[("m1", &put("one", "a")), ("m2", "junk")]);
        assert!(event.contains(from));
        let (error_type, message) = harness.error("r1", event.replace(from, to)).await;
        assert_eq!(error_type, "ChangesNotInvalidated");
        assert!(message.contains("Records[1].messageId: missing"), "{message}");
    }
    assert_eq!(harness.invalidations("E1"), [["/a"]], "what could be done was, once");
    // A message without an id could not be reported as failed, so it is not decoded.
    let event = sqs(&[("m1", &put("one", "b"))]).replace(r#""messageId":"m1","#, "");
    let (_, message) = harness.error("r2", event).await;
    assert!(message.contains("Records[0].messageId: missing"), "{message}");
    assert_eq!(harness.invalidations("E1").len(), 1);
}

#[tokio::test]
async fn a_duplicate_message_id_is_reported_once() {
    let harness = Harness::start(state(&[("one", "E1")]), &[]).await;
    assert_eq!(failed(&harness.report("r1", sqs(&[("m1", "junk"), ("m1", "junk")])).await), ids(["m1"]));
}

#[tokio::test]
async fn half_a_million_bad_records_in_one_message_are_a_few_lines() {
    let harness = Harness::start(state(&[("one", "E1")]), &[]).await;
    let body = format!(r#"{{"Records":[{{"eventSource":"aws:s3"}}{}]}}"#, ",5".repeat(500_000));
    assert_eq!(failed(&harness.report("r1", sqs(&[("bad", &body), ("good", &put("one", "a"))])).await), ids(["bad"]));
    assert_eq!(harness.invalidations("E1"), [["/a"]]);
    let lines = harness.function.stop().await.unwrap();
    assert!(lines.len() < 20, "{} lines", lines.len());
    assert!(lines.iter().any(|line| line.contains("\"unlisted\":499991")), "{lines:#?}");
}

/// Delivers one of the largest batches, under the default timeout of the harness.
async fn run(messages: usize, bytes: usize) {
    let harness = Harness::start(largest_batch::state(), &[]).await;
    let Scenario { event, failed: expected, invalidated } = scenario(messages, 1);
    assert!(event.len() > bytes, "{} bytes", event.len());
    let answer = match harness.invoke("r1", event).await {
        InvocationOutcome::Response(body) => serde_json::from_slice(&body).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(failed(&answer), expected);
    let sent = harness.aws.calls("CreateInvalidation");
    let distributions: BTreeSet<_> = sent.iter().map(|call| call.target.as_str()).collect();
    assert_eq!((sent.len(), distributions.len()), (largest_batch::DISTRIBUTIONS, largest_batch::DISTRIBUTIONS));
    assert_eq!(sent.iter().filter(|call| call.status == 201).count(), 10);
    assert_eq!(harness.aws.calls("GetBucketTagging").len(), largest_batch::BUCKETS);
    assert_eq!(invalidated.len(), 10);
    for (id, keys) in invalidated {
        let [items] = &harness.invalidations(&id)[..] else { panic!("one invalidation for {id}") };
        assert!(items.len() <= 30, "{items:?}");
        for url in keys.iter().map(|key| format!("/{}", key.replace('+', "%2B").replace(' ', "%20"))) {
            let covers = |item: &String| item.strip_suffix('*').map_or(*item == url, |prefix| url.starts_with(prefix));
            assert!(items.iter().any(covers), "{url} is stale at {id}: {items:?}");
        }
    }
}

#[tokio::test]
async fn a_batch_of_five_thousand_messages_reports_exactly_the_failed_ones() {
    run(5000, 6_000_000).await;
}

#[tokio::test]
async fn a_batch_of_ten_thousand_messages_reports_exactly_the_failed_ones() {
    run(10_000, 11_000_000).await;
}

//! The response to an event of changes, and the calls to AWS.

use s3_cloudfront_invalidator::local::InvocationOutcome;
use serde_json::json;

use crate::harness::{Harness, created, state};

#[tokio::test]
async fn a_change_becomes_an_invalidation() {
    let harness = Harness::start(state(&[("site", "E1")]), &[]).await;
    let report = harness.report("r1", created(&[("site", "my docs/index.html")])).await;
    let paths = json!(["/my%20docs/", "/my%20docs/index.html", "/my+docs/", "/my+docs/index.html"]);
    let reference = report["invalidations"][0]["callerReference"].clone();
    assert_eq!(
        report,
        json!({
            "ok": true,
            "changes": { "invalidated": 1, "skipped": 0, "failed": 0 },
            "totals": {
                "invalidations": 1,
                "paths": 4,
                "wildcards": 0,
                "pathsSaved": -3,
                "unchangedEvicted": 0,
                "costUsd": 0.02,
            },
            // The role may not read the distribution config.
            "urlsUncertain": 1,
            "skipped": [],
            "invalidations": [{
                "distributionId": "E1",
                "status": "accepted",
                "invalidationId": "I0000000000001",
                "callerReference": reference,
                "bucketCount": 1,
                "buckets": ["site"],
                "changes": 1,
                "pathCount": 4,
                "wildcardCount": 0,
                "unchangedEvicted": 0,
                "costUsd": 0.02,
                "paths": paths,
            }],
        })
    );
    assert_eq!(json!(harness.invalidations("E1")), json!([paths]));
}

#[tokio::test]
async fn the_test_event_and_the_consoles_templates_succeed() {
    let harness = Harness::start(state(&[("example-bucket", "E1")]), &[]).await;
    let fixture =
        |name| std::fs::read(format!("{}/tests/fixtures/s3/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let report = harness.report("r1", fixture("test-event")).await;
    assert_eq!(report["skipped"], json!([{ "code": "test-event", "changes": 0 }]));
    // The templates name us-east-1.
    harness.aws.with(|state| state.buckets.get_mut("example-bucket").unwrap().region = "us-east-1".into());
    for (request_id, name) in [("r2", "console-template-put"), ("r3", "console-template-delete")] {
        assert_eq!(harness.report(request_id, fixture(name)).await["changes"]["invalidated"], 1, "{name}");
    }
    assert_eq!(harness.invalidations("E1"), [["/test/key"], ["/test/key"]]);
}

#[tokio::test]
async fn changes_without_invalidation_are_skipped_for_a_named_reason() {
    let mut state = state(&[("site", "E1"), ("untagged", ""), ("folder", "E2")]);
    state.buckets.get_mut("folder").unwrap().tags.insert("invalidation:originPath".into(), "/web".into());
    let harness = Harness::start(state, &[]).await;
    let event = created(&[("untagged", "a"), ("untagged", "b"), ("folder", "elsewhere/a"), ("site", "a")])
        .replacen("ObjectCreated:Put", "ObjectTagging:Put", 4)
        .replacen("ObjectTagging:Put", "ObjectCreated:Put", 3);
    let report = harness.report("r1", event).await;
    assert_eq!(report["changes"], json!({ "invalidated": 0, "skipped": 4, "failed": 0 }));
    assert_eq!(
        report["skipped"],
        json!([
            { "code": "bucket-not-tagged", "bucket": "untagged", "changes": 2 },
            { "code": "outside-origin-path", "bucket": "folder", "changes": 1 },
            { "code": "not-a-content-change", "eventName": "ObjectTagging:Put", "changes": 1 },
        ])
    );
    assert!(harness.aws.calls("CreateInvalidation").is_empty());
}

#[tokio::test]
async fn the_same_request_again_creates_no_second_invalidation_and_another_does() {
    let harness = Harness::start(state(&[("site", "E1")]), &[]).await;
    let event = created(&[("site", "a.txt")]);
    let first = harness.report("r1", event.clone()).await;
    // The same answer, but that nothing is billed again.
    let mut expected = first.clone();
    expected["invalidations"][0]["status"] = "accepted-before".into();
    expected["invalidations"][0]["costUsd"] = 0.0.into();
    expected["totals"] = json!({ "invalidations": 0, "paths": 0, "wildcards": 0, "costUsd": 0.0 });
    assert_eq!(harness.report("r1", event.clone()).await, expected);
    assert_eq!(harness.invalidations("E1").len(), 1);
    // In a new process too, where only CloudFront knows the caller reference.
    let harness = harness.in_a_new_sandbox(&[]).await;
    assert_eq!(harness.report("r1", event.clone()).await, first);
    assert_eq!(harness.invalidations("E1").len(), 1);
    harness.report("r2", event).await;
    assert_eq!(harness.invalidations("E1").len(), 2);
}

#[tokio::test]
async fn a_bad_record_fails_the_invocation_after_the_others_were_handled() {
    let harness = Harness::start(state(&[("site", "E1")]), &[]).await;
    let event = created(&[("site", "a.txt"), ("site", "BAD"), ("site", "c.txt")]).replace("BAD", "%FF");
    let (error_type, message) = harness.error("r1", event).await;
    assert_eq!(error_type, "ChangesNotInvalidated");
    assert!(
        message.starts_with("1 of 3 changes failed: Records[1].s3.object.key: \"%FF\": the decoded key is not UTF-8"),
        "{message}"
    );
    assert_eq!(harness.invalidations("E1"), [["/a.txt", "/c.txt"]]);
}

#[tokio::test]
async fn an_unknown_event_fails_and_lists_the_kinds() {
    let harness = Harness::start(state(&[]), &[]).await;
    for event in [r#"{"hello":"hunter2"}"#, "[]", "null", "\"hunter2\""] {
        let (error_type, message) = harness.error("r1", event).await;
        assert_eq!(error_type, "UnrecognizedEvent");
        assert!(message.contains("aws:s3") && !message.contains("hunter2"), "{message}");
    }
    // An event that is not JSON is rejected by the runtime crate; the process continues.
    assert!(
        matches!(harness.invoke("r2", "{hunter2").await, InvocationOutcome::Error { message, .. } if !message.contains("hunter2"))
    );
    assert!(matches!(harness.invoke("r3", r#"{"Event":"s3:TestEvent"}"#).await, InvocationOutcome::Response(_)));
}

#[tokio::test]
async fn a_dry_run_plans_and_sends_nothing() {
    let harness = Harness::start(state(&[("site", "E1")]), &[("DRY_RUN", "true")]).await;
    let report = harness.report("r1", created(&[("site", "a.txt")])).await;
    assert_eq!(report["changes"], json!({ "invalidated": 0, "skipped": 1, "failed": 0 }));
    assert_eq!(report["invalidations"][0]["status"], "dry-run");
    assert_eq!(report["invalidations"][0]["paths"], json!(["/a.txt"]));
    assert_eq!(report["skipped"], json!([{ "code": "dry-run", "changes": 1 }]));
    assert!(harness.aws.calls("CreateInvalidation").is_empty());
}

#[tokio::test]
async fn the_budget_is_kept() {
    let variables = [("MAX_PATHS", "3"), ("MAX_WILDCARDS", "1")];
    let harness = Harness::start(state(&[("site", "E1")]), &variables).await;
    let objects = ["img/1.png", "img/2.png", "img/3.png", "a.txt", "b.txt"].map(|key| ("site", key));
    harness.report("r1", created(&objects)).await;
    assert_eq!(harness.invalidations("E1"), [["/a.txt", "/b.txt", "/img/*"]]);
}

//! Direct invocations: requests that a person makes.

use std::time::Duration;

use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{InvocationOutcome, Invoke};
use serde_json::{Value, json};

use crate::harness::{Harness, state, within};

#[tokio::test]
async fn items_are_sent_as_they_are_and_the_answer_names_the_invalidation() {
    let harness = Harness::start(state(&[("site", "E1")]), &[("MAX_PATHS", "1")]).await;
    let event = json!({ "distributionId": "E1", "paths": ["a b.html", "/caf%C3%A9", "/img/*", "/img/1", "#news"] });
    let report = harness.report("r1", event.to_string()).await;
    let sent = &report["invalidations"][0];
    assert_eq!((&sent["distributionId"], &sent["status"]), (&json!("E1"), &json!("accepted")));
    assert_eq!(sent["invalidationId"], "I0000000000001");
    assert_eq!(sent["paths"], json!(["/a%20b.html", "/caf%C3%A9", "/img/*", "#news"]));
    let sent = harness.aws.with(|state| state.distributions["E1"].invalidations[0].paths.clone());
    assert_eq!(sent, ["/a%20b.html", "/caf%C3%A9", "/img/*", "#news"]);
    // Lambda's retry creates no second invalidation; a second request does.
    harness.report("r1", event.to_string()).await;
    harness.report("r2", event.to_string()).await;
    assert_eq!(harness.aws.with(|state| state.distributions["E1"].invalidations.len()), 2);
}

#[tokio::test]
async fn keys_are_literal_and_follow_their_buckets_tags() {
    let mut state = state(&[("site", "E1 E2")]);
    state.buckets.get_mut("site").unwrap().tags.insert("invalidation:originPath".into(), "/web".into());
    let harness = Harness::start(state, &[]).await;
    let event = json!({ "bucket": "site", "keys": ["web/a+b %41.txt", "web/index.html", "elsewhere"] });
    let report = harness.report("r1", event.to_string()).await;
    assert_eq!(report["changes"], json!({ "invalidated": 2, "skipped": 1, "failed": 0 }));
    let expected = ["/", "/a%2Bb%20%2541.txt", "/a%2Bb+%2541.txt", "/index.html"];
    assert_eq!(
        (harness.invalidations("E1"), harness.invalidations("E2")),
        (vec![expected.map(str::to_owned).to_vec()], vec![expected.map(str::to_owned).to_vec()])
    );
}

#[tokio::test]
async fn a_dry_run_plans_and_sends_nothing() {
    let harness = Harness::start(state(&[("site", "E1")]), &[]).await;
    for (event, skipped) in [
        (
            r#"{"bucket":"site","keys":["a.txt"],"wait":true,"dryRun":true}"#,
            json!([{ "code": "dry-run", "changes": 1 }]),
        ),
        (r#"{"distributionId":"E1","paths":["/a.txt"],"dryRun":true}"#, json!([])),
    ] {
        let report = harness.report("r1", event).await;
        assert_eq!((&report["ok"], &report["skipped"]), (&json!(true), &skipped), "{report}");
        let [sent] = report["invalidations"].as_array().unwrap().as_slice() else { panic!("{report}") };
        assert_eq!((&sent["status"], &sent["paths"]), (&json!("dry-run"), &json!(["/a.txt"])));
    }
    assert!(harness.aws.calls("CreateInvalidation").is_empty());
    // Only the request that says so is one.
    let report = harness.report("r2", r#"{"bucket":"site","keys":["a.txt"]}"#).await;
    assert_eq!(report["invalidations"][0]["status"], "accepted");
}

#[tokio::test]
async fn a_request_for_a_bucket_invalidates_the_distributions_of_its_tag() {
    let harness = Harness::start(state(&[("site", "E1 E2"), ("untagged", "")]), &[]).await;
    let report = harness.report("r1", r#"{"bucket":"site"}"#).await;
    assert_eq!(report["invalidations"].as_array().unwrap().len(), 2);
    assert_eq!(
        (harness.invalidations("E1"), harness.invalidations("E2")),
        (vec![vec!["/*".into()]], vec![vec!["/*".into()]])
    );
    for event in [r#"{"bucket":"untagged"}"#, r#"{"bucket":"untagged","keys":["a"]}"#] {
        let (error_type, message) = harness.error("r2", event).await;
        assert_eq!(error_type, "RequestFailed");
        assert_eq!(
            message,
            r#"bucket "untagged" does not have the tag "distributionId" that names its distribution; add the tag"#
        );
    }
    let (_, message) = harness.error("r3", r#"{"bucket":"gone","keys":["a"]}"#).await;
    assert!(message.contains("bucket \"gone\"") && message.contains("NoSuchBucket"), "{message}");
}

#[tokio::test]
async fn an_error_says_what_to_correct() {
    let mut state = state(&[("site", "E1")]);
    state.faults.push(Fault::always("CreateInvalidation", "E1", Effect::error(403, "AccessDenied")));
    let harness = Harness::start(state, &[]).await;
    for (event, error_type, part) in [
        (r#"{"distributionId":"E1"}"#, "RequestFailed", "allow cloudfront:CreateInvalidation"),
        (r#"{"distributionId":"E9"}"#, "RequestFailed", "NoSuchDistribution"),
        (r#"{"distributionId":"E9"}"#, "RequestFailed", "correct the distribution ID"),
        (
            r#"{"distributionId":"E1","paths":["/~a"]}"#,
            "InvalidRequest",
            "CloudFront cannot invalidate a path with \"~\"",
        ),
        (
            r#"{"distributionId":"E1","path":"/a"}"#,
            "InvalidRequest",
            "path: is unknown (\"paths\"?); the fields are distributionId",
        ),
        (r#"{"paths":["/a"]}"#, "UnrecognizedEvent", "DISTRIBUTION_ID"),
    ] {
        let (actual, message) = harness.error("r1", event).await;
        assert_eq!(actual, error_type, "{event}: {message}");
        assert!(message.contains(part) && !message.contains('\n'), "{message}");
    }
}

/// Events that name neither a distribution nor a bucket nor paths.
const EMPTY_EVENTS: [&str; 12] = [
    "{}",
    "null",
    "[]",
    "\"go\"",
    "42",
    "true",
    r#"{"action":"flush"}"#,
    r#"{"hello":"world"}"#,
    r#"{"version":"2.0","rawPath":"/","rawQueryString":"","headers":{"host":"x.lambda-url.eu-central-1.on.aws"},"requestContext":{"http":{"method":"POST","path":"/"}},"body":"go","isBase64Encoded":false}"#,
    r#"{"key1":"value1","key2":"value2","key3":"value3"}"#,
    r#"{"version":"0","id":"x","detail-type":"Scheduled Event","source":"aws.events","account":"123456789012","region":"eu-central-1","resources":[],"detail":{}}"#,
    r#"{"detail-type":"Deployed","source":"my.shop","detail":{"a":[1]}}"#,
];

#[tokio::test]
async fn with_a_default_distribution_an_empty_event_invalidates_everything() {
    let harness = Harness::start(state(&[("site", "E1")]), &[("DISTRIBUTION_ID", "E1")]).await;
    for (number, event) in EMPTY_EVENTS.into_iter().enumerate() {
        let report = harness.report(&format!("r{number}"), event).await;
        assert_eq!(report["invalidations"][0]["paths"], json!(["/*"]), "{event}");
    }
    harness.report("items", r#"{"paths":["/a"]}"#).await;
    assert_eq!(harness.invalidations("E1").len(), 13);
    assert_eq!(harness.invalidations("E1")[12], ["/a"]);
    // What may be a notification, or names something, is not a request for everything.
    for event in [
        r#"{"Records":null}"#,
        r#"{"Records":[{"eventSource":"aws:kinesis"}]}"#,
        r#"{"record":{"eventSource":"aws:s3"}}"#,
        r#"{"Event":"s3:OtherEvent"}"#,
        r#"{"detail-type":"Deployed","source":"my.shop","detail":{"paths":["/a"]}}"#,
        r#"{"requestContext":{},"body":"{\"paths\":[\"/a\"]}"}"#,
    ] {
        let (error_type, message) = harness.error("other", event).await;
        assert_eq!(error_type, "UnrecognizedEvent", "{event}: {message}");
    }
    assert_eq!(harness.invalidations("E1").len(), 13);
}

#[tokio::test]
async fn without_a_default_distribution_the_error_lists_accepted_events() {
    let harness = Harness::start(state(&[]), &[]).await;
    for event in EMPTY_EVENTS {
        let (error_type, message) = harness.error("r1", event).await;
        assert_eq!(error_type, "UnrecognizedEvent");
        for part in ["DISTRIBUTION_ID", "s3:TestEvent", "CodePipeline", "\"keys\"", "EventBridge"] {
            assert!(message.contains(part), "{message}");
        }
    }
}

async fn waited(delay: Duration, timeout: Duration, event: &Value) -> (InvocationOutcome, Harness) {
    let mut state = state(&[("site", "E1")]);
    state.distributions.get_mut("E1").unwrap().delay = delay;
    let harness = Harness::start(state, &[]).await;
    let invoke = Invoke { timeout, ..Invoke::new("r1") };
    let outcome = within(harness.lambda.invoke(event.to_string(), invoke)).await;
    (outcome, harness)
}

fn status(outcome: &InvocationOutcome) -> Value {
    let InvocationOutcome::Response(body) = outcome else { panic!("{outcome:?}") };
    let report: Value = serde_json::from_slice(body).unwrap();
    report["invalidations"][0]["invalidationStatus"].clone()
}

#[tokio::test]
async fn a_wait_ends_when_the_invalidation_does() {
    let event = json!({ "distributionId": "E1", "wait": true });
    let (outcome, harness) = waited(Duration::from_millis(1500), Duration::from_mins(1), &event).await;
    assert_eq!(status(&outcome), "Completed");
    assert!(harness.aws.calls("GetInvalidation").len() >= 2);
    assert_eq!(harness.invalidations("E1").len(), 1);
}

#[tokio::test]
async fn a_wait_that_times_out_is_no_error() {
    let event = json!({ "distributionId": "E1", "wait": true });
    let began = std::time::Instant::now();
    let (outcome, _) = waited(Duration::from_hours(1), Duration::from_secs(5), &event).await;
    assert_eq!(status(&outcome), "InProgress");
    assert!(began.elapsed() < Duration::from_secs(5), "answered in time");
    let event = json!({ "bucket": "site", "keys": ["a"], "wait": true, "waitSeconds": 1 });
    let (outcome, _) = waited(Duration::from_hours(1), Duration::from_mins(1), &event).await;
    assert_eq!(status(&outcome), "InProgress");
    // Even without the time for one call of `GetInvalidation` there is a response.
    let (outcome, _) = waited(Duration::from_hours(1), Duration::from_millis(1500), &event).await;
    assert!(matches!(outcome, InvocationOutcome::Response(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_wait_for_a_slow_answer_ends_in_time() {
    let mut state = state(&[("site", "E1")]);
    state.faults.push(Fault::always("GetInvalidation", "E1", Effect::Delay(Duration::from_millis(2500))));
    let harness = Harness::start(state, &[]).await;
    let invoke = Invoke { timeout: Duration::from_secs(4), ..Invoke::new("r1") };
    let outcome = within(harness.lambda.invoke(r#"{"distributionId":"E1","wait":true}"#, invoke)).await;
    assert_eq!(status(&outcome), "InProgress");
}

#[tokio::test]
async fn a_wait_survives_a_transient_status_error_and_names_a_permanent_one() {
    for (status, code, fails) in [(503, "ServiceUnavailable", false), (403, "AccessDenied", true)] {
        let mut state = state(&[("site", "E1")]);
        let effect = Effect::error(status, code);
        state.faults.push(Fault { times: 3, ..Fault::always("GetInvalidation", "E1", effect) });
        let harness = Harness::start(state, &[]).await;
        match harness.invoke("r1", r#"{"distributionId":"E1","wait":true}"#).await {
            InvocationOutcome::Error { error_type, message } if fails => {
                assert_eq!(error_type, "RequestFailed");
                assert!(
                    message.contains("E1: the status of its invalidation could not be read")
                        && message.contains("allow cloudfront:GetInvalidation")
                );
            }
            outcome => assert_eq!(super::requests::status(&outcome), "Completed"),
        }
    }
}

//! What the function logs, and what it never logs.

use s3_cloudfront_invalidator::local::events::{job, sqs};
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeJob, PutResult};
use serde_json::{Value, json};

use crate::harness::{Harness, created, state};

const JOB: &str = "11111111-abcd-1111-abcd-111111abcdef";
const CONTINUED: &str = "22222222-abcd-1111-abcd-111111abcdef";
const INVALID: &str = "33333333-abcd-1111-abcd-111111abcdef";

/// The lines, except metrics, of two invocations that succeed and two that fail.
async fn lines(variables: &[(&str, &str)]) -> Vec<String> {
    let mut variables = variables.to_vec();
    variables.push(("NEGATIVE_CACHE_TTL_SECONDS", "3600"));
    variables.push(("DISTRIBUTION_CONFIG", "off"));
    let harness = Harness::start(state(&[("site", "E1"), ("untagged", "")]), &variables).await;
    harness.report("request-one", created(&[("site", "very secret\nkey\u{1b}[31m"), ("untagged", "a")])).await;
    harness.report("request-two", created(&[("untagged", "b")])).await;
    harness.error("request-three", r#"{"marker-in-the-event":"hunter2"}"#).await;
    harness.error("request-four", created(&[("gone", "c")])).await;
    let lines = harness.function.stop().await.unwrap();
    let (metrics, lines): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line.contains("\"_aws\""));
    assert_eq!(metrics.len(), 4);
    lines
}

#[tokio::test]
async fn json_lines_have_level_time_and_request_id() {
    let lines = lines(&[]).await;
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    for line in &lines {
        assert!(line["level"].is_string() && line["timestamp"].is_string() && line["message"].is_string(), "{line}");
        assert!(line["requestId"].as_str().is_some_and(|id| id.starts_with("request-")), "{line}");
        assert_eq!(line["xrayTraceId"], "1-5759e988-bd862e3fe1be46a994272793", "{line}");
    }
    let of = |id: &str| lines.iter().filter(|line| line["requestId"] == id).collect::<Vec<_>>();
    let [untagged, handled] = of("request-one")[..] else { panic!("{lines:#?}") };
    assert_eq!((untagged["level"].as_str(), untagged["bucket"].as_str()), (Some("INFO"), Some("untagged")));
    assert!(
        untagged["message"].as_str().unwrap().contains("DISTRIBUTION_ID does not apply to S3 events"),
        "{untagged}"
    );
    assert_eq!(
        (handled["changes"]["invalidated"].as_u64(), handled["changes"]["skipped"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(handled["invalidations"][0]["paths"][0], "/very%20secret%0Akey%1B%5B31m");
    assert_eq!(of("request-two").len(), 1, "a bucket without the tag is said once");
    let [handled, error] = of("request-three")[..] else { panic!("logged once: {lines:#?}") };
    assert_eq!((handled["level"].as_str(), handled["errorType"].as_str()), (Some("WARN"), Some("UnrecognizedEvent")));
    assert_eq!(error["level"], "ERROR");
    let [_, error] = of("request-four")[..] else { panic!("{lines:#?}") };
    assert!(error["message"].as_str().unwrap().starts_with("ChangesNotInvalidated: 1 of 1"), "{error}");
}

#[tokio::test]
async fn text_lines_have_no_control_characters() {
    let lines = lines(&[("AWS_LAMBDA_LOG_FORMAT", "Text")]).await;
    assert!(lines.iter().any(|line| line.contains("INFO") && line.contains("request-one")), "{lines:#?}");
    for line in &lines {
        assert!(["INFO", "WARN", "ERROR"].iter().any(|level| line.contains(level)), "not a line of its own: {line:?}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

#[tokio::test]
async fn nothing_secret_is_logged_at_any_level() {
    for variables in [
        &[("RUST_LOG", "trace")][..],
        &[("RUST_LOG", "lambda_runtime=trace,aws_smithy_runtime=trace,hyper=trace,s3_cloudfront_invalidator=trace")],
        &[("AWS_LAMBDA_LOG_LEVEL", "TRACE")],
        &[("AWS_LAMBDA_LOG_LEVEL", "DEBUG")],
    ] {
        let lines = lines(variables).await;
        assert!(lines.iter().any(|line| line.contains("DEBUG")), "{variables:?} has an effect");
        for secret in [
            "hunter2",
            "marker-in-the-event",
            "local-secret-key",
            "local-session-token",
            "AKIDLOCAL",
            "requestParameters",
        ] {
            let leak = lines.iter().find(|line| line.contains(secret));
            assert_eq!(leak, None, "{variables:?}");
        }
    }
}

#[tokio::test]
async fn service_responses_are_never_logged_in_full() {
    let mut state = state(&[("site", "E1")]);
    let code = "x".repeat(5000);
    for status in [200, 201, 301, 400, 500] {
        for (operation, target) in [("GetBucketTagging", "site"), ("CreateInvalidation", "E1")] {
            let body = format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>");
            state.faults.push(Fault::once(operation, target, Effect::Raw { status, body }));
            let body = format!("<Error><Code>{code}</Code></Error>");
            state.faults.push(Fault::once(operation, target, Effect::Raw { status, body }));
        }
    }
    let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "20"), ("CACHE_TTL_SECONDS", "0")]).await;
    for number in 0..30 {
        harness.invoke(&format!("request-{number}"), created(&[("site", "a")])).await;
    }
    let left = harness.aws.with(|state| state.faults.iter().filter(|fault| fault.times > 0).count());
    assert_eq!(left, 0, "all were played");
    for line in harness.function.stop().await.unwrap() {
        assert!(line.len() < 4000 && !line.contains(&"x".repeat(1000)), "{line}");
    }
}

#[tokio::test]
async fn lines_below_the_configured_level_are_not_written() {
    let lines = lines(&[("AWS_LAMBDA_LOG_LEVEL", "ERROR")]).await;
    assert_eq!(lines.len(), 2, "{lines:#?}");
    for line in lines {
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["level"], "ERROR");
        assert!(line["requestId"].is_string() && line["xrayTraceId"].is_string(), "at any level: {line}");
    }
}

#[tokio::test]
async fn an_invalid_log_level_falls_back_to_info() {
    for variables in [&[("RUST_LOG", "nonsense")][..], &[("AWS_LAMBDA_LOG_LEVEL", "WARNING")]] {
        let lines = lines(variables).await;
        assert!(lines.iter().any(|line| line.contains("INFO")), "{variables:?}");
    }
    let lines = lines(&[("AWS_LAMBDA_LOG_LEVEL", "FATAL")]).await;
    assert_eq!(lines.len(), 2, "{lines:#?}");
}

/// The access-denied error is as long as IAM's, and the remedy follows it.
#[tokio::test]
async fn a_line_of_which_anything_failed_is_a_warning_with_code_and_remedy() {
    let mut state = state(&[("site", "E1")]);
    state.jobs.insert(JOB.into(), FakeJob::default());
    state.denied.insert("CreateInvalidation".into());
    let harness = Harness::start(state, &[("DISTRIBUTION_CONFIG", "off")]).await;
    let body = created(&[("site", "a"), ("site", "b")]);
    let answer = harness.report("batch", sqs(&[("m1", &body)])).await;
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1, "{answer}");
    let parameters = json!({ "bucket": "site", "keys": ["c", "d"] }).to_string();
    let answer = harness.report("job", job(JOB, Some(&parameters), None)).await;
    harness.error("direct", r#"{"distributionId":"E1","paths":["/a"]}"#).await;
    let lines = harness.function.stop().await.unwrap();
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    for (id, changes, failed) in [("batch", 2, 2), ("job", 2, 2), ("direct", 0, 0)] {
        let line = lines.iter().find(|it| it["requestId"] == id && it.get("durationMs").is_some()).expect(id);
        assert_eq!((&line["level"], &line["ok"]), (&json!("WARN"), &json!(false)), "{line}");
        assert_eq!(line["changes"], json!({ "invalidated": 0, "skipped": 0, "failed": failed }));
        let [failure] = &line["failures"].as_array().unwrap()[..] else { panic!("{line}") };
        assert_eq!((&failure["code"], &failure["changes"]), (&json!("invalidation-access-denied"), &json!(changes)));
        assert_eq!(failure["distributionId"], "E1");
        let message = failure["message"].as_str().unwrap();
        assert!(message.contains("because no identity-based policy allows"), "{message}");
        assert!(message.contains("allow cloudfront:CreateInvalidation"), "{message}");
        assert!(line["message"].as_str().unwrap().ends_with("; invalidation-access-denied"), "{line}");
        if id == "job" {
            // The answer and the line have the same report.
            for (field, value) in answer.as_object().unwrap() {
                assert_eq!(&line[field], value, "{field}");
            }
            assert_eq!((&answer["job"]["result"], &line["errorType"]), (&json!("failed"), &json!("RequestFailed")));
        }
    }
    // The runtime logs errors from its module `panic`.
    assert!(lines.iter().any(|line| line["target"] == "lambda_runtime"), "{lines:#?}");
    assert!(lines.iter().all(|line| !line["target"].as_str().unwrap_or_default().contains("panic")));
}

/// What CloudFront accepted stays in the report of a request that fails beside it or after it.
#[tokio::test]
async fn a_failed_request_keeps_its_code_and_what_was_accepted() {
    let mut state = state(&[("site", "E1 E2")]);
    let denied =
        |operation: &'static str, id: &'static str| Fault::always(operation, id, Effect::error(403, "AccessDenied"));
    state.faults.extend([denied("CreateInvalidation", "E2"), denied("GetInvalidation", "E1")]);
    state.distributions.get_mut("E1").unwrap().delay = std::time::Duration::from_mins(1);
    for id in [JOB, CONTINUED, INVALID] {
        state.jobs.insert(id.into(), FakeJob::default());
    }
    let harness = Harness::start(state, &[("DISTRIBUTION_CONFIG", "off")]).await;
    harness.error("partly", r#"{"bucket":"site","paths":["/a"]}"#).await;
    harness.error("wait", r#"{"distributionId":"E1","paths":["/b"],"wait":true}"#).await;
    let parameters = r#"{"distributionId":"E1","paths":["/c"],"wait":true}"#;
    harness.report("begin", job(JOB, Some(parameters), None)).await;
    let token = harness.aws.with(|state| match &state.jobs[JOB].results[..] {
        [PutResult::Success { continuation_token: Some(token), .. }] => token.clone(),
        other => panic!("{other:?}"),
    });
    harness.report("continued", job(CONTINUED, Some(parameters), Some(&token))).await;
    harness.report("invalid", job(INVALID, Some(r#"{"distribution":"E1"}"#), None)).await;
    let lines = harness.function.stop().await.unwrap();
    let lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    for (id, code, error_type, accepted) in [
        ("partly", "invalidation-access-denied", "RequestFailed", 1),
        ("wait", "wait-access-denied", "RequestFailed", 1),
        ("continued", "wait-access-denied", "RequestFailed", 0),
        ("invalid", "event-invalid", "InvalidRequest", 0),
    ] {
        let line = lines.iter().find(|it| it["requestId"] == id && it.get("durationMs").is_some()).expect(id);
        assert_eq!((&line["level"], &line["errorType"]), (&json!("WARN"), &json!(error_type)), "{line}");
        assert_eq!(line["failures"][0]["code"], code, "{line}");
        assert_eq!(line["totals"]["invalidations"], accepted, "{line}");
        assert_eq!(line["invalidations"].as_array().unwrap().len(), accepted, "{line}");
    }
}

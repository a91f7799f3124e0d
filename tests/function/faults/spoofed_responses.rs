//! Responses that report success, in a form that AWS does not use.

use std::time::{Duration, SystemTime};

use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeJob, InvocationOutcome, Invoke, State};
use serde_json::json;

use crate::harness::{Harness, created, state, within};

const VARIABLES: [(&str, &str); 2] = [("RETRY_BASE_DELAY_MS", "20"), ("DIRECT_RETRY_SECONDS", "0")];

fn answering(operation: &'static str, target: &str, status: u16, body: &str) -> State {
    let mut state = state(&[("site", "E1")]);
    state.faults.push(Fault::always(operation, target, Effect::Raw { status, body: body.into() }));
    state
}

fn error(code: &str, message: &str) -> String {
    format!("<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>")
}

#[tokio::test]
async fn only_cloudfronts_own_response_means_already_done() {
    let phrase = "Your request contains a caller reference that was used for a previous invalidation batch.";
    let whole = error("InvalidationBatchAlreadyExists", "");
    for (status, body) in [
        (503, error("ServiceUnavailable", phrase)),
        (403, error("AccessDenied", phrase)),
        (400, error("Throttling", phrase)),
        (500, error("InvalidArgument", phrase)),
        (400, error("InvalidArgument", "Your request contains a caller reference.")),
        (500, whole.clone()),
        (403, whole.clone()),
        (403, "<ErrorResponse><Error><Code>InvalidationBatchAlreadyExists".to_owned()),
        (400, "<ErrorResponse><Error><Code>InvalidationBatchAlreadyExists".to_owned()),
        (400, whole.replace("</ErrorResponse>", "")),
    ] {
        let harness = Harness::start(answering("CreateInvalidation", "E1", status, &body), &VARIABLES).await;
        let (_, message) = harness.error("r1", created(&[("site", "a")])).await;
        assert!(message.contains("CreateInvalidation: "), "{status} {body}: {message}");
    }
    for body in [whole, error("InvalidArgument", phrase)] {
        let harness = Harness::start(answering("CreateInvalidation", "E1", 400, &body), &VARIABLES).await;
        let report = harness.report("r1", created(&[("site", "a")])).await;
        assert_eq!(report["invalidations"][0]["status"], "already-exists", "{body}");
    }
}

/// If such a response were believed, the changes would be skipped permanently.
#[tokio::test]
async fn only_s3s_own_response_means_no_tags() {
    let whole = "<Error><Code>NoSuchTagSet</Code><Message/></Error>";
    for (status, body) in [
        (500, whole),
        (403, whole),
        (404, "<Error><Code>NoSuchTagSet"),
        (404, "<Error><Code>NoSuchTagSet</Code><Message/>"),
        (404, "<Error><Code>NoSuchKey</Code><Message>NoSuchTagSet</Message></Error>"),
    ] {
        let harness = Harness::start(answering("GetBucketTagging", "site", status, body), &VARIABLES).await;
        let (_, message) = harness.error("r1", created(&[("site", "a")])).await;
        assert!(message.contains("GetBucketTagging: "), "{status} {body}: {message}");
    }
    let harness = Harness::start(answering("GetBucketTagging", "site", 404, whole), &VARIABLES).await;
    assert_eq!(harness.report("r1", created(&[("site", "a")])).await["changes"]["skipped"], 1);
}

#[tokio::test]
async fn a_job_has_its_result_only_where_codepipeline_says_so() {
    let id = "11111111-abcd-1111-abcd-111111abcdef";
    let job = json!({ "CodePipeline.job": { "id": id, "data": { "actionConfiguration": { "configuration": {
        "UserParameters": r#"{"distributionId":"E1"}"#
    } } } } });
    for (status, is_done) in [(400, true), (500, false)] {
        let mut state = answering("PutJobSuccessResult", id, status, r#"{"__type":"InvalidJobStateException"}"#);
        state.jobs.insert(id.into(), FakeJob::default());
        let harness = Harness::start(state, &VARIABLES).await;
        let deadline = SystemTime::now() + Duration::from_secs(4);
        let invoke = Invoke { deadline: Some(deadline), ..Invoke::new("r1") };
        let outcome = within(harness.lambda.invoke(job.to_string(), invoke)).await;
        let has_succeeded = matches!(outcome, InvocationOutcome::Response(_));
        assert_eq!(has_succeeded, is_done, "{status}: {outcome:?}");
    }
}

/// A response over the size limit is not read, so that concurrent calls cannot exhaust the memory. It counts as no
/// response.
#[tokio::test]
async fn an_oversized_response_is_not_read() {
    let filler = |bytes: usize| format!("<!--{}-->", "x".repeat(bytes));
    let page = |bytes: usize| format!("<Error><Code>AccessDenied</Code>{}</Error>", filler(bytes));
    let tags = |bytes: usize| {
        let tag = "<Tag><Key>distributionId</Key><Value>E1</Value></Tag>";
        format!("<Tagging><TagSet>{tag}</TagSet>{}</Tagging>", filler(bytes))
    };
    let taken = |bytes: usize| format!("<Invalidation><Id>I1</Id>{}</Invalidation>", filler(bytes));
    let mebibyte = 1024 * 1024;
    for (operation, target, status, body, calls) in [
        ("GetBucketTagging", "site", 403, page(100_000), 2),
        ("CreateInvalidation", "E1", 403, page(100_000), 2),
        ("GetDistributionConfig", "E1", 400, page(100_000), 2),
        ("GetBucketTagging", "site", 200, tags(100_000), 1),
        ("GetBucketTagging", "site", 200, tags(mebibyte), 2),
        ("CreateInvalidation", "E1", 201, taken(100_000), 1),
        ("CreateInvalidation", "E1", 201, taken(mebibyte), 2),
        ("GetDistributionConfig", "E1", 200, page(3 * mebibyte), 2),
    ] {
        let mut state = state(&[("site", "E1")]);
        state.faults.push(Fault::once(operation, target, Effect::Raw { status, body }));
        let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "20")]).await;
        assert_eq!(harness.report("r1", created(&[("site", "a")])).await["changes"]["invalidated"], 1);
        assert_eq!(harness.aws.calls(operation).len(), calls, "{operation} {status}");
    }
}

//! CodePipeline jobs: each gets exactly one result, whatever happens.

use std::time::Duration;

use s3_cloudfront_invalidator::local::events::job;
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeJob, InvocationOutcome, Invoke, PutResult, State};
use serde_json::json;

use crate::harness::{Harness, state, within};

pub(crate) const ID: &str = "11111111-abcd-1111-abcd-111111abcdef";

pub(crate) fn with_job(buckets: &[(&str, &str)]) -> State {
    let mut state = state(buckets);
    state.jobs.insert(ID.into(), FakeJob::default());
    state
}

pub(crate) fn results(harness: &Harness) -> Vec<PutResult> {
    harness.aws.with(|state| state.jobs[ID].results.clone())
}

fn put_calls(harness: &Harness) -> usize {
    harness.aws.calls("PutJobSuccessResult").len() + harness.aws.calls("PutJobFailureResult").len()
}

/// Type and message of the job's only result, which must be a failure.
fn failure(harness: &Harness) -> (String, String) {
    match &results(harness)[..] {
        [PutResult::Failure { failure_type, message, .. }] => (failure_type.clone(), message.clone()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_job_invalidates_and_reports_it() {
    let harness = Harness::start(with_job(&[("site", "E1")]), &[]).await;
    let parameters = r#"{"distributionId":"E1","paths":["a b.html","/img/*"],"wait":false}"#;
    let report = harness.report("r1", job(ID, Some(parameters), None)).await;
    assert_eq!(report["job"]["result"], "succeeded");
    let [
        PutResult::Success {
            summary: Some(summary),
            external_execution_id: Some(execution),
            continuation_token: None,
            output_variables,
        },
    ] = &results(&harness)[..]
    else {
        panic!("{:?}", results(&harness))
    };
    assert_eq!(summary, "E1: invalidated /a%20b.html /img/*");
    assert_eq!(execution, "I0000000000001");
    let variables = [("distributionId", "E1"), ("invalidationId", "I0000000000001"), ("paths", "/a%20b.html /img/*")];
    assert_eq!(*output_variables, variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(harness.invalidations("E1"), [["/a%20b.html", "/img/*"]]);
}

#[tokio::test]
async fn the_distribution_comes_from_the_parameters_the_bucket_or_the_function() {
    for (parameters, own, ids) in [
        (Some(r#"{"distributionId":"E1","bucket":"site"}"#), None, &["E1"][..]),
        (Some(r#"{"bucket":"site"}"#), None, &["E2", "E3"]),
        (Some(r#"{"bucket":"site","keys":["index.html"]}"#), None, &["E2", "E3"]),
        (Some("{}"), Some("E1"), &["E1"]),
        (Some(""), Some("E1"), &["E1"]),
        (Some("E1"), None, &["E1"]),
        (Some(r#""E1""#), Some("E2"), &["E1"]),
        (Some(r#"{"DistributionId":"E1"}"#), Some("E2"), &["E1"]),
        (None, Some("E1"), &["E1"]),
    ] {
        let own: Vec<_> = own.iter().map(|id| ("DISTRIBUTION_ID", *id)).collect();
        let harness = Harness::start(with_job(&[("site", "E2 E3"), ("other", "E1")]), &own).await;
        harness.report("r1", job(ID, parameters, None)).await;
        assert!(
            matches!(results(&harness)[..], [PutResult::Success { .. }]),
            "{parameters:?}: {:?}",
            results(&harness)
        );
        for id in ["E1", "E2", "E3"] {
            let expected = usize::from(ids.contains(&id));
            assert_eq!(harness.invalidations(id).len(), expected, "{parameters:?} {id}");
        }
    }
}

#[tokio::test]
async fn every_way_to_fail_ends_in_one_result_that_says_what_to_change() {
    let denied = || Effect::error(403, "AccessDenied");
    let create = |effect| Some(Fault::always("CreateInvalidation", "E1", effect));
    let tags = |effect| Some(Fault::always("GetBucketTagging", "site", effect));
    let (for_e1, for_site) = (Some(r#"{"distributionId":"E1"}"#), Some(r#"{"bucket":"site"}"#));
    let cases = [
        (None, None, "ConfigurationError", "DISTRIBUTION_ID"),
        (Some("{}"), None, "ConfigurationError", "DISTRIBUTION_ID"),
        (
            Some("E1 E2"),
            None,
            "ConfigurationError",
            "UserParameters: \"E1 E2\" is neither a distribution ID nor an object",
        ),
        (Some("[1]"), None, "ConfigurationError", "UserParameters: \"[1]\" is neither a distribution ID nor an object"),
        (Some(r#"{"distribution":"E1"}"#), None, "ConfigurationError", "UserParameters.distribution: is unknown"),
        (Some(r#"{"distributionId":"e1"}"#), None, "ConfigurationError", "is not a distribution ID"),
        (
            Some(r#"{"distributionId":"E1","paths":["/~a"]}"#),
            None,
            "ConfigurationError",
            "cannot invalidate a path with \"~\"",
        ),
        (Some(r#"{"distributionId":"E9"}"#), None, "ConfigurationError", "correct the distribution ID"),
        (Some(r#"{"bucket":"untagged"}"#), None, "ConfigurationError", "does not have the tag \"distributionId\""),
        (Some(r#"{"bucket":"gone"}"#), None, "ConfigurationError", "NoSuchBucket"),
        (for_e1, create(denied()), "PermissionError", "allow cloudfront:CreateInvalidation"),
        (for_site, tags(denied()), "PermissionError", "allow s3:GetBucketTagging"),
        (for_e1, create(Effect::error(400, "InvalidArgument")), "ConfigurationError", "correct the paths"),
        (for_e1, create(Effect::error(400, "Throttling")), "SystemUnavailable", "Throttling"),
        (
            for_e1,
            create(Effect::error(400, "TooManyInvalidationsInProgress")),
            "SystemUnavailable",
            "TooManyInvalidations",
        ),
        (for_e1, create(Effect::error(503, "ServiceUnavailable")), "SystemUnavailable", "ServiceUnavailable"),
        (for_e1, create(Effect::Disconnect), "SystemUnavailable", "CreateInvalidation"),
        (for_e1, create(Effect::error(400, "MalformedXML")), "JobFailed", "MalformedXML"),
    ];
    for (parameters, fault, failure_type, part) in cases {
        let mut state = with_job(&[("site", "E1"), ("untagged", "")]);
        state.faults.extend(fault.clone());
        let harness = Harness::start(state, &[]).await;
        let invoke = Invoke { timeout: Duration::from_secs(4), ..Invoke::new("r1") };
        let outcome = within(harness.lambda.invoke(job(ID, parameters, None), invoke)).await;
        let InvocationOutcome::Response(body) = outcome else { panic!("{outcome:?}") };
        let report: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let (actual, message) = failure(&harness);
        assert_eq!(actual, failure_type, "{parameters:?} {fault:?}: {message}");
        assert!(message.contains(part) && !message.contains('\n'), "{message}");
        assert_eq!(report["job"]["message"], message);
        assert_eq!(put_calls(&harness), 1, "{parameters:?} {fault:?}");
    }
}

#[tokio::test]
async fn near_the_deadline_the_job_fails_in_time() {
    for (operation, target, parameters) in [
        ("CreateInvalidation", "E1", r#"{"distributionId":"E1"}"#),
        ("GetBucketTagging", "site", r#"{"bucket":"site"}"#),
    ] {
        let mut state = with_job(&[("site", "E1")]);
        state.faults.push(Fault::always(operation, target, Effect::Delay(Duration::from_secs(30))));
        let harness = Harness::start(state, &[]).await;
        let invoke = Invoke { timeout: Duration::from_secs(3), ..Invoke::new("r1") };
        let outcome = within(harness.lambda.invoke(job(ID, Some(parameters), None), invoke)).await;
        assert!(matches!(outcome, InvocationOutcome::Response(_)), "{outcome:?}");
        let (failure_type, message) = failure(&harness);
        assert_eq!(failure_type, "SystemUnavailable");
        assert!(message.contains("deadline"), "{message}");
    }
}

#[tokio::test]
async fn a_job_with_hardly_any_time_still_gets_its_result() {
    for (timeout, effect) in [(700, None), (1000, Some(Effect::Delay(Duration::from_secs(30))))] {
        let mut state = with_job(&[("site", "E1")]);
        state.faults.extend(effect.clone().map(|effect| Fault::always("CreateInvalidation", "E1", effect)));
        let harness = Harness::start(state, &[]).await;
        // The first invocation opens the connections.
        harness.invoke("warm", "{}").await;
        let invoke = Invoke { timeout: Duration::from_millis(timeout), ..Invoke::new("r1") };
        within(harness.lambda.invoke(job(ID, Some(r#"{"distributionId":"E1"}"#), None), invoke)).await;
        assert_eq!(results(&harness).len(), 1, "{timeout} ms, {effect:?}");
    }
}

#[tokio::test]
async fn a_put_that_hangs_leaves_time_for_another() {
    for (operation, parameters, timeout) in [
        ("PutJobSuccessResult", r#"{"distributionId":"E1"}"#, 8),
        ("PutJobFailureResult", r#"{"distributionId":"E9"}"#, 8),
    ] {
        let mut state = with_job(&[("site", "E1")]);
        state.faults.push(Fault::once(operation, ID, Effect::Delay(Duration::from_mins(1))));
        let harness = Harness::start(state, &[]).await;
        let invoke = Invoke { timeout: Duration::from_secs(timeout), ..Invoke::new("r1") };
        let outcome = within(harness.lambda.invoke(job(ID, Some(parameters), None), invoke)).await;
        assert!(matches!(outcome, InvocationOutcome::Response(_)), "{outcome:?}");
        assert_eq!(results(&harness).len(), 1, "{operation}");
    }
}

#[tokio::test]
async fn a_result_is_put_until_it_is_accepted() {
    for effect in [
        Effect::error(400, "ThrottlingException"),
        Effect::error(500, "InternalFailure"),
        Effect::Disconnect,
        Effect::SucceedThenDisconnect,
        Effect::Raw { status: 200, body: "<html>proxy</html>".into() },
    ] {
        let mut state = with_job(&[("site", "E1")]);
        state.faults.push(Fault { times: 4, ..Fault::always("PutJobSuccessResult", ID, effect.clone()) });
        let harness = Harness::start(state, &[]).await;
        let report = harness.report("r1", job(ID, Some(r#"{"distributionId":"E1"}"#), None)).await;
        assert_eq!(report["job"]["result"], "succeeded", "{effect:?}");
        assert_eq!((results(&harness).len(), harness.invalidations("E1").len()), (1, 1), "{effect:?}");
        assert_eq!(put_calls(&harness), 5, "{effect:?}");
    }
}

#[tokio::test]
async fn a_result_that_is_refused_becomes_a_failure_that_says_so() {
    let mut state = with_job(&[("site", "E1")]);
    state.faults.push(Fault::always(
        "PutJobSuccessResult",
        ID,
        Effect::error(400, "OutputVariablesSizeExceededException"),
    ));
    let harness = Harness::start(state, &[]).await;
    harness.report("r1", job(ID, Some(r#"{"distributionId":"E1"}"#), None)).await;
    let (failure_type, message) = failure(&harness);
    assert_eq!(failure_type, "JobFailed");
    assert!(message.contains("OutputVariablesSizeExceeded"), "{message}");
}

#[tokio::test]
async fn a_result_that_cannot_be_put_fails_the_invocation() {
    for effect in
        [Effect::error(400, "JobNotFoundException"), Effect::error(403, "AccessDeniedException"), Effect::Disconnect]
    {
        let mut state = with_job(&[("site", "E1")]);
        for operation in ["PutJobSuccessResult", "PutJobFailureResult"] {
            state.faults.push(Fault::always(operation, ID, effect.clone()));
        }
        let harness = Harness::start(state, &[]).await;
        let invoke = Invoke { timeout: Duration::from_secs(5), ..Invoke::new("r1") };
        let outcome = within(harness.lambda.invoke(job(ID, Some(r#"{"distributionId":"E1"}"#), None), invoke)).await;
        let InvocationOutcome::Error { error_type, message } = outcome else { panic!("{outcome:?}") };
        assert_eq!(error_type, "JobResultNotPut");
        assert!(message.contains(ID) && message.contains("PutJob"), "{message}");
        // Lambda retries: the invalidation is not created twice, and the result is put.
        harness.aws.with(|state| state.faults.clear());
        harness.report("r1", job(ID, Some(r#"{"distributionId":"E1"}"#), None)).await;
        assert_eq!((results(&harness).len(), harness.invalidations("E1").len()), (1, 1));
        // A job that already has a result counts as done.
        harness.report("r2", job(ID, Some(r#"{"distributionId":"E1"}"#), None)).await;
        assert_eq!((results(&harness).len(), harness.invalidations("E1").len()), (1, 1));
    }
}

#[tokio::test]
async fn a_job_without_an_id_fails_the_invocation() {
    let harness = Harness::start(state(&[]), &[]).await;
    let (error_type, message) = harness.error("r1", r#"{"CodePipeline.job":{"data":{"secret":"hunter2"}}}"#).await;
    assert_eq!(error_type, "UnrecognizedEvent");
    assert!(message.contains("\"CodePipeline.job\".\"id\"") && !message.contains("hunter2"), "{message}");
}

#[tokio::test]
async fn a_dry_run_is_named_in_the_summary() {
    let harness = Harness::start(with_job(&[("site", "E1")]), &[("DRY_RUN", "true")]).await;
    harness.report("r1", job(ID, Some(r#"{"distributionId":"E1","wait":true}"#), None)).await;
    let [PutResult::Success { summary: Some(summary), continuation_token: None, output_variables, .. }] =
        &results(&harness)[..]
    else {
        panic!("{:?}", results(&harness))
    };
    assert!(summary.contains("DRY_RUN") && output_variables.is_empty(), "{summary}");
    assert!(harness.aws.calls("CreateInvalidation").is_empty());
}

#[tokio::test]
async fn a_record_of_a_failed_job_is_a_job() {
    let harness = Harness::start(with_job(&[("site", "E1")]), &[]).await;
    let payload: serde_json::Value = serde_json::from_str(&job(ID, Some(r#"{"distributionId":"E1"}"#), None)).unwrap();
    let record = json!({ "requestContext": { "condition": "RetriesExhausted" }, "requestPayload": payload });
    harness.report("r1", record.to_string()).await;
    assert!(matches!(results(&harness)[..], [PutResult::Success { .. }]));
}

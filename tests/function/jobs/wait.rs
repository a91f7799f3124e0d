//! Jobs that wait until the invalidation has completed, and the credentials in every job event.

use std::time::Duration;

use s3_cloudfront_invalidator::local::events::{ARTIFACT_CREDENTIALS, job};
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeJob, Invoke, PutResult, State};

use crate::harness::{Harness, state, within};

const FIRST: &str = "11111111-abcd-1111-abcd-111111abcdef";
const WAIT: &str = r#"{"distributionId":"E1","paths":["/a"],"wait":true}"#;

/// The id of a job that continues another. It is new each time.
fn continued(number: usize) -> String {
    format!("22222222-abcd-1111-abcd-{number:012}")
}

/// A state in which an invalidation takes `delay` to complete.
fn slow(delay: Duration) -> State {
    let mut state = state(&[("site", "E1")]);
    state.distributions.get_mut("E1").unwrap().delay = delay;
    state.jobs.insert(FIRST.into(), FakeJob::default());
    state
}

/// The only result of a job, which must have one.
fn result(harness: &Harness, id: &str) -> PutResult {
    match &harness.aws.with(|state| state.jobs[id].results.clone())[..] {
        [result] => result.clone(),
        other => panic!("{other:?}"),
    }
}

fn token(result: &PutResult) -> Option<String> {
    match result {
        PutResult::Success { continuation_token, .. } => continuation_token.clone(),
        PutResult::Failure { .. } => panic!("{result:?}"),
    }
}

/// Starts a job and returns its continuation token.
async fn begin(harness: &Harness, parameters: &str) -> String {
    harness.report("r0", job(FIRST, Some(parameters), None)).await;
    let first = result(harness, FIRST);
    let PutResult::Success { output_variables, .. } = &first else { panic!("{first:?}") };
    assert!(output_variables.is_empty(), "only the last result has them");
    token(&first).expect("a token")
}

/// Continues a job under a new id, and returns its result.
async fn continue_job(harness: &Harness, number: usize, parameters: &str, token: &str) -> PutResult {
    let id = continued(number);
    harness.aws.with(|state| state.jobs.insert(id.clone(), FakeJob::default()));
    harness.report(&format!("r{number}"), job(&id, Some(parameters), Some(token))).await;
    result(harness, &id)
}

/// Lets the invalidations of `E1` complete.
fn complete_invalidations(harness: &Harness) {
    harness.aws.with(|state| state.distributions.get_mut("E1").unwrap().delay = Duration::ZERO);
}

#[tokio::test]
async fn a_job_is_continued_until_the_invalidation_is_completed() {
    let harness = Harness::start(slow(Duration::from_hours(1)), &[]).await;
    let mut kept = begin(&harness, WAIT).await;
    for number in 1..=4 {
        kept = token(&continue_job(&harness, number, WAIT, &kept).await).expect("still in progress");
    }
    complete_invalidations(&harness);
    let last = continue_job(&harness, 5, WAIT, &kept).await;
    let PutResult::Success { summary, external_execution_id, continuation_token: None, output_variables } = last else {
        panic!("{last:?}")
    };
    assert_eq!(summary.as_deref(), Some("E1: invalidated /a"));
    assert_eq!(external_execution_id.as_deref(), Some("I0000000000001"));
    let variables = [("distributionId", "E1"), ("invalidationId", "I0000000000001"), ("paths", "/a")];
    assert_eq!(output_variables, variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(harness.invalidations("E1").len(), 1, "a job with a token creates none");
    assert_eq!(harness.aws.calls("GetInvalidation").len(), 5);
}

/// The last stage of `pipeline.yaml`, with the `UserParameters` given there.
#[tokio::test]
async fn the_templates_pipeline_continues_when_the_invalidation_completes() {
    let template = include_str!("../../../infra/cloudformation/pipeline.yaml");
    let (_, parameters) = template.split_once("UserParameters: !Sub '").unwrap();
    let parameters = parameters.split('\'').next().unwrap().replace("${DistributionId}", "E1");
    let harness = Harness::start(slow(Duration::from_hours(1)), &[]).await;
    let kept = begin(&harness, &parameters).await;
    let kept = token(&continue_job(&harness, 1, &parameters, &kept).await).expect("not completed yet");
    complete_invalidations(&harness);
    assert_eq!(token(&continue_job(&harness, 2, &parameters, &kept).await), None);
    assert_eq!(harness.invalidations("E1"), [["/*"]]);
}

#[tokio::test]
async fn the_same_job_can_be_continued_too() {
    let harness = Harness::start(slow(Duration::from_hours(1)), &[]).await;
    begin(&harness, WAIT).await;
    complete_invalidations(&harness);
    let token = harness.aws.with(|state| state.jobs.get_mut(FIRST).unwrap().resume()).unwrap();
    harness.report("r1", job(FIRST, Some(WAIT), Some(&token))).await;
    let results = harness.aws.with(|state| state.jobs[FIRST].results.clone());
    assert!(matches!(results[..], [_, PutResult::Success { continuation_token: None, .. }]), "{results:?}");
}

#[tokio::test]
async fn the_wait_is_bounded() {
    let harness = Harness::start(slow(Duration::from_hours(1)), &[]).await;
    let parameters = r#"{"distributionId":"E1","wait":true,"waitSeconds":2}"#;
    let kept = begin(&harness, parameters).await;
    let kept = token(&continue_job(&harness, 1, parameters, &kept).await).expect("not yet too long");
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let PutResult::Failure { failure_type, message, .. } = continue_job(&harness, 2, parameters, &kept).await else {
        panic!("too long")
    };
    assert_eq!(failure_type, "JobFailed");
    assert!(
        message.contains("after 2 s")
            && message.contains("increase \"waitSeconds\" (at most 3600)")
            && message.contains("E1"),
        "{message}"
    );
}

#[tokio::test]
async fn transient_status_errors_continue_the_job_and_permanent_ones_fail_it() {
    for (status, code, expected) in [
        (400, "Throttling", None),
        (503, "ServiceUnavailable", None),
        (403, "AccessDenied", Some("PermissionError")),
        (404, "NoSuchInvalidation", Some("ConfigurationError")),
    ] {
        let mut state = slow(Duration::ZERO);
        let effect = Effect::error(status, code);
        state.faults.push(Fault::always("GetInvalidation", "E1", effect));
        let harness = Harness::start(state, &[]).await;
        let kept = begin(&harness, WAIT).await;
        match continue_job(&harness, 1, WAIT, &kept).await {
            PutResult::Failure { failure_type, message, .. } => {
                assert_eq!(Some(failure_type.as_str()), expected, "{message}");
                assert!(message.contains("the status of its invalidation could not be read"), "{message}");
            }
            PutResult::Success { continuation_token, .. } => {
                assert_eq!((continuation_token, expected), (Some(kept), None), "{code}");
            }
        }
    }
}

#[tokio::test]
async fn a_hanging_get_invalidation_continues_the_job() {
    let mut state = slow(Duration::ZERO);
    state.faults.push(Fault::always("GetInvalidation", "E1", Effect::Delay(Duration::from_mins(1))));
    let harness = Harness::start(state, &[]).await;
    let kept = begin(&harness, WAIT).await;
    let id = continued(1);
    harness.aws.with(|state| state.jobs.insert(id.clone(), FakeJob::default()));
    let invoke = Invoke { timeout: Duration::from_secs(4), ..Invoke::new("r1") };
    within(harness.lambda.invoke(job(&id, Some(WAIT), Some(&kept)), invoke)).await;
    assert_eq!(token(&result(&harness, &id)), Some(kept));
}

#[tokio::test]
async fn an_invalid_continuation_token_creates_no_invalidation() {
    let harness = Harness::start(slow(Duration::ZERO), &[]).await;
    let forged = r#"{"version":1,"invalidations":[["E1","I1"]],"started":1,"wait":5,"paths":"/a\u2028forged\u202e"}"#;
    for (number, token) in ["", "x", r#"{"version":1}"#, "[]", "null", forged].into_iter().enumerate() {
        let PutResult::Failure { failure_type, message, .. } = continue_job(&harness, number, WAIT, token).await else {
            panic!("{token}")
        };
        assert_eq!(failure_type, "JobFailed");
        assert!(message.contains("continuation token"), "{message}");
    }
    assert!(harness.aws.calls("CreateInvalidation").is_empty());
}

#[tokio::test]
async fn several_distributions_are_all_waited_for() {
    let mut state = slow(Duration::from_hours(1));
    state.buckets.get_mut("site").unwrap().tags.insert("distributionId".into(), "E1 E2".into());
    state.distributions.insert("E2".into(), s3_cloudfront_invalidator::local::FakeDistribution::default());
    state.distributions.get_mut("E2").unwrap().delay = Duration::ZERO;
    let harness = Harness::start(state, &[]).await;
    let parameters = r#"{"bucket":"site","wait":true}"#;
    let kept = begin(&harness, parameters).await;
    let kept = token(&continue_job(&harness, 1, parameters, &kept).await).expect("E1 is in progress");
    complete_invalidations(&harness);
    assert_eq!(token(&continue_job(&harness, 2, parameters, &kept).await), None);
}

#[tokio::test]
async fn credentials_of_the_pipeline_are_never_logged() {
    for variables in [
        &[("RUST_LOG", "trace")][..],
        &[("AWS_LAMBDA_LOG_LEVEL", "TRACE")],
        &[("AWS_LAMBDA_LOG_LEVEL", "TRACE"), ("AWS_LAMBDA_LOG_FORMAT", "Text")],
    ] {
        let harness = Harness::start(slow(Duration::ZERO), variables).await;
        harness.report("r1", job(FIRST, Some(WAIT), None)).await;
        // The same with errors: in the parameters, in the result, and in the event itself.
        harness.report("r2", job(FIRST, Some("{"), Some("token"))).await;
        let effect = Effect::error(400, "JobNotFoundException");
        harness.aws.with(|state| state.faults.push(Fault::always("PutJobFailureResult", FIRST, effect)));
        let (_, message) = harness.error("r3", job(FIRST, Some("{"), None)).await;
        let mut texts = vec![message];
        let whole = job(FIRST, Some(WAIT), None);
        for (number, end) in (1..whole.len()).step_by(97).enumerate() {
            match harness.invoke(&format!("cut-{number}"), &whole.as_bytes()[..end]).await {
                s3_cloudfront_invalidator::local::InvocationOutcome::Error { message, .. } => texts.push(message),
                other => panic!("{other:?}"),
            }
        }
        let broken = whole.replace("\"id\"", "\"no-id\"");
        texts.push(harness.error("r4", broken).await.1);
        texts.extend(harness.function.stop().await.unwrap());
        assert!(texts.iter().any(|line| line.contains("DEBUG")), "{variables:?} has an effect");
        for secret in ARTIFACT_CREDENTIALS {
            assert!(whole.contains(secret));
            let leak = texts.iter().find(|text| text.contains(secret));
            assert_eq!(leak, None, "{variables:?}");
        }
    }
}

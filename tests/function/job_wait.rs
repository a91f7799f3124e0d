//! Jobs that wait until viewers see the new content, and the secrets that come with every job.

use std::time::Duration;

use s3_cloudfront_invalidator::local::events::{ARTIFACT_CREDENTIALS, job};
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{Invoke, Job, JobResult, World};

use crate::rig::{Rig, within, world};

const FIRST: &str = "11111111-abcd-1111-abcd-111111abcdef";
const WAIT: &str = r#"{"distributionId":"E1","items":["/a"],"wait":true}"#;

/// The id of a job that continues another: a new one each time.
fn continued(number: usize) -> String {
    format!("22222222-abcd-1111-abcd-{number:012}")
}

/// A world in which an invalidation takes so long.
fn slow(takes: Duration) -> World {
    let mut world = world(&[("site", "E1")]);
    world.distributions.get_mut("E1").unwrap().takes = takes;
    world.jobs.insert(FIRST.into(), Job::default());
    world
}

/// The result of a job, which must have one.
fn result(rig: &Rig, id: &str) -> JobResult {
    match &rig.cloud.with(|world| world.jobs[id].results.clone())[..] {
        [result] => result.clone(),
        other => panic!("{other:?}"),
    }
}

fn token(result: &JobResult) -> Option<String> {
    match result {
        JobResult::Success { continuation_token, .. } => continuation_token.clone(),
        JobResult::Failure { .. } => panic!("{result:?}"),
    }
}

/// Starts a job and returns its token.
async fn begin(rig: &Rig, parameters: &str) -> String {
    rig.report("r0", job(FIRST, Some(parameters), None)).await;
    let first = result(rig, FIRST);
    let JobResult::Success { output_variables, .. } = &first else { panic!("{first:?}") };
    assert!(output_variables.is_empty(), "only the last result has them");
    token(&first).expect("a token")
}

/// Continues a job under a new id, and returns its result.
async fn go_on(rig: &Rig, number: usize, parameters: &str, token: &str) -> JobResult {
    let id = continued(number);
    rig.cloud.with(|world| world.jobs.insert(id.clone(), Job::default()));
    rig.report(&format!("r{number}"), job(&id, Some(parameters), Some(token))).await;
    result(rig, &id)
}

/// Lets so much time pass for CloudFront.
fn done(rig: &Rig) {
    rig.cloud.with(|world| world.distributions.get_mut("E1").unwrap().takes = Duration::ZERO);
}

#[tokio::test]
async fn a_job_is_continued_until_the_invalidation_is_completed() {
    let rig = Rig::start(slow(Duration::from_hours(1)), &[]).await;
    let mut kept = begin(&rig, WAIT).await;
    for number in 1..=4 {
        kept = token(&go_on(&rig, number, WAIT, &kept).await).expect("still in progress");
    }
    done(&rig);
    let last = go_on(&rig, 5, WAIT, &kept).await;
    let JobResult::Success { summary, external_execution_id, continuation_token: None, output_variables } = last else {
        panic!("{last:?}")
    };
    assert_eq!(summary.as_deref(), Some("E1: invalidated /a"));
    assert_eq!(external_execution_id.as_deref(), Some("I0000000000001"));
    let variables = [("distributionId", "E1"), ("invalidationId", "I0000000000001"), ("paths", "/a")];
    assert_eq!(output_variables, variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(rig.invalidations("E1").len(), 1, "a job with a token creates none");
    assert_eq!(rig.cloud.calls("GetInvalidation").len(), 5);
}

/// The last stage of `pipeline.yaml`, with the parameters that stand there.
#[tokio::test]
async fn the_templates_pipeline_goes_on_when_viewers_see_it() {
    let template = include_str!("../../infra/cloudformation/pipeline.yaml");
    let (_, parameters) = template.split_once("UserParameters: !Sub '").unwrap();
    let parameters = parameters.split('\'').next().unwrap().replace("${DistributionId}", "E1");
    let rig = Rig::start(slow(Duration::from_hours(1)), &[]).await;
    let kept = begin(&rig, &parameters).await;
    let kept = token(&go_on(&rig, 1, &parameters, &kept).await).expect("not completed yet");
    done(&rig);
    assert_eq!(token(&go_on(&rig, 2, &parameters, &kept).await), None);
    assert_eq!(rig.invalidations("E1"), [["/*"]]);
}

#[tokio::test]
async fn the_same_job_can_be_continued_too() {
    let rig = Rig::start(slow(Duration::from_hours(1)), &[]).await;
    begin(&rig, WAIT).await;
    done(&rig);
    let token = rig.cloud.with(|world| world.jobs.get_mut(FIRST).unwrap().resume()).unwrap();
    rig.report("r1", job(FIRST, Some(WAIT), Some(&token))).await;
    let results = rig.cloud.with(|world| world.jobs[FIRST].results.clone());
    assert!(matches!(results[..], [_, JobResult::Success { continuation_token: None, .. }]), "{results:?}");
}

#[tokio::test]
async fn the_wait_is_bounded() {
    let rig = Rig::start(slow(Duration::from_hours(1)), &[]).await;
    let parameters = r#"{"distributionId":"E1","wait":true,"waitSeconds":2}"#;
    let kept = begin(&rig, parameters).await;
    let kept = token(&go_on(&rig, 1, parameters, &kept).await).expect("not yet too long");
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let JobResult::Failure { failure_type, message, .. } = go_on(&rig, 2, parameters, &kept).await else {
        panic!("too long")
    };
    assert_eq!(failure_type, "JobFailed");
    assert!(
        message.contains("after 2 s")
            && message.contains("\"waitSeconds\" can be up to 3600")
            && message.contains("E1"),
        "{message}"
    );
}

#[tokio::test]
async fn a_look_that_fails_for_a_while_is_no_failure_and_a_lasting_one_is() {
    for (status, code, expected) in [
        (400, "Throttling", None),
        (503, "ServiceUnavailable", None),
        (403, "AccessDenied", Some("PermissionError")),
        (404, "NoSuchInvalidation", Some("ConfigurationError")),
    ] {
        let mut world = slow(Duration::ZERO);
        let effect = Effect::error(status, code);
        world.faults.push(Fault::always("GetInvalidation", "E1", effect));
        let rig = Rig::start(world, &[]).await;
        let kept = begin(&rig, WAIT).await;
        match go_on(&rig, 1, WAIT, &kept).await {
            JobResult::Failure { failure_type, message, .. } => {
                assert_eq!(Some(failure_type.as_str()), expected, "{message}");
                assert!(message.contains("has its invalidation"), "{message}");
            }
            JobResult::Success { continuation_token, .. } => {
                assert_eq!((continuation_token, expected), (Some(kept), None), "{code}");
            }
        }
    }
}

#[tokio::test]
async fn a_look_that_hangs_is_a_look_in_vain() {
    let mut world = slow(Duration::ZERO);
    world.faults.push(Fault::always("GetInvalidation", "E1", Effect::Delay(Duration::from_mins(1))));
    let rig = Rig::start(world, &[]).await;
    let kept = begin(&rig, WAIT).await;
    let id = continued(1);
    rig.cloud.with(|world| world.jobs.insert(id.clone(), Job::default()));
    let invoke = Invoke { timeout: Duration::from_secs(4), ..Invoke::new("r1") };
    within(rig.lambda.invoke(job(&id, Some(WAIT), Some(&kept)), invoke)).await;
    assert_eq!(token(&result(&rig, &id)), Some(kept));
}

#[tokio::test]
async fn a_token_that_is_not_ours_creates_nothing() {
    let rig = Rig::start(slow(Duration::ZERO), &[]).await;
    let forged = r#"{"version":1,"invalidations":[["E1","I1"]],"started":1,"wait":5,"paths":"/a\u2028forged\u202e"}"#;
    for (number, token) in ["", "x", r#"{"version":1}"#, "[]", "null", forged].into_iter().enumerate() {
        let JobResult::Failure { failure_type, message, .. } = go_on(&rig, number, WAIT, token).await else {
            panic!("{token}")
        };
        assert_eq!(failure_type, "JobFailed");
        assert!(message.contains("continuation token"), "{message}");
    }
    assert!(rig.cloud.calls("CreateInvalidation").is_empty());
}

#[tokio::test]
async fn several_distributions_are_all_waited_for() {
    let mut world = slow(Duration::from_hours(1));
    world.buckets.get_mut("site").unwrap().tags.insert("distributionId".into(), "E1 E2".into());
    world.distributions.insert("E2".into(), s3_cloudfront_invalidator::local::Distribution::default());
    world.distributions.get_mut("E2").unwrap().takes = Duration::ZERO;
    let rig = Rig::start(world, &[]).await;
    let parameters = r#"{"bucket":"site","wait":true}"#;
    let kept = begin(&rig, parameters).await;
    let kept = token(&go_on(&rig, 1, parameters, &kept).await).expect("E1 is in progress");
    done(&rig);
    assert_eq!(token(&go_on(&rig, 2, parameters, &kept).await), None);
}

#[tokio::test]
async fn credentials_of_the_pipeline_are_never_logged() {
    for variables in [
        &[("RUST_LOG", "trace")][..],
        &[("AWS_LAMBDA_LOG_LEVEL", "TRACE")],
        &[("AWS_LAMBDA_LOG_LEVEL", "TRACE"), ("AWS_LAMBDA_LOG_FORMAT", "Text")],
    ] {
        let rig = Rig::start(slow(Duration::ZERO), variables).await;
        rig.report("r1", job(FIRST, Some(WAIT), None)).await;
        // Again, with everything wrong that can be: the parameters, the result, and the event's own form.
        rig.report("r2", job(FIRST, Some("{"), Some("token"))).await;
        let effect = Effect::error(400, "JobNotFoundException");
        rig.cloud.with(|world| world.faults.push(Fault::always("PutJobFailureResult", FIRST, effect)));
        let (_, message) = rig.error("r3", job(FIRST, Some("{"), None)).await;
        let mut texts = vec![message];
        let whole = job(FIRST, Some(WAIT), None);
        for (number, end) in (1..whole.len()).step_by(97).enumerate() {
            match rig.invoke(&format!("cut-{number}"), &whole.as_bytes()[..end]).await {
                s3_cloudfront_invalidator::local::Outcome::Error { message, .. } => texts.push(message),
                other => panic!("{other:?}"),
            }
        }
        let broken = whole.replace("\"id\"", "\"no-id\"");
        texts.push(rig.error("r4", broken).await.1);
        texts.extend(rig.function.stop().await.unwrap());
        assert!(texts.iter().any(|line| line.contains("DEBUG")), "{variables:?} has an effect");
        for secret in ARTIFACT_CREDENTIALS {
            assert!(whole.contains(secret));
            let leak = texts.iter().find(|text| text.contains(secret));
            assert_eq!(leak, None, "{variables:?}");
        }
    }
}

//! Changes that S3 sends directly and that CloudFront throttles go to the function's own queue.

use std::time::Duration;

use s3_cloudfront_invalidator::local::events::{event_bridge, job, notification, record, sns, sqs};
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeQueue, InvocationOutcome, Invoke};
use serde_json::json;

use crate::harness::{Harness, POLL, QUEUE, created, state, with_queue};

async fn start() -> Harness {
    let mut state = state(&[("one", "E1 E2"), ("two", "E2")]);
    state.queues.insert(QUEUE.into(), FakeQueue::default());
    Harness::start(state, &with_queue(&[("RETRY_BASE_DELAY_MS", "20")])).await
}

fn refuse(harness: &Harness, distribution: &str, code: &str) {
    let fault = Fault::always("CreateInvalidation", distribution, Effect::error(400, code));
    harness.aws.with(|state| state.faults.push(fault));
}

fn bodies(harness: &Harness) -> Vec<String> {
    harness.aws.with(|state| state.queues[QUEUE].bodies())
}

#[tokio::test]
async fn what_cloudfront_refuses_for_its_rate_is_invalidated_by_the_next_poll() {
    for code in ["Throttling", "TooManyInvalidationsInProgress"] {
        let harness = start().await;
        refuse(&harness, "E1", code);
        let report = harness.report("r1", created(&[("one", "a b+c/é"), ("two", "d")])).await;
        let counts = json!({ "invalidated": 1, "skipped": 0, "queued": 1, "failed": 0 });
        assert_eq!((report["ok"].clone(), report["changes"].clone()), (json!(true), counts), "{report}");
        assert_eq!(harness.aws.calls("CreateInvalidation").iter().filter(|it| it.target == "E1").count(), 1);
        let [body] = bodies(&harness).try_into().unwrap();
        assert!(body.contains("a+b%2Bc/%C3%A9") && !body.contains("\"d\""), "only what was refused: {body}");
        harness.aws.with(|state| state.faults.clear());
        let report = harness.report("r2", POLL).await;
        assert_eq!(report["changes"]["invalidated"], 1, "{report}");
        assert_eq!(harness.invalidations("E1"), [["/a%20b%2Bc/%C3%A9", "/a+b%2Bc/%C3%A9"]]);
        assert_eq!(bodies(&harness), [""; 0]);
    }
}

#[tokio::test]
async fn once_throttled_all_direct_changes_go_to_the_queue() {
    let harness = start().await;
    refuse(&harness, "E1", "Throttling");
    harness.report("r0", created(&[("one", "0")])).await;
    harness.aws.with(|state| state.faults.clear());
    let calls = harness.aws.with(|state| state.calls.len());
    let bridge = event_bridge("Object Created", "two", "2").to_string();
    for (id, event) in [("r1", created(&[("one", "1")])), ("r2", bridge)] {
        let report = harness.report(id, event).await;
        assert_eq!(report["changes"]["queued"], 1, "{report}");
    }
    let after = harness.aws.with(|state| state.calls.iter().skip(calls).map(|it| it.operation).collect::<Vec<_>>());
    assert_eq!(after, ["SendMessage"; 2]);
    let report = harness.report("r3", POLL).await;
    assert_eq!(report["changes"]["invalidated"], 3, "{report}");
    assert_eq!(harness.invalidations("E1"), [["/0", "/1"]]);
}

/// An error that is not about the rate is retried under the same caller reference.
#[tokio::test]
async fn what_is_not_refused_for_the_rate_is_not_queued() {
    let harness = start().await;
    for (id, effect) in [("r0", Effect::error(503, "ServiceUnavailable")), ("r1", Effect::SucceedThenDisconnect)] {
        harness.aws.with(|state| state.faults.push(Fault::once("CreateInvalidation", "E1", effect)));
        let report = harness.report(id, created(&[("one", id)])).await;
        assert_eq!(report["changes"]["invalidated"], 1, "{report}");
    }
    assert_eq!(harness.invalidations("E1"), [["/r0"], ["/r1"]]);
    let unavailable = Effect::error(503, "ServiceUnavailable");
    harness.aws.with(|state| state.faults.push(Fault::always("CreateInvalidation", "E1", unavailable)));
    let invoke = Invoke { timeout: Duration::from_secs(3), ..Invoke::new("r2") };
    let outcome = harness.lambda.invoke(created(&[("one", "r2")]).into_bytes(), invoke).await;
    assert!(matches!(&outcome, InvocationOutcome::Error { error_type, .. } if error_type == "ChangesNotInvalidated"));
    assert_eq!(bodies(&harness), [""; 0]);
}

/// The whole event is redelivered for a change that failed, so queueing that change would only invalidate it twice.
#[tokio::test]
async fn only_what_did_not_fail_otherwise_is_queued() {
    let harness = start().await;
    refuse(&harness, "E1", "TooManyInvalidationsInProgress");
    refuse(&harness, "E2", "TooManyInvalidationsInProgress");
    harness.aws.with(|state| {
        state.faults.retain(|fault| fault.target.as_deref() != Some("E1"));
        state.faults.push(Fault::always("CreateInvalidation", "E1", Effect::error(403, "AccessDenied")));
    });
    let event = created(&[("one", "a"), ("two", "b"), ("gone", "c")]);
    let (error_type, _) = harness.error("r1", event).await;
    assert_eq!(error_type, "ChangesNotInvalidated");
    let [body] = bodies(&harness).try_into().unwrap();
    assert!(body.contains("\"two\"") && !body.contains("\"one\"") && !body.contains("\"gone\""), "{body}");
}

#[tokio::test]
async fn a_lost_answer_of_the_queue_costs_a_second_message_and_no_second_invalidation() {
    let harness = start().await;
    refuse(&harness, "E2", "Throttling");
    harness.aws.with(|state| state.faults.push(Fault::once("SendMessage", QUEUE, Effect::SucceedThenDisconnect)));
    let message = notification(&[record("ObjectCreated:Put", "two", "a")]);
    let report = harness.report("r1", sns(&message)).await;
    assert_eq!((report["changes"]["queued"].clone(), bodies(&harness).len()), (json!(1), 2), "{report}");
    harness.aws.with(|state| state.faults.clear());
    harness.report("r2", POLL).await;
    assert_eq!(harness.invalidations("E2"), [["/a"]]);
}

#[tokio::test]
async fn without_the_queue_the_invocation_fails_as_before() {
    let harness = start().await;
    refuse(&harness, "E1", "Throttling");
    harness.aws.with(|state| state.denied = ["SendMessage".to_owned()].into());
    let (error_type, message) = harness.error("r1", created(&[("one", "a")])).await;
    assert_eq!(error_type, "ChangesNotInvalidated");
    assert!(message.contains("SendMessage") && message.contains("sqs:SendMessage"), "{message}");
    // The next event is not handed to the queue either.
    harness.error("r2", created(&[("one", "b")])).await;
    harness.aws.with(|state| state.faults.clear());
    assert_eq!(harness.report("r2", created(&[("one", "b")])).await["changes"]["invalidated"], 1);
}

#[tokio::test]
async fn requests_jobs_and_messages_are_never_queued() {
    let harness = start().await;
    refuse(&harness, "E2", "Throttling");
    let job = job("11111111-abcd-1111-abcd-111111abcdef", Some(r#"{"distributionId":"E2","paths":["/a"]}"#), None);
    let requests = [
        r#"{"distributionId":"E2","paths":["/a"]}"#.to_owned(),
        r#"{"bucket":"two","keys":["a"]}"#.to_owned(),
        sqs(&[("m1", &created(&[("two", "a")]))]),
        job,
    ];
    for (id, event) in requests.into_iter().enumerate() {
        let invoke = Invoke { timeout: Duration::from_secs(3), ..Invoke::new(id.to_string()) };
        harness.lambda.invoke(event.into_bytes(), invoke).await;
    }
    assert_eq!(harness.aws.calls("SendMessage").len(), 0);
    assert!(harness.aws.calls("CreateInvalidation").len() > 4);
}

#[tokio::test]
async fn many_changes_are_split_into_messages() {
    let harness = start().await;
    refuse(&harness, "E2", "Throttling");
    let keys: Vec<_> = (0..500).map(|n| format!("{n}/{}", "é".repeat(400))).collect();
    let objects: Vec<_> = keys.iter().map(|key| ("two", key.as_str())).collect();
    assert_eq!(harness.report("r1", created(&objects)).await["changes"]["queued"], 500);
    let sizes: Vec<_> = bodies(&harness).iter().map(String::len).collect();
    assert!(sizes.len() > 10 && sizes.iter().all(|size| *size < 64 * 1024), "{sizes:?}");
    harness.aws.with(|state| state.faults.clear());
    assert_eq!(harness.report("r2", POLL).await["changes"]["invalidated"], 500);
}

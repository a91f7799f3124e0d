//! Redelivery: to a process that has cached the earlier delivery, what CloudFront accepted is neither invalidated nor
//! requested again; to another process, it is not billed again.

use std::time::Duration;

use futures_util::future::join_all;
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{InvocationOutcome, Quota};
use serde_json::json;

use crate::harness::{Harness, created, state};

#[tokio::test]
async fn each_of_lambdas_attempts_gets_further_under_throttling() {
    let ids: Vec<_> = (0..16).map(|n| format!("E{n}X")).collect();
    let mut state = state(&[("site", &ids.join(" "))]);
    state.throttle = Some(Duration::from_millis(200));
    let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "200"), ("DIRECT_RETRY_SECONDS", "1")]).await;
    let served = || ids.iter().filter(|id| !harness.invalidations(id).is_empty()).count();
    let mut before = 0;
    for _ in 0..2 {
        harness.error("r1", created(&[("site", "a")])).await;
        assert!(served() > before, "{} after {before}", served());
        before = served();
    }
    harness.aws.with(|state| state.throttle = None);
    let report = harness.report("r1", created(&[("site", "a")])).await;
    assert_eq!(report["changes"]["invalidated"], 1);
    let calls = harness.aws.calls("CreateInvalidation");
    for id in &ids {
        assert_eq!(calls.iter().filter(|call| call.target == *id && call.status == 201).count(), 1, "{id}");
        assert_eq!(harness.invalidations(id).len(), 1, "{id}");
    }
    let mut earlier = 0;
    for sent in report["invalidations"].as_array().unwrap() {
        assert!(["accepted", "accepted-before"].contains(&sent["status"].as_str().unwrap()), "{sent}");
        assert_eq!(sent["invalidationId"], "I0000000000001");
        earlier += usize::from(sent["status"] == "accepted-before");
    }
    assert_eq!(earlier, before);
}

#[tokio::test]
async fn an_invalidation_accepted_with_other_paths_is_not_sent_again() {
    let variables =
        [("RETRY_BASE_DELAY_MS", "20"), ("DIRECT_RETRY_SECONDS", "1"), ("MAX_PATHS", "2"), ("MAX_WILDCARDS", "2")];
    let mut state = state(&[("site", "E1"), ("other", "E2")]);
    state.faults.push(Fault::once("CreateInvalidation", "E1", Effect::error(413, "BatchTooLarge")));
    state.faults.push(Fault::once("CreateInvalidation", "E2", Effect::error(403, "AccessDenied")));
    let harness = Harness::start(state, &variables).await;
    let objects = [("site", "a/1"), ("site", "a/2"), ("site", "b/1"), ("site", "b/2"), ("other", "x")];
    let event = created(&objects);
    harness.error("r1", event.clone()).await;
    assert_eq!(harness.invalidations("E1"), [["/*"]], "accepted with other paths");
    let report = harness.report("r1", event).await;
    assert_eq!(harness.invalidations("E1"), [["/*"]], "the same delivery, done before");
    assert_eq!(harness.invalidations("E2"), [["/x"]]);
    // The report shows the paths that were accepted, not those that were planned.
    assert_eq!(report["changes"]["invalidated"], 5);
    assert_eq!(report["invalidations"][0]["paths"], json!(["/*"]));
}

/// The last part has the caller reference of the whole, so a process that sends the whole learns that it was accepted.
#[tokio::test]
async fn what_was_sent_in_parts_is_not_billed_again() {
    // Under the other readings the whole is accepted.
    join_all(Quota::READINGS[1..=2].iter().map(async |&quota| {
        let (mut state, event) = (state(&[("site", "E1")]), five_directories());
        state.quota = quota;
        let harness = Harness::start(state, &IN_PARTS).await;
        harness.report("r1", event.clone()).await;
        let sent = harness.invalidations("E1");
        assert!(sent.len() > 1, "{quota:?}: {sent:?}");
        harness.aws.with(|state| state.quota = Quota::InProgress);
        let InvocationOutcome::Response(_) = harness.in_another_sandbox(&IN_PARTS, "r1", event).await else {
            panic!("a response");
        };
        assert_eq!(harness.invalidations("E1"), sent, "{quota:?}");
    }))
    .await;
}

/// A process that has sent parts first asks for the whole, which may have been accepted before.
#[tokio::test]
async fn what_was_sent_as_a_whole_is_not_billed_again_in_parts() {
    let mut state = state(&[("site", "E1"), ("other", "E2")]);
    state.quota = Quota::READINGS[1];
    let harness = Harness::start(state, &IN_PARTS).await;
    let other: Vec<_> = (0..10).map(|n| format!("{}/{n}", n % 5)).collect();
    let other: Vec<_> = other.iter().map(|key| ("other", key.as_str())).collect();
    harness.report("r0", created(&other)).await;
    assert!(harness.invalidations("E2").len() > 1, "the process sends parts");
    harness.aws.with(|state| state.quota = Quota::InProgress);
    let event = five_directories();
    let InvocationOutcome::Response(_) = harness.in_another_sandbox(&IN_PARTS, "r1", event.clone()).await else {
        panic!("a response");
    };
    assert_eq!(harness.invalidations("E1").len(), 1);
    harness.report("r1", event).await;
    assert_eq!(harness.invalidations("E1").len(), 1);
}

/// Refused invalidations are sent in parts within a second.
const IN_PARTS: [(&str, &str); 4] =
    [("RETRY_BASE_DELAY_MS", "200"), ("DIRECT_RETRY_SECONDS", "20"), ("MAX_PATHS", "5"), ("MAX_WILDCARDS", "5")];

/// Changes whose invalidation has five wildcards.
fn five_directories() -> String {
    let keys: Vec<_> = (0..10).map(|n| format!("{}/{n}", n % 5)).collect();
    created(&keys.iter().map(|key| ("site", key.as_str())).collect::<Vec<_>>())
}

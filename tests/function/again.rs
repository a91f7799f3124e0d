//! The same delivery again, in the process that remembers it: what was done is neither done again nor asked for again.

use std::time::Duration;

use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use serde_json::json;

use crate::rig::{Rig, created, world};

#[tokio::test]
async fn each_of_lambdas_attempts_gets_further_under_throttling() {
    let ids: Vec<_> = (0..16).map(|n| format!("E{n}X")).collect();
    let mut world = world(&[("site", &ids.join(" "))]);
    world.throttle = Some(Duration::from_millis(200));
    let rig = Rig::start(world, &[("BACKOFF_MILLISECONDS", "200"), ("DIRECT_RETRY_SECONDS", "1")]).await;
    let served = || ids.iter().filter(|id| !rig.invalidations(id).is_empty()).count();
    let mut before = 0;
    for _ in 0..2 {
        rig.error("r1", created(&[("site", "a")])).await;
        assert!(served() > before, "{} after {before}", served());
        before = served();
    }
    rig.cloud.with(|world| world.throttle = None);
    let report = rig.report("r1", created(&[("site", "a")])).await;
    assert_eq!(report["changes"]["covered"], 1);
    let calls = rig.cloud.calls("CreateInvalidation");
    for id in &ids {
        assert_eq!(calls.iter().filter(|call| call.target == *id && call.status == 201).count(), 1, "{id}");
        assert_eq!(rig.invalidations(id).len(), 1, "{id}");
    }
    for sent in report["invalidations"].as_array().unwrap() {
        assert_eq!((&sent["status"], &sent["invalidationId"]), (&json!("accepted"), &json!("I0000000000001")));
    }
}

#[tokio::test]
async fn what_was_taken_in_other_words_is_not_billed_again() {
    let variables =
        [("BACKOFF_MILLISECONDS", "20"), ("DIRECT_RETRY_SECONDS", "1"), ("MAX_PATHS", "2"), ("MAX_WILDCARDS", "2")];
    let mut world = world(&[("site", "E1"), ("other", "E2")]);
    world.distributions.get_mut("E1").unwrap().takes = Duration::from_hours(1);
    world.faults.push(Fault::once("CreateInvalidation", "E2", Effect::error(403, "AccessDenied")));
    let rig = Rig::start(world, &variables).await;
    let in_progress: Vec<_> = (0..14).map(|n| format!("/in-progress-{n}x*")).collect();
    rig.report("r0", json!({ "distributionId": "E1", "items": in_progress }).to_string()).await;
    let objects = [("site", "a/1"), ("site", "a/2"), ("site", "b/1"), ("site", "b/2"), ("other", "x")];
    let event = created(&objects);
    rig.error("r1", event.clone()).await;
    assert_eq!(rig.invalidations("E1")[1..], [["/*"]], "taken in other words");
    rig.cloud.with(|world| world.distributions.get_mut("E1").unwrap().takes = Duration::ZERO);
    let report = rig.report("r1", event).await;
    assert_eq!(rig.invalidations("E1")[1..], [["/*"]], "the same delivery, done before");
    assert_eq!(rig.invalidations("E2"), [["/x"]]);
    // The report tells what was taken, and not what was planned.
    assert_eq!(report["changes"]["covered"], 5);
    assert_eq!(report["invalidations"][0]["paths"], json!(["/*"]));
}

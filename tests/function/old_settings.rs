//! What old, denied and doubtful settings may not do: proofs of a review.

use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{Outcome, World};
use serde_json::{Value, json};

use crate::plan::{asking, run};
use crate::rig::{Rig, created, world};

const READ: &str = "GetDistributionConfig";
const S3: &str = "site.s3.eu-central-1.amazonaws.com";

/// Origins as id, domain and path; behaviours as pattern and target.
fn config(origins: &[(&str, &str, &str)], behaviors: &[(&str, &str)], default: &str) -> Value {
    let origins: Vec<_> = origins
        .iter()
        .map(|(id, domain, path)| json!({ "Id": id, "DomainName": domain, "OriginPath": path }))
        .collect();
    let behaviors: Vec<_> = behaviors
        .iter()
        .map(|(pattern, target)| {
            json!({ "PathPattern": pattern, "TargetOriginId": target, "ViewerProtocolPolicy": "https-only" })
        })
        .collect();
    json!({
        "CallerReference": "example", "Comment": "", "Enabled": true,
        "Origins": { "Quantity": origins.len(), "Items": origins },
        "DefaultCacheBehavior": { "TargetOriginId": default, "ViewerProtocolPolicy": "https-only" },
        "CacheBehaviors": { "Quantity": behaviors.len(), "Items": behaviors },
    })
}

fn shown(config: Value) -> World {
    let mut world = world(&[("site", "E1")]);
    world.distributions.get_mut("E1").unwrap().config = Some(config);
    world
}

/// Old settings serve to send too much, not to ignore for good.
#[tokio::test]
async fn nothing_is_ignored_for_what_old_settings_said() {
    let before = config(&[("s3", S3, "/v1"), ("api", "api.example.com", "")], &[], "s3");
    let after = config(&[("s3", S3, "/v2"), ("api", "api.example.com", "")], &[], "s3");
    let rig = Rig::start(shown(before), &[("BACKOFF_MILLISECONDS", "20"), ("TAG_TTL_SECONDS", "0")]).await;
    rig.report("r1", created(&[("site", "v1/a")])).await;
    rig.cloud.with(|world| {
        world.distributions.get_mut("E1").unwrap().config = Some(after);
        let effect = Effect::error(503, "ServiceUnavailable");
        world.faults.push(Fault { operation: READ, target: None, effect, times: 4 });
    });
    match rig.invoke("r2", created(&[("site", "v2/a")])).await {
        Outcome::Response(body) => panic!("{}", String::from_utf8_lossy(&body)),
        other => assert!(matches!(other, Outcome::Error { .. }), "{other:?}"),
    }
}

/// What is known is better than a guess that is known to be wrong.
#[tokio::test]
async fn a_denial_does_not_replace_what_is_known() {
    let rig = Rig::start(shown(config(&[("s3", S3, "/web")], &[], "s3")), &[("TAG_TTL_SECONDS", "0")]).await;
    rig.report("r1", created(&[("site", "web/a")])).await;
    rig.cloud.with(|world| world.denied.insert(READ.into()));
    let _ = rig.invoke("r2", created(&[("site", "web/a")])).await;
    for items in rig.invalidations("E1") {
        assert_eq!(items, ["/a"]);
    }
}

fn with_policy() -> Value {
    let mut config = config(&[("s3", S3, "/web")], &[], "s3");
    config["DefaultCacheBehavior"]["CachePolicyId"] = "11111111-1111-1111-1111-111111111111".into();
    config
}

#[tokio::test]
async fn a_policy_is_asked_for_four_times_at_the_most() {
    let rig = Rig::start(shown(with_policy()), &[("BACKOFF_MILLISECONDS", "20")]).await;
    rig.cloud.with(|world| {
        let effect = Effect::error(503, "ServiceUnavailable");
        world.faults.push(Fault { operation: "GetCachePolicy", target: None, effect, times: 1000 });
    });
    rig.error("r1", created(&[("site", "web/a")])).await;
    assert_eq!((rig.cloud.calls(READ).len(), rig.cloud.calls("GetCachePolicy").len()), (1, 4));
}

/// The function goes on without the policy; the command line should show what the function does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_decides_like_the_function_without_a_policy() {
    let mut world = shown(with_policy());
    world.denied.insert("GetCachePolicy".into());
    let rig = Rig::start(world, &[]).await;
    rig.report("r1", created(&[("site", "web/a")])).await;
    let url = rig.cloud.url();
    let environment = asking(&url);
    let arguments = ["--keys", "-", "--json", "--bucket", "site", "--distribution", "E1"];
    let (_, printed, errors) = run(&arguments, &environment, "web/a");
    let plan: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(plan["paths"], json!(rig.invalidations("E1")[0]), "{errors}");
}

#[tokio::test]
async fn credentials_that_have_expired_are_no_denial_of_listing() {
    let keys: Vec<_> = (0..12).map(|n| format!("d/f{n:04}")).collect();
    let mut world = shown(config(&[("s3", S3, "")], &[], "s3"));
    world.buckets.get_mut("site").unwrap().objects = keys.iter().cloned().collect();
    let effect = Effect::error(403, "ExpiredToken");
    world.faults.push(Fault { operation: "ListObjectsV2", target: None, effect, times: 1 });
    let rig = Rig::start(world, &[]).await;
    let event = created(&keys.iter().map(|key| ("site", key.as_str())).collect::<Vec<_>>());
    rig.report("r1", event.clone()).await;
    rig.report("r2", event).await;
    assert_eq!(rig.invalidations("E1")[1].len(), 1);
}

/// A function may send requests below the prefix to any origin: what they show is not known.
#[tokio::test]
async fn where_a_function_may_choose_the_origin_nothing_is_counted() {
    let keys: Vec<_> = (0..12).map(|n| format!("d/f{n:04}")).collect();
    let mut config = config(&[("s3", S3, ""), ("blog", "blog.s3.eu-central-1.amazonaws.com", "")], &[], "s3");
    config["DefaultCacheBehavior"]["FunctionAssociations"] = json!({ "Quantity": 1, "Items": [
        { "FunctionARN": "arn:aws:cloudfront::123456789012:function/route", "EventType": "viewer-request" }
    ] });
    let mut world = shown(config);
    world.buckets.get_mut("site").unwrap().objects = keys.iter().cloned().collect();
    let rig = Rig::start(world, &[]).await;
    let report = rig.report("r1", created(&keys.iter().map(|key| ("site", key.as_str())).collect::<Vec<_>>())).await;
    assert_eq!(rig.invalidations("E1")[0].len(), 12, "{report}");
}

/// `/a*` for `a~b.js` evicts whatever starts with `/a`; nobody has counted that.
#[tokio::test]
async fn a_wildcard_that_was_needed_is_not_said_to_evict_nothing() {
    let mut world = shown(config(&[("s3", S3, "")], &[], "s3"));
    world.buckets.get_mut("site").unwrap().objects = ["a~b.js", "a.js", "about.html"].map(str::to_owned).into();
    let rig = Rig::start(world, &[]).await;
    let report = rig.report("r1", created(&[("site", "a~b.js")])).await;
    assert_ne!(report["invalidations"][0]["needlessEvictions"], 0, "{report}");
}

//! Configs that no distribution can have. Such a response is incomplete, and the config counts as not read.

use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use serde_json::{Value, json};

use crate::config::distribution_config::{config, known, set};
use crate::harness::{Harness, created};

/// Checks that the changes fail, rather than being skipped as changes that no viewer sees.
async fn fails(broken: Value, reason: &str) {
    let mut state = known();
    let config_text = broken.to_string();
    set(&mut state, "E1", broken);
    let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "20")]).await;
    let (_, message) = harness.error("r1", created(&[("site", "web/a")])).await;
    let expected = "its distribution config could not be read: GetDistributionConfig: ";
    assert!(message.contains(expected) && message.contains(reason), "{config_text}: {message}");
    assert!(harness.invalidations("E1").is_empty());
}

#[tokio::test]
async fn an_invalid_config_is_a_failure() {
    fails(json!({ "Origins": { "Quantity": 0 }, "CallerReference": "", "Comment": "", "Enabled": true }), "").await;
    let mut odd = config("/web");
    odd["DefaultCacheBehavior"]["CachePolicyId"] = "../../x".into();
    fails(odd, "invalid response: a cache policy ID").await;
}

#[tokio::test]
async fn an_incomplete_config_is_a_failure() {
    let mut whole = config("/web");
    let members = json!({ "Quantity": 1, "Items": [{ "OriginId": "s3" }] });
    whole["OriginGroups"] = json!({ "Quantity": 1, "Items": [{ "Id": "group", "Members": members }] });
    for (pointer, member) in [
        ("", "Origins"),
        ("/Origins", "Items"),
        ("/Origins/Items/0", "Id"),
        ("/Origins/Items/0", "DomainName"),
        ("/OriginGroups/Items/0", "Id"),
        ("/OriginGroups/Items/0", "Members"),
        ("/OriginGroups/Items/0/Members/Items/0", "OriginId"),
        ("", "DefaultCacheBehavior"),
        ("/DefaultCacheBehavior", "TargetOriginId"),
        ("/CacheBehaviors/Items/0", "TargetOriginId"),
        ("/CacheBehaviors/Items/0", "PathPattern"),
    ] {
        let mut broken = whole.clone();
        let removed = broken.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(member);
        assert!(removed.is_some(), "{pointer} {member}");
        fails(broken, "invalid response: ").await;
    }
}

#[tokio::test]
async fn an_empty_cache_policy_is_a_failure() {
    let policy = "11111111-1111-1111-1111-111111111111";
    let mut state = known();
    let mut settings = config("/web");
    settings["DefaultCacheBehavior"]["CachePolicyId"] = policy.into();
    set(&mut state, "E1", settings);
    let body = format!("<CachePolicy><Id>{policy}</Id></CachePolicy>");
    state.faults.push(Fault::always("GetCachePolicy", policy, Effect::Raw { status: 200, body }));
    let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "20")]).await;
    let (_, message) = harness.error("r1", created(&[("site", "web/a")])).await;
    assert!(message.contains("GetCachePolicy: invalid response"), "{message}");
    assert!(harness.invalidations("E1").is_empty());
}

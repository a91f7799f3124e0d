//! Responses about distribution configs and cache policies that are complete documents without the content.

use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use serde_json::json;

use crate::config::distribution_config::{READ, config, known, set};
use crate::harness::{Harness, created};

/// The SDK fills in missing members, so an empty document parses as a config.
#[tokio::test]
async fn complete_documents_without_content_are_transient_failures() {
    let policy = "11111111-1111-1111-1111-111111111111";
    for (operation, body) in [
        (READ, "<DistributionConfig><Comment>no <Id/></Comment></DistributionConfig>"),
        (
            READ,
            "<DistributionConfig><Origins><Items><Origin><Id>s3</Id></Origin></Items></Origins></DistributionConfig>",
        ),
        ("GetCachePolicy", "<CachePolicy><Id>11111111-1111-1111-1111-111111111111</Id></CachePolicy>"),
    ] {
        let mut state = known();
        let mut settings = config("/web");
        settings["DefaultCacheBehavior"]["CachePolicyId"] = policy.into();
        set(&mut state, "E1", settings);
        let strings = json!({ "QueryStringsConfig": { "QueryStringBehavior": "all" } });
        let parameters = json!({ "Name": "versions", "ParametersInCacheKeyAndForwardedToOrigin": strings });
        state.cache_policies.insert(policy.into(), parameters);
        let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "20")]).await;
        let effect = Effect::Raw { status: 200, body: body.into() };
        harness.aws.with(|state| state.faults.push(Fault { operation, target: None, effect, times: 1 }));
        harness.report("r1", created(&[("site", "web/a")])).await;
        assert_eq!(harness.invalidations("E1"), [["/a*"]], "{body}");
    }
}

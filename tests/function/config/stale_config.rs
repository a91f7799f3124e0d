//! Stale, denied and uncertain distribution configs. Each test reproduces a finding of a review.

use std::time::Duration;

use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{InvocationOutcome, Invoke, State};
use serde_json::{Value, json};

use crate::cli::plan::{fake_aws_environment, run};
use crate::harness::{Harness, created, state};

const READ: &str = "GetDistributionConfig";
const S3: &str = "site.s3.eu-central-1.amazonaws.com";

/// Origins as id, domain name and origin path; cache behaviors as path pattern and target origin.
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

fn state_with(config: Value) -> State {
    let mut state = state(&[("site", "E1")]);
    state.distributions.get_mut("E1").unwrap().config = Some(config);
    state
}

/// A stale config may invalidate too much, but must not skip a change permanently.
#[tokio::test]
async fn a_stale_config_skips_nothing() {
    let before = config(&[("s3", S3, "/v1"), ("api", "api.example.com", "")], &[], "s3");
    let after = config(&[("s3", S3, "/v2"), ("api", "api.example.com", "")], &[], "s3");
    let harness =
        Harness::start(state_with(before), &[("RETRY_BASE_DELAY_MS", "20"), ("CACHE_TTL_SECONDS", "0")]).await;
    harness.report("r1", created(&[("site", "v1/a")])).await;
    harness.aws.with(|state| {
        state.distributions.get_mut("E1").unwrap().config = Some(after);
        let effect = Effect::error(503, "ServiceUnavailable");
        state.faults.push(Fault { operation: READ, target: None, effect, times: 4 });
    });
    match harness.invoke("r2", created(&[("site", "v2/a")])).await {
        InvocationOutcome::Response(body) => panic!("{}", String::from_utf8_lossy(&body)),
        other => assert!(matches!(other, InvocationOutcome::Error { .. }), "{other:?}"),
    }
}

/// A cached config is better than a guess that is known to be wrong.
#[tokio::test]
async fn a_denial_does_not_replace_a_cached_config() {
    let harness =
        Harness::start(state_with(config(&[("s3", S3, "/web")], &[], "s3")), &[("CACHE_TTL_SECONDS", "0")]).await;
    harness.report("r1", created(&[("site", "web/a")])).await;
    harness.aws.with(|state| state.denied.insert(READ.into()));
    let _ = harness.invoke("r2", created(&[("site", "web/a")])).await;
    for items in harness.invalidations("E1") {
        assert_eq!(items, ["/a"]);
    }
}

/// The age of a stale config counts from when it was read. That it was used after a denial does not renew it.
#[tokio::test]
async fn a_config_that_outlived_a_denial_is_not_used_beyond_its_age() {
    let variables = [
        ("RETRY_BASE_DELAY_MS", "20"),
        ("CACHE_TTL_SECONDS", "0"),
        ("NEGATIVE_CACHE_TTL_SECONDS", "0"),
        ("STALE_IF_ERROR_SECONDS", "3"),
    ];
    let harness = Harness::start(state_with(config(&[("s3", S3, "/web")], &[], "s3")), &variables).await;
    harness.report("r1", created(&[("site", "web/a")])).await;
    tokio::time::sleep(Duration::from_millis(1600)).await;
    harness.aws.with(|state| state.denied.insert(READ.into()));
    harness.report("r2", created(&[("site", "web/b")])).await;
    tokio::time::sleep(Duration::from_millis(1600)).await;
    harness.aws.with(|state| {
        state.denied.clear();
        let effect = Effect::error(400, "Throttling");
        state.faults.push(Fault { operation: READ, target: None, effect, times: 4 });
    });
    let (_, message) = harness.error("r3", created(&[("site", "web/c")])).await;
    assert!(message.contains("its distribution config could not be read"), "{message}");
    assert_eq!(harness.invalidations("E1"), [["/a"], ["/b"]]);
}

/// Nor does the TTL of the denial extend it.
#[tokio::test]
async fn a_denial_is_cached_no_longer_than_the_stale_config_may_be_used() {
    let variables = [("CACHE_TTL_SECONDS", "0"), ("STALE_IF_ERROR_SECONDS", "2")];
    let harness = Harness::start(state_with(config(&[("s3", S3, "/web")], &[], "s3")), &variables).await;
    harness.report("r1", created(&[("site", "web/a")])).await;
    harness.aws.with(|state| state.denied.insert(READ.into()));
    harness.report("r2", created(&[("site", "web/b")])).await;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    harness.report("r3", created(&[("site", "web/c")])).await;
    assert_eq!(harness.invalidations("E1"), [["/a"], ["/b"], ["/web/c"]]);
}

fn with_policy() -> Value {
    let mut config = config(&[("s3", S3, "/web")], &[], "s3");
    config["DefaultCacheBehavior"]["CachePolicyId"] = "11111111-1111-1111-1111-111111111111".into();
    config
}

#[tokio::test]
async fn a_cache_policy_is_requested_at_most_four_times() {
    let harness = Harness::start(state_with(with_policy()), &[("RETRY_BASE_DELAY_MS", "20")]).await;
    harness.aws.with(|state| {
        let effect = Effect::error(503, "ServiceUnavailable");
        state.faults.push(Fault { operation: "GetCachePolicy", target: None, effect, times: 1000 });
    });
    harness.error("r1", created(&[("site", "web/a")])).await;
    assert_eq!((harness.aws.calls(READ).len(), harness.aws.calls("GetCachePolicy").len()), (1, 4));
}

/// A stale cache policy counts as a stale config: it is warned of, and no change is skipped because of it.
#[tokio::test]
async fn a_stale_cache_policy_is_warned_of_and_skips_nothing() {
    let policy = "11111111-1111-1111-1111-111111111111";
    let mut state = state_with(with_policy());
    state.cache_policies.insert(policy.into(), json!({ "Name": "plain" }));
    let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "20"), ("CACHE_TTL_SECONDS", "0")]).await;
    let event = created(&[("site", "web/a"), ("site", "elsewhere")]);
    let report = harness.report("r1", event.clone()).await;
    assert_eq!(report["changes"], json!({ "invalidated": 1, "skipped": 1, "failed": 0 }));
    harness.aws.with(|state| {
        let effect = Effect::error(503, "ServiceUnavailable");
        state.faults.push(Fault { operation: "GetCachePolicy", target: None, effect, times: 4 });
    });
    let (_, message) = harness.error("r2", event).await;
    assert!(message.starts_with("1 of 2 changes failed: distribution E1 (1 change in bucket \"site\")"), "{message}");
    assert!(message.contains("GetCachePolicy: ServiceUnavailable"), "{message}");
    assert_eq!(harness.invalidations("E1"), [["/a"], ["/a"]]);
    let log = harness.function.stop().await.unwrap();
    let warnings: Vec<_> = log.iter().filter(|line| line.contains("stale cache entry used")).collect();
    assert_eq!(warnings.len(), 1, "{log:#?}");
    assert!(warnings[0].contains(policy) && warnings[0].contains("ServiceUnavailable"), "{warnings:?}");
}

/// The distributions that use the policy share its four attempts, and those that do not use it are invalidated.
#[tokio::test]
async fn a_shared_cache_policy_is_requested_at_most_four_times() {
    let ids: Vec<_> = (0..12).map(|n| format!("E{n:02}X")).collect();
    let mut state = state(&[("site", &ids.join(" ")), ("other", "E1")]);
    for id in &ids {
        state.distributions.get_mut(id).unwrap().config = Some(with_policy());
    }
    let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "20")]).await;
    harness.aws.with(|state| {
        let effect = Effect::error(503, "ServiceUnavailable");
        state.faults.push(Fault { operation: "GetCachePolicy", target: None, effect, times: 1000 });
    });
    let (_, message) = harness.error("r1", created(&[("site", "web/a"), ("other", "b")])).await;
    assert!(message.starts_with("1 of 2 changes failed: distribution E00X (1 change in bucket \"site\")"), "{message}");
    assert!(message.contains("GetCachePolicy: ServiceUnavailable"), "{message}");
    assert_eq!((harness.aws.calls(READ).len(), harness.aws.calls("GetCachePolicy").len()), (13, 4));
    assert!(ids.iter().all(|id| harness.invalidations(id).is_empty()));
    assert_eq!(harness.invalidations("E1"), [["/b"]]);
}

/// A distribution whose config hangs must not take the time in which the policies of the others are read.
#[tokio::test]
async fn a_hanging_config_delays_no_cache_policy() {
    let policy = "11111111-1111-1111-1111-111111111111";
    let mut state = state(&[("site", "E1"), ("hung", "E2")]);
    state.distributions.get_mut("E1").unwrap().config = Some(with_policy());
    let strings = json!({ "QueryStringsConfig": { "QueryStringBehavior": "all" } });
    let parameters = json!({ "Name": "versions", "ParametersInCacheKeyAndForwardedToOrigin": strings });
    state.cache_policies.insert(policy.into(), parameters);
    state.faults.push(Fault::always(READ, "E2", Effect::Delay(Duration::from_mins(2))));
    let harness = Harness::start(state, &[]).await;
    let invoke = Invoke { timeout: Duration::from_secs(6), ..Invoke::new("r1") };
    let outcome = harness.lambda.invoke(created(&[("site", "web/a"), ("hung", "b")]), invoke).await;
    let InvocationOutcome::Error { message, .. } = outcome else { panic!("{outcome:?}") };
    assert!(message.starts_with("1 of 2 changes failed: distribution E2"), "{message}");
    assert_eq!(harness.invalidations("E1"), [["/a*"]]);
}

/// The function continues without the cache policy; the command line must show what the function does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_decides_like_the_function_without_a_policy() {
    let mut state = state_with(with_policy());
    state.denied.insert("GetCachePolicy".into());
    let harness = Harness::start(state, &[]).await;
    harness.report("r1", created(&[("site", "web/a")])).await;
    let url = harness.aws.url();
    let environment = fake_aws_environment(&url);
    let arguments = ["--keys", "-", "--json", "--bucket", "site", "--distribution", "E1"];
    let (_, printed, errors) = run(&arguments, &environment, "web/a");
    let plan: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(plan["invalidations"][0]["paths"], json!(harness.invalidations("E1")[0]), "{errors}");
}

#[tokio::test]
async fn expired_credentials_are_not_cached_as_a_denial_of_listing() {
    let keys: Vec<_> = (0..12).map(|n| format!("d/f{n:04}")).collect();
    let mut state = state_with(config(&[("s3", S3, "")], &[], "s3"));
    state.buckets.get_mut("site").unwrap().objects = keys.iter().cloned().collect();
    let effect = Effect::error(403, "ExpiredToken");
    state.faults.push(Fault { operation: "ListObjectsV2", target: None, effect, times: 1 });
    let harness = Harness::start(state, &[]).await;
    let event = created(&keys.iter().map(|key| ("site", key.as_str())).collect::<Vec<_>>());
    harness.report("r1", event.clone()).await;
    harness.report("r2", event).await;
    assert_eq!(harness.invalidations("E1")[1].len(), 1);
}

/// A function may route requests below the prefix to any origin, so what the URLs serve is not known.
#[tokio::test]
async fn nothing_is_counted_where_an_edge_function_may_choose_the_origin() {
    let keys: Vec<_> = (0..12).map(|n| format!("d/f{n:04}")).collect();
    let mut config = config(&[("s3", S3, ""), ("blog", "blog.s3.eu-central-1.amazonaws.com", "")], &[], "s3");
    config["DefaultCacheBehavior"]["FunctionAssociations"] = json!({ "Quantity": 1, "Items": [
        { "FunctionARN": "arn:aws:cloudfront::123456789012:function/route", "EventType": "viewer-request" }
    ] });
    let mut state = state_with(config);
    state.buckets.get_mut("site").unwrap().objects = keys.iter().cloned().collect();
    let harness = Harness::start(state, &[]).await;
    let report =
        harness.report("r1", created(&keys.iter().map(|key| ("site", key.as_str())).collect::<Vec<_>>())).await;
    assert_eq!(harness.invalidations("E1")[0].len(), 12, "{report}");
}

/// `/a*` for `a~b.js` evicts everything that starts with `/a`, which nothing has counted.
#[tokio::test]
async fn a_required_wildcard_has_unknown_evictions() {
    let mut state = state_with(config(&[("s3", S3, "")], &[], "s3"));
    state.buckets.get_mut("site").unwrap().objects = ["a~b.js", "a.js", "about.html"].map(str::to_owned).into();
    let harness = Harness::start(state, &[]).await;
    let report = harness.report("r1", created(&[("site", "a~b.js")])).await;
    assert_ne!(report["invalidations"][0]["unchangedEvicted"], 0, "{report}");
}

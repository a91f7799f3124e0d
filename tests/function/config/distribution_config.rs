//! Distribution configs: when they are read, how they are cached, and what happens if they cannot be read.

use std::time::Duration;

use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeAws, InvocationOutcome, Invoke, State};
use serde_json::{Value, json};

use crate::harness::{Harness, created, state};

pub(crate) const READ: &str = "GetDistributionConfig";

/// The config of a distribution that serves a folder of `site`, and routes `/api/*` to another origin.
pub(crate) fn config(origin_path: &str) -> Value {
    json!({
        "CallerReference": "example",
        "Comment": "",
        "Enabled": true,
        "Origins": { "Quantity": 2, "Items": [
            { "Id": "s3", "DomainName": "site.s3.eu-central-1.amazonaws.com", "OriginPath": origin_path },
            { "Id": "api", "DomainName": "api.example.com", "OriginPath": "" },
        ] },
        "DefaultCacheBehavior": { "TargetOriginId": "s3", "ViewerProtocolPolicy": "https-only" },
        "CacheBehaviors": { "Quantity": 1, "Items": [
            { "PathPattern": "/api/*", "TargetOriginId": "api", "ViewerProtocolPolicy": "https-only" },
        ] },
    })
}

pub(crate) fn set(state: &mut State, id: &str, config: Value) {
    state.distributions.get_mut(id).unwrap().config = Some(config);
}

pub(crate) fn known() -> State {
    let mut state = state(&[("site", "E1")]);
    set(&mut state, "E1", config("/web"));
    state
}

fn fail(aws: &FakeAws, operation: &'static str, status: u16, code: &str, times: usize) {
    let effect = Effect::error(status, code);
    aws.with(|state| state.faults.push(Fault { operation, target: None, effect, times }));
}

#[tokio::test]
async fn configs_are_read_lazily_and_once_per_ttl() {
    let harness = Harness::start(known(), &[]).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(harness.aws.with(|state| state.calls.len()), 0, "before anything is asked");
    for request in ["r1", "r2", "r3"] {
        harness.report(request, created(&[("site", "web/a"), ("site", "web/api/b"), ("site", "c")])).await;
    }
    assert_eq!(harness.aws.calls(READ).len(), 1);
    assert_eq!(harness.invalidations("E1"), [["/a"], ["/a"], ["/a"]]);
    // Paths that a person named are sent unchanged, so no config is read.
    harness.report("r4", r#"{"distributionId":"E1","paths":["/x"]}"#).await;
    assert_eq!(harness.aws.calls(READ).len(), 1);
}

#[tokio::test]
async fn changes_that_no_viewer_sees_are_skipped_by_name() {
    let harness = Harness::start(known(), &[]).await;
    let report = harness.report("r1", created(&[("site", "web/api/b"), ("site", "c")])).await;
    assert_eq!(
        report["skipped"],
        json!([
            { "code": "outside-origin-path", "bucket": "site", "changes": 1 },
            { "code": "other-origin", "bucket": "site", "changes": 1 },
        ])
    );
    assert!(harness.invalidations("E1").is_empty());
}

#[tokio::test]
async fn a_change_served_by_one_of_two_distributions_is_invalidated() {
    let mut state = state(&[("site", "E1 E2")]);
    set(&mut state, "E1", config("/web"));
    set(&mut state, "E2", config("/other"));
    let harness = Harness::start(state, &[]).await;
    let report = harness.report("r1", created(&[("site", "web/a"), ("site", "c")])).await;
    assert_eq!(report["changes"], json!({ "invalidated": 1, "skipped": 1, "failed": 0 }));
    assert_eq!((harness.invalidations("E1").len(), harness.invalidations("E2").len()), (1, 0));
}

#[tokio::test]
async fn tags_override_the_config() {
    let mut state = known();
    let tags = &mut state.buckets.get_mut("site").unwrap().tags;
    tags.insert("invalidation:originPath".into(), "/own".into());
    tags.insert("invalidation:indexDocuments".into(), "home.html".into());
    tags.insert("invalidation:queryStrings".into(), "include".into());
    let harness = Harness::start(state, &[]).await;
    harness.report("r1", created(&[("site", "own/docs/home.html"), ("site", "web/a"), ("site", "own/api/x")])).await;
    assert_eq!(harness.invalidations("E1"), [["/docs/", "/docs/?*", "/docs/home.html*"]]);
}

#[tokio::test]
async fn a_denied_config_is_warned_of_once_and_tags_are_used() {
    let without_code = |body: &str| Effect::Raw { status: 403, body: body.into() };
    let denials = [Effect::error(403, "AccessDenied"), without_code(""), without_code("<html>Forbidden</html>")];
    for denial in denials {
        let mut state = known();
        state.faults.push(Fault::always(READ, "E1", denial.clone()));
        state.buckets.get_mut("site").unwrap().tags.insert("invalidation:originPath".into(), "/web".into());
        let harness = Harness::start(state, &[]).await;
        for request in ["r1", "r2"] {
            harness.report(request, created(&[("site", "web/docs/index.html")])).await;
        }
        let invalidations = harness.invalidations("E1");
        assert_eq!(invalidations, [["/docs/", "/docs/index.html"], ["/docs/", "/docs/index.html"]], "{denial:?}");
        assert_eq!(harness.aws.calls(READ).len(), 1, "{denial:?}");
        let log = harness.function.stop().await.unwrap();
        let warnings: Vec<_> = log.iter().filter(|line| line.contains("WARN")).collect();
        assert_eq!(warnings.len(), 1, "{log:#?}");
        assert!(warnings[0].contains("cloudfront:GetDistributionConfig") && warnings[0].contains("E1"), "{warnings:?}");
    }
}

#[tokio::test]
async fn a_bucket_behind_another_name_is_warned_of_once() {
    let mut state = known();
    let tags = state.buckets["site"].clone();
    state.buckets.insert("hidden".into(), tags);
    let harness = Harness::start(state, &[]).await;
    for request in ["r1", "r2"] {
        harness.report(request, created(&[("hidden", "docs/index.html"), ("site", "web/a")])).await;
    }
    assert_eq!(harness.invalidations("E1")[0], ["/a", "/docs/", "/docs/index.html"]);
    let log = harness.function.stop().await.unwrap();
    let warnings: Vec<_> = log.iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{log:#?}");
    assert!(
        warnings[0].contains("hidden") && warnings[0].contains("does not identify the origins of this bucket"),
        "{warnings:?}"
    );
}

#[tokio::test]
async fn nothing_is_read_when_switched_off() {
    let harness = Harness::start(known(), &[("DISTRIBUTION_CONFIG", "off")]).await;
    harness.report("r1", created(&[("site", "docs/index.html")])).await;
    assert_eq!(harness.invalidations("E1"), [["/docs/", "/docs/index.html"]]);
    assert!(harness.aws.calls(READ).is_empty());
    let log = harness.function.stop().await.unwrap();
    assert!(!log.iter().any(|line| line.contains("WARN")), "{log:#?}");
}

#[tokio::test]
async fn transient_failures_are_retried() {
    for (status, code) in
        [(503, "ServiceUnavailable"), (400, "Throttling"), (403, "ExpiredToken"), (500, "InternalError")]
    {
        let harness = Harness::start(known(), &[("RETRY_BASE_DELAY_MS", "50")]).await;
        fail(&harness.aws, READ, status, code, 2);
        harness.report("r1", created(&[("site", "web/a")])).await;
        assert_eq!(harness.invalidations("E1"), [["/a"]], "{code}");
        assert_eq!(harness.aws.calls(READ).len(), 3, "{code}");
    }
}

/// Paths guessed without the config could leave the real URL stale.
#[tokio::test]
async fn an_unreadable_config_fails_only_its_changes() {
    let mut state = state(&[("site", "E1"), ("both", "E1 E2"), ("other", "E2")]);
    set(&mut state, "E1", config("/web"));
    let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "20"), ("CACHE_TTL_SECONDS", "0")]).await;
    harness.aws.with(|state| {
        let effect = Effect::Raw { status: 502, body: "<html>Bad Gateway".into() };
        state.faults.push(Fault { operation: READ, target: Some("E1".into()), effect, times: 4 });
    });
    let event = created(&[("site", "web/a"), ("both", "b"), ("other", "c")]);
    let (kind, message) = harness.error("r1", event.clone()).await;
    assert_eq!(kind, "ChangesNotInvalidated");
    assert!(
        message.starts_with(
            "2 of 3 changes failed: distribution E1 (2 changes in buckets \"both\", \"site\"): its distribution config"
        ),
        "{message}"
    );
    assert!(harness.invalidations("E1").is_empty());
    assert_eq!(harness.invalidations("E2"), [["/b", "/c"]]);
    harness.report("r1", event).await;
    assert_eq!(harness.invalidations("E1"), [["/a", "/b"]], "Lambda's retry makes up for it; no origin is \"both\"");
    assert_eq!(harness.invalidations("E2").len(), 1, "nothing is billed twice");
}

#[tokio::test]
async fn a_stale_config_is_used_while_cloudfront_fails() {
    let variables = [("RETRY_BASE_DELAY_MS", "20"), ("CACHE_TTL_SECONDS", "0")];
    let harness = Harness::start(known(), &variables).await;
    harness.report("r1", created(&[("site", "web/a")])).await;
    fail(&harness.aws, READ, 503, "ServiceUnavailable", 4);
    harness.report("r2", created(&[("site", "web/b")])).await;
    assert_eq!(harness.invalidations("E1"), [["/a"], ["/b"]]);
    // With stale-if-error disabled, the cached config is not used.
    let harness = Harness::start(known(), &[&variables[..], &[("STALE_IF_ERROR_SECONDS", "0")]].concat()).await;
    harness.report("r1", created(&[("site", "web/a")])).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    fail(&harness.aws, READ, 503, "ServiceUnavailable", 4);
    let (_, message) = harness.error("r2", created(&[("site", "web/b")])).await;
    assert!(message.contains("its distribution config could not be read"), "{message}");
}

#[tokio::test]
async fn a_changed_config_applies_after_the_ttl() {
    let harness = Harness::start(known(), &[("CACHE_TTL_SECONDS", "0")]).await;
    harness.report("r1", created(&[("site", "web/a")])).await;
    harness.aws.with(|state| set(state, "E1", config("")));
    harness.report("r2", created(&[("site", "web/a")])).await;
    assert_eq!(harness.invalidations("E1"), [["/a"], ["/web/a"]]);
}

#[tokio::test]
async fn a_distribution_that_is_gone_is_named() {
    let mut state = known();
    state.distributions.remove("E1");
    let harness = Harness::start(state, &[]).await;
    let (_, message) = harness.error("r1", created(&[("site", "web/a")])).await;
    assert!(message.contains("distribution E1") && message.contains("NoSuchDistribution"), "{message}");
    assert!(message.contains("correct the distribution ID in the bucket tags"), "{message}");
}

#[tokio::test]
async fn a_policy_that_may_not_be_read_is_warned_of_and_one_that_cannot_be_is_a_failure() {
    let policy = "11111111-1111-1111-1111-111111111111";
    let mut settings = config("/web");
    settings["DefaultCacheBehavior"]["CachePolicyId"] = policy.into();
    let mut state = known();
    set(&mut state, "E1", settings);
    state.denied.insert("GetCachePolicy".into());
    let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "20")]).await;
    harness.report("r1", created(&[("site", "web/a")])).await;
    assert_eq!(harness.invalidations("E1"), [["/a"]]);
    harness.aws.with(|state| state.denied.clear());
    let log = harness.function.stop().await.unwrap();
    let warnings: Vec<_> = log.iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{log:#?}");
    assert!(warnings[0].contains("cloudfront:GetCachePolicy") && warnings[0].contains(policy), "{warnings:?}");

    let mut state = known();
    let mut settings = config("/web");
    settings["DefaultCacheBehavior"]["CachePolicyId"] = policy.into();
    set(&mut state, "E1", settings);
    let harness = Harness::start(state, &[]).await;
    let (_, message) = harness.error("r1", created(&[("site", "web/a")])).await;
    assert!(message.contains("NoSuchCachePolicy"), "{message}");
}

#[tokio::test]
async fn a_slow_config_delays_no_other_distribution() {
    let mut state = state(&[("site", "E1"), ("other", "E2")]);
    set(&mut state, "E1", config("/web"));
    let harness = Harness::start(state, &[]).await;
    harness.aws.with(|state| {
        let effect = Effect::Delay(Duration::from_mins(1));
        state.faults.push(Fault { operation: READ, target: Some("E1".into()), effect, times: 4 });
    });
    let invoke = Invoke { timeout: Duration::from_secs(6), ..Invoke::new("r1") };
    let outcome = harness.lambda.invoke(created(&[("site", "web/a"), ("other", "b")]), invoke).await;
    assert!(matches!(outcome, InvocationOutcome::Error { .. }), "{outcome:?}");
    assert_eq!(harness.invalidations("E2"), [["/b"]]);
}

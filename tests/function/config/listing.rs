//! Buckets are listed where that can save paths or evictions. If a bucket cannot be listed, no change is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use s3_cloudfront_invalidator::local::events::sqs;
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{InvocationOutcome, Invoke, State};
use serde_json::{Value, json};

use crate::comparison::{KEY, Urls, deploys};
use crate::harness::{Harness, created, state, within};

const LIST: &str = "ListObjectsV2";

/// The state of a distribution that serves only `site`, through its website endpoint.
fn site(objects: impl IntoIterator<Item = String>) -> State {
    let mut state = state(&[("site", "E1")]);
    state.buckets.get_mut("site").unwrap().objects = objects.into_iter().collect();
    state.distributions.get_mut("E1").unwrap().config = Some(site_config());
    state
}

/// The config of a distribution that serves only `site`, through its website endpoint.
pub(crate) fn site_config() -> Value {
    config(&json!({ "Quantity": 0 }))
}

fn config(behaviors: &Value) -> Value {
    json!({
        "CallerReference": "example",
        "Comment": "",
        "Enabled": true,
        "Origins": { "Quantity": 2, "Items": [
            { "Id": "s3", "DomainName": "site.s3-website.eu-central-1.amazonaws.com", "OriginPath": "" },
            { "Id": "api", "DomainName": "api.example.com", "OriginPath": "" },
        ] },
        "DefaultCacheBehavior": { "TargetOriginId": "s3", "ViewerProtocolPolicy": "https-only" },
        "CacheBehaviors": behaviors,
    })
}

fn event(keys: &[String]) -> String {
    created(&keys.iter().map(|key| ("site", key.as_str())).collect::<Vec<_>>())
}

/// The keys of `files` objects in each of `folders` folders.
fn folders(folders: usize, files: usize) -> Vec<String> {
    (0..folders).flat_map(|folder| (0..files).map(move |file| format!("d{folder:03}/f{file:04}.html"))).collect()
}

/// The paths of the last invalidation, checked to cover the keys within the budget of 30 paths, 7 of them wildcards.
fn sent(harness: &Harness, keys: &[String]) -> Vec<String> {
    let mut all = harness.invalidations("E1");
    let items = all.pop().unwrap();
    assert!(items.len() <= 30 && items.iter().filter(|item| item.ends_with('*')).count() <= 7, "{items:?}");
    for key in keys {
        let url = format!("/{key}");
        let covers = |item: &String| item.strip_suffix('*').map_or(*item == url, |prefix| url.starts_with(prefix));
        assert!(items.iter().any(covers), "{url}: {items:?}");
    }
    items
}

/// The function finds the same paths as the comparison, which has the complete listing.
#[tokio::test]
async fn the_function_sends_the_paths_of_the_comparison() {
    for deploy in deploys().into_iter().filter(|deploy| deploy.forms == KEY) {
        let urls = Urls::of(&deploy);
        let expected = urls.with_listing("", 30, 7);
        let harness = Harness::start(site(deploy.changed.iter().chain(&deploy.unchanged).cloned()), &[]).await;
        let report = harness.report("r1", event(&deploy.changed)).await;
        let items: BTreeSet<_> = harness.invalidations("E1").remove(0).into_iter().collect();
        let found = urls.evaluate("", &items);
        assert_eq!(found.stale, 0, "{}", deploy.name);
        assert_eq!(
            (found.items, found.wildcards, found.unchanged_evicted),
            (expected.items, expected.wildcards, expected.unchanged_evicted),
            "{}: {report}",
            deploy.name
        );
        assert_eq!(report["invalidations"][0]["unchangedEvicted"], expected.unchanged_evicted, "{}", deploy.name);
        let objects = deploy.changed.len() + deploy.unchanged.len();
        let calls = harness.aws.calls(LIST).len();
        assert!(calls <= objects / 1000 + 3, "{}: {calls} requests for {objects} objects", deploy.name);
    }
}

#[tokio::test]
async fn five_thousand_changes_of_a_hundred_thousand_objects_take_at_most_sixty_requests() {
    let objects = folders(200, 500);
    for (name, changed) in [
        // Ten complete folders: three more than the wildcards in the budget.
        ("ten folders", objects.iter().filter(|key| key[1..4].ends_with('7') && key[1..2] == *"0").cloned().collect()),
        ("every twentieth", objects.iter().step_by(20).cloned().collect::<Vec<_>>()),
    ] {
        assert_eq!(changed.len(), 5000, "{name}");
        let harness = Harness::start(site(objects.clone()), &[]).await;
        harness.aws.with(|state| state.latency.insert(LIST.into(), Duration::from_millis(30)));
        harness.report("r1", event(&changed)).await;
        let calls = harness.aws.calls(LIST).len();
        assert!((1..=60).contains(&calls), "{name}: {calls}");
        sent(&harness, &changed);
    }
}

#[tokio::test]
async fn a_wildcard_that_evicts_nothing_else_is_taken() {
    let objects = folders(3, 12);
    let changed = objects[..12].to_vec();
    let harness = Harness::start(site(objects.clone()), &[]).await;
    harness.report("r1", event(&changed)).await;
    assert_eq!(sent(&harness, &changed), ["/d000/f00*"]);
    assert_eq!(harness.aws.calls(LIST).len(), 1);
    // Without a listing, or without a config, no wildcard is used.
    for variables in [&[("BUCKET_LISTING", "off")][..], &[("DISTRIBUTION_CONFIG", "off")]] {
        let harness = Harness::start(site(objects.clone()), variables).await;
        let report = harness.report("r1", event(&changed)).await;
        assert_eq!(sent(&harness, &changed).len(), 12, "{variables:?}");
        assert_eq!(harness.aws.calls(LIST).len(), 0, "{variables:?}");
        assert_eq!(report["invalidations"][0]["unchangedEvicted"], 0, "no wildcard, nothing to guess");
    }
    // A few paths do not justify a request.
    let harness = Harness::start(site(objects.clone()), &[]).await;
    harness.report("r1", event(&changed[..9])).await;
    assert_eq!((harness.aws.calls(LIST).len(), sent(&harness, &changed[..9]).len()), (0, 9));
}

/// The wildcards of a message that was received before are merged when CloudFront refuses them until it is late.
#[tokio::test]
async fn what_merged_wildcards_evict_is_counted() {
    let objects = folders(4, 12);
    let changed: Vec<_> = objects.iter().filter(|key| key.starts_with("d000") || key.starts_with("d002")).collect();
    let mut state = site(objects.clone());
    let refused = Effect::error(400, "TooManyInvalidationsInProgress");
    state.faults.push(Fault::always("CreateInvalidation", "E1", refused));
    let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "20"), ("MAX_WILDCARDS", "2")]).await;
    let changed: Vec<_> = changed.into_iter().map(|key| ("site", key.as_str())).collect();
    let event = sqs(&[("m1", &created(&changed))]);
    let event = event.replace(r#""ApproximateReceiveCount":"1""#, r#""ApproximateReceiveCount":"2""#);
    // Retries end after five seconds, of which the last third is late.
    let accept = async {
        tokio::time::sleep(Duration::from_millis(4200)).await;
        harness.aws.with(|state| state.faults.clear());
    };
    let invoke = Invoke { timeout: Duration::from_secs(8), ..Invoke::new("r1") };
    tokio::join!(harness.lambda.invoke(event.into_bytes(), invoke), accept);
    assert_eq!(harness.invalidations("E1"), [["/d00*"]]);
    let lines = harness.function.stop().await.unwrap();
    let line = lines.iter().find(|line| line.contains(r#""mergedWildcards":1"#)).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["invalidations"][0]["unchangedEvicted"], 24, "{line}");
    assert_eq!(line["totals"]["unchangedEvicted"], 24, "{line}");
}

#[tokio::test]
async fn evictions_per_path_trades_evictions_for_fewer_paths() {
    let objects = folders(3, 12);
    let changed = objects[1..12].to_vec();
    for (evictions_per_path, items) in [("0", 10), ("1", 1)] {
        let harness = Harness::start(site(objects.clone()), &[("EVICTIONS_PER_PATH", evictions_per_path)]).await;
        let report = harness.report("r1", event(&changed)).await;
        assert_eq!(sent(&harness, &changed).len(), items, "{evictions_per_path}");
        assert_eq!(report["invalidations"][0]["unchangedEvicted"], u64::from(items == 1));
    }
}

/// No wildcard counts as evicting nothing else where it may match URLs of another origin.
#[tokio::test]
async fn wildcards_over_other_origins_are_not_counted() {
    let changed = folders(1, 12);
    for (pattern, expected) in [("/api/*", 1), ("/d000/*.json", 12), ("/d*", 12), ("*.php", 12)] {
        let mut state = site(changed.clone());
        let behaviors =
            json!([{ "PathPattern": pattern, "TargetOriginId": "api", "ViewerProtocolPolicy": "https-only" }]);
        let config = config(&json!({ "Quantity": 1, "Items": behaviors }));
        state.distributions.get_mut("E1").unwrap().config = Some(config);
        let harness = Harness::start(state, &[]).await;
        let report = harness.report("r1", event(&changed)).await;
        if pattern == "/d*" {
            assert_eq!(report["skipped"][0]["code"], "other-origin");
        } else {
            assert_eq!(sent(&harness, &changed).len(), expected, "{pattern}");
        }
    }
}

#[tokio::test]
async fn a_listing_that_ends_in_the_middle_still_covers_everything() {
    let objects = folders(40, 500);
    let changed: Vec<_> = objects.iter().step_by(4).cloned().collect();
    for pages in ["1", "2", "5", "13"] {
        let harness = Harness::start(site(objects.clone()), &[("LISTING_MAX_REQUESTS", pages)]).await;
        harness.report("r1", event(&changed)).await;
        assert!(harness.aws.calls(LIST).len() <= pages.parse().unwrap());
        sent(&harness, &changed);
    }
}

#[tokio::test]
async fn a_denied_listing_is_warned_of_once() {
    let objects = folders(3, 12);
    let mut state = site(objects.clone());
    state.denied.insert(LIST.into());
    let harness = Harness::start(state, &[]).await;
    for request in ["r1", "r2"] {
        harness.report(request, event(&objects[..12])).await;
        assert_eq!(sent(&harness, &objects[..12]).len(), 12);
    }
    assert_eq!(harness.aws.calls(LIST).len(), 1);
    let log = harness.function.stop().await.unwrap();
    let warnings: Vec<_> = log.iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{log:#?}");
    assert!(warnings[0].contains("s3:ListBucket") && warnings[0].contains("site"), "{warnings:?}");
}

/// A failed or incomplete listing lets no wildcard count as evicting nothing else.
#[tokio::test]
async fn a_failed_listing_falls_back_to_estimates() {
    let objects = folders(3, 12);
    let changed = &objects[..12];
    for effect in [
        Effect::error(503, "SlowDown"),
        Effect::error(404, "NoSuchBucket"),
        Effect::Disconnect,
        Effect::Raw { status: 200, body: "<html>hello</html>".into() },
        Effect::Raw { status: 200, body: "<ListBucketResult></ListBucketResult>".into() },
        Effect::TruncatedBody(400),
        Effect::Delay(Duration::from_mins(1)),
    ] {
        let mut state = site(objects.clone());
        state.faults.push(Fault { operation: LIST, target: None, effect: effect.clone(), times: 100 });
        let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "20")]).await;
        let invoke = Invoke { timeout: Duration::from_secs(8), ..Invoke::new("r1") };
        let outcome = within(harness.lambda.invoke(event(changed), invoke)).await;
        assert!(matches!(outcome, InvocationOutcome::Response(_)), "{effect:?}: {outcome:?}");
        assert_eq!(sent(&harness, changed).len(), 12, "{effect:?}");
    }
}

/// An unchanged object with an unusual key beside the changed ones: no wildcard may evict it uncounted.
#[tokio::test]
async fn odd_keys_are_counted_like_any_other() {
    for other in ["d 0/ü~x", "d 0/a+b", "d 0/%41", "d 0/\u{1}", "d 0/z\u{10ffff}", "d 0/", "d 0/index.html"] {
        let changed: Vec<_> = (0..12).map(|n| format!("d 0/f{n}")).collect();
        let harness = Harness::start(site(changed.iter().cloned().chain([other.to_owned()])), &[]).await;
        let report = harness.report("r1", event(&changed)).await;
        let items = harness.invalidations("E1").remove(0);
        assert_eq!(report["invalidations"][0]["unchangedEvicted"], 0, "{other:?}: {items:?}");
        assert!(!items.contains(&"/d%200/*".to_owned()), "{other:?}: {items:?}");
        let harness = Harness::start(site(changed.clone()), &[]).await;
        harness.report("r1", event(&changed)).await;
        let items = harness.invalidations("E1").remove(0);
        assert!(items.len() <= 2, "without it all of both spellings is free: {items:?}");
    }
}

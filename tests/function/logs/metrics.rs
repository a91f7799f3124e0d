//! The metrics that CloudWatch extracts from the log: one valid line per invocation, with the right values.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use s3_cloudfront_invalidator::change::Timestamp;
use s3_cloudfront_invalidator::local::FakeJob;
use s3_cloudfront_invalidator::local::events::{event_bridge, job, notification, record, sqs};
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::report::{DIMENSION, METRICS, NAMESPACE};
use serde_json::{Value, json};

use crate::harness::{Harness, created, state};

const QUICK: (&str, &str) = ("RETRY_BASE_DELAY_MS", "20");
const OFF: (&str, &str) = ("DISTRIBUTION_CONFIG", "off");
const JOB: &str = "11111111-abcd-1111-abcd-111111abcdef";

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// A record of an object that was created this many seconds ago.
fn ago(seconds: u64, bucket: &str, key: &str) -> Value {
    let mut record = record("ObjectCreated:Put", bucket, key);
    record["eventTime"] = Timestamp::new(now() - seconds * 1000).unwrap().to_string().into();
    record
}

/// The metrics lines among `lines`, each checked for validity. Source: CloudWatch user guide, "Specification: Embedded
/// metric format"; Lambda developer guide, "Log-level filtering".
fn metrics(lines: &[String]) -> Vec<Value> {
    let lines = lines.iter().filter(|line| line.contains("_aws")).map(|line| {
        assert!(line.len() <= 1024, "its bytes have a price: {line}");
        let line: Value = serde_json::from_str(line).unwrap();
        let timestamp = line["_aws"]["Timestamp"].as_u64().unwrap();
        assert!(timestamp.abs_diff(now()) < 600_000, "milliseconds since 1970: {line}");
        let stamp = Timestamp::parse(line["timestamp"].as_str().unwrap()).unwrap();
        assert_eq!(stamp.milliseconds(), timestamp, "or Lambda takes the line for INFO: {line}");
        let [directive] = &line["_aws"]["CloudWatchMetrics"].as_array().unwrap()[..] else { panic!("{line}") };
        assert_eq!(directive["Namespace"], NAMESPACE);
        assert_eq!(directive["Dimensions"], json!([[DIMENSION]]));
        assert_eq!(line[DIMENSION], "invalidator");
        let definitions = directive["Metrics"].as_array().unwrap();
        let names: BTreeSet<_> = definitions.iter().map(|it| it["Name"].as_str().unwrap()).collect();
        assert!(names.len() == definitions.len() && names.len() <= 10, "each once, and few: {line}");
        for definition in definitions {
            assert!(line[definition["Name"].as_str().unwrap()].is_i64(), "{definition}: {line}");
            let unit = definition["Unit"].as_str().unwrap();
            assert!(["Count", "Milliseconds"].contains(&unit), "{definition}");
        }
        for (name, ..) in METRICS {
            assert_eq!(names.contains(name), line.get(name).is_some(), "{name}: {line}");
        }
        line
    });
    lines.collect()
}

/// The metrics of the only invocation.
async fn of(harness: Harness) -> Value {
    let lines = harness.function.stop().await.unwrap();
    let [line] = &metrics(&lines)[..] else { panic!("one line: {lines:#?}") };
    line.clone()
}

/// The values, in the order of `METRICS`; `null` for an absent metric.
fn values(line: &Value) -> Value {
    METRICS.iter().map(|(name, ..)| line.get(*name).cloned().unwrap_or_default()).collect()
}

#[tokio::test]
async fn a_mixed_batch_counts_every_outcome() {
    let harness = Harness::start(state(&[("site", "E1 E2"), ("untagged", "")]), &[OFF]).await;
    let body = |record: Value| notification(&[record]);
    let bodies = [
        body(ago(100, "site", "a.txt")),
        body(ago(20, "site", "docs/index.html")),
        body(ago(5000, "untagged", "b.txt")),
        body(ago(5000, "gone", "c.txt")),
        "junk".to_owned(),
    ];
    let messages: Vec<_> = ["m1", "m2", "m3", "m4", "m5"].into_iter().zip(bodies.iter().map(String::as_str)).collect();
    harness.report("r1", sqs(&messages)).await;
    let line = of(harness).await;
    let age = line["InvalidationLag"].as_u64().unwrap();
    assert!((100_000..160_000).contains(&age), "only invalidated changes count: {line}");
    // Two changes for two distributions; one of them has two URLs.
    assert_eq!(values(&line), json!([2, 1, 0, 2, 2, 6, -2, 0, 0, age]));
    assert_eq!((&line["level"], &line["requestId"]), (&json!("INFO"), &json!("r1")));
}

#[tokio::test]
async fn requests_and_jobs_count_paths_and_only_keys_count_as_changes() {
    let named = json!({ "distributionId": "E1", "paths": ["/a", "/b*"] });
    let keys = json!({ "bucket": "site", "keys": ["a", "b"] });
    for (event, expected) in [
        (named.to_string(), json!([0, 0, 0, 0, 1, 2, null, null, 0, null])),
        (job(JOB, Some(&named.to_string()), None), json!([0, 0, 0, 0, 1, 2, null, null, 0, null])),
        (keys.to_string(), json!([2, 0, 0, 0, 1, 2, 0, 0, 0, null])),
    ] {
        let mut state = state(&[("site", "E1")]);
        state.jobs.insert(JOB.into(), FakeJob::default());
        let harness = Harness::start(state, &[OFF]).await;
        harness.report("r1", event.clone()).await;
        assert_eq!(values(&of(harness).await), expected, "{event}");
    }
}

#[tokio::test]
async fn retries_are_counted() {
    let mut state = state(&[("site", "E1")]);
    state.faults.push(Fault::once("GetBucketTagging", "site", Effect::error(503, "SlowDown")));
    for _ in 0..2 {
        state.faults.push(Fault::once("CreateInvalidation", "E1", Effect::error(400, "Throttling")));
    }
    let harness = Harness::start(state, &[QUICK, OFF]).await;
    harness.report("r1", created(&[("site", "a")])).await;
    assert_eq!(values(&of(harness).await), json!([1, 0, 0, 0, 1, 1, 0, 0, 3, null]));
}

#[tokio::test]
async fn unreadable_records_count_as_failed() {
    let harness = Harness::start(state(&[]), &[]).await;
    harness.error("r1", r#"{"marker-in-the-event":"hunter2"}"#).await;
    let line = of(harness).await;
    assert_eq!(values(&line), json!([0, 0, 0, 1, 0, 0, null, null, 0, null]));
    assert!(!line.to_string().contains("hunter2"));
}

/// A change whose invalidation was accepted before counts as invalidated, but its path is not counted again. In a dry
/// run neither counts.
#[tokio::test]
async fn unsent_paths_do_not_count() {
    let buckets = [("site", "E1 E2")];
    let mut denied = state(&buckets);
    denied.faults.push(Fault::once("CreateInvalidation", "E2", Effect::error(403, "AccessDenied")));
    let harness = Harness::start(denied, &[OFF]).await;
    harness.error("r1", created(&[("site", "a")])).await;
    harness.report("r1", created(&[("site", "a")])).await;
    let lines: Vec<_> = metrics(&harness.function.stop().await.unwrap()).iter().map(values).collect();
    assert_eq!(lines, [json!([0, 0, 0, 1, 1, 1, 0, 0, 0, null]), json!([1, 0, 0, 0, 1, 1, 0, 0, 0, null])]);
    let harness = Harness::start(state(&buckets), &[OFF, ("DRY_RUN", "true")]).await;
    harness.report("r1", notification(&[ago(9, "site", "a")])).await;
    assert_eq!(values(&of(harness).await), json!([0, 1, 0, 0, 0, 0, null, null, 0, null]));
}

#[tokio::test]
async fn unchanged_evictions_are_reported_where_counted() {
    let keys: Vec<_> = (0..40).map(|n| format!("d{}/{n}.html", n % 8)).collect();
    let objects: Vec<_> = keys.iter().map(|key| ("site", key.as_str())).collect();
    let mut evictions = Vec::new();
    for listed in [true, false] {
        let mut state = state(&[("site", "E1")]);
        let more = ["d0/other.html", "d1/other.html"].map(str::to_owned);
        state.buckets.get_mut("site").unwrap().objects = keys.iter().cloned().chain(more).collect();
        state.distributions.get_mut("E1").unwrap().config = Some(crate::config::listing::site_config());
        let variables =
            [("MAX_PATHS", "8"), ("MAX_WILDCARDS", "7"), ("BUCKET_LISTING", if listed { "auto" } else { "off" })];
        let harness = Harness::start(state, &variables).await;
        let report = harness.report("r1", created(&objects)).await;
        evictions.push(report["invalidations"][0]["unchangedEvicted"].clone());
        let line = of(harness).await;
        assert_eq!(line.get("UnchangedEvicted").cloned().unwrap_or_default(), evictions[evictions.len() - 1]);
        assert_eq!(line["PathsSaved"], 40 - line["Paths"].as_i64().unwrap());
    }
    assert!(evictions[0].as_u64().is_some_and(|evicted| evicted > 0) && evictions[1].is_null(), "{evictions:?}");
}

/// Lambda drops lines below the configured level, so these lines take that level.
#[tokio::test]
async fn metrics_are_written_at_every_level_and_in_every_format() {
    for (variables, level) in [
        (&[("AWS_LAMBDA_LOG_LEVEL", "ERROR")][..], "ERROR"),
        (&[("AWS_LAMBDA_LOG_LEVEL", "FATAL")], "FATAL"),
        (&[("AWS_LAMBDA_LOG_LEVEL", "debug")], "DEBUG"),
        (&[("AWS_LAMBDA_LOG_FORMAT", "Text"), ("RUST_LOG", "error")], "INFO"),
    ] {
        let harness = Harness::start(state(&[("site", "E1")]), variables).await;
        harness.report("r1", created(&[("site", "a")])).await;
        assert_eq!(of(harness).await["level"], level, "{variables:?}");
    }
}

#[tokio::test]
async fn no_metrics_when_switched_off() {
    let harness = Harness::start(state(&[("site", "E1")]), &[("METRICS", "off")]).await;
    harness.report("r1", created(&[("site", "a")])).await;
    harness.error("r2", "{").await;
    let lines = harness.function.stop().await.unwrap();
    assert!(metrics(&lines).is_empty() && lines.iter().any(|line| line.contains(" invalidated, ")), "{lines:#?}");
}

#[tokio::test]
async fn the_age_is_counted_from_the_events_time_and_never_negative() {
    let mut bridge = event_bridge("Object Created", "site", "a");
    bridge["time"] = Timestamp::new(now() - 30_000).unwrap().to_string().into();
    let mut ahead = ago(0, "site", "a");
    ahead["eventTime"] = Timestamp::new(now() + 3_600_000).unwrap().to_string().into();
    for (event, expected) in [(bridge.to_string(), 30_000..90_000), (notification(&[ahead]), 0..1)] {
        let harness = Harness::start(state(&[("site", "E1")]), &[]).await;
        harness.report("r1", event.clone()).await;
        let line = of(harness).await;
        assert!(expected.contains(&line["InvalidationLag"].as_i64().unwrap()), "{event}: {line}");
    }
}

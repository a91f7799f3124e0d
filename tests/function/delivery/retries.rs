//! Retried errors, fallbacks to other paths, and changes that fail for lack of time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use s3_cloudfront_invalidator::local::events::sqs;
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{InvocationOutcome, Invoke, Quota};
use serde_json::{Value, json};

use crate::harness::{Harness, created, state, within};

/// A base delay so short that retries do not slow down a test.
const QUICK: (&str, &str) = ("RETRY_BASE_DELAY_MS", "20");

/// A batch with one message per bucket, whose message id is the bucket's name.
fn batch(buckets: &[(&str, &str)]) -> String {
    let bodies: Vec<_> = buckets.iter().map(|(bucket, _)| created(&[(*bucket, "a")])).collect();
    let messages: Vec<_> = buckets.iter().zip(&bodies).map(|((bucket, _), body)| (*bucket, body.as_str())).collect();
    sqs(&messages)
}

/// Delivers a batch for 20 distributions while requests are throttled to one per `interval`. Returns the messages that
/// failed, and how long it took.
async fn deliver_throttled(
    interval: Duration,
    timeout: Duration,
    variables: &[(&str, &str)],
) -> (BTreeSet<String>, Duration, Harness) {
    let names: Vec<_> = (0..20).map(|n| (format!("bucket-{n}"), format!("E{n}X"))).collect();
    let buckets: Vec<_> = names.iter().map(|(bucket, id)| (bucket.as_str(), id.as_str())).collect();
    let mut state = state(&buckets);
    state.throttle = Some(interval);
    let harness = Harness::start(state, variables).await;
    let began = Instant::now();
    let invoke = Invoke { timeout, ..Invoke::new("r1") };
    let outcome = within(harness.lambda.invoke(batch(&buckets), invoke)).await;
    let took = began.elapsed();
    let InvocationOutcome::Response(body) = outcome else { panic!("{outcome:?}") };
    let answer: Value = serde_json::from_slice(&body).unwrap();
    let failures = answer["batchItemFailures"].as_array().unwrap();
    let failed: BTreeSet<_> = failures.iter().map(|it| it["itemIdentifier"].as_str().unwrap().to_owned()).collect();
    for (bucket, id) in &names {
        // Invalidated or reported as failed, and nothing twice.
        assert_eq!(harness.invalidations(id).len(), usize::from(!failed.contains(bucket)), "{id}");
    }
    (failed, took, harness)
}

#[tokio::test]
async fn throttled_invalidations_are_sent_one_by_one() {
    let variables = [("RETRY_BASE_DELAY_MS", "100")];
    let (failed, _, harness) = deliver_throttled(Duration::from_millis(100), Duration::from_secs(20), &variables).await;
    assert_eq!(failed, BTreeSet::new());
    let refused = harness.aws.calls("CreateInvalidation").iter().filter(|call| call.status == 400).count();
    assert!(refused < 60, "{refused} requests in vain");
}

#[tokio::test]
async fn timed_out_changes_are_reported_before_the_deadline() {
    let variables = [("RETRY_BASE_DELAY_MS", "300")];
    let (failed, took, _) = deliver_throttled(Duration::from_millis(300), Duration::from_secs(4), &variables).await;
    assert!(!failed.is_empty());
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
#[ignore = "takes a minute: one request in two seconds, as CloudFront has it"]
async fn throttled_invalidations_at_full_size() {
    let (failed, took, harness) = deliver_throttled(Duration::from_secs(2), Duration::from_mins(1), &[]).await;
    let calls = harness.aws.calls("CreateInvalidation");
    let refused = calls.iter().filter(|call| call.status == 400).count();
    assert!(took < Duration::from_mins(1), "{took:?}");
    assert!(failed.len() < 5, "{failed:?} after {took:?}, {refused} of {} requests in vain", calls.len());
}

#[tokio::test]
async fn a_busy_distribution_delays_no_other() {
    let mut state = state(&[("busy", "E1"), ("idle", "E2")]);
    state.faults.push(Fault::always("CreateInvalidation", "E1", Effect::error(400, "TooManyInvalidationsInProgress")));
    let harness = Harness::start(state, &[QUICK, ("DIRECT_RETRY_SECONDS", "1")]).await;
    let began = Instant::now();
    let (_, message) = harness.error("r1", created(&[("busy", "a"), ("idle", "b")])).await;
    assert!(message.starts_with("1 of 2") && message.contains("TooManyInvalidationsInProgress"), "{message}");
    assert_eq!(harness.invalidations("E2"), [["/b"]]);
    assert!(harness.aws.calls("CreateInvalidation").len() > 4);
    assert!(began.elapsed() < Duration::from_secs(10), "an event of S3's own is not tried for long");
}

#[tokio::test]
async fn a_rejected_path_is_widened_once() {
    let harness = Harness::start(state(&[("site", "E1")]), &[QUICK, ("MAX_PATHS", "4")]).await;
    harness.aws.with(|state| {
        state.faults.push(Fault::once("CreateInvalidation", "E1", Effect::error(400, "InvalidArgument")));
    });
    let event = created(&[("site", "img/a b"), ("site", "img/plain.txt"), ("site", "caf\u{e9}/x")]);
    let report = harness.report("r1", event.clone()).await;
    assert_eq!(harness.invalidations("E1"), [["/caf*", "/img/a*", "/img/plain.txt"]]);
    assert_eq!(report["invalidations"][0]["pathCount"], 3);
    // If it is rejected every time, it fails after two attempts.
    let effect = Effect::error(400, "InvalidArgument");
    harness.aws.with(|state| state.faults.push(Fault::always("CreateInvalidation", "E1", effect)));
    let (_, message) = harness.error("r2", event).await;
    assert!(message.contains("InvalidArgument"), "{message}");
    assert_eq!(harness.aws.calls("CreateInvalidation").len(), 4);
    // If no path can be widened, there is no second attempt.
    harness.error("r3", created(&[("site", "plain.txt")])).await;
    assert_eq!(harness.aws.calls("CreateInvalidation").len(), 5);
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_halved_until_it_is_accepted() {
    let harness = Harness::start(state(&[("site", "E1")]), &[QUICK]).await;
    let fault = Fault { times: 3, ..Fault::always("CreateInvalidation", "E1", Effect::error(413, "BatchTooLarge")) };
    harness.aws.with(|state| state.faults.push(fault));
    let keys: Vec<_> = (0..24).map(|n| format!("folder-{}/{n}", n % 6)).collect();
    let objects: Vec<_> = keys.iter().map(|key| ("site", key.as_str())).collect();
    harness.report("r1", created(&objects)).await;
    let [items] = &harness.invalidations("E1")[..] else { panic!("one") };
    assert!(items.len() <= 3, "{items:?}");
    for key in keys {
        assert!(items.iter().any(|it| format!("/{key}").starts_with(it.trim_end_matches('*'))), "{key}: {items:?}");
    }
    // A single path cannot be halved.
    harness.aws.with(|state| {
        state.faults.push(Fault::always("CreateInvalidation", "E1", Effect::error(413, "BatchTooLarge")));
    });
    let (_, message) = harness.error("r2", created(&[("site", "a")])).await;
    assert!(message.contains("BatchTooLarge"), "{message}");
}

/// A state in which CloudFront has room for one more wildcard of `E1`.
async fn with_fourteen_wildcards_in_progress(variables: &[(&str, &str)]) -> Harness {
    let mut state = state(&[("site", "E1")]);
    state.distributions.get_mut("E1").unwrap().delay = Duration::from_hours(1);
    let harness = Harness::start(state, variables).await;
    let in_progress: Vec<_> = (0..14).map(|n| format!("/in-progress-{n}x*")).collect();
    harness.report("r0", json!({ "distributionId": "E1", "items": in_progress }).to_string()).await;
    harness
}

/// An SQS event with one message about these objects, which was received this often.
fn received(times: u32, objects: &[(&str, &str)]) -> String {
    let event = sqs(&[("m1", &created(objects))]);
    let first = r#""ApproximateReceiveCount":"1""#;
    assert!(event.contains(first), "{event}");
    event.replace(first, &format!(r#""ApproximateReceiveCount":"{times}""#))
}

#[tokio::test]
async fn of_a_refused_invalidation_the_part_that_there_is_room_for_is_accepted() {
    let variables = [QUICK, ("MAX_PATHS", "2"), ("MAX_WILDCARDS", "2")];
    let objects = ["a/1", "a/2", "b/1", "b/2"].map(|key| ("site", key));
    for times in [1, 2] {
        let harness = with_fourteen_wildcards_in_progress(&variables).await;
        let event = received(times, &objects);
        let invoke = Invoke { timeout: Duration::from_secs(6), ..Invoke::new("r1") };
        let InvocationOutcome::Response(answer) = harness.lambda.invoke(event.into_bytes(), invoke).await else {
            panic!("an answer");
        };
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }] }), "the other part was refused");
        let invalidations = harness.invalidations("E1");
        assert_eq!(invalidations[1..], [["/a/*"]], "received {times} times");
    }
}

#[tokio::test]
async fn a_named_invalidation_that_is_too_large_is_split() {
    let harness = Harness::start(state(&[("site", "E1")]), &[QUICK]).await;
    let fault = Fault { times: 2, ..Fault::always("CreateInvalidation", "E1", Effect::error(413, "BatchTooLarge")) };
    harness.aws.with(|state| state.faults.push(fault));
    let items: Vec<_> = (0..8).map(|n| format!("/{n}")).collect();
    let report = harness.report("r1", json!({ "distributionId": "E1", "items": items }).to_string()).await;
    let sent = harness.invalidations("E1");
    assert_eq!(sent.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 4]);
    let mut paths = sent.concat();
    paths.sort_unstable();
    assert_eq!(paths, items);
    assert_eq!((report["totals"]["invalidations"].clone(), report["totals"]["paths"].clone()), (json!(3), json!(8)));
}

/// Under either reading of CloudFront's quota all paths are accepted, and no path more is billed.
#[tokio::test]
async fn a_refused_invalidation_is_sent_in_parts() {
    join_all(Quota::READINGS.into_iter().map(async |quota| {
        let mut state = state(&[("site", "E1")]);
        state.quota = quota;
        let harness = Harness::start(state, &[("RETRY_BASE_DELAY_MS", "200"), ("MAX_PATHS", "12")]).await;
        let keys: Vec<_> = (0..60).map(|n| format!("{}/{n}", n % 12)).collect();
        let objects: Vec<_> = keys.iter().map(|key| ("site", key.as_str())).collect();
        let messages: Vec<_> = objects.iter().map(|object| created(&[*object])).collect();
        let messages: Vec<_> = messages.iter().map(|body| ("m1", body.as_str())).collect();
        let answer = harness.report("r1", sqs(&messages)).await;
        assert_eq!(answer, json!({ "batchItemFailures": [] }), "{quota:?}");
        let sent = harness.invalidations("E1");
        let paths: Vec<_> = sent.concat();
        assert!(paths.len() <= 12, "{quota:?}: {paths:?}");
        for key in &keys {
            let covers = |path: &String| format!("/{key}").starts_with(path.trim_end_matches('*'));
            assert!(paths.iter().any(covers), "{quota:?}: {key} of {paths:?}");
        }
        if quota != Quota::InProgress && sent.len() > 1 {
            assert!(sent.iter().all(|paths| paths.iter().filter(|path| path.ends_with('*')).count() <= 1), "{sent:?}");
        }
    }))
    .await;
}

#[tokio::test]
async fn named_paths_are_never_widened() {
    // A batch that is too large is split instead, here until its first part of one path is.
    for (status, code, calls) in [(400, "InvalidArgument", 1), (413, "BatchTooLarge", 2)] {
        let mut state = state(&[("site", "E1")]);
        state.faults.push(Fault::always("CreateInvalidation", "E1", Effect::error(status, code)));
        let harness = Harness::start(state, &[QUICK]).await;
        let event = json!({ "distributionId": "E1", "items": ["/a b", "/c*", "/d*"] });
        let (error_type, message) = harness.error("r1", event.to_string()).await;
        assert_eq!(error_type, "RequestFailed");
        assert!(message.contains(code), "{message}");
        assert_eq!(harness.aws.calls("CreateInvalidation").len(), calls);
    }
}

#[tokio::test]
async fn stale_tags_are_used_while_s3_fails() {
    let variables = [QUICK, ("CACHE_TTL_SECONDS", "0"), ("NEGATIVE_CACHE_TTL_SECONDS", "0")];
    for (effect, serves) in [
        (Effect::error(503, "SlowDown"), true),
        (Effect::Disconnect, true),
        (Effect::error(403, "AccessDenied"), false),
        (Effect::error(404, "NoSuchBucket"), false),
    ] {
        let harness = Harness::start(state(&[("site", "E1"), ("untagged", "")]), &variables).await;
        harness.report("r1", created(&[("site", "a"), ("untagged", "a")])).await;
        harness.aws.with(|state| {
            for bucket in ["site", "untagged"] {
                state.faults.push(Fault::always("GetBucketTagging", bucket, effect.clone()));
            }
        });
        let (_, message) = harness.error("r2", created(&[("site", "b"), ("untagged", "b")])).await;
        let failed = if serves { "1 of 2" } else { "2 of 2" };
        assert!(message.starts_with(failed), "{effect:?}: {message}");
        assert!(message.contains("bucket \"untagged\""), "it may have a tag by now: {message}");
        assert_eq!(harness.invalidations("E1").len(), 1 + usize::from(serves), "{effect:?}");
        let lines = harness.function.stop().await.unwrap();
        let said = lines.iter().any(|line| line.contains("WARN") && line.contains("STALE_IF_ERROR_SECONDS"));
        assert_eq!(said, serves, "{lines:#?}");
    }
}

#[tokio::test]
async fn a_changed_tag_applies_once_the_stale_one_is_too_old() {
    let harness = Harness::start(state(&[("site", "E1"), ("other", "E2")]), &[("CACHE_TTL_SECONDS", "1")]).await;
    harness.report("r1", created(&[("site", "a")])).await;
    harness.aws.with(|state| {
        state.buckets.get_mut("site").unwrap().tags.insert("distributionId".into(), "E2".into());
    });
    tokio::time::sleep(Duration::from_millis(1100)).await;
    harness.report("r2", created(&[("site", "b")])).await;
    assert_eq!(
        (harness.invalidations("E1"), harness.invalidations("E2")),
        (vec![vec!["/a".into()]], vec![vec!["/b".into()]])
    );
}

//! Calls that hang: they are retried, and delay no other call.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{InvocationOutcome, Invoke};
use serde_json::json;

use crate::harness::{Harness, created, state, within};

const HUNG: Effect = Effect::Delay(Duration::from_mins(2));
const QUICK: (&str, &str) = ("RETRY_BASE_DELAY_MS", "20");

/// Delivers an S3 event about one object of each of these buckets, under a timeout of `seconds`.
async fn deliver(harness: &Harness, buckets: &[&str], seconds: u64) -> InvocationOutcome {
    let objects: Vec<_> = buckets.iter().map(|bucket| (*bucket, "a")).collect();
    let invoke = Invoke { timeout: Duration::from_secs(seconds), ..Invoke::new("r1") };
    within(harness.lambda.invoke(created(&objects), invoke)).await
}

/// Delivers changes for twice `number` distributions with a bucket each. `operation` hangs for half of the
/// distributions, or their buckets; all the others must be invalidated within `seconds`.
async fn the_others_are_served(operation: &'static str, number: usize, seconds: u64) {
    let names: Vec<_> = (0..2 * number).map(|n| (format!("bucket-{n:02}"), format!("E{n:02}X"))).collect();
    let buckets: Vec<_> = names.iter().map(|(bucket, id)| (bucket.as_str(), id.as_str())).collect();
    let mut state = state(&buckets);
    for (bucket, id) in &buckets[..number] {
        let target = if operation == "GetBucketTagging" { bucket } else { id };
        state.faults.push(Fault::always(operation, target, HUNG));
    }
    let harness = Harness::start(state, &[QUICK]).await;
    let buckets: Vec<_> = names.iter().map(|(bucket, _)| bucket.as_str()).collect();
    let outcome = deliver(&harness, &buckets, seconds).await;
    let InvocationOutcome::Error { message, .. } = outcome else { panic!("{outcome:?}") };
    assert!(message.starts_with(&format!("{number} of {}", 2 * number)), "{message}");
    for (_, id) in &names[number..] {
        assert_eq!(harness.invalidations(id), [["/a"]], "{id}");
    }
}

#[tokio::test]
async fn hanging_buckets_delay_no_other() {
    the_others_are_served("GetBucketTagging", 24, 8).await;
}

#[tokio::test]
async fn hanging_configs_delay_no_other_distribution() {
    the_others_are_served("GetDistributionConfig", 12, 8).await;
}

#[tokio::test]
async fn hanging_distributions_delay_no_other() {
    the_others_are_served("CreateInvalidation", 12, 4).await;
}

#[tokio::test]
async fn a_hanging_distribution_delays_no_throttled_one() {
    let mut state = state(&[("hung", "E1"), ("fine", "E2")]);
    state.faults.push(Fault::always("CreateInvalidation", "E1", HUNG));
    let throttled = Effect::error(400, "Throttling");
    state.faults.push(Fault::once("CreateInvalidation", "E2", throttled));
    let harness = Harness::start(state, &[QUICK]).await;
    let outcome = deliver(&harness, &["hung", "fine"], 3).await;
    let InvocationOutcome::Error { message, .. } = outcome else { panic!("{outcome:?}") };
    assert!(message.starts_with("1 of 2"), "{message}");
    assert_eq!(harness.invalidations("E2"), [["/a"]]);
}

#[tokio::test]
async fn a_call_that_hung_once_is_retried() {
    // Little time for most calls. Listing may take only a share of the time, so it gets more.
    let hung_once = [
        ("GetBucketTagging", "site", 6),
        ("GetDistributionConfig", "E1", 6),
        ("CreateInvalidation", "E1", 6),
        ("ListObjectsV2", "site", 60),
    ];
    join_all(hung_once.map(|(operation, target, seconds)| async move {
        let mut state = state(&[("site", "E1")]);
        // A bucket is listed only if its distribution's config is known.
        state.distributions.get_mut("E1").unwrap().config = Some(json!({
            "CallerReference": "example",
            "Comment": "",
            "Enabled": true,
            "Origins": { "Quantity": 1, "Items": [
                { "Id": "s3", "DomainName": "site.s3.eu-central-1.amazonaws.com", "OriginPath": "" },
            ] },
            "DefaultCacheBehavior": { "TargetOriginId": "s3", "ViewerProtocolPolicy": "https-only" },
        }));
        state.faults.push(Fault::once(operation, target, HUNG));
        let harness = Harness::start(state, &[QUICK, ("MAX_PATHS", "1")]).await;
        let invoke = Invoke { timeout: Duration::from_secs(seconds), ..Invoke::new("r1") };
        let outcome = within(harness.lambda.invoke(created(&[("site", "a/1"), ("site", "a/2")]), invoke)).await;
        assert!(matches!(outcome, InvocationOutcome::Response(_)), "{operation}: {outcome:?}");
        assert_eq!(harness.invalidations("E1").len(), 1, "{operation}");
        let answered = harness.aws.calls(operation).iter().filter(|call| call.target == target).count();
        assert!(answered > 0, "{operation}");
    }))
    .await;
}

#[tokio::test]
#[ignore = "takes five seconds; the same with less time is tried above"]
async fn a_call_that_hung_once_is_retried_within_the_direct_retry_time() {
    let mut state = state(&[("site", "E1")]);
    state.faults.push(Fault::once("CreateInvalidation", "E1", HUNG));
    let harness = Harness::start(state, &[]).await;
    assert!(matches!(deliver(&harness, &["site"], 60).await, InvocationOutcome::Response(_)));
    assert_eq!(harness.invalidations("E1"), [["/a"]]);
}

/// Delivers one object of each of `buckets` buckets under the timeout `time`, while each `GetBucketTagging` takes a
/// second. The function must report all of them as failed in time.
async fn give_up(buckets: usize, time: Duration) {
    let mut state = state(&[]);
    let effect = Effect::Delay(Duration::from_secs(1));
    state.faults.push(Fault { operation: "GetBucketTagging", target: None, effect, times: usize::MAX });
    let harness = Harness::start(state, &[]).await;
    let names: Vec<_> = (0..buckets).map(|n| format!("b-{n}")).collect();
    let objects: Vec<_> = names.iter().map(|bucket| (bucket.as_str(), "k")).collect();
    let event = created(&objects);
    let began = Instant::now();
    let outcome = within(harness.lambda.invoke(event, Invoke { timeout: time, ..Invoke::new("r1") })).await;
    let InvocationOutcome::Error { message, .. } = outcome else { panic!("{outcome:?}") };
    assert!(message.starts_with(&format!("{buckets} of {buckets} changes")), "{message}");
    assert!(message.contains("GetBucketTagging: no response before the deadline"), "{message}");
    assert!(began.elapsed() < time, "{:?}", began.elapsed());
}

#[tokio::test]
async fn more_buckets_than_there_is_time_for_are_given_up_in_time() {
    give_up(8000, Duration::from_secs(4)).await;
}

#[tokio::test]
#[ignore = "takes half a minute: the longest event that there is"]
async fn forty_thousand_buckets_are_given_up_in_time() {
    give_up(40_000, Duration::from_secs(15)).await;
}

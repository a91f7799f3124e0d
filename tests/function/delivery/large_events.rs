//! Single events with many records.

use std::collections::BTreeSet;
use std::time::Duration;

use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use serde_json::json;

use crate::harness::{Harness, created, state};

/// 7 buckets and 5 distributions: `alpha` and `beta` share one, as do `epsilon` and `zeta`; `gamma` names two, and
/// `eta` has no tag.
const BUCKETS: [(&str, &str); 7] = [
    ("alpha", "E1"),
    ("beta", "E1"),
    ("gamma", "E2 E3"),
    ("delta", "E4"),
    ("epsilon", "E5"),
    ("zeta", "E5"),
    ("eta", ""),
];

#[tokio::test]
async fn a_thousand_records_are_seven_lookups_and_five_invalidations() {
    let mut state = state(&BUCKETS);
    // Slow enough that concurrent lookups overlap.
    let slow = Effect::Delay(Duration::from_millis(200));
    state.faults.push(Fault { operation: "GetBucketTagging", target: None, effect: slow, times: usize::MAX });
    let harness = Harness::start(state, &[]).await;
    let objects: Vec<_> =
        (0..1000).map(|n| (BUCKETS[n % 7].0, format!("dir {}/sub-{}/file+{n}.html", n % 13, n % 5))).collect();
    let objects: Vec<_> = objects.iter().map(|(bucket, key)| (*bucket, key.as_str())).collect();
    let event = created(&objects);

    let report = harness.report("r1", event.clone()).await;
    assert_eq!(harness.aws.calls("GetBucketTagging").len(), 7);
    assert_eq!(harness.aws.calls("CreateInvalidation").len(), 5);
    assert_eq!(harness.aws.with(|state| state.most_in_flight["GetBucketTagging"]), 7, "at the same time");
    let untagged = objects.iter().filter(|(bucket, _)| *bucket == "eta").count();
    assert_eq!(report["changes"], json!({ "invalidated": 1000 - untagged, "skipped": untagged, "failed": 0 }));
    assert_eq!(report["skipped"], json!([{ "code": "bucket-not-tagged", "bucket": "eta", "changes": untagged }]));

    // Every change is invalidated in each of its distributions, in both encodings of the space.
    for (bucket, key) in &objects {
        let ids = BUCKETS.iter().find(|(name, _)| name == bucket).unwrap().1;
        for id in ids.split_whitespace() {
            let [items] = &harness.invalidations(id)[..] else { panic!("one invalidation for {id}") };
            assert!(items.len() <= 30, "{items:?}");
            for spelling in ["%20", "+"] {
                let url = format!("/{}", key.replace('+', "%2B").replace(' ', spelling));
                let covers =
                    |item: &String| item.strip_suffix('*').map_or(*item == url, |prefix| url.starts_with(prefix));
                assert!(items.iter().any(covers), "{url} is stale at {id}: {items:?}");
            }
        }
    }

    // Within the TTL of the tags there is no lookup, and under the same request id no second invalidation.
    assert_eq!(harness.report("r1", event.clone()).await["changes"], report["changes"]);
    assert_eq!(harness.aws.calls("GetBucketTagging").len(), 7);
    for id in ["E1", "E2", "E3", "E4", "E5"] {
        assert_eq!(harness.invalidations(id).len(), 1, "{id}");
    }
}

#[tokio::test]
async fn lookups_and_sends_at_the_same_time_are_bounded() {
    let names: Vec<_> = (0..40).map(|n| (format!("bucket-{n}"), format!("E{n}X"))).collect();
    let buckets: Vec<_> = names.iter().map(|(bucket, id)| (bucket.as_str(), id.as_str())).collect();
    let mut state = state(&buckets);
    for operation in ["GetBucketTagging", "CreateInvalidation"] {
        let effect = Effect::Delay(Duration::from_millis(150));
        state.faults.push(Fault { operation, target: None, effect, times: usize::MAX });
    }
    let harness = Harness::start(state, &[]).await;
    let objects: Vec<_> = buckets.iter().map(|(bucket, _)| (*bucket, "a")).collect();
    let report = harness.report("r1", created(&objects)).await;
    assert_eq!(report["changes"]["invalidated"], 40);
    assert_eq!(harness.aws.with(|state| state.most_in_flight["GetBucketTagging"]), 16);
    assert_eq!(harness.aws.with(|state| state.most_in_flight["CreateInvalidation"]), 8);
    let buckets_read: BTreeSet<_> = harness.aws.calls("GetBucketTagging").into_iter().map(|call| call.target).collect();
    assert_eq!(buckets_read.len(), 40);
}

#[tokio::test]
async fn the_answer_to_a_large_event_stays_small() {
    let ids: Vec<_> = (0..17).map(|n| format!("E{n}")).collect();
    let harness = Harness::start(state(&[("site", &ids.join(" "))]), &[("MAX_PATHS", "3000")]).await;
    let keys: Vec<_> = (0..200).map(|n| format!("{n}-{}", "\u{e9}".repeat(500))).collect();
    let objects: Vec<_> = keys.iter().map(|key| ("site", key.as_str())).collect();
    let report = harness.report("r1", created(&objects)).await;
    assert_eq!(report["changes"]["invalidated"], 200);
    assert_eq!(report["invalidations"][16]["pathCount"], 200);
    let body = report.to_string();
    assert!(body.len() < 200_000, "{} bytes", body.len());
    let longest = harness.function.stop().await.unwrap().iter().map(String::len).max().unwrap();
    assert!(longest < 250_000, "{longest} bytes");
}

#[tokio::test]
async fn every_failure_is_named_and_the_error_stays_small() {
    let harness = Harness::start(state(&[]), &[]).await;
    let buckets: Vec<_> = (0..300).map(|n| format!("gone-{n}")).collect();
    let objects: Vec<_> = buckets.iter().map(|bucket| (bucket.as_str(), "a")).collect();
    let (_, message) = harness.error("r1", created(&objects)).await;
    assert!(message.starts_with("300 of 300") && message.ends_with("and 280 more failures"), "{message}");
    let lines = harness.function.stop().await.unwrap().join("\n");
    for bucket in &buckets {
        assert!(lines.contains(&format!("\\\"{bucket}\\\"")), "{bucket}");
    }
}

//! CloudFront's throttle for the whole account, and how long S3's direct events are retried.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};

use crate::harness::{Harness, created, state};

/// The real throttle, base delay and retry time divided by ten: one request per 200 ms, for one second.
const INTERVAL: Duration = Duration::from_millis(200);
const TENTH: [(&str, &str); 2] = [("RETRY_BASE_DELAY_MS", "200"), ("DIRECT_RETRY_SECONDS", "1")];

/// Delivers one change for each of eight distributions, not all of which can be invalidated in time. Returns the number
/// of distributions that were, the number of rejected requests, and the duration.
async fn burst(interval: Duration, variables: &[(&str, &str)]) -> (usize, usize, Duration) {
    let names: Vec<_> = (0..8).map(|n| (format!("bucket-{n}"), format!("E{n}X"))).collect();
    let buckets: Vec<_> = names.iter().map(|(bucket, id)| (bucket.as_str(), id.as_str())).collect();
    let mut state = state(&buckets);
    state.throttle = Some(interval);
    let harness = Harness::start(state, variables).await;
    let objects: Vec<_> = names.iter().map(|(bucket, _)| (bucket.as_str(), "a")).collect();
    let began = Instant::now();
    harness.error("r1", created(&objects)).await;
    let served = names.iter().filter(|(_, id)| !harness.invalidations(id).is_empty()).count();
    (served, harness.aws.calls("CreateInvalidation").len() - served, began.elapsed())
}

#[tokio::test]
async fn a_throttled_burst_counts_once_and_all_the_time_is_used() {
    for (served, refused, took) in join_all((0..4).map(|_| burst(INTERVAL, &TENTH))).await {
        // How many fit into the time depends on the machine. After the burst hardly any request is rejected.
        assert!(served >= 2 && refused <= 7 + 2, "{served} of 8, {refused} in vain in {took:?}");
        assert!(took >= Duration::from_millis(900), "{served} of 8, {refused} in vain in {took:?}");
    }
}

#[tokio::test]
#[ignore = "takes ten seconds: the test before at full size"]
async fn a_burst_at_full_size() {
    for (served, refused, took) in join_all((0..8).map(|_| burst(Duration::from_secs(2), &[]))).await {
        assert!(served >= 5 && took >= Duration::from_secs(9), "{served} of 8, {refused} in vain in {took:?}");
    }
}

#[tokio::test]
async fn throttled_requests_are_retried_until_the_deadline() {
    join_all((0..4).map(|_| async {
        let mut state = state(&[("site", "E1")]);
        let throttled = Effect::error(400, "Throttling");
        state.faults.push(Fault::always("CreateInvalidation", "E1", throttled));
        let harness = Harness::start(state, &TENTH).await;
        let began = Instant::now();
        let (_, message) = harness.error("r1", created(&[("site", "a")])).await;
        assert!(message.contains("Throttling"), "{message}");
        assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    }))
    .await;
}

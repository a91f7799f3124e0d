//! The site that is deployed: a bucket, its distribution and the queue, and what became of its objects.
//!
//! Which objects are fresh, and which unchanged ones were evicted, follows from the paths that CloudFront accepted and
//! from the keys, not from what the function says. No key here has a character that needs encoding, so an object's URL
//! is its key.

use std::time::{Duration, Instant};

use s3_cloudfront_invalidator::local::events::{notification, record};
use s3_cloudfront_invalidator::local::{
    AcceptedInvalidation, FakeBucket, FakeDistribution, FakeQueue, Quota, RedrivePolicy, State,
};
use serde_json::json;

/// The name of the function's own queue, and of its dead-letter queue.
pub(super) const QUEUE: &str = "changes";
pub(super) const DEAD_LETTER_QUEUE: &str = "dead-letters";

/// The queue's visibility timeout and most receives, as in the templates.
const VISIBILITY_TIMEOUT: Duration = Duration::from_mins(3);
const MAX_RECEIVE_COUNT: usize = 10;

const BUCKET: &str = "site";
const DISTRIBUTION: &str = "E2EXAMPLE1ABCD";

/// A section is a folder with this many pages, which change, and this many pictures, which do not.
const SECTION_PAGES: usize = 400;
const SECTION_PICTURES: usize = 10;
/// The objects in a folder in which nothing changes.
const DOWNLOADS: usize = 1000;

/// About how long AWS takes to answer within a Region, by operation; CloudFront is farther away. Long polls wait in
/// addition.
const RESPONSE_TIMES: [(&str, Duration); 8] = [
    ("GetBucketTagging", Duration::from_millis(30)),
    ("ListObjectsV2", Duration::from_millis(30)),
    ("GetDistributionConfig", LOOKUP_TIME),
    ("GetCachePolicy", LOOKUP_TIME),
    ("CreateInvalidation", CREATE_TIME),
    ("ReceiveMessage", QUEUE_TIME),
    ("SendMessage", QUEUE_TIME),
    ("DeleteMessageBatch", QUEUE_TIME),
];
pub(super) const LOOKUP_TIME: Duration = Duration::from_millis(100);
pub(super) const CREATE_TIME: Duration = Duration::from_millis(100);
pub(super) const QUEUE_TIME: Duration = Duration::from_millis(10);

/// The key of a page.
fn key(page: usize) -> String {
    format!("section-{:03}/page-{page:06}.html", page / SECTION_PAGES)
}

/// The event notification that S3 sends for a page: one record, as usual.
pub(super) fn event(page: usize) -> String {
    notification(&[record("ObjectCreated:Put", BUCKET, &key(page))])
}

/// A notification with records for so many pages.
pub(super) fn events(first_page: usize, pages: usize) -> String {
    let records: Vec<_> =
        (first_page..first_page + pages).map(|page| record("ObjectCreated:Put", BUCKET, &key(page))).collect();
    notification(&records)
}

/// The keys of the objects that do not change in a site of which these many pages change: the other pages of the
/// smallest site, all pictures and downloads.
fn unchanged(changed: usize) -> impl Iterator<Item = String> {
    let pages = changed.max(super::PAGES);
    let pictures = (0..pages.div_ceil(SECTION_PAGES))
        .flat_map(|section| (0..SECTION_PICTURES).map(move |it| format!("section-{section:03}/picture-{it}.jpg")));
    let downloads = (0..DOWNLOADS).map(|it| format!("downloads/file-{it:03}.zip"));
    (changed..pages).map(key).chain(pictures).chain(downloads)
}

/// The fake AWS with the site, of which the first `changed` pages change.
pub(super) fn state(changed: usize, quota: Quota, throttle: Option<Duration>) -> State {
    let mut state = State::default();
    (state.quota, state.throttle) = (quota, throttle);
    let objects = (0..changed).map(key).chain(unchanged(changed)).collect();
    let bucket = FakeBucket { objects, ..FakeBucket::tagged(&[("distributionId", DISTRIBUTION)]) };
    state.buckets.insert(BUCKET.into(), bucket);
    let config = json!({
        "CallerReference": "example",
        "Comment": "",
        "Enabled": true,
        "Origins": {
            "Items": [{ "Id": "s3", "DomainName": format!("{BUCKET}.s3.eu-central-1.amazonaws.com"), "OriginPath": "" }],
        },
        "DefaultCacheBehavior": { "TargetOriginId": "s3", "ViewerProtocolPolicy": "https-only" },
    });
    let distribution = FakeDistribution { config: Some(config), ..FakeDistribution::default() };
    state.distributions.insert(DISTRIBUTION.into(), distribution);
    let redrive_policy =
        RedrivePolicy { dead_letter_queue: DEAD_LETTER_QUEUE.into(), max_receive_count: MAX_RECEIVE_COUNT };
    let mut queue = FakeQueue::default();
    (queue.visibility_timeout, queue.redrive_policy) = (VISIBILITY_TIMEOUT, Some(redrive_policy));
    state.queues.insert(QUEUE.into(), queue);
    state.queues.insert(DEAD_LETTER_QUEUE.into(), FakeQueue::default());
    state.latency = RESPONSE_TIMES.into_iter().map(|(operation, time)| (operation.to_owned(), time)).collect();
    state
}

/// Whether a path of an invalidation matches the object with this key.
fn matches(path: &str, key: &str) -> bool {
    let url = path.strip_prefix('/').unwrap_or_default();
    url.strip_suffix('*').map_or(url == key, |prefix| key.starts_with(prefix))
}

/// When each page was invalidated first after its upload; `None` for never.
pub(super) fn fresh_at(uploads: &[Instant], accepted: &[AcceptedInvalidation]) -> Vec<Option<Instant>> {
    let fresh = |(page, uploaded): (usize, &Instant)| {
        let key = key(page);
        let covers =
            |it: &&AcceptedInvalidation| it.created >= *uploaded && it.paths.iter().any(|it| matches(it, &key));
        accepted.iter().filter(covers).map(|it| it.created).min()
    };
    uploads.iter().enumerate().map(fresh).collect()
}

/// How many unchanged objects the invalidations evicted, each counted once for each that did.
pub(super) fn evicted(changed: usize, accepted: &[AcceptedInvalidation]) -> usize {
    let evictions = |key: String| accepted.iter().filter(|it| it.paths.iter().any(|path| matches(path, &key))).count();
    unchanged(changed).map(evictions).sum()
}

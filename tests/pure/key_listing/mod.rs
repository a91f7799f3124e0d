//! Scans of a bucket's keys, on an in-memory bucket that records its requests.

mod faults;
mod model;
mod shapes;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use s3_cloudfront_invalidator::aws::{BucketKeys, BucketQuery, CallError, ErrorClass, KeyPage};
use s3_cloudfront_invalidator::change::{Bucket, BucketName};
use s3_cloudfront_invalidator::lookup::CallLimits;
use s3_cloudfront_invalidator::lookup::calls::collect;
use s3_cloudfront_invalidator::lookup::keys::{ScanLimits, scan_keys};
use s3_cloudfront_invalidator::plan::KeyListing;
use tokio::task::yield_now;
use tokio::time::Instant;

type Fault = Box<dyn Fn(usize, KeyPage) -> Result<KeyPage, CallError>>;

/// An in-memory bucket.
struct InMemoryBucket {
    keys: Vec<String>,
    page_size: usize,
    /// What becomes of a response, by the number of its request, counted from 1.
    fault: Fault,
    /// The key after which each request starts.
    start_keys: RefCell<Vec<Option<String>>>,
    /// When each request in flight completes, and the current time, both in durations of one request.
    due: RefCell<Vec<usize>>,
    time: Cell<usize>,
    /// The most requests that were in flight at the same time.
    most: Cell<usize>,
}

impl InMemoryBucket {
    fn new(keys: impl IntoIterator<Item = String>) -> Self {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort();
        keys.dedup();
        Self {
            keys,
            page_size: 1000,
            fault: Box::new(|_, page| Ok(page)),
            start_keys: RefCell::default(),
            due: RefCell::default(),
            time: Cell::default(),
            most: Cell::default(),
        }
    }

    fn requests(&self) -> usize {
        self.start_keys.borrow().len()
    }

    /// The keys that start with `prefix`.
    fn below(&self, prefix: &str) -> Vec<&str> {
        self.keys.iter().map(String::as_str).filter(|key| key.starts_with(prefix)).collect()
    }
}

impl BucketKeys for InMemoryBucket {
    async fn list(&self, _query: &BucketQuery, prefix: &str, after: Option<&str>) -> Result<KeyPage, CallError> {
        self.start_keys.borrow_mut().push(after.map(str::to_owned));
        let number = self.requests();
        let due = self.time.get() + 1;
        self.due.borrow_mut().push(due);
        self.most.set(self.most.get().max(self.due.borrow().len()));
        // Yields at least once, so that all concurrent requests start before one completes.
        yield_now().await;
        while self.due.borrow().iter().any(|other| *other < due) {
            yield_now().await;
        }
        self.time.set(due);
        self.due.borrow_mut().retain({
            let mut left = false;
            move |other| {
                left || *other != due || {
                    left = true;
                    false
                }
            }
        });
        let from = self.keys.partition_point(|key| key.as_str() < prefix || after.is_some_and(|it| key.as_str() <= it));
        let below = self.keys[from..].iter().take_while(|key| key.starts_with(prefix));
        let mut keys: Vec<_> = below.take(self.page_size + 1).cloned().collect();
        let more = keys.len() > self.page_size;
        keys.truncate(self.page_size);
        (self.fault)(number, KeyPage { keys, more })
    }
}

fn limits(pages: usize) -> ScanLimits {
    let deadline = Instant::now() + Duration::from_secs(20);
    let calls = CallLimits {
        attempts: 3,
        first_delay: Duration::from_millis(1),
        max_delay: Duration::from_secs(20),
        attempt_divisor: 1,
        min_attempt_time: Duration::ZERO,
        max_attempt_time: Duration::from_secs(3),
        max_hold: Duration::from_secs(1),
        hold_divisor: 4,
    };
    ScanLimits { max_requests: pages, concurrency: 8, deadline, calls }
}

fn query() -> BucketQuery {
    let bucket = Bucket { name: BucketName::new("site").unwrap(), region: None };
    BucketQuery { bucket, expected_owner: None }
}

async fn read(
    bucket: &InMemoryBucket,
    within: &str,
    changed: &[impl AsRef<str>],
    limits: ScanLimits,
) -> (KeyListing, Option<CallError>) {
    let mut changed: Vec<_> = changed.iter().map(AsRef::as_ref).collect();
    changed.sort_unstable();
    let ((listing, error), stats) = collect(scan_keys(bucket, &query(), within, &changed, &limits)).await;
    let counted = usize::try_from(stats.list_requests).unwrap();
    assert!(counted <= limits.max_requests, "{counted} of {}", limits.max_requests);
    // After an error, requests that were counted may not be made any more.
    let all_were_made = counted == bucket.requests();
    assert!(all_were_made || error.is_some() && counted > bucket.requests());
    assert!(bucket.most.get() <= limits.concurrency);
    (listing, error)
}

fn error(class: ErrorClass) -> CallError {
    CallError { class, message: "ListObjectsV2: it failed".into() }
}

//! What a scan knows after errors, after responses that cannot be true, and after its deadline.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::pending;
use std::time::Duration;

use s3_cloudfront_invalidator::aws::{BucketKeys, BucketQuery, CallError, ErrorClass, KeyPage};
use tokio::time::Instant;

use super::{InMemoryBucket, ScanLimits, collect, error, limits, read};

/// A bucket of 500 keys in 50 pages.
fn bucket(fault: impl Fn(usize, KeyPage) -> Result<KeyPage, CallError> + 'static) -> InMemoryBucket {
    let keys = (0..500).map(|n| format!("{:02}/{n:03}", n / 20));
    InMemoryBucket { page_size: 10, fault: Box::new(fault), ..InMemoryBucket::new(keys) }
}

#[tokio::test]
async fn after_a_denial_nothing_more_is_requested() {
    let bucket = bucket(|_, _| Err(error(ErrorClass::AccessDenied)));
    let (listing, error) = read(&bucket, "", &bucket.keys, limits(60)).await;
    assert_eq!(error.unwrap().class, ErrorClass::AccessDenied);
    assert_eq!((bucket.requests(), listing.keys().count()), (1, 0));
    assert!(!listing.is_complete("00/"));
}

#[tokio::test]
async fn permission_lost_in_the_middle_leaves_what_was_read() {
    let bucket = bucket(|n, page| if n <= 8 { Ok(page) } else { Err(error(ErrorClass::AccessDenied)) });
    let (listing, error) = read(&bucket, "", &bucket.keys, limits(60)).await;
    assert_eq!(error.unwrap().class, ErrorClass::AccessDenied);
    assert!(listing.is_complete("00/") && !listing.is_complete(""));
    assert!(bucket.requests() <= 8 + 8);
}

#[tokio::test]
async fn transient_errors_are_retried() {
    let failed = RefCell::new(BTreeSet::new());
    let bucket = bucket(move |_, page| {
        let is_first = failed.borrow_mut().insert(page.keys.clone());
        if is_first { Err(error(ErrorClass::Throttled)) } else { Ok(page) }
    });
    let (listing, error) = read(&bucket, "", &bucket.keys, limits(200)).await;
    assert_eq!(error, None);
    assert!(listing.is_complete(""));
}

#[tokio::test]
async fn persistent_errors_are_retried_a_few_times() {
    let bucket = bucket(|_, _| Err(error(ErrorClass::Unavailable)));
    let (_, error) = read(&bucket, "", &bucket.keys, limits(60)).await;
    assert_eq!(error.unwrap().class, ErrorClass::Unavailable);
    assert!(bucket.requests() <= 9 + 8, "{}", bucket.requests());
}

#[tokio::test]
async fn a_failure_without_a_request_left_is_reported() {
    let bucket = bucket(|_, _| Err(error(ErrorClass::Throttled)));
    let (_, error) = read(&bucket, "", &bucket.keys, limits(1)).await;
    assert_eq!(error.unwrap().class, ErrorClass::Throttled);
}

#[tokio::test]
async fn inconsistent_pages_are_ignored() {
    type Lie = fn(&mut KeyPage);
    let lies: [Lie; 6] = [
        |page| *page = KeyPage { keys: Vec::new(), more: true },
        |page| page.keys.reverse(),
        |page| page.keys.insert(0, "00/000".into()),
        |page| page.keys.push("zz".into()),
        |page| page.keys = page.keys.iter().flat_map(|key| [key.clone(), key.clone()]).collect(),
        |page| page.keys[3] = "00/00".into(),
    ];
    for lie in lies {
        let bucket = bucket(move |n, mut page| {
            if n > 8 {
                lie(&mut page);
            }
            Ok(page)
        });
        let one_by_one = ScanLimits { concurrency: 1, ..limits(60) };
        let (listing, error) = read(&bucket, "0", &bucket.keys[..200], one_by_one).await;
        assert!(error.unwrap().message.contains("inconsistent response"));
        assert!(bucket.requests() <= 8 + 9, "{}", bucket.requests());
        assert!(listing.keys().all(|key| bucket.keys.iter().any(|real| real == key)));
        assert!(listing.is_complete("00/") && !listing.is_complete("09/"));
    }
}

/// A bucket that never responds.
struct SilentBucket;

impl BucketKeys for SilentBucket {
    async fn list(&self, _: &BucketQuery, _: &str, _: Option<&str>) -> Result<KeyPage, CallError> {
        pending().await
    }
}

#[tokio::test]
async fn a_scan_ends_at_its_deadline() {
    let start = Instant::now();
    let limits = ScanLimits { deadline: start + Duration::from_millis(50), ..limits(60) };
    let query = super::query();
    let scan = || collect(super::scan_keys(&SilentBucket, &query, "", &["a"], &limits));
    let ((_, error), stats) = scan().await;
    assert!(error.unwrap().message.contains("no response before the deadline"));
    assert_eq!(stats.list_requests, 1);
    assert!(start.elapsed() < Duration::from_secs(5));
    let ((_, error), stats) = scan().await;
    assert_eq!((stats.list_requests, error), (0, None), "there is no time from the start");
}

#[tokio::test]
async fn a_scan_without_changes_or_request_budget_sends_no_request() {
    let bucket = bucket(|_, page| Ok(page));
    let none: [&str; 0] = [];
    assert_eq!(read(&bucket, "", &none, limits(60)).await.1, None);
    assert_eq!(read(&bucket, "", &["a"], limits(0)).await.1, None);
    assert_eq!(read(&bucket, "w/", &["a"], limits(60)).await.1, None, "not below it");
    assert_eq!(bucket.requests(), 0);
}

#[tokio::test]
async fn the_directory_marker_is_part_of_the_directory() {
    let keys = ["a", "d", "d.html", "d.\u{10ffff}", "d/", "d/1", "d0", "e"];
    for page_size in 2..5 {
        let bucket = InMemoryBucket { page_size, ..InMemoryBucket::new(keys.map(str::to_owned)) };
        let (listing, error) = read(&bucket, "", &["d/1"], limits(60)).await;
        assert_eq!(error, None);
        assert!(listing.is_complete("d/") && !listing.is_complete("d"));
        assert!(listing.keys().any(|key| key == "d/"));
    }
}

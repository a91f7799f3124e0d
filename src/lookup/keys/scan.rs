//! Lists the keys of a bucket around a set of changes, in few requests.
//!
//! `ListObjectsV2` returns up to 1,000 keys a page, in UTF-8 binary order, and can start after any key. So the ranges
//! of keys around the changes are read (`ranges`, in the order that `order` gives), and others are skipped. Directories
//! with changes come first. The keys between them follow, so that wildcards for the directories around them can be
//! counted too. A small bucket is read whole. A scan does not fail: what was read before an error stays known.
//!
//! Objects may be created and removed during a scan. Each page shows the bucket at its own time, so counts may be
//! slightly off.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::order::ScanOrder;
use super::page::{PageRequest, ReadPage, fetch_page};
use super::ranges::KeyRanges;
use crate::aws::{BucketKeys, BucketQuery, CallError};
use crate::lookup::backoff::delay;
use crate::lookup::stats;
use crate::plan::{KeyListing, KeyPosition};

/// The most attempts at one page.
const ATTEMPTS: u32 = 3;

/// The number of failed pages after which no more are requested.
const MAX_FAILED_PAGES: usize = 3;

/// The limits of a scan.
#[derive(Clone, Copy, Debug)]
pub struct ScanLimits {
    /// The most requests, retries included.
    pub max_requests: usize,
    /// The most concurrent requests.
    pub concurrency: usize,
    /// When the scan must end. A request without a response by then is given up.
    pub deadline: Instant,
    /// The longest delay before the first retry of a request.
    pub backoff: Duration,
}

/// Lists the keys below `prefix`, which is empty or ends with `/`, around the `changed` keys of a bucket, sorted and
/// each once. The error is the first one that left keys unread. Without an error, keys are unread because of the
/// limits, or because they would take more pages than there are changes around them.
pub async fn scan_keys<O: BucketKeys>(
    source: &O,
    query: &BucketQuery,
    prefix: &str,
    changed: &[&str],
    limits: &ScanLimits,
) -> (KeyListing, Option<CallError>) {
    let mut changed: Vec<_> = changed.iter().copied().filter(|key| key.starts_with(prefix)).collect();
    changed.sort_unstable();
    changed.dedup();
    let mut scan =
        Scan { key_ranges: KeyRanges::new(prefix, &changed), requests_left: limits.max_requests, ..Scan::default() };
    let mut in_flight = FuturesUnordered::new();
    loop {
        while in_flight.len() < limits.concurrency.max(1)
            && let Some((request, delay)) = scan.next(limits)
        {
            in_flight.push(fetch_page(source, query, prefix, request, (delay, limits.deadline)));
        }
        let Some((request, answer)) = in_flight.next().await else { break };
        match answer {
            Ok(read) => scan.accept(&request, read),
            Err(error) => {
                if scan.fail(request, error) {
                    break;
                }
            }
        }
    }
    // The limits may have left a failed request unretried.
    let error = scan.error.or_else(|| scan.retries.pop().map(|(_, error)| error));
    (KeyListing::new(scan.keys, scan.known_ranges, limits.max_requests - scan.requests_left), error)
}

/// The state of a scan: what was read, and what is left to read.
#[derive(Default)]
struct Scan {
    key_ranges: KeyRanges,
    order: ScanOrder,
    /// How many more requests may be made.
    requests_left: usize,
    /// Failed requests to retry.
    retries: Vec<(PageRequest, CallError)>,
    /// How many pages failed permanently.
    failed_pages: usize,
    /// The keys read so far, in the order of the pages.
    keys: Vec<String>,
    /// The ranges in which all keys are known.
    known_ranges: Vec<(KeyPosition, KeyPosition)>,
    /// The first error after which a page was given up.
    error: Option<CallError>,
}

impl Scan {
    /// Returns the next request and the delay before it.
    fn next(&mut self, limits: &ScanLimits) -> Option<(PageRequest, Duration)> {
        if self.requests_left == 0 || self.failed_pages >= MAX_FAILED_PAGES || Instant::now() >= limits.deadline {
            return None;
        }
        let next = if let Some((request, _)) = self.retries.last() {
            let delay = delay(limits.backoff, request.failures.saturating_sub(1));
            if Instant::now() + delay >= limits.deadline {
                return None;
            }
            stats::count(|stats| stats.retries += 1);
            (self.retries.pop()?.0, delay)
        } else {
            let start = self.order.next(&mut self.key_ranges, self.requests_left)?;
            let from = self.key_ranges.ranges.get(start.range)?.from.clone();
            (PageRequest { start, from, failures: 0 }, Duration::ZERO)
        };
        self.requests_left -= 1;
        stats::count(|stats| stats.list_requests += 1);
        Some(next)
    }

    /// Records the keys of a page.
    fn accept(&mut self, request: &PageRequest, mut read: ReadPage) {
        let unread_before = self.key_ranges.unread_changed_ranges();
        if read.to > request.from {
            self.key_ranges.read(request.start.range, &read.to, &read.keys);
            self.keys.append(&mut read.keys);
            self.known_ranges.push((request.from.clone(), read.to));
        } else {
            // The key to start after is approximate ([`KeyPosition::start_after`]), and so many keys lie between it and
            // the start of the range that the page did not reach it.
            self.key_ranges.give_up(request.start.range);
        }
        self.order.record_page(request.start, unread_before - self.key_ranges.unread_changed_ranges());
    }

    /// Records a failed request, to be retried if that may help. Returns whether the scan must stop.
    fn fail(&mut self, mut request: PageRequest, error: CallError) -> bool {
        let is_transient = error.class.is_transient();
        request.failures += 1;
        if is_transient && request.failures < ATTEMPTS && self.requests_left > 0 {
            self.retries.push((request, error));
            return false;
        }
        self.error.get_or_insert(error);
        self.failed_pages += 1;
        self.key_ranges.give_up(request.start.range);
        self.order.record_page(request.start, 0);
        !is_transient
    }
}

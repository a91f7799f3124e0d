//! Reading a bucket's keys where they matter for a set of changes, in few requests.
//!
//! Keys come in pages of 1,000, in the order of their bytes, from any place on. So what matters is read in that order, and
//! what does not is skipped. Directories that hold changes come first, then what lies between them, so that wildcards for
//! the directories around them can be counted too; a small bucket is read whole. Nothing here fails: what was read before
//! something went wrong is known all the same.
//!
//! Objects may come and go meanwhile. What is known is each part at a time of its own, so counts may be slightly off.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::plan::KeyListing;

use super::order::ScanOrder;
use super::page::{PageRead, PageRequest, fetch_page};
use super::ranges::KeyRanges;
use crate::aws::{BucketKeys, BucketQuery, CallError};
use crate::lookup::backoff::delay;
use crate::lookup::stats;
use crate::plan::KeyPosition;

/// How often a page is asked for that does not come.
const ATTEMPTS: u32 = 3;

/// After as many pages that did not come, no more are asked for.
const MAX_FAILED_PAGES: usize = 3;

/// How much may be asked.
#[derive(Clone, Copy, Debug)]
pub struct ScanLimits {
    /// The number of requests, repeated ones included.
    pub max_requests: usize,
    /// The number of requests at the same time.
    pub concurrency: usize,
    /// When it must end. A request that has no answer by then is given up.
    pub deadline: Instant,
    /// The longest pause before a failed request is made again for the first time.
    pub backoff: Duration,
}

/// Lists what matters for the `changed` keys of a bucket: sorted, each once, and all below `below`, a prefix that is
/// empty or ends with `/`. The error is the first that left something unread; without one, if something is unread, it is
/// for the limits.
pub async fn scan_keys<O: BucketKeys>(
    objects: &O,
    query: &BucketQuery,
    below: &str,
    changed: &[&str],
    limits: &ScanLimits,
) -> (KeyListing, Option<CallError>) {
    let mut changed: Vec<_> = changed.iter().copied().filter(|key| key.starts_with(below)).collect();
    changed.sort_unstable();
    changed.dedup();
    let mut scan = Scan { key_ranges: KeyRanges::new(below, &changed), pages: limits.max_requests, ..Scan::default() };
    let mut in_flight = FuturesUnordered::new();
    loop {
        while in_flight.len() < limits.concurrency.max(1)
            && let Some((request, delay)) = scan.next(limits)
        {
            in_flight.push(fetch_page(objects, query, below, request, (delay, limits.deadline)));
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
    let error = scan.error.or_else(|| scan.retries.pop().map(|(_, error)| error));
    (KeyListing::new(scan.keys, scan.known_ranges, limits.max_requests - scan.pages), error)
}

/// What was read so far, and what is still to read.
#[derive(Default)]
struct Scan {
    key_ranges: KeyRanges,
    order: ScanOrder,
    /// How many more requests may be made.
    pages: usize,
    /// Requests that failed, to be made again.
    retries: Vec<(PageRequest, CallError)>,
    /// How many pages did not come.
    failed_pages: usize,
    keys: Vec<String>,
    known_ranges: Vec<(KeyPosition, KeyPosition)>,
    error: Option<CallError>,
}

impl Scan {
    /// The next request, and the pause before it.
    fn next(&mut self, limits: &ScanLimits) -> Option<(PageRequest, Duration)> {
        if self.pages == 0 || self.failed_pages >= MAX_FAILED_PAGES || Instant::now() >= limits.deadline {
            return None;
        }
        let next = if let Some((request, _)) = self.retries.last() {
            let delay = delay(limits.backoff, request.failures.saturating_sub(1));
            if Instant::now() + delay >= limits.deadline {
                return None;
            }
            stats::count(|tally| tally.retries += 1);
            (self.retries.pop()?.0, delay)
        } else {
            let start = self.order.next(&mut self.key_ranges, self.pages)?;
            let from = self.key_ranges.ranges.get(start.range)?.from.clone();
            (PageRequest { start, from, failures: 0 }, Duration::ZERO)
        };
        self.pages -= 1;
        stats::count(|tally| tally.list_requests += 1);
        Some(next)
    }

    /// Keeps what a page says.
    fn accept(&mut self, request: &PageRequest, mut read: PageRead) {
        let open_before = self.key_ranges.open_changed();
        if read.to > request.from {
            self.key_ranges.read(request.start.range, &read.to, &read.keys);
            self.keys.append(&mut read.keys);
            self.known_ranges.push((request.from.clone(), read.to));
        } else {
            // So many keys lie right below the place that the page did not get there.
            self.key_ranges.give_up(request.start.range);
        }
        self.order.record_page(request.start, open_before - self.key_ranges.open_changed());
    }

    /// Notes that a page did not come. Says whether it is no use to go on.
    fn fail(&mut self, mut request: PageRequest, error: CallError) -> bool {
        let is_transient = error.class.is_transient();
        request.failures += 1;
        if is_transient && request.failures < ATTEMPTS && self.pages > 0 {
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

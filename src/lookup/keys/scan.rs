//! Lists the keys of a bucket around a set of changes, in few requests.
//!
//! `ListObjectsV2` returns up to 1,000 keys a page, in UTF-8 binary order, and can start after any key. So pages are
//! read where the changes are, in the order that `order` gives, and keys far from them are skipped. A small bucket is
//! read whole. A scan does not fail: what was read before an error stays known.
//!
//! Objects may be created and removed during a scan. Each page shows the bucket at its own time, so counts may be
//! slightly off.

use std::cell::Cell;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::order::ScanOrder;
use crate::aws::{BucketKeys, BucketQuery, CallError, ErrorClass, KeyPage};
use crate::lookup::CallLimits;
use crate::lookup::calls::{self, retry_while};
use crate::plan::{KeyListing, KeyPosition};

/// The operation's name in errors.
const OPERATION: &str = "ListObjectsV2";

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
    /// The limits of the attempts at one page.
    pub calls: CallLimits,
}

/// Lists the keys below `prefix`, which is empty or ends with `/`, around the `changed` keys of a bucket. These are
/// sorted, and each is given once. The error is the first one that left keys unread. Without an error, keys are unread
/// because of the limits, or because they would take more pages than there are changes around them.
pub async fn scan_keys<O: BucketKeys>(
    source: &O,
    query: &BucketQuery,
    prefix: &str,
    changed: &[&str],
    limits: &ScanLimits,
) -> (KeyListing, Option<CallError>) {
    let changed: Vec<_> = changed.iter().copied().filter(|key| key.starts_with(prefix)).collect();
    let reader = &PageReader { source, query, prefix, limits, requests_left: Cell::new(limits.max_requests) };
    let mut order = ScanOrder::new(prefix, &changed);
    let mut in_flight = FuturesUnordered::new();
    let (mut keys, mut failed_pages, mut first_error) = (Vec::new(), 0, None);
    loop {
        while in_flight.len() < limits.concurrency
            && reader.requests_left.get() > 0
            && failed_pages < MAX_FAILED_PAGES
            && Instant::now() < limits.deadline
            && let Some(start) = order.next(reader.requests_left.get())
        {
            reader.take_request();
            in_flight.push(async move {
                let answer = reader.read(&start.from).await;
                (start, answer)
            });
        }
        match in_flight.next().await {
            Some((start, Ok((mut page, to)))) => {
                order.end_page(start, Some(to));
                keys.append(&mut page);
            }
            Some((start, Err(error))) => {
                order.end_page(start, None);
                failed_pages += 1;
                let is_transient = error.class.is_transient();
                first_error.get_or_insert(error);
                if !is_transient {
                    break;
                }
            }
            None => break,
        }
    }
    (KeyListing::new(keys, order.known), first_error)
}

/// Requests pages of keys.
struct PageReader<'s, O> {
    source: &'s O,
    query: &'s BucketQuery,
    prefix: &'s str,
    limits: &'s ScanLimits,
    /// How many more requests may be made.
    requests_left: Cell<usize>,
}

impl<O: BucketKeys> PageReader<'_, O> {
    /// Counts a request that is about to be made, so that no other takes the last one. Returns false if none is left.
    fn take_request(&self) -> bool {
        let Some(left) = self.requests_left.get().checked_sub(1) else { return false };
        self.requests_left.set(left);
        calls::count(|stats| stats.list_requests += 1);
        true
    }

    /// Returns the keys of the page that starts at `from`, and the position up to which all keys are known. The first
    /// request is already counted; transient errors are retried within the limits.
    async fn read(&self, from: &KeyPosition) -> Result<(Vec<String>, KeyPosition), CallError> {
        let after = (*from != KeyPosition::before(self.prefix)).then(|| from.start_after());
        let call = async || {
            let page = self.source.list(self.query, self.prefix, after.as_deref()).await?;
            check(page, self.prefix, after.as_deref())
        };
        let ScanLimits { calls, deadline, .. } = self.limits;
        let page = retry_while(OPERATION, calls, *deadline, || self.take_request(), call).await?;
        let to = match page.keys.last() {
            Some(last) if page.more => KeyPosition::after_key(last),
            _ => KeyPosition::after_prefix(self.prefix),
        };
        Ok((page.keys, to))
    }
}

/// Returns a page if it can be the answer to its request. If it cannot, the whole page is discarded.
fn check(page: KeyPage, prefix: &str, after: Option<&str>) -> Result<KeyPage, CallError> {
    let reason = if page.more && page.keys.is_empty() {
        "the page is empty, but more keys follow"
    } else if page.keys.iter().any(|key| !key.starts_with(prefix)) {
        "a key does not start with the requested prefix"
    } else if page.keys.first().is_some_and(|first| after.is_some_and(|after| first.as_str() <= after)) {
        "the first key is before the requested position"
    } else if !page.keys.is_sorted_by(|one, next| one < next) {
        "the keys are not in ascending order"
    } else {
        return Ok(page);
    };
    // The response may come from a proxy, so the error is transient.
    Err(CallError { class: ErrorClass::Unavailable, message: format!("{OPERATION}: inconsistent response: {reason}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inconsistent_page_is_discarded() {
        let page = |keys: &[&str], more| KeyPage { keys: keys.iter().map(|&key| key.to_owned()).collect(), more };
        for (keys, more, is_consistent) in [
            (&["w/b", "w/c"][..], true, true),
            (&[], false, true),
            (&[], true, false),
            (&["w/c", "w/b"], true, false),
            (&["w/b", "w/b"], true, false),
            (&["w/a"], true, false),
            (&["w/A"], true, false),
            (&["w/b", "x"], true, false),
        ] {
            assert_eq!(check(page(keys, more), "w/", Some("w/a")).is_ok(), is_consistent, "{keys:?}");
        }
        assert!(check(page(&["w/a"], false), "w/", None).is_ok());
    }
}

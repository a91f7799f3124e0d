//! Requests one page of keys and checks that the response is plausible.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::order::PageStart;
use crate::aws::{BucketKeys, BucketQuery, CallError, ErrorClass, KeyPage};
use crate::plan::KeyPosition;

/// The operation's name in errors.
const OPERATION: &str = "ListObjectsV2";

/// The longest time for one attempt, including connecting and reading: one that hangs must leave time for another.
const MAX_ATTEMPT_TIME: Duration = Duration::from_secs(3);

/// A page to request.
#[derive(Clone, Debug)]
pub(super) struct PageRequest {
    pub(super) start: PageStart,
    /// The position at which the page starts.
    pub(super) from: KeyPosition,
    /// How often the request has failed.
    pub(super) failures: u32,
}

/// A page that was read.
#[derive(Debug)]
pub(super) struct ReadPage {
    pub(super) keys: Vec<String>,
    /// The position up to which all keys are known.
    pub(super) to: KeyPosition,
}

/// Requests a page after `delay`, and waits for the response until `deadline`.
pub(super) async fn fetch_page<O: BucketKeys>(
    source: &O,
    query: &BucketQuery,
    prefix: &str,
    request: PageRequest,
    (delay, deadline): (Duration, Instant),
) -> (PageRequest, Result<ReadPage, CallError>) {
    if !delay.is_zero() {
        sleep(delay).await;
    }
    let after = (request.from != KeyPosition::before(prefix)).then(|| request.from.start_after());
    let end = deadline.min(Instant::now() + MAX_ATTEMPT_TIME);
    let answer = timeout_at(end, source.list(query, prefix, after.as_deref()))
        .await
        .unwrap_or_else(|_| Err(CallError::timed_out(OPERATION)));
    let read = answer.and_then(|page| {
        check(&page, prefix, after.as_deref()).map_err(|reason| CallError {
            // The response may come from a proxy, so the error is transient.
            class: ErrorClass::Unavailable,
            message: format!("{OPERATION}: inconsistent response: {reason}"),
        })?;
        let to = match page.keys.last() {
            Some(last) if page.more => KeyPosition::after_key(last),
            _ => KeyPosition::after_prefix(prefix),
        };
        Ok(ReadPage { keys: page.keys, to })
    });
    (request, read)
}

/// Checks that a page can be the answer to its request. If it cannot, the whole page is discarded.
fn check(page: &KeyPage, prefix: &str, after: Option<&str>) -> Result<(), &'static str> {
    if page.more && page.keys.is_empty() {
        return Err("the page is empty, but more keys follow");
    }
    if page.keys.iter().any(|key| !key.starts_with(prefix)) {
        return Err("a key does not start with the requested prefix");
    }
    if page.keys.first().is_some_and(|first| after.is_some_and(|after| first.as_str() <= after)) {
        return Err("the first key is before the requested position");
    }
    if !page.keys.is_sorted_by(|one, next| one < next) {
        return Err("the keys are not in ascending order");
    }
    Ok(())
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
            assert_eq!(check(&page(keys, more), "w/", Some("w/a")).is_ok(), is_consistent, "{keys:?}");
        }
        assert!(check(&page(&["w/a"], false), "w/", None).is_ok());
    }
}

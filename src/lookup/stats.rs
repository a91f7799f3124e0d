//! Counters of the requests that one invocation makes.
//!
//! They are local to the task: the code that counts needs no handle passed through every layer, and two invocations in
//! one process cannot mix their counts. Outside [`collect`] nothing is counted.

use std::cell::Cell;

use serde::Serialize;

tokio::task_local! {
    static STATS: Cell<Stats>;
}

/// The lookups, listing requests and retries of an invocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Lookups of a bucket's tags that were answered from the cache.
    pub tag_cache_hits: u64,
    /// Lookups of a bucket's tags that called S3.
    pub tag_cache_misses: u64,
    /// Lookups of a distribution config or cache policy that were answered from the cache.
    pub config_cache_hits: u64,
    /// Lookups of a distribution config or cache policy that called CloudFront.
    pub config_cache_misses: u64,
    /// `ListObjectsV2` requests, retries included.
    pub list_requests: u64,
    /// Retries of calls of any kind.
    pub retries: u64,
}

/// Returns the counters of a cache: hits and misses.
pub type CacheCounters = fn(&mut Stats) -> (&mut u64, &mut u64);

/// Runs `future` and returns its output with the counts.
pub async fn collect<F: Future>(future: F) -> (F::Output, Stats) {
    let with_counts = async {
        let output = future.await;
        (output, STATS.with(Cell::get))
    };
    STATS.scope(Cell::default(), with_counts).await
}

/// Updates the counters of the current [`collect`], if there is one.
pub fn count(update: impl FnOnce(&mut Stats)) {
    // An error means that the task is not in `collect`.
    let _ = STATS.try_with(|stats| {
        let mut counts = stats.get();
        update(&mut counts);
        stats.set(counts);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_task_has_its_own_counts() {
        count(|stats| stats.retries += 100);
        let counting = |number: u64| {
            collect(async move {
                for _ in 0..number {
                    count(|stats| stats.retries += 1);
                    tokio::task::yield_now().await;
                }
                number
            })
        };
        let (one, other) = tokio::join!(counting(3), counting(5));
        assert_eq!(((one.0, one.1.retries), (other.0, other.1.retries)), ((3, 3), (5, 5)));
    }
}

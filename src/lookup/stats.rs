//! What one invocation costs besides its result: counted where it happens, far below those who report it.
//!
//! Local to the task: what counts need not be handed through everything that looks something up, and two invocations in one
//! process could not mix theirs. Where nobody asked for a tally nothing is counted.

use std::cell::Cell;

use serde::Serialize;

tokio::task_local! {
    static STATS: Cell<Stats>;
}

/// What was looked up, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Buckets' tags that were remembered.
    pub tag_hits: u64,
    /// Buckets' tags that had to be asked for.
    pub tag_misses: u64,
    /// Distributions' settings and cache policies that were remembered.
    pub settings_hits: u64,
    /// Distributions' settings and cache policies that had to be asked for.
    pub settings_misses: u64,
    /// Requests that list a bucket.
    pub list_requests: u64,
    /// Calls of any kind that were made again.
    pub retries: u64,
}

/// What `future` comes to, and what was counted on the way.
pub async fn collect<F: Future>(future: F) -> (F::Output, Stats) {
    let collected = async {
        let output = future.await;
        (output, STATS.with(Cell::get))
    };
    STATS.scope(Cell::default(), collected).await
}

/// Counts.
pub fn count(what: impl FnOnce(&mut Stats)) {
    // An error says that there is no tally to count in.
    let _ = STATS.try_with(|stats| {
        let mut collected = stats.get();
        what(&mut collected);
        stats.set(collected);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_has_a_tally_of_its_own_and_nobody_needs_one() {
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

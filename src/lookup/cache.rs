//! A read-through cache with a TTL for each entry and stale-if-error, by the wall clock.
//!
//! moka bounds the number of entries and coalesces concurrent misses of one key. Expiry is checked here and not by
//! moka: moka uses the monotonic clock, which may stand still while Lambda freezes the sandbox, so an entry could
//! outlive its TTL by hours.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use moka::future::Cache as MokaCache;
use moka::ops::compute::{CompResult, Op};

use super::calls::{self, CacheCounters};
use crate::aws::CallError;

/// How long values are cached: `CACHE_TTL_SECONDS`, `NEGATIVE_CACHE_TTL_SECONDS` and `STALE_IF_ERROR_SECONDS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheTtl {
    /// The TTL of a tagged bucket's options, of a distribution config, of a distribution tenant and of a cache policy.
    pub positive: Duration,
    /// The TTL of a negative answer: the bucket does not have the tag, or access to the distribution config, distribution
    /// tenant or cache policy is denied.
    pub negative: Duration,
    /// The maximum age, counted from the fetch, of a value that is used although AWS returned an error
    /// (stale-if-error).
    pub max_stale_age: Duration,
}

impl CacheTtl {
    /// Returns whether a value of this age may be used although AWS returned this error.
    pub(super) fn allows_stale(&self, age: Duration, error: &CallError) -> bool {
        error.class.is_transient() && age <= self.max_stale_age
    }
}

/// Returns the current time. A parameter, so that tests can set it.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// A read-through cache. Each entry has its own TTL; errors are not cached.
pub struct Cache<K, V> {
    entries: MokaCache<K, CacheEntry<V>>,
    clock: Clock,
    generation: AtomicU64,
}

/// A value from the cache or from the call that fetched it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached<V, E> {
    /// The value.
    pub value: V,
    /// The error because of which the value is a stale one; `None` if it is fresh.
    pub stale_because: Option<E>,
}

#[derive(Clone)]
struct CacheEntry<V> {
    value: V,
    fetched_at: SystemTime,
    ttl: Duration,
    generation: u64,
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A cache of at most about `capacity` entries.
    pub fn new(capacity: u64, clock: Clock) -> Self {
        Self { entries: MokaCache::new(capacity), clock, generation: AtomicU64::new(0) }
    }

    /// Removes the value of `key`.
    pub async fn remove(&self, key: &K) {
        self.entries.invalidate(key).await;
    }

    /// Returns the cached value of `key`, or that of `fetch`, which also returns its TTL. Concurrent callers of one
    /// key wait for a single fetch. `counters` gives the counters of hits and misses: a hit makes no call, as the value
    /// was cached or a concurrent caller fetched it.
    ///
    /// If `fetch` fails and there is an expired value, `allow_stale` decides by the value, its age and the error
    /// whether it is returned. The error is then in [`Cached::stale_because`].
    ///
    /// # Errors
    /// The error of `fetch`.
    pub async fn get_or_fetch<E: Send + Sync + 'static>(
        &self,
        key: &K,
        counters: CacheCounters,
        fetch: impl AsyncFn() -> Result<(V, Duration), E>,
        allow_stale: impl Fn(&V, Duration, &E) -> bool,
    ) -> Result<Cached<V, E>, E> {
        let count = |is_hit: bool| {
            calls::count(|stats| {
                let (hits, misses) = counters(stats);
                *(if is_hit { hits } else { misses }) += 1;
            });
        };
        // Most lookups end here, without waiting for others of the key.
        if let Some(value) = self.fresh(key).await {
            count(true);
            return Ok(Cached { value, stale_because: None });
        }
        let started_generation = self.generation.load(Ordering::Relaxed);
        let (mut is_hit, mut stale_because) = (true, None);
        let answer = loop {
            let compute = async |current: Option<moka::Entry<K, CacheEntry<V>>>| {
                let current = current.map(moka::Entry::into_value);
                // A value that was fetched while this caller waited is used, however short its TTL.
                if current.as_ref().is_some_and(|entry| entry.generation >= started_generation || self.is_fresh(entry))
                {
                    return Ok(Op::Nop);
                }
                is_hit = false;
                // The time before the call: the value cannot be newer than that.
                let fetched_at = (self.clock)();
                match fetch().await {
                    Ok((value, ttl)) => Ok(Op::Put(self.entry(value, fetched_at, ttl))),
                    Err(error) => {
                        let is_allowed = |entry: CacheEntry<V>| {
                            let age = (self.clock)().duration_since(entry.fetched_at);
                            age.is_ok_and(|age| allow_stale(&entry.value, age, &error))
                        };
                        if !current.is_some_and(is_allowed) {
                            return Err(error);
                        }
                        stale_because = Some(error);
                        Ok(Op::Nop)
                    }
                }
            };
            match self.entries.entry_by_ref(key).and_try_compute_with(compute).await {
                Ok(CompResult::Inserted(entry) | CompResult::ReplacedWith(entry) | CompResult::Unchanged(entry)) => {
                    break Ok(entry.into_value().value);
                }
                Ok(CompResult::StillNone(_) | CompResult::Removed(_)) => {}
                Err(error) => break Err(error),
            }
        };
        count(is_hit);
        answer.map(|value| Cached { value, stale_because })
    }

    /// Returns the cached value of `key` if it has not expired.
    pub async fn fresh(&self, key: &K) -> Option<V> {
        self.entries.get(key).await.filter(|entry| self.is_fresh(entry)).map(|entry| entry.value)
    }

    /// Caches a value for `ttl`.
    pub async fn put(&self, key: K, value: V, ttl: Duration) {
        self.entries.insert(key, self.entry(value, (self.clock)(), ttl)).await;
    }

    /// Returns the cached value of `key`, expired or not.
    pub async fn peek(&self, key: &K) -> Option<V> {
        self.entries.get(key).await.map(|entry| entry.value)
    }

    fn entry(&self, value: V, fetched_at: SystemTime, ttl: Duration) -> CacheEntry<V> {
        CacheEntry { value, fetched_at, ttl, generation: self.generation.fetch_add(1, Ordering::Relaxed) }
    }

    /// An entry from the future is not fresh: the clock was set back, so its age is unknown.
    fn is_fresh(&self, entry: &CacheEntry<V>) -> bool {
        (self.clock)().duration_since(entry.fetched_at).is_ok_and(|age| age < entry.ttl)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    const COUNTERS: CacheCounters = |stats| (&mut stats.tag_cache_hits, &mut stats.tag_cache_misses);

    /// Returns a cache, and its clock in seconds since 1970.
    fn cache() -> (Cache<u8, usize>, Arc<AtomicU64>) {
        let seconds = Arc::new(AtomicU64::new(1_000_000));
        let clock_seconds = Arc::clone(&seconds);
        let clock: Clock =
            Arc::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock_seconds.load(Ordering::Relaxed)));
        (Cache::new(16, clock), seconds)
    }

    /// Returns the number of calls so far, with a TTL of `ttl` seconds.
    async fn fetch(calls: &AtomicUsize, ttl: u64) -> Result<(usize, Duration), String> {
        tokio::task::yield_now().await;
        Ok((calls.fetch_add(1, Ordering::Relaxed) + 1, Duration::from_secs(ttl)))
    }

    async fn get(cache: &Cache<u8, usize>, calls: &AtomicUsize, ttl: u64) -> Result<usize, String> {
        cache.get_or_fetch(&1, COUNTERS, || fetch(calls, ttl), |_, _, _| false).await.map(|cached| cached.value)
    }

    async fn denied() -> Result<(usize, Duration), String> {
        Err("denied".to_owned())
    }

    #[tokio::test]
    async fn entries_expire_by_the_wall_clock() {
        let (cache, seconds) = cache();
        let calls = AtomicUsize::new(0);
        for (passed, expected) in [(0, 1), (299, 1), (1, 2), (299, 2), (100_000, 3)] {
            seconds.fetch_add(passed, Ordering::Relaxed);
            assert_eq!(get(&cache, &calls, 300).await, Ok(expected), "after {passed} s more");
        }
    }

    #[tokio::test]
    async fn a_zero_ttl_is_fetched_each_time() {
        let (cache, _) = cache();
        let calls = AtomicUsize::new(0);
        assert_eq!(get(&cache, &calls, 0).await, Ok(1));
        assert_eq!(get(&cache, &calls, 0).await, Ok(2));
    }

    #[tokio::test]
    async fn a_clock_set_back_expires_entries() {
        let (cache, seconds) = cache();
        let calls = AtomicUsize::new(0);
        assert_eq!(get(&cache, &calls, 300).await, Ok(1));
        seconds.fetch_sub(5000, Ordering::Relaxed);
        assert_eq!(get(&cache, &calls, 300).await, Ok(2));
    }

    #[tokio::test]
    async fn concurrent_misses_make_one_call() {
        let (cache, seconds) = cache();
        let calls = AtomicUsize::new(0);
        for (round, passed) in [(1, 0), (2, 301)] {
            seconds.fetch_add(passed, Ordering::Relaxed);
            let all = futures_util::future::join_all((0..20).map(|_| get(&cache, &calls, 300))).await;
            assert_eq!(all, vec![Ok(round); 20]);
        }
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn errors_are_not_cached() {
        let (cache, _) = cache();
        let calls = AtomicUsize::new(0);
        assert_eq!(cache.get_or_fetch(&1, COUNTERS, denied, |_, _, _| true).await, Err("denied".to_owned()));
        assert_eq!(get(&cache, &calls, 300).await, Ok(1));
    }

    #[tokio::test]
    async fn a_stale_value_is_used_on_error_while_allowed() {
        let (cache, seconds) = cache();
        let calls = AtomicUsize::new(0);
        assert_eq!(get(&cache, &calls, 300).await, Ok(1));
        let allow_stale = |value: &usize, age: Duration, error: &String| {
            assert_eq!((*value, error.as_str()), (1, "denied"));
            age < Duration::from_secs(1000)
        };
        for (passed, expected) in [
            (299, Ok(Cached { value: 1, stale_because: None })),
            (1, Ok(Cached { value: 1, stale_because: Some("denied".to_owned()) })),
            (699, Ok(Cached { value: 1, stale_because: Some("denied".to_owned()) })),
            (1, Err("denied".to_owned())),
        ] {
            seconds.fetch_add(passed, Ordering::Relaxed);
            assert_eq!(cache.get_or_fetch(&1, COUNTERS, denied, allow_stale).await, expected, "after {passed} s more");
        }
        assert_eq!(get(&cache, &calls, 300).await, Ok(2), "and is fetched as soon as it can be");
        // After the clock was set back the entry's age is unknown.
        seconds.fetch_sub(5000, Ordering::Relaxed);
        assert_eq!(cache.get_or_fetch(&1, COUNTERS, denied, allow_stale).await, Err("denied".to_owned()));
    }

    #[tokio::test]
    async fn the_number_of_entries_is_bounded() {
        let (cache, _) = cache();
        let calls = AtomicUsize::new(0);
        for key in 0..=255 {
            assert!(cache.get_or_fetch(&key, COUNTERS, || fetch(&calls, 300), |_, _, _| false).await.is_ok());
        }
        cache.entries.run_pending_tasks().await;
        assert!(cache.entries.entry_count() <= 16);
    }
}

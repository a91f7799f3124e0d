//! Remembering answers for a while, by the wall clock.
//!
//! moka bounds the memory and lets concurrent misses of one key share a call. The age is judged here and not by moka:
//! it counts by the monotonic clock, which may stand still while Lambda freezes the sandbox, so an answer could outlive
//! its time by hours.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use moka::future::Cache;
use moka::ops::compute::Op;

/// Tells the time. A parameter, so that tests can turn it.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Answers by key, each for a life of its own. Errors are not remembered.
pub struct TtlCache<K, V> {
    entries: Cache<K, Entry<V>>,
    clock: Clock,
    generation: AtomicU64,
}

#[derive(Clone)]
struct Entry<V> {
    value: V,
    fetched_at: SystemTime,
    life: Duration,
    generation: u64,
}

impl<K, V> TtlCache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A cache of at most about `capacity` answers.
    pub fn new(capacity: u64, clock: Clock) -> Self {
        Self { entries: Cache::new(capacity), clock, generation: AtomicU64::new(0) }
    }

    /// The remembered answer for `key`, or that of `fetch`, which also tells how long it may be remembered. While one
    /// caller fetches, others that ask for the same key wait for it.
    ///
    /// # Errors
    /// That of `fetch`, shared by all who waited for it.
    pub async fn get<E, F>(&self, key: &K, fetch: impl Fn() -> F) -> Result<V, Arc<E>>
    where
        F: Future<Output = Result<(V, Duration), E>>,
        E: Send + Sync + 'static,
    {
        let asked_at = self.generation.load(Ordering::Relaxed);
        let entry = self.get_or_fetch(key, &fetch).await?;
        // What was fetched while this caller waited serves it, however short its life.
        if entry.generation >= asked_at || self.is_fresh(&entry) {
            return Ok(entry.value);
        }
        // Forget this very entry, not one that somebody else has fetched in the meantime.
        let too_old = entry.generation;
        self.entries
            .entry_by_ref(key)
            .and_compute_with(|current| {
                let remove = current.is_some_and(|it| it.value().generation == too_old);
                std::future::ready(if remove { Op::Remove } else { Op::Nop })
            })
            .await;
        Ok(self.get_or_fetch(key, &fetch).await?.value)
    }

    async fn get_or_fetch<E, F>(&self, key: &K, fetch: &impl Fn() -> F) -> Result<Entry<V>, Arc<E>>
    where
        F: Future<Output = Result<(V, Duration), E>>,
        E: Send + Sync + 'static,
    {
        let miss = async {
            // Dated before the call: the answer cannot be newer than that.
            let fetched_at = (self.clock)();
            let (value, life) = fetch().await?;
            let generation = self.generation.fetch_add(1, Ordering::Relaxed);
            Ok(Entry { value, fetched_at, life, generation })
        };
        self.entries.try_get_with_by_ref(key, miss).await
    }

    /// An entry from the future is not fresh: the clock was set back, so its age is unknown.
    fn is_fresh(&self, entry: &Entry<V>) -> bool {
        (self.clock)().duration_since(entry.fetched_at).is_ok_and(|age| age < entry.life)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// A cache whose clock stands where `seconds` says.
    fn cache() -> (TtlCache<u8, usize>, Arc<AtomicU64>) {
        let seconds = Arc::new(AtomicU64::new(1_000_000));
        let reading = Arc::clone(&seconds);
        let clock: Clock =
            Arc::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(reading.load(Ordering::Relaxed)));
        (TtlCache::new(16, clock), seconds)
    }

    /// Answers with how often it was called, for a life of `life` seconds.
    async fn fetch(calls: &AtomicUsize, life: u64) -> Result<(usize, Duration), String> {
        tokio::task::yield_now().await;
        Ok((calls.fetch_add(1, Ordering::Relaxed) + 1, Duration::from_secs(life)))
    }

    #[tokio::test]
    async fn an_answer_lives_as_long_as_it_says_by_the_wall_clock() {
        let (cache, seconds) = cache();
        let calls = AtomicUsize::new(0);
        for (passed, expected) in [(0, 1), (299, 1), (1, 2), (299, 2), (100_000, 3)] {
            seconds.fetch_add(passed, Ordering::Relaxed);
            assert_eq!(cache.get(&1, || fetch(&calls, 300)).await, Ok(expected), "after {passed} s more");
        }
    }

    #[tokio::test]
    async fn an_answer_without_a_life_is_fetched_each_time_and_serves() {
        let (cache, _) = cache();
        let calls = AtomicUsize::new(0);
        assert_eq!(cache.get(&1, || fetch(&calls, 0)).await, Ok(1));
        assert_eq!(cache.get(&1, || fetch(&calls, 0)).await, Ok(2));
    }

    #[tokio::test]
    async fn a_clock_set_back_makes_answers_old() {
        let (cache, seconds) = cache();
        let calls = AtomicUsize::new(0);
        assert_eq!(cache.get(&1, || fetch(&calls, 300)).await, Ok(1));
        seconds.fetch_sub(5000, Ordering::Relaxed);
        assert_eq!(cache.get(&1, || fetch(&calls, 300)).await, Ok(2));
    }

    #[tokio::test]
    async fn concurrent_misses_make_one_call() {
        let (cache, seconds) = cache();
        let calls = AtomicUsize::new(0);
        for (round, passed) in [(1, 0), (2, 301)] {
            seconds.fetch_add(passed, Ordering::Relaxed);
            let all = futures_util::future::join_all((0..20).map(|_| cache.get(&1, || fetch(&calls, 300)))).await;
            assert_eq!(all, vec![Ok(round); 20]);
        }
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn errors_are_not_remembered() {
        let (cache, _) = cache();
        let calls = AtomicUsize::new(0);
        let failed = cache.get(&1, || async { Err::<(usize, Duration), _>("denied".to_owned()) }).await;
        assert_eq!(failed, Err(Arc::new("denied".to_owned())));
        assert_eq!(cache.get(&1, || fetch(&calls, 300)).await, Ok(1));
    }

    #[tokio::test]
    async fn the_number_of_answers_is_bounded() {
        let (cache, _) = cache();
        let calls = AtomicUsize::new(0);
        for key in 0..=255 {
            assert!(cache.get(&key, || fetch(&calls, 300)).await.is_ok());
        }
        cache.entries.run_pending_tasks().await;
        assert!(cache.entries.entry_count() <= 16);
    }
}

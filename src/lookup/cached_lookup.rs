//! A cached AWS call: with a TTL, with a few attempts before a deadline, and with stale values if AWS returns a
//! transient error.

use std::cell::Cell;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::backoff::delay;
use super::{Cache, CacheTtl, Cached, Clock, Stats, stats};
use crate::aws::CallError;

/// The most attempts of one lookup, the first included.
const ATTEMPTS: u32 = 4;
/// The delay between two attempts is the one for `CreateInvalidation`, divided by this. The limits of other operations
/// are higher, so their errors pass sooner.
const DELAY_DIVISOR: u32 = 10;

/// The longest time for one attempt, including connecting and reading. S3 and CloudFront usually answer these calls
/// well within a second.
const MAX_ATTEMPT_TIME: Duration = Duration::from_secs(3);
/// The shortest time for one attempt, unless the deadline comes first.
const MIN_ATTEMPT_TIME: Duration = Duration::from_secs(1);
/// An attempt may take the remaining time divided by this, within these bounds: one that hangs must leave time for
/// another.
const ATTEMPT_DIVISOR: u32 = 2;

/// An error that a lookup can end with.
pub trait LookupError: From<CallError> + Send + Sync + 'static {
    /// Returns whether the same lookup may succeed a little later.
    fn is_transient(&self) -> bool;
}

impl LookupError for CallError {
    fn is_transient(&self) -> bool {
        self.class.is_transient()
    }
}

/// An AWS operation that looks something up, and its counters.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// AWS's name of the operation.
    pub name: &'static str,
    /// Counts a lookup that made no call: its value was cached, or a concurrent lookup fetched it.
    pub hit: fn(&mut Stats),
    /// Counts a lookup that fetched the value itself, however many calls it took.
    pub miss: fn(&mut Stats),
}

/// The cached results of one operation.
pub struct CachedLookup<K, V> {
    operation: Operation,
    cache: Cache<K, V>,
    max_stale_age: Duration,
    backoff: Duration,
}

impl<K, V> CachedLookup<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A cache of at most about `capacity` results of `operation`. `backoff` is the longest delay before the first
    /// retry of `CreateInvalidation`, which is divided by `DELAY_DIVISOR` here.
    pub fn new(operation: Operation, capacity: u64, ttl: CacheTtl, backoff: Duration, clock: Clock) -> Self {
        Self { operation, cache: Cache::new(capacity, clock), max_stale_age: ttl.max_stale_age, backoff }
    }

    /// Returns the cached value of `key`, or that of `fetch`, which also returns its TTL. Transient errors are retried,
    /// and `fetch` is not called after `deadline`. If none of the attempts succeeds and the last error is transient, a
    /// stale value is returned if it is not too old ([`CacheTtl::max_stale_age`]) and `allow_stale` accepts it; the
    /// error is then in [`Cached::stale_because`].
    ///
    /// # Errors
    /// The last error of `fetch`, or a timeout.
    pub async fn get<E, F>(
        &self,
        key: &K,
        deadline: Instant,
        fetch: impl Fn() -> F,
        allow_stale: impl Fn(&V) -> bool,
    ) -> Result<Cached<V, E>, E>
    where
        E: LookupError,
        F: Future<Output = Result<(V, Duration), E>>,
    {
        let is_allowed = |value: &V, age: Duration, error: &E| {
            error.is_transient() && allow_stale(value) && age <= self.max_stale_age
        };
        let missed = Cell::new(false);
        let refresh = || {
            missed.set(true);
            self.fetch_with_retries(deadline, &fetch)
        };
        let answer = self.cache.get(key, refresh, is_allowed).await;
        stats::count(if missed.get() { self.operation.miss } else { self.operation.hit });
        answer
    }

    /// Returns the cached value of `key`, expired or not.
    pub async fn peek(&self, key: &K) -> Option<V> {
        self.cache.peek(key).await
    }

    async fn fetch_with_retries<E, F>(&self, deadline: Instant, fetch: &impl Fn() -> F) -> Result<(V, Duration), E>
    where
        E: LookupError,
        F: Future<Output = Result<(V, Duration), E>>,
    {
        let mut failures = 0;
        let timed_out = || Err(CallError::timed_out(self.operation.name).into());
        loop {
            let now = Instant::now();
            // A lookup may get its permit only after the deadline. Even a call that is given up at once would cost the
            // time to build and sign the request.
            if now >= deadline {
                return timed_out();
            }
            let share = (deadline - now) / ATTEMPT_DIVISOR;
            let end = deadline.min(now + share.clamp(MIN_ATTEMPT_TIME, MAX_ATTEMPT_TIME));
            let answer = timeout_at(end, fetch()).await.unwrap_or_else(|_| timed_out());
            let delay = delay(self.backoff / DELAY_DIVISOR, failures);
            failures += 1;
            match answer {
                Err(error) if error.is_transient() && failures < ATTEMPTS && Instant::now() + delay < deadline => {
                    sleep(delay).await;
                    stats::count(|stats| stats.retries += 1);
                }
                answer => return answer,
            }
        }
    }
}

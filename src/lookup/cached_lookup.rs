//! Looking things up at AWS: remembered for a while, asked again where that may help, and old rather than not at all.

use std::cell::Cell;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::backoff::delay;
use super::{Cache, Cached, Clock, Stats, stats};
use crate::aws::CallError;

/// How often something is asked for that does not come as it should, and what part of the pause that suits
/// `CreateInvalidation` is made. Other calls are not as scarce, so what fails there passes soon.
const ATTEMPTS: u32 = 4;
const DELAY_SHARE: u32 = 10;

/// How long one attempt may take, connecting and reading included: at most so long, and this part of the time that is left
/// unless that is next to nothing. One that hangs must leave time for another; S3 and CloudFront answer such a question in
/// a tenth of a second.
const MAX_ATTEMPT_TIME: Duration = Duration::from_secs(3);
const MIN_ATTEMPT_TIME: Duration = Duration::from_secs(1);
const ATTEMPT_SHARE: u32 = 2;

/// How long answers are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheTtl {
    /// That of a bucket with the tag, and of a distribution's settings.
    pub positive: Duration,
    /// That of a bucket without it.
    pub negative: Duration,
    /// How old an answer may be that serves while AWS cannot be asked.
    pub stale: Duration,
}

/// Why something could not be looked up.
pub trait LookupError: From<CallError> + Send + Sync + 'static {
    /// Whether it may work a little later.
    fn is_transient(&self) -> bool;
}

impl LookupError for CallError {
    fn is_transient(&self) -> bool {
        self.class.is_transient()
    }
}

/// An operation that looks something up.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// AWS's name of it.
    pub name: &'static str,
    /// Counts an answer that was remembered.
    pub hit: fn(&mut Stats),
    /// Counts one that had to be asked for.
    pub miss: fn(&mut Stats),
}

/// Answers of one operation, by what was asked about.
pub struct CachedLookup<K, V> {
    operation: Operation,
    cache: Cache<K, V>,
    stale: Duration,
    backoff: Duration,
}

impl<K, V> CachedLookup<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// At most about `capacity` answers of `operation`. `backoff` is the longest pause before a second attempt at
    /// `CreateInvalidation`.
    pub fn new(operation: Operation, capacity: u64, ttl: CacheTtl, backoff: Duration, clock: Clock) -> Self {
        Self { operation, cache: Cache::new(capacity, clock), stale: ttl.stale, backoff }
    }

    /// The answer for `key`, remembered or that of `fetch`, which also tells how long it may be remembered. It is called
    /// again where that may help, and not at all after `deadline`. Where there is no answer by then an old one serves, if `allow_stale`
    /// agrees; the error comes with it.
    ///
    /// # Errors
    /// The last one of `fetch`.
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
        let is_allowed =
            |value: &V, age: Duration, error: &E| error.is_transient() && allow_stale(value) && age <= self.stale;
        let missed = Cell::new(false);
        let refresh = || {
            missed.set(true);
            self.attempts(deadline, &fetch)
        };
        let answer = self.cache.get(key, refresh, is_allowed).await;
        stats::count(if missed.get() { self.operation.miss } else { self.operation.hit });
        answer
    }

    /// The last answer for `key`, however old, if it is remembered.
    pub async fn peek(&self, key: &K) -> Option<V> {
        self.cache.peek(key).await
    }

    async fn attempts<E, F>(&self, deadline: Instant, fetch: &impl Fn() -> F) -> Result<(V, Duration), E>
    where
        E: LookupError,
        F: Future<Output = Result<(V, Duration), E>>,
    {
        let mut failures = 0;
        let timed_out = || Err(CallError::timed_out(self.operation.name).into());
        loop {
            let now = Instant::now();
            // Of very many calls most may have to wait until it is too late, and even a call that is given up at once
            // costs its making and signing.
            if now >= deadline {
                return timed_out();
            }
            let share = (deadline - now) / ATTEMPT_SHARE;
            let end = deadline.min(now + share.clamp(MIN_ATTEMPT_TIME, MAX_ATTEMPT_TIME));
            let answer = timeout_at(end, fetch()).await.unwrap_or_else(|_| timed_out());
            let delay = delay(self.backoff / DELAY_SHARE, failures);
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

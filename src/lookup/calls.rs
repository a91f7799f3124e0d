//! Calls to AWS: how long they may take, when they are retried, how many are in flight, and how they are counted.
//!
//! Lookups and `CreateInvalidation` hold a permit. A call that has been in flight for long no longer does, unless there
//! are very many such calls: waiting for it costs next to nothing, while the calls behind it may be answered at once.
//!
//! The counters are local to the task: the code that counts needs no handle passed through every layer, and two
//! invocations in one process cannot mix their counts. Outside [`collect`] nothing is counted.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::aws::CallError;

/// The limits of the calls of one kind. The values are in `handler::deadline`. The most attempts do not apply to
/// `CreateInvalidation`, and the holds only to calls that take a permit: lookups and `CreateInvalidation`.
#[derive(Clone, Copy, Debug)]
pub struct CallLimits {
    /// The most attempts, the first included.
    pub attempts: u32,
    /// The longest delay before the second attempt; it doubles with each further one.
    pub first_delay: Duration,
    /// The longest delay between two attempts, unless the first delay is set to more.
    pub max_delay: Duration,
    /// An attempt may take the remaining time divided by this, within the next two bounds: one that hangs must leave
    /// time for another.
    pub attempt_divisor: u32,
    /// The shortest time for one attempt, unless the deadline comes first.
    pub min_attempt_time: Duration,
    /// The longest time for one attempt, including connecting and reading.
    pub max_attempt_time: Duration,
    /// The longest time for which a call holds a permit ([`hold`]).
    pub max_hold: Duration,
    /// A call holds a permit for at most the time that there is for all calls, divided by this.
    pub hold_divisor: u32,
}

impl CallLimits {
    /// Returns a random delay between zero and an upper bound. The bound is the first delay, doubled for each failure
    /// so far and capped ("full jitter": calls that failed together are not retried together). Source: AWS Architecture
    /// Blog, "Exponential Backoff And Jitter".
    #[must_use]
    pub fn delay(&self, failures: u32) -> Duration {
        let most = self.max_delay.max(self.first_delay);
        self.first_delay.saturating_mul(1 << failures.min(16)).min(most).mul_f64(fastrand::f64())
    }

    /// Returns when an attempt that starts `now` is given up, for a call that must end by `deadline`.
    #[must_use]
    pub fn attempt_end(&self, now: Instant, deadline: Instant) -> Instant {
        let share = deadline.saturating_duration_since(now) / self.attempt_divisor;
        deadline.min(now + share.min(self.max_attempt_time).max(self.min_attempt_time))
    }

    /// Returns for how long each of the calls that start from `now` on and end by `deadline` holds its permit.
    #[must_use]
    pub fn hold(&self, now: Instant, deadline: Instant) -> Duration {
        self.max_hold.min(deadline.saturating_duration_since(now) / self.hold_divisor)
    }
}

/// Makes a call until it succeeds or fails permanently, within the limits. It is not made after `deadline`. `operation`
/// is AWS's name of the call.
///
/// # Errors
/// The last error, or a timeout.
pub async fn retry<T>(
    operation: &str,
    limits: &CallLimits,
    deadline: Instant,
    call: impl AsyncFn() -> Result<T, CallError>,
) -> Result<T, CallError> {
    retry_while(operation, limits, deadline, || true, call).await
}

/// Makes a call as [`retry`] does, but retries it only while `may_retry`, which is asked before each retry.
///
/// # Errors
/// The last error, or a timeout.
pub async fn retry_while<T>(
    operation: &str,
    limits: &CallLimits,
    deadline: Instant,
    may_retry: impl Fn() -> bool,
    call: impl AsyncFn() -> Result<T, CallError>,
) -> Result<T, CallError> {
    let mut failures = 0;
    loop {
        let now = Instant::now();
        // A lookup may get its permit only after the deadline. Even a call that is given up at once would cost the
        // time to build and sign the request.
        if now >= deadline {
            return Err(CallError::timed_out(operation));
        }
        let answer = timeout_at(limits.attempt_end(now, deadline), call()).await;
        let delay = limits.delay(failures);
        failures += 1;
        match answer.unwrap_or_else(|_| Err(CallError::timed_out(operation))) {
            Err(error)
                if error.class.is_transient()
                    && failures < limits.attempts
                    && Instant::now() + delay < deadline
                    && may_retry() =>
            {
                sleep(delay).await;
                count(|stats| stats.retries += 1);
            }
            answer => return answer,
        }
    }
}

/// The most calls in flight, as a multiple of the permits. Each call holds a connection, and a Lambda process has at
/// most 1,024 file descriptors (Lambda quotas).
pub const MAX_CALLS_PER_PERMIT: usize = 4;

/// Makes a call for each of the items, with at most `count` permits, and collects the outputs in the order in which the
/// calls end. Calls are not cancelled after `max_hold`, when they lose their permit: each must observe its deadline by
/// itself.
pub async fn run<T, O, R: Default + Extend<O>>(
    mut items: Vec<T>,
    count: usize,
    max_hold: Duration,
    call: impl AsyncFn(T) -> O,
) -> R {
    // If there is not enough time for all, it should not always be the same ones that fail.
    fastrand::shuffle(&mut items);
    let permits = Semaphore::new(count);
    let with_permit = |item| async { hold(permits.acquire().await, max_hold, call(item)).await };
    stream::iter(items).map(with_permit).buffer_unordered(count * MAX_CALLS_PER_PERMIT).collect().await
}

/// Returns the output of a call. Its `permit` is dropped with its end, or once it has been in flight for `max_hold`.
pub async fn hold<P, C: Future>(permit: P, max_hold: Duration, call: C) -> C::Output {
    let mut call = pin!(call);
    let ended = timeout(max_hold, &mut call).await;
    drop(permit);
    match ended {
        Ok(output) => output,
        Err(_) => call.await,
    }
}

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
    /// Lookups of a distribution config, distribution tenant or cache policy that were answered from the cache.
    pub config_cache_hits: u64,
    /// Lookups of a distribution config, distribution tenant or cache policy that called CloudFront.
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

    const LIMITS: CallLimits = CallLimits {
        attempts: 4,
        first_delay: Duration::from_secs(2),
        max_delay: Duration::from_secs(20),
        attempt_divisor: 2,
        min_attempt_time: Duration::from_secs(1),
        max_attempt_time: Duration::from_secs(5),
        max_hold: Duration::from_secs(1),
        hold_divisor: 4,
    };

    #[test]
    fn delays_have_full_jitter_below_a_doubling_bound() {
        fastrand::seed(7);
        for (failures, longest) in [(0, 2), (1, 4), (3, 16), (4, 20), (1000, 20)] {
            let delays: Vec<_> = (0..200).map(|_| LIMITS.delay(failures)).collect();
            let longest = Duration::from_secs(longest);
            assert!(delays.iter().all(|it| *it <= longest));
            assert!(delays.iter().any(|it| *it > longest.mul_f64(0.9)) && delays.iter().any(|it| *it < longest / 10));
        }
        let longer = CallLimits { first_delay: Duration::from_mins(1), ..LIMITS };
        assert!(longer.delay(5) <= Duration::from_mins(1));
    }

    #[test]
    fn an_attempt_that_hangs_leaves_time_for_another() {
        let now = Instant::now();
        for (left, attempt) in [(60.0, 5.0), (10.0, 5.0), (6.0, 3.0), (1.5, 1.0), (0.5, 0.5)] {
            let deadline = now + Duration::from_secs_f64(left);
            assert_eq!(LIMITS.attempt_end(now, deadline), now + Duration::from_secs_f64(attempt), "{left}");
        }
    }

    #[test]
    fn a_permit_is_held_for_a_share_of_the_time() {
        let now = Instant::now();
        for (left, hold) in [(60_000, 1000), (800, 200)] {
            let deadline = now + Duration::from_millis(left);
            assert_eq!(LIMITS.hold(now, deadline), Duration::from_millis(hold));
        }
    }
}

#[cfg(test)]
mod concurrency_tests {
    use std::cell::{Cell, RefCell};

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test]
    async fn a_call_that_hangs_gives_up_its_permit() {
        let (start, max_hold) = (Instant::now(), Duration::from_millis(100));
        let starts = RefCell::new(Vec::new());
        let call = async |_| {
            starts.borrow_mut().push(start.elapsed());
            // The second call ends before it loses its permit.
            let is_second = starts.borrow().len() == 2;
            sleep(if is_second { max_hold / 4 } else { Duration::from_mins(1) }).await;
        };
        let calls = run::<_, _, Vec<_>>((0..20).collect(), 2, max_hold, call);
        assert!(timeout(max_hold * 20, calls).await.is_err());
        let starts = starts.take();
        let quarters: Vec<_> = starts.iter().map(|start| start.as_millis() / (max_hold.as_millis() / 4)).collect();
        assert_eq!(quarters.len(), 1 + 2 * MAX_CALLS_PER_PERMIT, "each of them costs a connection: {quarters:?}");
        for (quarter, earliest) in quarters.iter().zip([0, 0, 1, 4, 5, 8, 9, 12, 13]) {
            assert!(*quarter >= earliest, "{quarters:?}");
        }
    }

    #[tokio::test]
    async fn at_most_count_calls_run_and_all_finish() {
        let (running, most_running) = (Cell::new(0), Cell::new(0));
        let call = async |number| {
            running.set(running.get() + 1);
            most_running.set(running.get().max(most_running.get()));
            sleep(Duration::from_millis(5)).await;
            running.set(running.get() - 1);
            number
        };
        let mut outputs: Vec<_> = run((0..20).collect(), 4, Duration::from_secs(1), call).await;
        outputs.sort_unstable();
        assert_eq!(outputs, (0..20).collect::<Vec<_>>());
        assert_eq!(most_running.get(), 4);
    }

    #[tokio::test]
    async fn hanging_calls_delay_no_others() {
        let answered = Cell::new(0);
        let call = async |number| {
            sleep(if number < 8 { Duration::from_mins(1) } else { Duration::ZERO }).await;
            answered.set(answered.get() + 1);
        };
        let deadline = Instant::now() + Duration::from_millis(100);
        let calls = run::<_, _, Vec<_>>((0..12).collect(), 4, Duration::from_millis(25), call);
        let ended = timeout_at(deadline, calls).await;
        assert!(ended.is_err());
        assert_eq!(answered.get(), 4);
    }
}

#[cfg(test)]
mod stats_tests {
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

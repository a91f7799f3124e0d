//! Retries of one call to AWS.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::stats;
use crate::aws::CallError;

/// The longest delay between two attempts, unless the first delay is set to more.
const MAX_DELAY: Duration = Duration::from_secs(20);

/// The limits of the attempts of one call.
#[derive(Clone, Copy, Debug)]
pub struct RetryLimits {
    /// The most attempts, the first included.
    pub attempts: u32,
    /// The longest delay before the second attempt; it doubles with each further one ([`delay`]).
    pub first_delay: Duration,
    /// An attempt may take the remaining time divided by this, within the next two bounds: one that hangs must leave
    /// time for another.
    pub attempt_divisor: u32,
    /// The shortest time for one attempt, unless the deadline comes first.
    pub min_attempt_time: Duration,
    /// The longest time for one attempt, including connecting and reading.
    pub max_attempt_time: Duration,
}

/// Makes a call until it succeeds or fails permanently, within the limits. It is not made after `deadline`. `operation`
/// is AWS's name of the call.
///
/// # Errors
/// The last error, or a timeout.
pub async fn retry<T>(
    operation: &str,
    limits: &RetryLimits,
    deadline: Instant,
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
        let share = (deadline - now) / limits.attempt_divisor;
        let attempt_time = share.min(limits.max_attempt_time).max(limits.min_attempt_time);
        let answer = timeout_at(deadline.min(now + attempt_time), call()).await;
        let delay = delay(limits.first_delay, failures);
        failures += 1;
        match answer.unwrap_or_else(|_| Err(CallError::timed_out(operation))) {
            Err(error)
                if error.class.is_transient() && failures < limits.attempts && Instant::now() + delay < deadline =>
            {
                sleep(delay).await;
                stats::count(|stats| stats.retries += 1);
            }
            answer => return answer,
        }
    }
}

/// Returns a random delay between zero and an upper bound. The bound is `first`, doubled for each failure so far and
/// capped ("full jitter": calls that failed together are not retried together). Source: AWS Architecture Blog,
/// "Exponential Backoff And Jitter".
#[must_use]
pub fn delay(first: Duration, failures: u32) -> Duration {
    let longest = first.saturating_mul(1 << failures.min(16)).min(MAX_DELAY.max(first));
    longest.mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_have_full_jitter_below_a_doubling_bound() {
        fastrand::seed(7);
        let first = Duration::from_secs(2);
        for (failures, longest) in [(0, 2), (1, 4), (3, 16), (4, 20), (1000, 20)] {
            let delays: Vec<_> = (0..200).map(|_| delay(first, failures)).collect();
            let longest = Duration::from_secs(longest);
            assert!(delays.iter().all(|it| *it <= longest));
            assert!(delays.iter().any(|it| *it > longest.mul_f64(0.9)) && delays.iter().any(|it| *it < longest / 10));
        }
        assert!(delay(Duration::from_mins(1), 5) <= Duration::from_mins(1));
    }
}

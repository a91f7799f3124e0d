//! How long calls may take, and when they are retried.

use std::time::Duration;

use tokio::time::Instant;

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
    /// The longest time for which a call holds a permit ([`concurrency`](super::concurrency)).
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

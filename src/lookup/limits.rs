//! The time limits of lookups.

use std::time::Duration;

use tokio::time::Instant;

use super::retry::RetryLimits;

/// The time limits of lookups.
#[derive(Clone, Copy, Debug)]
pub struct LookupLimits {
    /// The limits of the attempts of one lookup.
    pub retry: RetryLimits,
    /// The longest time for which a lookup holds a permit ([`concurrency`](super::concurrency)).
    pub max_hold: Duration,
    /// A lookup holds a permit for at most the time that there is for all lookups, divided by this.
    pub hold_divisor: u32,
}

impl LookupLimits {
    /// Returns the limits. `backoff` is the longest delay before the first retry of `CreateInvalidation`.
    #[must_use]
    pub fn new(backoff: Duration) -> Self {
        let retry = RetryLimits {
            attempts: 4,
            // The limits of these operations are higher than that of `CreateInvalidation`, so their errors pass sooner.
            first_delay: backoff / 10,
            attempt_divisor: 2,
            min_attempt_time: Duration::from_secs(1),
            // S3 and CloudFront usually answer these calls well within a second.
            max_attempt_time: Duration::from_secs(3),
        };
        Self { retry, max_hold: Duration::from_secs(1), hold_divisor: 4 }
    }

    /// Returns for how long each of the lookups that end by `deadline` holds its permit.
    pub(super) fn hold(&self, deadline: Instant) -> Duration {
        self.max_hold.min(deadline.saturating_duration_since(Instant::now()) / self.hold_divisor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_is_held_for_a_share_of_the_time() {
        let limits = LookupLimits::new(Duration::from_secs(2));
        let hold = |milliseconds| limits.hold(Instant::now() + Duration::from_millis(milliseconds));
        assert_eq!(hold(60_000), Duration::from_secs(1));
        assert!(hold(800) <= Duration::from_millis(200) && hold(800) > Duration::from_millis(100));
    }
}

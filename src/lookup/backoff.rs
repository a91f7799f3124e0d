//! Backoff between attempts.

use std::time::Duration;

/// The longest delay between two attempts, unless the first delay is set to more.
const MAX_DELAY: Duration = Duration::from_secs(20);

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

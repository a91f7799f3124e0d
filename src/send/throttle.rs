//! Decides when the next request may start.
//!
//! `CreateInvalidation` is throttled for the whole account, and a throttled response does not say when to retry. Until
//! the first one, requests are not delayed. From then on they start one at a time, spaced by the backoff, whether or
//! not the one before has been answered.

use tokio::time::Instant;

use crate::lookup::CallLimits;

/// The deadlines of sending.
#[derive(Clone, Copy)]
pub struct SendDeadlines {
    /// The end of retries.
    pub retries: Instant,
    /// When the last retry starts at the latest.
    pub last_retry: Instant,
    /// The end of attempts. A request that starts later could be accepted and yet be reported as failed.
    pub attempts: Instant,
    /// The end of waiting for responses.
    pub answers: Instant,
}

impl SendDeadlines {
    /// Returns when a retry that is due at `due` starts: at that time, or as the last retry if that is earlier. `None`
    /// if it is too late for a retry.
    pub(super) fn retry_at(&self, due: Instant, now: Instant) -> Option<Instant> {
        (now < self.last_retry).then(|| due.min(self.last_retry))
    }
}

/// Limits the rate of requests once CloudFront has throttled one.
pub(super) struct Throttle {
    deadlines: SendDeadlines,
    calls: CallLimits,
    not_before: Instant,
    /// The number of consecutive throttled responses. Those to concurrent requests count as one.
    consecutive_throttles: u32,
    /// When the last of those that count arrived.
    throttled_at: Option<Instant>,
    /// When a request was last accepted.
    accepted_at: Option<Instant>,
}

impl Throttle {
    pub(super) fn new(deadlines: SendDeadlines, calls: CallLimits, now: Instant) -> Self {
        Self { deadlines, calls, not_before: now, consecutive_throttles: 0, throttled_at: None, accepted_at: None }
    }

    /// Returns when the next request may start, or `None` if there is no time for it. `not_before` is its own earliest
    /// start, and `was_sent` is whether it was sent before. A first attempt may start until the end of attempts; a
    /// retry, and any request once CloudFront has throttled, only until the end of retries.
    pub(super) fn next(&self, not_before: Instant, was_sent: bool, now: Instant) -> Option<Instant> {
        let start = not_before.max(self.not_before).max(now);
        let is_first = !was_sent && self.throttled_at.is_none();
        let latest = if is_first { self.deadlines.attempts } else { self.deadlines.retries };
        (start <= latest).then_some(start)
    }

    /// Records that a request starts.
    pub(super) fn begin(&mut self, now: Instant) {
        if self.throttled_at.is_some() {
            self.wait_until(now + self.calls.first_delay, now);
        }
    }

    /// Records that a request was throttled that started at `attempt_start`.
    pub(super) fn throttled(&mut self, attempt_start: Instant, now: Instant) {
        // Concurrent requests are throttled together, which says no more than a single throttled request.
        if self.throttled_at.is_some_and(|throttled_at| attempt_start <= throttled_at) {
            return;
        }
        let earliest = self.accepted_at.map_or(now, |accepted_at| accepted_at + self.calls.first_delay);
        self.wait_until(earliest.max(now + self.calls.delay(self.consecutive_throttles)), now);
        self.consecutive_throttles += 1;
        self.throttled_at = Some(now);
    }

    /// Records that a request was accepted that started at `attempt_start`.
    pub(super) fn accepted(&mut self, attempt_start: Instant, now: Instant) {
        self.accepted_at = Some(now);
        if let Some(throttled_at) = self.throttled_at {
            self.wait_until(self.not_before.max(now + self.calls.first_delay), now);
            if attempt_start > throttled_at {
                self.consecutive_throttles = 0;
            }
        }
    }

    fn wait_until(&mut self, due: Instant, now: Instant) {
        self.not_before = self.deadlines.retry_at(due, now).unwrap_or(due);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Duration;

    use super::*;

    const BACKOFF: Duration = Duration::from_secs(2);
    const LAST_RETRY_MARGIN: Duration = Duration::from_millis(50);
    const CALLS: CallLimits = CallLimits {
        attempts: u32::MAX,
        first_delay: BACKOFF,
        max_delay: Duration::from_secs(20),
        attempt_divisor: 2,
        min_attempt_time: Duration::from_secs(1),
        max_attempt_time: Duration::from_secs(5),
        max_hold: Duration::from_secs(1),
        hold_divisor: 4,
    };

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn deadlines(now: Instant) -> SendDeadlines {
        SendDeadlines {
            retries: now + seconds(10.0),
            last_retry: now + seconds(10.0) - LAST_RETRY_MARGIN,
            attempts: now + seconds(29.0),
            answers: now + seconds(30.0),
        }
    }

    #[test]
    fn a_throttled_burst_counts_once() {
        let now = Instant::now();
        let mut throttle = Throttle::new(deadlines(now), CALLS, now);
        for answered in 1..8 {
            throttle.throttled(now, now + seconds(0.01) * answered);
        }
        assert_eq!(throttle.consecutive_throttles, 1);
        assert!(throttle.not_before <= now + seconds(2.01), "no longer than after one");
        throttle.throttled(now + seconds(2.1), now + seconds(2.2));
        assert_eq!(throttle.consecutive_throttles, 2);
    }

    #[test]
    fn after_an_accepted_request_the_next_waits_for_the_backoff() {
        let now = Instant::now();
        let answered_at = now + seconds(0.1);
        // The responses to concurrent requests arrive in any order.
        for accepted_first in [true, false] {
            let mut throttle = Throttle::new(deadlines(now), CALLS, now);
            if accepted_first {
                throttle.accepted(now, answered_at);
            }
            throttle.throttled(now, answered_at);
            if !accepted_first {
                throttle.accepted(now, answered_at);
            }
            assert_eq!(throttle.next(now, true, now), Some(answered_at + BACKOFF));
            assert_eq!(
                throttle.consecutive_throttles, 1,
                "one that was under way with it does not say that it is over"
            );
        }
    }

    #[test]
    fn once_throttled_requests_start_one_by_one_without_responses() {
        let now = Instant::now();
        let mut throttle = Throttle::new(deadlines(now), CALLS, now);
        throttle.begin(now);
        assert_eq!(throttle.next(now, false, now), Some(now), "before that all at once");
        throttle.throttled(now, now);
        let start = throttle.next(now, true, now).unwrap();
        throttle.begin(start);
        assert_eq!(throttle.next(now, true, start), Some(start + BACKOFF));
    }

    #[test]
    fn a_delay_past_the_deadline_is_shortened() {
        let now = Instant::now();
        let late = now + seconds(9.5);
        let last = now + seconds(10.0) - LAST_RETRY_MARGIN;
        let mut throttle = Throttle::new(deadlines(now), CALLS, now);
        throttle.accepted(now, late);
        throttle.throttled(late, late);
        assert_eq!(throttle.next(now, true, late), Some(last));
        assert_eq!(throttle.next(now, true, last), Some(last));
        throttle.begin(last);
        assert_eq!(throttle.next(now, true, last), None, "that was the last");
        assert_eq!(deadlines(now).retry_at(late, last), None);
    }

    #[test]
    fn no_request_starts_after_its_deadline() {
        let now = Instant::now();
        let throttle = Throttle::new(deadlines(now), CALLS, now);
        assert_eq!(throttle.next(now, false, now + seconds(29.0)), Some(now + seconds(29.0)));
        assert_eq!(throttle.next(now, false, now + seconds(29.1)), None);
        assert_eq!(throttle.next(now, true, now + seconds(10.1)), None);
    }
}

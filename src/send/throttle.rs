//! How fast requests may follow one another, and until when.
//!
//! `CreateInvalidation` is limited for the whole account and does not say when to come again. Until it throttles there is no
//! pace. From then on one request begins after the other, whether the one before is answered or hangs.

use tokio::time::{Duration, Instant};

use crate::lookup::backoff::delay;

/// How long before retries end the last of them begins.
const LAST_ATTEMPT: Duration = Duration::from_millis(50);

/// How long one attempt may take, connecting and reading included: at most so long, and this part of the time that is left
/// unless that is next to nothing. `CreateInvalidation` takes up to a few seconds; what takes longer is better tried again,
/// since a repeated request is the same invalidation.
const MAX_ATTEMPT_TIME: Duration = Duration::from_secs(5);
const MIN_ATTEMPT_TIME: Duration = Duration::from_secs(1);
const ATTEMPT_SHARE: u32 = 2;

/// How long sending may take.
#[derive(Clone, Copy)]
pub struct SendDeadlines {
    /// Until then what failed may be tried again.
    pub retries: Instant,
    /// Until then anything may be tried: what begins later may be taken, and yet be told as failed.
    pub attempts: Instant,
    /// Until then answers are waited for.
    pub answers: Instant,
}

impl SendDeadlines {
    /// When something is tried again that would be at `wanted`: there and then, or if that is too late a little before it
    /// is. `None` if it is too late already.
    pub(super) fn retry_at(&self, wanted: Instant, now: Instant) -> Option<Instant> {
        let last = self.retries.checked_sub(LAST_ATTEMPT).filter(|last| now < *last)?;
        Some(wanted.min(last))
    }

    /// Until when an attempt that begins `now` is waited for.
    pub(super) fn attempt_deadline(&self, now: Instant) -> Instant {
        let share = self.answers.saturating_duration_since(now) / ATTEMPT_SHARE;
        self.answers.min(now + share.clamp(MIN_ATTEMPT_TIME, MAX_ATTEMPT_TIME))
    }
}

/// How fast requests may follow one another.
pub(super) struct Throttle {
    deadlines: SendDeadlines,
    /// The longest pause before a second attempt, and the time between two requests that CloudFront takes.
    backoff: Duration,
    not_before: Instant,
    /// How often in a row CloudFront has throttled, requests that were under way together counting as one.
    refusals: u32,
    /// When it last did, by that count.
    throttled: Option<Instant>,
    accepted: Option<Instant>,
}

impl Throttle {
    pub(super) fn new(deadlines: SendDeadlines, backoff: Duration, now: Instant) -> Self {
        Self { deadlines, backoff, not_before: now, refusals: 0, throttled: None, accepted: None }
    }

    /// When the next request may begin, if there is time for one: after `not_before`, which is its own, and if it was
    /// `tried` before.
    pub(super) fn next(&self, not_before: Instant, tried: bool, now: Instant) -> Option<Instant> {
        let start = not_before.max(self.not_before).max(now);
        let is_first = !tried && self.throttled.is_none();
        let latest = if is_first { self.deadlines.attempts } else { self.deadlines.retries };
        (start <= latest).then_some(start)
    }

    /// A request begins.
    pub(super) fn begin(&mut self, now: Instant) {
        if self.throttled.is_some() {
            self.wait_until(now + self.backoff, now);
        }
    }

    /// A request was throttled that began at `begun`.
    pub(super) fn throttled(&mut self, begun: Instant, now: Instant) {
        // Requests that were under way together are refused together, which says no more than one of them does.
        if self.throttled.is_some_and(|throttled| begun <= throttled) {
            return;
        }
        let earliest = self.accepted.map_or(now, |accepted| accepted + self.backoff);
        self.wait_until(earliest.max(now + delay(self.backoff, self.refusals)), now);
        self.refusals += 1;
        self.throttled = Some(now);
    }

    /// A request was accepted that began at `begun`.
    pub(super) fn accepted(&mut self, begun: Instant, now: Instant) {
        self.accepted = Some(now);
        if let Some(throttled) = self.throttled {
            self.wait_until(self.not_before.max(now + self.backoff), now);
            if begun > throttled {
                self.refusals = 0;
            }
        }
    }

    fn wait_until(&mut self, wanted: Instant, now: Instant) {
        self.not_before = self.deadlines.retry_at(wanted, now).unwrap_or(wanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Duration = Duration::from_secs(2);

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Ten seconds for retries, of half a minute.
    fn deadlines(now: Instant) -> SendDeadlines {
        SendDeadlines { retries: now + seconds(10.0), attempts: now + seconds(29.0), answers: now + seconds(30.0) }
    }

    #[test]
    fn a_burst_that_is_refused_is_one_refusal() {
        let now = Instant::now();
        let mut throttle = Throttle::new(deadlines(now), BACKOFF, now);
        for answered in 1..8 {
            throttle.throttled(now, now + seconds(0.01) * answered);
        }
        assert_eq!(throttle.refusals, 1);
        assert!(throttle.not_before <= now + seconds(2.01), "no longer than after one");
        throttle.throttled(now + seconds(2.1), now + seconds(2.2));
        assert_eq!(throttle.refusals, 2);
    }

    #[test]
    fn after_one_that_was_taken_the_next_waits_its_turn() {
        let now = Instant::now();
        let taken = now + seconds(0.1);
        // In whatever order the answers of a burst come.
        for taken_first in [true, false] {
            let mut throttle = Throttle::new(deadlines(now), BACKOFF, now);
            if taken_first {
                throttle.accepted(now, taken);
            }
            throttle.throttled(now, taken);
            if !taken_first {
                throttle.accepted(now, taken);
            }
            assert_eq!(throttle.next(now, true, now), Some(taken + BACKOFF));
            assert_eq!(throttle.refusals, 1, "one that was under way with it does not say that it is over");
        }
    }

    #[test]
    fn once_throttled_one_begins_after_the_other_though_none_is_answered() {
        let now = Instant::now();
        let mut throttle = Throttle::new(deadlines(now), BACKOFF, now);
        throttle.begin(now);
        assert_eq!(throttle.next(now, false, now), Some(now), "before that all at once");
        throttle.throttled(now, now);
        let start = throttle.next(now, true, now).unwrap();
        throttle.begin(start);
        assert_eq!(throttle.next(now, true, start), Some(start + BACKOFF));
    }

    #[test]
    fn a_pause_that_would_outlast_the_retries_ends_a_little_before() {
        let now = Instant::now();
        let late = now + seconds(9.5);
        let last = now + seconds(10.0) - LAST_ATTEMPT;
        let mut throttle = Throttle::new(deadlines(now), BACKOFF, now);
        throttle.accepted(now, late);
        throttle.throttled(late, late);
        assert_eq!(throttle.next(now, true, late), Some(last));
        assert_eq!(throttle.next(now, true, last), Some(last));
        throttle.begin(last);
        assert_eq!(throttle.next(now, true, last), None, "that was the last");
        assert_eq!(deadlines(now).retry_at(late, last), None);
    }

    #[test]
    fn nothing_begins_that_could_not_be_waited_for() {
        let now = Instant::now();
        let throttle = Throttle::new(deadlines(now), BACKOFF, now);
        assert_eq!(throttle.next(now, false, now + seconds(29.0)), Some(now + seconds(29.0)));
        assert_eq!(throttle.next(now, false, now + seconds(29.1)), None);
        assert_eq!(throttle.next(now, true, now + seconds(10.1)), None);
    }

    #[test]
    fn an_attempt_that_hangs_leaves_time_for_another() {
        let now = Instant::now();
        for (left, attempt) in [(60.0, 5.0), (10.0, 5.0), (6.0, 3.0), (1.5, 1.0), (0.5, 0.5)] {
            let deadlines = SendDeadlines { answers: now + seconds(left), ..deadlines(now) };
            assert_eq!(deadlines.attempt_deadline(now), now + seconds(attempt), "{left}");
        }
    }
}

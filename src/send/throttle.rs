//! The rate of requests: deadlines of sending, the throttle of one delivery, and when CloudFront refused requests of this
//! process.
//!
//! AWS does not publish one rate. AWS staff quoted one `CreateInvalidation` in two seconds per account (aws-sdk-js#3983,
//! 2022); readings of the quota page of 2026 say one wildcard a second. A refusal does not say when to retry. So once
//! a request is refused, requests start one at a time, at the interval at which CloudFront accepted the last ones.

use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use tokio::time::{Duration, Instant};

use crate::lookup::{CallLimits, Clock};

/// The deadlines of sending.
#[derive(Clone, Copy)]
pub struct SendDeadlines {
    /// The end of retries.
    pub retries: Instant,
    /// When the last retry starts at the latest.
    pub last_retry: Instant,
    /// From when on a refused invalidation of messages that were received before is sent with half of its wildcards.
    pub fewer_wildcards_from: Instant,
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

/// The shortest interval: the first delay divided by this.
const MIN_INTERVAL_DIVISOR: u32 = 4;
/// The bound of the first delay after a refusal: the first delay divided by this. It doubles with each further refusal.
const PROBE_DIVISOR: u32 = 20;
/// After so many requests were accepted in a row, the interval is multiplied by `SHORTER_INTERVAL`, because CloudFront
/// may accept more.
const ACCEPTED_BEFORE_SHORTER: u32 = 4;
const SHORTER_INTERVAL: f64 = 0.93;

/// Limits the rate of requests once CloudFront has throttled one.
pub(super) struct Throttle {
    deadlines: SendDeadlines,
    calls: CallLimits,
    not_before: Instant,
    /// The interval between the response to a request that was accepted and the start of the next.
    interval: Duration,
    /// The number of consecutive throttled responses. Those to concurrent requests count as one.
    consecutive_throttles: u32,
    /// When the last of those that count arrived.
    throttled_at: Option<Instant>,
    /// When a request was last accepted.
    accepted_at: Option<Instant>,
    /// The number of requests that were accepted in a row since the interval was last changed.
    accepted_in_row: u32,
}

impl Throttle {
    /// `interval` is what was learned before.
    pub(super) fn new(deadlines: SendDeadlines, calls: CallLimits, interval: Option<Duration>, now: Instant) -> Self {
        Self {
            deadlines,
            calls,
            not_before: now,
            interval: interval.unwrap_or(calls.first_delay),
            consecutive_throttles: 0,
            throttled_at: None,
            accepted_at: None,
            accepted_in_row: 0,
        }
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
            self.wait_until(now + self.interval, now);
        }
    }

    /// Records that a request was throttled that started at `attempt_start`, and returns how many were in a row. Further
    /// ones are made soon and at random intervals: of several processes one is then ready whenever CloudFront accepts
    /// the next request.
    pub(super) fn throttled(&mut self, attempt_start: Instant, now: Instant) -> u32 {
        // Concurrent requests are throttled together, which says no more than a single throttled request.
        if self.throttled_at.is_some_and(|throttled_at| attempt_start <= throttled_at) {
            return self.consecutive_throttles;
        }
        let first_delay = self.calls.first_delay / PROBE_DIVISOR;
        let limits = CallLimits { first_delay, max_delay: self.interval / 2, ..self.calls };
        let earliest = self.accepted_at.map_or(now, |accepted_at| accepted_at + self.interval);
        self.wait_until(earliest.max(now + limits.delay(self.consecutive_throttles)), now);
        self.consecutive_throttles += 1;
        self.throttled_at = Some(now);
        self.consecutive_throttles
    }

    /// Records that an invalidation is sent in parts, so that the rate is that of wildcards: the interval is a little
    /// less than that of parts, to leave time for the responses.
    pub(super) fn split(&mut self, part_interval: Duration) {
        self.interval = self.interval.min(part_interval.mul_f64(0.85));
    }

    /// Records that a request was accepted that started at `attempt_start`. Returns the interval if it changed.
    pub(super) fn accepted(&mut self, attempt_start: Instant, now: Instant) -> Option<Duration> {
        let before = self.interval;
        if let Some(throttled_at) = self.throttled_at {
            if attempt_start > throttled_at {
                self.accepted_in_row += 1;
                let interval = match self.accepted_at {
                    // The interval was too short, until some time between the last refusal and this request.
                    Some(accepted_at) if throttled_at >= accepted_at + self.interval => {
                        let between = throttled_at + (attempt_start - throttled_at) / 2;
                        between.saturating_duration_since(accepted_at)
                    }
                    Some(_) if self.accepted_in_row >= ACCEPTED_BEFORE_SHORTER => {
                        self.interval.mul_f64(SHORTER_INTERVAL)
                    }
                    _ => self.interval,
                };
                if interval != self.interval {
                    let shortest = self.calls.first_delay / MIN_INTERVAL_DIVISOR;
                    self.interval = interval.clamp(shortest, self.calls.first_delay);
                    self.accepted_in_row = 0;
                }
                self.consecutive_throttles = 0;
            }
            self.wait_until(self.not_before.max(now + self.interval), now);
        }
        self.accepted_at = Some(now);
        (self.interval != before).then_some(self.interval)
    }

    fn wait_until(&mut self, due: Instant, now: Instant) {
        self.not_before = self.deadlines.retry_at(due, now).unwrap_or(due);
    }
}

/// What this process has learned from refusals of CloudFront.
pub struct Refusals {
    clock: Clock,
    times: Mutex<RefusalTimes>,
}

#[derive(Clone, Copy, Default)]
struct RefusalTimes {
    /// When changes that were sent directly were last refused.
    refused: Option<SystemTime>,
    /// When an invalidation was last split, because it was refused several times in a row.
    split: Option<SystemTime>,
    /// The last interval between requests that were accepted, and when it was learned.
    interval: Option<(SystemTime, Duration)>,
}

/// What applies to the next invalidations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Learned {
    /// Whether a single refusal is enough for an invalidation to be sent in parts.
    pub split_at_once: bool,
    /// The interval between requests; `None` for the default.
    pub interval: Option<Duration>,
}

impl Refusals {
    /// No refusals yet. `clock` is the wall clock: the monotonic clock may stand still while the sandbox is frozen.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, times: Mutex::default() }
    }

    /// Returns whether changes that were sent directly were refused within the last `time`.
    #[must_use]
    pub fn any_within(&self, time: Duration) -> bool {
        self.times().refused.is_some_and(|at| self.is_within(at, time))
    }

    /// Forgets that changes were refused.
    pub fn forget_refused(&self) {
        self.update(|times, _| times.refused = None);
    }

    /// Returns what was learned within the last `time`.
    #[must_use]
    pub fn learned(&self, time: Duration) -> Learned {
        let times = self.times();
        Learned {
            split_at_once: times.split.is_some_and(|at| self.is_within(at, time)),
            interval: times.interval.filter(|(at, _)| self.is_within(*at, time)).map(|(_, interval)| interval),
        }
    }

    pub(super) fn note_refused(&self) {
        self.update(|times, now| times.refused = Some(now));
    }

    pub(super) fn note_split(&self) {
        self.update(|times, now| times.split = Some(now));
    }

    pub(super) fn note_interval(&self, interval: Duration) {
        self.update(|times, now| times.interval = Some((now, interval)));
    }

    fn update(&self, update: impl FnOnce(&mut RefusalTimes, SystemTime)) {
        update(&mut self.times.lock().unwrap_or_else(PoisonError::into_inner), (self.clock)());
    }

    fn times(&self) -> RefusalTimes {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_within(&self, at: SystemTime, time: Duration) -> bool {
        (self.clock)().duration_since(at).is_ok_and(|age| age < time)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Duration;

    use super::*;

    const BACKOFF: Duration = Duration::from_secs(2);
    const LAST_RETRY_MARGIN: Duration = Duration::from_millis(50);

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    const LIMITS: CallLimits = CallLimits {
        attempts: u32::MAX,
        first_delay: BACKOFF,
        max_delay: Duration::from_secs(20),
        attempt_divisor: 2,
        min_attempt_time: Duration::from_secs(1),
        max_attempt_time: Duration::from_secs(5),
        max_hold: Duration::from_secs(1),
        hold_divisor: 4,
    };

    fn deadlines(now: Instant) -> SendDeadlines {
        SendDeadlines {
            retries: now + seconds(10.0),
            last_retry: now + seconds(10.0) - LAST_RETRY_MARGIN,
            fewer_wildcards_from: now + seconds(5.0),
            attempts: now + seconds(29.0),
            answers: now + seconds(30.0),
        }
    }

    #[test]
    fn a_throttled_burst_counts_once() {
        let now = Instant::now();
        let mut throttle = Throttle::new(deadlines(now), LIMITS, None, now);
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
            let mut throttle = Throttle::new(deadlines(now), LIMITS, None, now);
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
        let mut throttle = Throttle::new(deadlines(now), LIMITS, None, now);
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
        let mut throttle = Throttle::new(deadlines(now), LIMITS, None, now);
        throttle.accepted(late - seconds(0.1), late);
        throttle.throttled(late, late);
        assert_eq!(throttle.next(now, true, late), Some(last));
        assert_eq!(throttle.next(now, true, last), Some(last));
        throttle.begin(last);
        assert_eq!(throttle.next(now, true, last), None, "that was the last");
        assert_eq!(deadlines(now).retry_at(late, last), None);
    }

    /// Simulates processes that send for so long to an account that accepts one request per `interval`. Returns the
    /// share of these that they used, and the number of requests for each that was accepted.
    fn simulate(processes: usize, interval: Duration, time: Duration, in_parts: bool) -> (f64, f64) {
        let (start, latency) = (Instant::now(), seconds(0.15));
        let end = start + time;
        let deadlines =
            SendDeadlines { retries: end, last_retry: end, attempts: end, answers: end, ..deadlines(start) };
        let mut throttles: Vec<_> = (0..processes).map(|_| Throttle::new(deadlines, LIMITS, None, start)).collect();
        if in_parts {
            for throttle in &mut throttles {
                throttle.split(seconds(1.05));
            }
        }
        let (mut requests, mut accepted, mut accepted_at) = (0, 0, None);
        loop {
            let next = throttles.iter_mut().map(|it| (it.next(start, true, start), it)).min_by_key(|(next, _)| *next);
            let Some((Some(now), throttle)) = next.filter(|(next, _)| next.is_some_and(|next| next < end)) else {
                break;
            };
            throttle.begin(now);
            requests += 1;
            let received_at = now + latency / 2;
            if accepted_at.is_none_or(|at| received_at >= at + interval) {
                accepted_at = Some(received_at);
                accepted += 1;
                throttle.accepted(now, now + latency);
            } else {
                throttle.throttled(now, now + latency);
            }
        }
        let possible = (time.as_secs_f64() / interval.as_secs_f64()).floor();
        (f64::from(accepted) / possible, f64::from(requests) / f64::from(accepted))
    }

    /// In an invocation at one request in two seconds, which AWS staff quoted, and at one part a second; and in the long
    /// run, whatever the rate is.
    #[test]
    fn at_least_nine_tenths_of_the_rate_are_used() {
        fastrand::seed(7);
        let (invocation, long) = (seconds(48.0), Duration::from_hours(1));
        for (rate, time, in_parts) in
            [(2.0, invocation, false), (1.0, invocation, true), (2.0, long, false), (1.0, long, false)]
        {
            for (processes, most_requests) in [(1, 2.0), (5, 20.0)] {
                let (share, requests) = simulate(processes, seconds(rate), time, in_parts);
                assert!(
                    share >= 0.9 && requests < most_requests,
                    "{processes} for {time:?} at {rate}: {share} of the rate, {requests} each"
                );
            }
        }
    }

    #[test]
    fn no_request_starts_after_its_deadline() {
        let now = Instant::now();
        let throttle = Throttle::new(deadlines(now), LIMITS, None, now);
        assert_eq!(throttle.next(now, false, now + seconds(29.0)), Some(now + seconds(29.0)));
        assert_eq!(throttle.next(now, false, now + seconds(29.1)), None);
        assert_eq!(throttle.next(now, true, now + seconds(10.1)), None);
    }
}

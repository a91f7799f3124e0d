//! Sends the invalidations of one delivery, with retries until a deadline, and says what was sent
//! ([`SentInvalidation`]).
//!
//! All invalidations wait in one queue in memory. Until CloudFront throttles, several requests are sent concurrently.
//! From then on they start one at a time (see `throttle`), and whatever is retried goes to the end of the queue. An
//! invalidation that is refused several times in a row, for the rate or for what is in progress, is sent in parts.
//! Paths are billed one by one, so this bills and evicts no path more, and it passes under either reading of
//! CloudFront's quota. An invalidation that this process saw accepted for an earlier delivery of the same changes is not
//! sent again ([`SentCache`]).

mod sent;
mod throttle;

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep_until, timeout_at};

use self::throttle::Throttle;
use crate::aws::{Accepted, CallError, CloudFront, ErrorClass};
use crate::collapse::Budget;
use crate::lookup::CallLimits;
use crate::lookup::calls::{self, MAX_CALLS_PER_PERMIT, hold};
use crate::plan::Invalidation;

pub(crate) use self::sent::MAX_LISTED_BUCKETS;
pub use self::sent::{SentCache, SentInvalidation, SentStatus};
pub use self::throttle::{Learned, Refusals, SendDeadlines};

/// The operation's name in errors.
const CREATE_INVALIDATION: &str = "CreateInvalidation";

/// How invalidations are sent.
#[derive(Clone, Copy, Debug)]
pub struct SendOptions {
    /// The limits of the attempts. The first delay is also the longest interval between requests once CloudFront
    /// throttles.
    pub calls: CallLimits,
    /// Whether what is refused for the rate or for what is in progress is retried. Otherwise it fails at once, and with
    /// it what is not sent yet, if it is refused for the rate.
    pub retry_refused: bool,
    /// What was learned from earlier refusals.
    pub learned: Learned,
    /// The interval between two parts of an invalidation.
    pub part_interval: Duration,
    /// Whether nothing is sent.
    pub dry_run: bool,
}

impl SendOptions {
    /// Returns the time that it takes to send these invalidations in parts.
    fn time_for_parts<'i>(&self, invalidations: impl IntoIterator<Item = &'i Invalidation>) -> Duration {
        let parts = invalidations.into_iter().map(|it| it.split(MAX_PART_PATHS, MAX_PART_WILDCARDS).len());
        self.part_interval.saturating_mul(u32::try_from(parts.sum::<usize>()).unwrap_or(u32::MAX))
    }
}

/// What became of a planned invalidation.
#[derive(Debug, Default)]
pub struct SendResult {
    /// What CloudFront accepted: the invalidation, or parts of it.
    pub sent: Vec<SentInvalidation>,
    /// The error of the last attempt, if not all of it was accepted.
    pub error: Option<CallError>,
}

impl SendResult {
    /// Adds an invalidation that was accepted, or a part of it.
    fn add(&mut self, pending: &PendingInvalidation, accepted: &Accepted) {
        let mut sent = SentInvalidation::new(&pending.invalidation, Some(accepted.clone()));
        sent.merged_wildcards = NonZeroUsize::new(pending.merged_wildcards);
        if !self.sent.is_empty() {
            sent.remove_counts();
        }
        self.sent.push(sent);
    }
}

/// After so many refusals in a row an invalidation is sent in parts.
const REFUSALS_BEFORE_SPLIT: u32 = 3;

/// The most paths and wildcards of a part. CloudFront's quota, in the readings of 2026: 150 paths and one wildcard a
/// second.
const MAX_PART_PATHS: usize = 150;
const MAX_PART_WILDCARDS: usize = 1;

/// An invalidation that is not accepted yet.
struct PendingInvalidation {
    /// The index of the planned invalidation.
    index: usize,
    /// The invalidation to send, whose paths may be wider than planned, or the part to send.
    invalidation: Invalidation,
    /// If it is a part, the parts to send after it, the last one first.
    further_parts: Option<Vec<Invalidation>>,
    /// The number of wildcards that were merged into wider ones because of refusals.
    merged_wildcards: usize,
    /// Whether paths with unusual characters were replaced by wildcards ([`Invalidation::widened`]).
    widened: bool,
    /// Whether it was sent before with these paths. [`Throttle::next`] gives the first attempt with a set of paths more
    /// time than a retry.
    was_sent: bool,
    /// Whether it was sent before, with these or other paths. For the statistics.
    is_retry: bool,
    /// The number of consecutive refusals for the rate or for what is in progress.
    refusals: u32,
    /// The number of transient failures, throttled attempts not included. It determines the backoff.
    failures: u32,
    /// The earliest start of the next attempt.
    not_before: Instant,
}

impl PendingInvalidation {
    fn new(index: usize, planned: &Invalidation, now: Instant) -> Self {
        Self {
            index,
            invalidation: planned.clone(),
            further_parts: None,
            merged_wildcards: 0,
            widened: false,
            was_sent: false,
            is_retry: false,
            refusals: 0,
            failures: 0,
            not_before: now,
        }
    }

    fn is_part(&self) -> bool {
        self.further_parts.is_some()
    }

    /// Returns the same invalidation with other paths, to be sent without delay.
    fn rewritten(self, invalidation: Invalidation) -> Self {
        Self { invalidation, was_sent: false, ..self }
    }

    /// Returns the invalidation in parts of at most so many paths and wildcards, of which the first is sent next; as it
    /// is if it is no larger.
    fn in_parts(self, max_paths: usize, max_wildcards: usize) -> Self {
        let mut parts = self.invalidation.split(max_paths, max_wildcards);
        if parts.len() < 2 {
            return self;
        }
        parts.reverse();
        let Some(first) = parts.pop() else { return self };
        let mut further_parts = self.further_parts.unwrap_or_default();
        further_parts.append(&mut parts);
        let further_parts = Some(further_parts);
        Self { invalidation: first, further_parts, was_sent: false, refusals: 0, failures: 0, ..self }
    }

    /// Returns what is left to send of the invalidation, with half of its wildcards; `None` if it has at most one.
    fn with_half_of_the_wildcards(&self) -> Option<Self> {
        let further_parts = self.further_parts.as_deref().unwrap_or_default();
        let items = further_parts.iter().chain([&self.invalidation]).flat_map(|part| part.items.clone()).collect();
        let left = self.invalidation.with_items(items);
        let max_wildcards = NonZeroUsize::new(left.wildcard_count() / 2)?;
        let mut wider = left.within(Budget { max_wildcards, ..left.budget })?;
        // As with parts: what has this caller reference completes the whole.
        let last = further_parts.first().unwrap_or(&self.invalidation);
        wider.caller_reference.clone_from(&last.caller_reference);
        let merged_wildcards = self.merged_wildcards + left.wildcard_count() - wider.wildcard_count();
        let pending = Self::new(self.index, &wider, self.not_before);
        let further_parts = self.is_part().then(Vec::new);
        Some(Self { merged_wildcards, further_parts, is_retry: true, ..pending })
    }

    /// Returns the part that is sent after one was accepted whose attempt started at `attempt_start`.
    fn next_part(mut self, attempt_start: Instant, interval: Duration) -> Option<Self> {
        let invalidation = self.further_parts.as_mut()?.pop()?;
        let not_before = attempt_start + interval;
        let next = Self { refusals: 0, failures: 0, not_before, ..self.rewritten(invalidation) };
        Some(Self { widened: false, is_retry: false, ..next })
    }
}

/// The result of an attempt, and when the attempt started.
struct Attempt {
    pending: PendingInvalidation,
    started_at: Instant,
    answer: Result<Accepted, CallError>,
}

/// The most invalidations, each for one distribution, that are sent concurrently, apart from calls that hang (see
/// [`hold`]).
const CONCURRENT_SENDS: usize = 8;

/// Sends the planned invalidations, each until it is accepted, rejected permanently, or out of time. Those in
/// `sent_cache` are not sent again. Returns the results in the order of `planned`.
pub async fn send_all(
    cloudfront: &CloudFront,
    planned: &[Invalidation],
    sent_cache: &SentCache,
    refusals: &Refusals,
    options: SendOptions,
    deadlines: SendDeadlines,
) -> Vec<SendResult> {
    let result = |planned: &Invalidation| match sent_cache.get(planned) {
        _ if options.dry_run => SendResult { sent: vec![SentInvalidation::new(planned, None)], error: None },
        Some(cached) => SendResult { sent: vec![cached.cached()], error: None },
        // What is never sent has run out of time.
        None => SendResult { sent: Vec::new(), error: Some(CallError::timed_out(CREATE_INVALIDATION)) },
    };
    let mut results: Vec<_> = planned.iter().map(result).collect();
    let send_start = Instant::now();
    // Without the time for all parts, the wholes have the better chance.
    let has_time_for_parts = options.time_for_parts(planned) < deadlines.attempts - send_start;
    let split_at_once = options.learned.split_at_once && has_time_for_parts;
    let options = SendOptions { learned: Learned { split_at_once, ..options.learned }, ..options };
    let to_send = planned.iter().enumerate().zip(&results).filter(|(_, result)| result.error.is_some());
    let pending = to_send.map(|((index, planned), _)| PendingInvalidation::new(index, planned, send_start));
    let mut waiting: Vec<_> = pending.collect();
    // If there is not enough time for all, it should not always be the same ones that fail.
    fastrand::shuffle(&mut waiting);
    let mut waiting = VecDeque::from(waiting);
    let permits = Semaphore::new(CONCURRENT_SENDS);
    let mut in_flight = FuturesUnordered::new();
    let max_hold = options.calls.hold(send_start, deadlines.answers);
    let mut throttle = Throttle::new(deadlines, options.calls, options.learned.interval, send_start);
    loop {
        let now = Instant::now();
        let next = |throttle: &Throttle, it: &PendingInvalidation| throttle.next(it.not_before, it.was_sent, now);
        while in_flight.len() < CONCURRENT_SENDS * MAX_CALLS_PER_PERMIT
            && let Ok(permit) = permits.try_acquire()
        {
            let ready = waiting.iter().position(|it| next(&throttle, it) == Some(now));
            let Some(pending) = ready.and_then(|index| waiting.remove(index)) else { break };
            throttle.begin(now);
            let attempt_end = options.calls.attempt_end(now, deadlines.answers);
            in_flight.push(hold(permit, max_hold, attempt(cloudfront, pending, now, attempt_end)));
        }
        let next_start = waiting.iter().filter_map(|it| next(&throttle, it)).min();
        if in_flight.is_empty() && next_start.is_none() {
            break;
        }
        tokio::select! {
            Some(Attempt { mut pending, started_at, answer }) = in_flight.next() => {
                let now = Instant::now();
                let (Some(planned), Some(result)) = (planned.get(pending.index), results.get_mut(pending.index)) else {
                    continue;
                };
                match answer {
                    Ok(accepted) => {
                        if let Some(interval) = throttle.accepted(started_at, now) {
                            refusals.note_interval(interval);
                        }
                        result.add(&pending, &accepted);
                        if pending.further_parts.as_ref().is_none_or(Vec::is_empty) {
                            result.error = None;
                            let mut sent = pending.invalidation.clone();
                            sent.items = result.sent.iter().flat_map(|part| &part.paths).cloned().collect();
                            sent.items.sort_unstable();
                            sent_cache.insert(planned, &sent, &accepted);
                        }
                        let next_part = pending.next_part(started_at, options.part_interval);
                        waiting.extend(next_part);
                    }
                    Err(error) => {
                        let is_refused = matches!(error.class, ErrorClass::Throttled | ErrorClass::TooManyInProgress);
                        // What refuses one wildcard is a rate, whatever the error is called.
                        let is_rate = error.class == ErrorClass::Throttled || (is_refused && pending.is_part());
                        let in_a_row = if is_rate { throttle.throttled(started_at, now) } else { 0 };
                        pending.refusals = match error.class {
                            // Of the account, so a request that is accepted for another distribution ends the row.
                            ErrorClass::Throttled => in_a_row,
                            ErrorClass::TooManyInProgress => pending.refusals + 1,
                            _ => 0,
                        };
                        result.error = Some(error.clone());
                        if is_refused && !options.retry_refused {
                            refusals.note_refused();
                            if is_rate {
                                for unsent in waiting.drain(..) {
                                    if let Some(result) = results.get_mut(unsent.index) {
                                        result.error = Some(error.clone());
                                    }
                                }
                            }
                        } else {
                            let was_part = pending.is_part();
                            let next = next_attempt(pending, &error, is_rate, options, deadlines);
                            if is_refused && !was_part && next.as_ref().is_some_and(PendingInvalidation::is_part) {
                                throttle.split(options.part_interval);
                                refusals.note_split();
                            }
                            waiting.extend(next);
                        }
                    }
                }
            }
            _ = async { sleep_until(next_start.unwrap_or(now)).await; permits.acquire().await },
                if next_start.is_some() && in_flight.len() < CONCURRENT_SENDS * MAX_CALLS_PER_PERMIT => {}
            // Requests without an answer are given up; the outcome of an earlier attempt stays.
            () = sleep_until(deadlines.answers) => break,
        }
    }
    results
}

async fn attempt(
    cloudfront: &CloudFront,
    mut pending: PendingInvalidation,
    started_at: Instant,
    end: Instant,
) -> Attempt {
    if pending.is_retry {
        calls::count(|stats| stats.retries += 1);
    }
    (pending.was_sent, pending.is_retry) = (true, true);
    // A request that timed out may have been accepted. It is safe to send it again: the caller reference is the same.
    let answer = timeout_at(end, cloudfront.create(&pending.invalidation)).await;
    let answer = answer.unwrap_or_else(|_| Err(CallError::timed_out(CREATE_INVALIDATION)));
    Attempt { pending, started_at, answer }
}

/// Returns what to send next for an invalidation that was not accepted, or `None` to give up. Paths that a person
/// named are never widened.
fn next_attempt(
    mut pending: PendingInvalidation,
    error: &CallError,
    is_rate: bool,
    options: SendOptions,
    deadlines: SendDeadlines,
) -> Option<PendingInvalidation> {
    let has_time_for_parts = |it: &Invalidation| options.time_for_parts([it]) < deadlines.retries - Instant::now();
    let is_named = pending.invalidation.is_named();
    let now = Instant::now();
    match error.class {
        // CloudFront does not say which path is invalid.
        ErrorClass::InvalidArgument if !is_named && !pending.widened => {
            let widened = pending.invalidation.widened()?;
            return Some(PendingInvalidation { widened: true, ..pending.rewritten(widened) });
        }
        ErrorClass::BatchTooLarge => {
            let half = NonZeroUsize::new(pending.invalidation.items.len() / 2)?;
            if is_named {
                return Some(pending.in_parts(half.get(), usize::MAX));
            }
            let budget = pending.invalidation.budget;
            let budget = Budget { max_paths: budget.max_paths.min(half), ..budget };
            let smaller = pending.invalidation.within(budget)?;
            return Some(pending.rewritten(smaller));
        }
        ErrorClass::Throttled | ErrorClass::TooManyInProgress => {
            let enough = if options.learned.split_at_once { 1 } else { REFUSALS_BEFORE_SPLIT };
            // If waiting does not help either, fewer wildcards have a better chance, at the cost of more evictions.
            if pending.refusals >= REFUSALS_BEFORE_SPLIT
                && now >= deadlines.fewer_wildcards_from
                && pending.invalidation.is_redelivered
                && let Some(fewer_wildcards) = pending.with_half_of_the_wildcards()
            {
                pending = fewer_wildcards.in_parts(MAX_PART_PATHS, MAX_PART_WILDCARDS);
            } else if pending.refusals >= enough && has_time_for_parts(&pending.invalidation) {
                pending = pending.in_parts(MAX_PART_PATHS, MAX_PART_WILDCARDS);
            }
            if is_rate {
                // `Throttle::next` says when, and ends the retries at their deadline.
                return Some(pending);
            }
        }
        ErrorClass::Unavailable => {}
        _ => return None,
    }
    let not_before = deadlines.retry_at(now + options.calls.delay(pending.failures), now)?;
    Some(PendingInvalidation { failures: pending.failures + 1, not_before, ..pending })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::DistributionId;
    use crate::path::Item;
    use crate::plan::{DeliveryId, plan_named};

    const LIMITS: CallLimits = CallLimits {
        attempts: u32::MAX,
        first_delay: Duration::from_secs(2),
        max_delay: Duration::from_secs(20),
        attempt_divisor: 2,
        min_attempt_time: Duration::from_secs(1),
        max_attempt_time: Duration::from_secs(5),
        max_hold: Duration::from_secs(1),
        hold_divisor: 4,
    };

    /// What is sent after `refused` refusals of an invalidation of changes with these items.
    fn after_refusals(refused: u32, items: &[&str], is_redelivered: bool, is_late: bool) -> Vec<Vec<String>> {
        let items: Vec<_> = items.iter().map(|item| Item::named(item).unwrap()).collect();
        let distributions = [DistributionId::new("E1").unwrap()];
        let mut planned = plan_named(&distributions, &items, None, &DeliveryId::Invocation("r1")).remove(0);
        (planned.changes, planned.is_redelivered) = ([0].into(), is_redelivered);
        let now = Instant::now();
        let end = now + Duration::from_mins(1);
        let fewer_wildcards_from = if is_late { now } else { end };
        let deadlines =
            SendDeadlines { retries: end, last_retry: end, fewer_wildcards_from, attempts: end, answers: end };
        let error = CallError { class: ErrorClass::TooManyInProgress, message: String::new() };
        let options = SendOptions {
            calls: LIMITS,
            retry_refused: true,
            learned: Learned::default(),
            part_interval: Duration::from_secs(1),
            dry_run: false,
        };
        let mut pending = PendingInvalidation::new(0, &planned, now);
        for _ in 0..refused {
            pending.refusals += 1;
            pending = next_attempt(pending, &error, false, options, deadlines).unwrap();
        }
        let merged = if refused >= 3 && is_late && is_redelivered { planned.wildcard_count() / 2 } else { 0 };
        assert_eq!((pending.is_part(), pending.merged_wildcards), (refused >= 3, merged));
        let parts = [pending.invalidation].into_iter().chain(pending.further_parts.into_iter().flatten().rev());
        parts.map(|part| part.items.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn three_refusals_split_an_invalidation() {
        let items = ["/a*", "/b", "/c*", "/d"];
        assert_eq!(after_refusals(2, &items, true, false), [["/a*", "/b", "/c*", "/d"].to_vec()]);
        assert_eq!(after_refusals(3, &items, true, false), [["/a*", "/b", "/d"].to_vec(), ["/c*"].to_vec()]);
    }

    #[test]
    fn only_late_and_redelivered_invalidations_get_fewer_wildcards() {
        let items = ["/a/x*", "/a/y*", "/b/x*", "/b/y*"];
        assert_eq!(after_refusals(3, &items, true, true), [["/a/*"].to_vec(), ["/b/*"].to_vec()]);
        assert_eq!(after_refusals(2, &items, true, true), [items.to_vec()]);
        for (is_redelivered, is_late) in [(true, false), (false, true)] {
            assert_eq!(after_refusals(3, &items, is_redelivered, is_late).concat(), items);
        }
    }

    #[test]
    fn a_part_has_at_most_one_wildcard_and_150_paths() {
        let paths: Vec<_> = (0..400).map(|n| format!("/{n:03}")).chain(["/w*".into(), "/x*".into()]).collect();
        let paths: Vec<_> = paths.iter().map(String::as_str).collect();
        let parts = after_refusals(3, &paths, false, false);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [150, 150, 102]);
        let mut all = parts.concat();
        all.sort_unstable();
        assert_eq!(all, paths);
        assert!(parts.iter().all(|part| part.iter().filter(|path| path.ends_with('*')).count() <= 1));
    }
}

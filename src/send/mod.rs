//! Sends the invalidations of one delivery, with retries until a deadline.
//!
//! `CreateInvalidation` is throttled for the whole account, at about one request in two seconds (AWS staff,
//! aws-sdk-js#3983), and a throttled response does not say when to retry. So all invalidations wait in one queue in
//! memory. Until CloudFront throttles, several requests are sent concurrently. From then on they start one at a time,
//! spaced by the backoff, and whatever is retried goes to the end of the queue. An invalidation that this process saw
//! accepted for an earlier delivery of the same changes is not sent again ([`SentCache`]).

mod sent_invalidation;
mod throttle;

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::aws::{Accepted, CallError, CloudFront, ErrorClass};
use crate::collapse::Budget;
use crate::lookup::calls::{MAX_CALLS_PER_PERMIT, hold};
use crate::lookup::{CallLimits, stats};
use crate::plan::Invalidation;

pub(crate) use self::sent_invalidation::MAX_LISTED_BUCKETS;
pub use self::sent_invalidation::{SentCache, SentInvalidation, SentStatus};
pub use self::throttle::SendDeadlines;
use self::throttle::Throttle;

/// The most invalidations, each for one distribution, that are sent concurrently, apart from calls that hang (see
/// [`hold`]).
const CONCURRENT_SENDS: usize = 8;

/// The operation's name in errors.
const OPERATION: &str = "CreateInvalidation";

/// An invalidation that is not accepted yet.
struct PendingInvalidation {
    /// The index of the planned invalidation.
    index: usize,
    /// The invalidation to send, whose paths may be wider than planned.
    invalidation: Invalidation,
    /// Whether paths with unusual characters were replaced by wildcards ([`Invalidation::widened`]).
    widened: bool,
    /// Whether it was sent before with these paths. [`Throttle::next`] gives the first attempt with a set of paths more
    /// time than a retry.
    was_sent: bool,
    /// Whether it was sent before, with these or other paths. For the statistics.
    is_retry: bool,
    /// The number of transient failures, throttled attempts not included. It determines the backoff.
    failures: u32,
    /// The earliest start of the next attempt.
    not_before: Instant,
}

impl PendingInvalidation {
    fn new(index: usize, planned: &Invalidation, now: Instant) -> Self {
        let invalidation = planned.clone();
        Self { index, invalidation, widened: false, was_sent: false, is_retry: false, failures: 0, not_before: now }
    }

    /// Returns the same invalidation with other paths, to be sent without delay.
    fn rewritten(self, invalidation: Invalidation) -> Self {
        Self { invalidation, was_sent: false, ..self }
    }
}

/// The result of an attempt, and when the attempt started.
struct Attempt {
    pending: PendingInvalidation,
    started_at: Instant,
    answer: Result<Accepted, CallError>,
}

/// How invalidations are sent.
#[derive(Clone, Copy, Debug)]
pub struct SendOptions {
    /// The limits of the attempts. The first delay is also the interval between requests once CloudFront throttles.
    pub calls: CallLimits,
    /// If there are too many invalidations in progress once the time for retries divided by this has passed, fewer
    /// wildcards are sent.
    pub one_wildcard_divisor: u32,
    /// Whether nothing is sent.
    pub dry_run: bool,
}

/// Sends the planned invalidations, each until it is accepted, rejected permanently, or out of time. Those in
/// `sent_cache` are not sent again. Returns the outcomes in the order of `planned`.
pub async fn send_all(
    cloudfront: &CloudFront,
    planned: &[Invalidation],
    sent_cache: &SentCache,
    options: SendOptions,
    deadlines: SendDeadlines,
) -> Vec<Result<SentInvalidation, CallError>> {
    if options.dry_run {
        return planned.iter().map(|planned| Ok(SentInvalidation::new(planned, None))).collect();
    }
    let send_start = Instant::now();
    let initial_outcome = |planned| {
        let cached = sent_cache.get(planned).map(SentInvalidation::cached);
        // What is never sent has run out of time.
        cached.ok_or_else(|| CallError::timed_out(OPERATION))
    };
    let mut outcomes: Vec<_> = planned.iter().map(initial_outcome).collect();
    let to_send = planned.iter().enumerate().zip(&outcomes).filter(|(_, outcome)| outcome.is_err());
    let mut waiting: Vec<_> =
        to_send.map(|((index, planned), _)| PendingInvalidation::new(index, planned, send_start)).collect();
    // If there is not enough time for all, it should not always be the same ones that fail.
    fastrand::shuffle(&mut waiting);
    let mut waiting = VecDeque::from(waiting);
    let permits = Semaphore::new(CONCURRENT_SENDS);
    let mut in_flight = FuturesUnordered::new();
    let one_wildcard_after = deadlines.retries.saturating_duration_since(send_start) / options.one_wildcard_divisor;
    let one_wildcard_from = send_start + one_wildcard_after;
    let max_hold = options.calls.hold(send_start, deadlines.answers);
    let mut throttle = Throttle::new(deadlines, options.calls, send_start);
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
            Some(Attempt { pending, started_at, answer }) = in_flight.next() => {
                let now = Instant::now();
                let index = pending.index;
                let outcome = match answer {
                    Ok(accepted) => {
                        throttle.accepted(started_at, now);
                        if let Some(planned) = planned.get(index) {
                            sent_cache.insert(&planned.caller_reference, &pending.invalidation, &accepted);
                        }
                        Ok(SentInvalidation::new(&pending.invalidation, Some(accepted)))
                    }
                    Err(error) => {
                        if error.class == ErrorClass::Throttled {
                            throttle.throttled(started_at, now);
                        }
                        waiting.extend(next_attempt(pending, &error, options.calls, deadlines, one_wildcard_from));
                        Err(error)
                    }
                };
                if let Some(slot) = outcomes.get_mut(index) {
                    *slot = outcome;
                }
            }
            _ = async { sleep_until(next_start.unwrap_or(now)).await; permits.acquire().await },
                if next_start.is_some() && in_flight.len() < CONCURRENT_SENDS * MAX_CALLS_PER_PERMIT => {}
            // Requests without an answer are given up; the outcome of an earlier attempt stays.
            () = sleep_until(deadlines.answers) => break,
        }
    }
    outcomes
}

async fn attempt(
    cloudfront: &CloudFront,
    mut pending: PendingInvalidation,
    started_at: Instant,
    end: Instant,
) -> Attempt {
    if pending.is_retry {
        stats::count(|stats| stats.retries += 1);
    }
    (pending.was_sent, pending.is_retry) = (true, true);
    // A request that timed out may have been accepted. It is safe to send it again: the caller reference is the same.
    let answer = timeout_at(end, cloudfront.create(&pending.invalidation)).await;
    let answer = answer.unwrap_or_else(|_| Err(CallError::timed_out(OPERATION)));
    Attempt { pending, started_at, answer }
}

/// Returns what to send next for an invalidation that was not accepted, or `None` to give up. Paths that a person
/// named are never widened.
fn next_attempt(
    pending: PendingInvalidation,
    error: &CallError,
    calls: CallLimits,
    deadlines: SendDeadlines,
    one_wildcard_from: Instant,
) -> Option<PendingInvalidation> {
    let is_named = pending.invalidation.is_named();
    match error.class {
        // CloudFront does not say which path is invalid.
        ErrorClass::InvalidArgument if !is_named && !pending.widened => {
            let widened = pending.invalidation.widened()?;
            Some(PendingInvalidation { widened: true, ..pending.rewritten(widened) })
        }
        ErrorClass::BatchTooLarge if !is_named => {
            let half = NonZeroUsize::new(pending.invalidation.items.len() / 2)?;
            let budget = pending.invalidation.budget;
            let budget = Budget { max_paths: budget.max_paths.min(half), ..budget };
            let smaller = pending.invalidation.within(budget)?;
            Some(pending.rewritten(smaller))
        }
        // `Throttle::next` says when, and ends the retries at their deadline.
        ErrorClass::Throttled => Some(pending),
        ErrorClass::TooManyInProgress | ErrorClass::Unavailable => {
            // The quotas count paths and wildcards in progress. If waiting does not help, a set with at
            // most one wildcard has the best chance.
            let now = Instant::now();
            if error.class == ErrorClass::TooManyInProgress && now >= one_wildcard_from && !is_named {
                let budget = Budget { max_wildcards: NonZeroUsize::MIN, ..pending.invalidation.budget };
                if let Some(fewer_wildcards) = pending.invalidation.within(budget) {
                    return Some(pending.rewritten(fewer_wildcards));
                }
            }
            let not_before = deadlines.retry_at(now + calls.delay(pending.failures), now)?;
            Some(PendingInvalidation { failures: pending.failures + 1, not_before, ..pending })
        }
        _ => None,
    }
}

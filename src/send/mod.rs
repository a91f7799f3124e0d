//! Sends the invalidations of one delivery, with retries until a deadline, and says what was sent
//! ([`SentInvalidation`]).
//!
//! `CreateInvalidation` is throttled for the whole account, at about one request in two seconds (AWS staff,
//! aws-sdk-js#3983), and a throttled response does not say when to retry. So all invalidations wait in one queue in
//! memory. Until CloudFront throttles, several requests are sent concurrently. From then on they start one at a time,
//! spaced by the backoff, and whatever is retried goes to the end of the queue. An invalidation that this process saw
//! accepted for an earlier delivery of the same changes is not sent again ([`SentCache`]).

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::aws::{Accepted, CallError, CloudFront, ErrorClass, Progress};
use crate::change::{DistributionId, InvalidationId};
use crate::collapse::Budget;
use crate::lookup::calls::{self, MAX_CALLS_PER_PERMIT, hold};
use crate::lookup::{CallLimits, Clock};
use crate::path::Item;
use crate::plan::{CallerReference, Invalidation, price_usd};

/// The operation's name in errors.
const CREATE_INVALIDATION: &str = "CreateInvalidation";

/// The most buckets of one invalidation that are listed.
pub(crate) const MAX_LISTED_BUCKETS: usize = 10;

/// How invalidations are sent.
#[derive(Clone, Copy, Debug)]
pub struct SendOptions {
    /// The limits of the attempts. The first delay is also the interval between requests once CloudFront throttles.
    pub calls: CallLimits,
    /// Whether nothing is sent.
    pub dry_run: bool,
}

/// The deadlines of sending.
#[derive(Clone, Copy)]
pub struct SendDeadlines {
    /// The end of retries.
    pub retries: Instant,
    /// When the last retry starts at the latest.
    pub last_retry: Instant,
    /// From when on fewer wildcards are sent if there are too many invalidations in progress.
    pub one_wildcard_from: Instant,
    /// The end of attempts. A request that starts later could be accepted and yet be reported as failed.
    pub attempts: Instant,
    /// The end of waiting for responses.
    pub answers: Instant,
}

impl SendDeadlines {
    /// Returns when a retry that is due at `due` starts: at that time, or as the last retry if that is earlier. `None`
    /// if it is too late for a retry.
    fn retry_at(&self, due: Instant, now: Instant) -> Option<Instant> {
        (now < self.last_retry).then(|| due.min(self.last_retry))
    }
}

/// An invalidation that CloudFront accepted, or that a dry run would have sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentInvalidation {
    /// The distribution.
    pub distribution_id: DistributionId,
    /// The result of sending it.
    pub status: SentStatus,
    /// CloudFront's ID of the invalidation; absent if CloudFront did not return one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalidation_id: Option<InvalidationId>,
    /// The status of the invalidation in CloudFront; absent if nothing waited for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalidation_status: Option<Progress>,
    /// The caller reference.
    pub caller_reference: String,
    /// The number of buckets whose changes it covers, or whose tag named the distribution.
    pub bucket_count: usize,
    /// The first of these buckets.
    pub buckets: Vec<String>,
    /// The number of changes it covers. A change is counted for each of its distributions.
    pub changes: usize,
    /// The number of its paths and cache tags.
    pub path_count: usize,
    /// The number of wildcards among all its paths.
    pub wildcard_count: usize,
    /// The number of URLs of unchanged objects that it evicts; absent if that is only estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged_evicted: Option<u64>,
    /// The price of its paths in US dollars, beyond the free ones, if CloudFront bills them in this invocation, or would
    /// without the dry run; otherwise 0.
    pub cost_usd: f64,
    /// Its paths and cache tags; a report may list only some.
    pub paths: Vec<Item>,
}

impl SentInvalidation {
    /// Builds the report of `invalidation` from CloudFront's answer; `accepted` is `None` in a dry run.
    #[must_use]
    pub fn new(invalidation: &Invalidation, accepted: Option<Accepted>) -> Self {
        let (status, invalidation_id) = match accepted {
            Some(Accepted::Created { id }) => (SentStatus::Accepted, Some(id)),
            Some(Accepted::AlreadyExists) => (SentStatus::AlreadyExists, None),
            None => (SentStatus::DryRun, None),
        };
        Self {
            distribution_id: invalidation.distribution.clone(),
            status,
            invalidation_id,
            invalidation_status: None,
            caller_reference: invalidation.caller_reference.as_str().to_owned(),
            bucket_count: invalidation.buckets.len(),
            buckets: invalidation.buckets.iter().take(MAX_LISTED_BUCKETS).map(ToString::to_string).collect(),
            changes: invalidation.changes.len(),
            path_count: invalidation.items.len(),
            wildcard_count: invalidation.items.iter().filter(|item| item.is_wildcard()).count(),
            unchanged_evicted: invalidation.unchanged_evicted,
            cost_usd: match status {
                SentStatus::Accepted | SentStatus::DryRun => price_usd(invalidation.items.len()),
                SentStatus::AcceptedBefore | SentStatus::AlreadyExists => 0.0,
            },
            paths: invalidation.items.clone(),
        }
    }

    /// Marks it as accepted for an earlier delivery of the same changes.
    #[must_use]
    pub fn cached(self) -> Self {
        let status = if self.status == SentStatus::Accepted { SentStatus::AcceptedBefore } else { self.status };
        Self { status, cost_usd: 0.0, ..self }
    }

    /// Returns whether CloudFront accepted it in this invocation, and so bills it. One that already exists under its
    /// caller reference is not billed again.
    #[must_use]
    pub fn is_billed(&self) -> bool {
        self.status == SentStatus::Accepted
    }
}

/// The result of sending an invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SentStatus {
    /// CloudFront accepted it.
    Accepted,
    /// CloudFront accepted it for an earlier delivery of the same changes, so it was not sent again.
    AcceptedBefore,
    /// CloudFront answered that it had accepted it before, for an earlier delivery or attempt.
    AlreadyExists,
    /// `DRY_RUN` is on: nothing was sent.
    DryRun,
}

/// How long an entry is cached: as long as Lambda retries an event (maximum age of an asynchronous event, 6 h).
const SENT_TTL: Duration = Duration::from_hours(6);

/// The approximate size limit of the cache, in bytes: some 5,000 invalidations that were accepted with the paths they
/// were planned with.
const MAX_CACHE_BYTES: usize = 2 * 1024 * 1024;

/// The approximate size of an entry without rewritten paths, in bytes.
const ENTRY_SIZE: usize = 400;
/// The approximate size of a rewritten path besides its text, in bytes.
const ITEM_SIZE: usize = 64;

/// The accepted invalidations, by the caller reference they were planned with.
///
/// A caller reference identifies distribution, delivery and paths, so an invalidation that was accepted under it is
/// done. When Lambda retries an event because another distribution failed, sending it again would only use up
/// CloudFront's low request rate. And CloudFront does not recognize an invalidation that it accepted with other paths
/// than planned; this cache does. It is only an optimization: an invalidation that is not cached, in another process
/// or for lack of space, is sent again.
pub struct SentCache {
    clock: Clock,
    entries: Mutex<SentEntries>,
}

impl SentCache {
    /// Creates an empty cache.
    pub fn new(clock: Clock) -> Self {
        Self { clock, entries: Mutex::default() }
    }

    /// Returns what was accepted for a planned invalidation, if it is cached.
    fn get(&self, planned: &Invalidation) -> Option<SentInvalidation> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.by_reference.get(&planned.caller_reference).filter(|it| self.is_fresh(it))?;
        let mut sent = planned.clone();
        if let Some((caller_reference, items)) = &entry.rewritten {
            sent.caller_reference = caller_reference.clone();
            sent.items.clone_from(items);
        }
        Some(SentInvalidation::new(&sent, Some(entry.accepted.clone())))
    }

    /// Caches that `sent` was accepted: the planned invalidation, or the rewritten one that replaced it.
    fn insert(&self, planned_reference: &CallerReference, sent: &Invalidation, accepted: &Accepted) {
        let is_rewritten = sent.caller_reference != *planned_reference;
        let rewritten = is_rewritten.then(|| (sent.caller_reference.clone(), sent.items.clone()));
        let items = rewritten.iter().flat_map(|(_, items)| items);
        let size = ENTRY_SIZE + items.map(|item| ITEM_SIZE + item.as_str().len()).sum::<usize>();
        let entry = SentEntry { accepted: accepted.clone(), rewritten, stored_at: (self.clock)(), size };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.size += size;
        match entries.by_reference.insert(planned_reference.clone(), entry) {
            Some(older) => entries.size -= older.size,
            None => entries.order.push_back(planned_reference.clone()),
        }
        while entries.size > MAX_CACHE_BYTES
            && let Some(oldest) = entries.order.pop_front()
        {
            let evicted = entries.by_reference.remove(&oldest);
            entries.size -= evicted.map_or(0, |it| it.size);
        }
    }

    /// By the wall clock, since the monotonic clock may stand still while the sandbox is frozen. An entry from the
    /// future is not fresh.
    fn is_fresh(&self, entry: &SentEntry) -> bool {
        (self.clock)().duration_since(entry.stored_at).is_ok_and(|age| age < SENT_TTL)
    }
}

#[derive(Default)]
struct SentEntries {
    by_reference: HashMap<CallerReference, SentEntry>,
    /// The references, the oldest first.
    order: VecDeque<CallerReference>,
    size: usize,
}

struct SentEntry {
    accepted: Accepted,
    /// The caller reference and paths that were accepted, if they are not the planned ones.
    rewritten: Option<(CallerReference, Vec<Item>)>,
    stored_at: SystemTime,
    size: usize,
}

/// Limits the rate of requests once CloudFront has throttled one.
struct Throttle {
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
    fn new(deadlines: SendDeadlines, calls: CallLimits, now: Instant) -> Self {
        Self { deadlines, calls, not_before: now, consecutive_throttles: 0, throttled_at: None, accepted_at: None }
    }

    /// Returns when the next request may start, or `None` if there is no time for it. `not_before` is its own earliest
    /// start, and `was_sent` is whether it was sent before. A first attempt may start until the end of attempts; a
    /// retry, and any request once CloudFront has throttled, only until the end of retries.
    fn next(&self, not_before: Instant, was_sent: bool, now: Instant) -> Option<Instant> {
        let start = not_before.max(self.not_before).max(now);
        let is_first = !was_sent && self.throttled_at.is_none();
        let latest = if is_first { self.deadlines.attempts } else { self.deadlines.retries };
        (start <= latest).then_some(start)
    }

    /// Records that a request starts.
    fn begin(&mut self, now: Instant) {
        if self.throttled_at.is_some() {
            self.wait_until(now + self.calls.first_delay, now);
        }
    }

    /// Records that a request was throttled that started at `attempt_start`.
    fn throttled(&mut self, attempt_start: Instant, now: Instant) {
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
    fn accepted(&mut self, attempt_start: Instant, now: Instant) {
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

/// The most invalidations, each for one distribution, that are sent concurrently, apart from calls that hang (see
/// [`hold`]).
const CONCURRENT_SENDS: usize = 8;

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
        cached.ok_or_else(|| CallError::timed_out(CREATE_INVALIDATION))
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
                        waiting.extend(next_attempt(pending, &error, options.calls, deadlines));
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
    pending: PendingInvalidation,
    error: &CallError,
    calls: CallLimits,
    deadlines: SendDeadlines,
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
            if error.class == ErrorClass::TooManyInProgress && now >= deadlines.one_wildcard_from && !is_named {
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

#[cfg(test)]
mod throttle_tests {
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
            one_wildcard_from: now + seconds(5.0),
            attempts: now + seconds(29.0),
            answers: now + seconds(30.0),
        }
    }

    #[test]
    fn a_throttled_burst_counts_once() {
        let now = Instant::now();
        let mut throttle = Throttle::new(deadlines(now), LIMITS, now);
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
            let mut throttle = Throttle::new(deadlines(now), LIMITS, now);
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
        let mut throttle = Throttle::new(deadlines(now), LIMITS, now);
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
        let mut throttle = Throttle::new(deadlines(now), LIMITS, now);
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
        let throttle = Throttle::new(deadlines(now), LIMITS, now);
        assert_eq!(throttle.next(now, false, now + seconds(29.0)), Some(now + seconds(29.0)));
        assert_eq!(throttle.next(now, false, now + seconds(29.1)), None);
        assert_eq!(throttle.next(now, true, now + seconds(10.1)), None);
    }
}

#[cfg(test)]
mod sent_cache_tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::change::{DistributionId, InvalidationId};
    use crate::plan::{DeliveryId, plan_named};

    fn sent_cache() -> (SentCache, Arc<AtomicU64>) {
        let seconds = Arc::new(AtomicU64::new(1_000_000));
        let clock_seconds = Arc::clone(&seconds);
        let now = move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock_seconds.load(Ordering::Relaxed));
        (SentCache::new(Arc::new(now)), seconds)
    }

    fn planned(path: &str, delivery: &str) -> Invalidation {
        let items = [Item::named(path).unwrap()];
        plan_named(&[DistributionId::new("E1").unwrap()], &items, None, &DeliveryId::Invocation(delivery)).remove(0)
    }

    fn accepted() -> Accepted {
        Accepted::Created { id: InvalidationId::new("I1").unwrap() }
    }

    #[test]
    fn an_accepted_invalidation_is_returned_for_the_same_delivery_only() {
        let (sent_cache, _) = sent_cache();
        let plan = planned("/a", "r1");
        assert_eq!(sent_cache.get(&plan), None);
        sent_cache.insert(&plan.caller_reference, &plan, &accepted());
        assert_eq!(sent_cache.get(&plan), Some(SentInvalidation::new(&plan, Some(accepted()))));
        assert_eq!(sent_cache.get(&planned("/a", "r2")), None);
        assert_eq!(sent_cache.get(&planned("/b", "r1")), None);
    }

    #[test]
    fn rewritten_paths_are_returned_as_accepted() {
        let (sent_cache, _) = sent_cache();
        let (plan, wider) = (planned("/a", "r1"), planned("/*", "r1"));
        sent_cache.insert(&plan.caller_reference, &wider, &accepted());
        let cached = sent_cache.get(&plan).unwrap();
        assert_eq!((cached.paths.as_slice(), cached.path_count), (wider.items.as_slice(), 1));
        assert_eq!(cached.caller_reference, wider.caller_reference.as_str());
    }

    #[test]
    fn entries_expire() {
        let (sent_cache, seconds) = sent_cache();
        let plan = planned("/a", "r1");
        sent_cache.insert(&plan.caller_reference, &plan, &accepted());
        seconds.fetch_add(6 * 3600 - 1, Ordering::Relaxed);
        assert!(sent_cache.get(&plan).is_some());
        seconds.fetch_add(1, Ordering::Relaxed);
        assert_eq!(sent_cache.get(&plan), None);
        sent_cache.insert(&plan.caller_reference, &plan, &accepted());
        seconds.fetch_sub(10, Ordering::Relaxed);
        assert_eq!(sent_cache.get(&plan), None, "the clock was set back");
    }

    #[test]
    fn the_oldest_entries_are_evicted_first() {
        let (sent_cache, _) = sent_cache();
        let long = planned(&format!("/{}", "x".repeat(3000)), "r1");
        for number in 0..10_000 {
            let plan = planned("/a", &number.to_string());
            let sent = if number % 2 == 0 { &long } else { &plan };
            sent_cache.insert(&plan.caller_reference, sent, &accepted());
            sent_cache.insert(&plan.caller_reference, sent, &accepted());
        }
        assert!(sent_cache.get(&planned("/a", "9999")).is_some() && sent_cache.get(&planned("/a", "9998")).is_some());
        assert_eq!(sent_cache.get(&planned("/a", "0")), None);
        let entries = sent_cache.entries.lock().unwrap();
        assert!(entries.size <= MAX_CACHE_BYTES && entries.size > MAX_CACHE_BYTES / 2);
        assert_eq!(entries.order.len(), entries.by_reference.len());
        assert_eq!(entries.by_reference.values().map(|it| it.size).sum::<usize>(), entries.size);
    }
}

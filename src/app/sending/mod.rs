//! Sending the invalidations of one delivery: all of them, again where that may help, in the time there is.
//!
//! `CreateInvalidation` is limited for the whole account, to about one request in two seconds (AWS staff, aws-sdk-js#3983),
//! and it does not say when to come again. So the invalidations stand in one queue. Until CloudFront throttles, several
//! are sent at a time; from then on one after the other, at its pace, each that was refused behind all others.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Duration, Instant, sleep_until};

use super::App;
use crate::backoff::pause;
use crate::collapse::Budget;
use crate::failure::Failure;
use crate::plan::PlannedInvalidation;
use crate::ports::{Accepted, BucketTags, CallError, ErrorClass, Invalidations, Jobs};
use crate::report::SentInvalidation;

/// How many distributions are sent their invalidations at the same time.
pub const CONCURRENT_SENDS: usize = 8;

/// How long before retries end the last of them begins.
const LAST_ATTEMPT: Duration = Duration::from_millis(50);

/// How long sending may take.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// Until then what failed may be tried again.
    pub(super) retries: Instant,
    /// Until then answers are waited for.
    pub(super) answers: Instant,
}

/// An invalidation that is not accepted yet.
struct Pending {
    /// Its place among those to be sent.
    number: usize,
    /// What is tried, which may be wider than what was planned.
    invalidation: PlannedInvalidation,
    widened: bool,
    /// Whether just this was tried before.
    tried: bool,
    /// How often it has failed by itself for a while.
    failures: u32,
    not_before: Instant,
}

impl Pending {
    /// The same in other words, to be tried at once.
    fn reworded(self, invalidation: PlannedInvalidation) -> Self {
        Self { invalidation, tried: false, ..self }
    }
}

/// How fast requests may follow one another.
struct Pace {
    concurrent: usize,
    not_before: Instant,
    /// How often in a row CloudFront has throttled.
    refusals: u32,
    backoff: Duration,
}

impl Pace {
    fn is_throttled(&self) -> bool {
        self.concurrent == 1
    }

    fn throttled(&mut self) {
        self.concurrent = 1;
        self.not_before = Instant::now() + pause(self.backoff, self.refusals);
        self.refusals += 1;
    }

    fn accepted(&mut self) {
        if self.is_throttled() {
            self.refusals = 0;
            self.not_before = Instant::now() + self.backoff;
        }
    }

    /// When this may be tried, if it may: from now on, and not again once there is no time for it.
    fn start(&self, pending: &Pending, now: Instant, patience: Patience) -> Option<Instant> {
        let start = pending.not_before.max(self.not_before).max(now);
        let is_first = !pending.tried && !self.is_throttled();
        (start < patience.answers && (is_first || start <= patience.retries)).then_some(start)
    }
}

fn pending((number, planned): (usize, &PlannedInvalidation), now: Instant) -> Pending {
    let invalidation = planned.clone();
    Pending { number, invalidation, widened: false, tried: false, failures: 0, not_before: now }
}

impl<T: BucketTags, I: Invalidations, J: Jobs> App<T, I, J> {
    /// Sends these invalidations, each until it is accepted, refused for good, or out of time.
    pub(super) async fn send_all(
        &self,
        planned: &[PlannedInvalidation],
        patience: Patience,
    ) -> Vec<Result<SentInvalidation, Failure>> {
        if self.dry_run {
            return planned.iter().map(|planned| Ok(SentInvalidation::new(planned, None))).collect();
        }
        let began = Instant::now();
        let mut outcomes: Vec<_> = planned.iter().map(|_| Err(CallError::no_time("CreateInvalidation"))).collect();
        let mut waiting: VecDeque<_> = planned.iter().enumerate().map(|it| pending(it, began)).collect();
        let mut under_way = FuturesUnordered::new();
        let backoff = self.retries.backoff;
        let mut pace = Pace { concurrent: CONCURRENT_SENDS, not_before: began, refusals: 0, backoff };
        loop {
            let now = Instant::now();
            while under_way.len() < pace.concurrent {
                let ready = waiting.iter().position(|it| pace.start(it, now, patience) == Some(now));
                let Some(next) = ready.and_then(|place| waiting.remove(place)) else { break };
                under_way.push(self.attempt(next));
            }
            let next_start = waiting.iter().filter_map(|it| pace.start(it, now, patience)).min();
            let next_start = next_start.filter(|_| under_way.len() < pace.concurrent);
            if under_way.is_empty() && next_start.is_none() {
                break;
            }
            tokio::select! {
                Some((pending, answer)) = under_way.next() => {
                    let number = pending.number;
                    let outcome = match answer {
                        Ok(accepted) => {
                            pace.accepted();
                            Ok(SentInvalidation::new(&pending.invalidation, Some(accepted)))
                        }
                        Err(error) => {
                            if error.class == ErrorClass::Throttled {
                                pace.throttled();
                            }
                            waiting.extend(self.judge(pending, &error, began, patience));
                            Err(error)
                        }
                    };
                    if let Some(slot) = outcomes.get_mut(number) {
                        *slot = outcome;
                    }
                }
                () = sleep_until(next_start.unwrap_or(patience.answers)) => {
                    if Instant::now() >= patience.answers {
                        break;
                    }
                }
            }
        }
        let failure = |planned: &PlannedInvalidation, error| Failure::Send {
            distribution: planned.distribution.clone(),
            buckets: planned.buckets.clone(),
            changes: planned.changes.len(),
            error,
        };
        planned
            .iter()
            .zip(outcomes)
            .map(|(planned, outcome)| outcome.map_err(|error| failure(planned, error)))
            .collect()
    }

    async fn attempt(&self, mut pending: Pending) -> (Pending, Result<Accepted, CallError>) {
        pending.tried = true;
        let answer = self.invalidations.create(&pending.invalidation).await;
        (pending, answer)
    }

    /// What to try next for an invalidation that was not accepted, if anything. What a person named is never widened.
    fn judge(&self, pending: Pending, error: &CallError, began: Instant, patience: Patience) -> Option<Pending> {
        let named = pending.invalidation.is_named();
        match error.class {
            // It says that a path is bad, and not which.
            ErrorClass::InvalidArgument if !named && !pending.widened => {
                let widened = pending.invalidation.widened()?;
                Some(Pending { widened: true, ..pending.reworded(widened) })
            }
            ErrorClass::BatchTooLarge if !named => {
                let half = NonZeroUsize::new(pending.invalidation.items.len() / 2)?;
                let budget = pending.invalidation.budget;
                let budget = Budget { max_paths: budget.max_paths.min(half), ..budget };
                let smaller = pending.invalidation.within(budget)?;
                Some(pending.reworded(smaller))
            }
            ErrorClass::Throttled => Some(pending),
            ErrorClass::TooManyInProgress | ErrorClass::Unavailable => {
                let is_late = began.elapsed() >= patience.retries.saturating_duration_since(began) / 2;
                if error.class == ErrorClass::TooManyInProgress && is_late && !named {
                    let budget = Budget { max_wildcards: NonZeroUsize::MIN, ..pending.invalidation.budget };
                    if let Some(narrower) = pending.invalidation.within(budget) {
                        return Some(pending.reworded(narrower));
                    }
                }
                let now = Instant::now();
                let last = patience.retries.checked_sub(LAST_ATTEMPT).filter(|last| now < *last)?;
                // Rather a little early than not at all.
                let not_before = last.min(now + pause(self.retries.backoff, pending.failures));
                Some(Pending { failures: pending.failures + 1, not_before, ..pending })
            }
            _ => None,
        }
    }
}

//! The whole way of a delivery, over the ports: decode, look up, plan, send, report.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use crate::cache::Clock;
use crate::change::Bucket;
use crate::collapse::Budget;
use crate::config::{Config, ExpectedOwner};
use crate::event::{self, Batch, Trigger};
use crate::plan::{Plan, PlannedInvalidation, plan};
use crate::ports::{AccountId, BucketQuery, BucketTags, Invalidations};
use crate::report::{Counts, FAILURES_SPELT_OUT, Failure, IgnoreReason, InvocationError, Report, SentInvalidation};
use crate::router::{Learnt, Router};

/// How many distributions are sent their invalidations at the same time.
pub const CONCURRENT_SENDS: usize = 8;

/// What part of the time that is left may be waited for buckets' tags. What has not answered by then must not keep the
/// other buckets' changes from being sent.
const LOOKUP_SHARE: u32 = 3;

/// What the function knows of one invocation besides the event.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Lambda's id of the request: the same on each of Lambda's own retries, so it is the identity of a direct event.
    pub request_id: String,
    /// The ARN by which the function was invoked.
    pub function_arn: String,
    /// How much time is left to answer.
    pub time_left: Duration,
}

/// The function, with what it needs of the world.
pub struct App<T, I> {
    router: Router<T>,
    invalidations: I,
    budget: Budget,
    expected_owner: ExpectedOwner,
    dry_run: bool,
}

impl<T: BucketTags, I: Invalidations> App<T, I> {
    /// The function as `config` wants it. `clock` tells the age of remembered answers.
    pub fn new(config: Config, tags: T, invalidations: I, clock: Clock) -> Self {
        Self {
            router: Router::new(tags, config.route, config.lives, clock),
            invalidations,
            budget: config.budget,
            expected_owner: config.expected_owner,
            dry_run: config.dry_run,
        }
    }

    /// Handles one event, given as raw bytes. Every change in it ends as covered, as ignored for a named reason, or as
    /// failed; one that fails keeps no other from being handled.
    ///
    /// # Errors
    /// [`InvocationError`] if the event cannot be read or any change failed: the invocation must fail, so that the event
    /// is delivered again.
    pub async fn handle(&self, event: &[u8], invocation: &Invocation) -> Result<Report, InvocationError> {
        match event::decode(event).map_err(InvocationError::Event)? {
            Trigger::TestEvent => {
                let mut report = Report::default();
                report.ignore(IgnoreReason::TestEvent, 0);
                log(&report);
                Ok(report)
            }
            Trigger::Changes(batch) => self.invalidate(batch, invocation).await,
        }
    }

    async fn invalidate(&self, batch: Batch, invocation: &Invocation) -> Result<Report, InvocationError> {
        let queries = self.queries(&batch, invocation)?;
        let learnt = self.router.learn(queries, Instant::now() + invocation.time_left / LOOKUP_SHARE).await;
        let plan = plan(&batch.changes, &learnt.destinations(), self.budget, &invocation.request_id);
        let outcomes: Vec<_> = stream::iter(&plan.invalidations)
            .map(|planned| self.send(planned))
            .buffered(CONCURRENT_SENDS)
            .collect()
            .await;
        let (report, failures) = self.settle(&batch, &plan, &learnt, outcomes);
        log(&report);
        if report.changes.failed == 0 {
            return Ok(report);
        }
        // The runtime logs the error, which spells out the first.
        for failure in failures.iter().skip(FAILURES_SPELT_OUT) {
            tracing::error!(failure = failure.to_string(), "not invalidated");
        }
        Err(InvocationError::NotInvalidated { report: Box::new(report), failures })
    }

    /// One question per bucket, sorted.
    fn queries(&self, batch: &Batch, invocation: &Invocation) -> Result<Vec<BucketQuery>, InvocationError> {
        let mut buckets = BTreeSet::new();
        for change in &batch.changes {
            if !buckets.contains(&change.bucket) {
                buckets.insert(change.bucket.clone());
            }
        }
        if buckets.is_empty() {
            return Ok(Vec::new());
        }
        let expected_owner = match &self.expected_owner {
            ExpectedOwner::Any => None,
            ExpectedOwner::Account(id) => Some(id.clone()),
            ExpectedOwner::FunctionAccount => {
                Some(AccountId::of_function(&invocation.function_arn).ok_or(InvocationError::UnknownAccount)?)
            }
        };
        let query = |bucket| BucketQuery { bucket, expected_owner: expected_owner.clone() };
        Ok(buckets.into_iter().map(query).collect())
    }

    async fn send(&self, planned: &PlannedInvalidation) -> Result<SentInvalidation, Failure> {
        if self.dry_run {
            return Ok(SentInvalidation::new(planned, None));
        }
        match self.invalidations.create(planned).await {
            Ok(accepted) => Ok(SentInvalidation::new(planned, Some(accepted))),
            Err(error) => Err(Failure::Send {
                distribution: planned.distribution.clone(),
                buckets: planned.buckets.clone(),
                changes: planned.changes.len(),
                error,
            }),
        }
    }

    /// Counts every change once. A change is covered only when each of its distributions took its invalidation.
    fn settle(
        &self,
        batch: &Batch,
        plan: &Plan,
        learnt: &Learnt,
        outcomes: Vec<Result<SentInvalidation, Failure>>,
    ) -> (Report, Vec<Failure>) {
        let mut report = Report::default();
        let mut covered = vec![false; batch.changes.len()];
        let mut failed = vec![false; batch.changes.len()];
        let mut failures: Vec<_> = batch.failed.iter().map(|error| Failure::Record(error.to_string())).collect();
        for (bucket, places) in &plan.unrouted {
            mark(&mut failed, places);
            if let Some(error) = learnt.error(bucket) {
                failures.push(Failure::Route { bucket: bucket.name.clone(), changes: places.len(), error });
            }
        }
        for (planned, outcome) in plan.invalidations.iter().zip(outcomes) {
            match outcome {
                Ok(sent) => {
                    mark(&mut covered, &planned.changes);
                    report.add(sent);
                }
                Err(failure) => {
                    mark(&mut failed, &planned.changes);
                    failures.push(failure);
                }
            }
        }
        let covered = covered.iter().zip(&failed).filter(|&(&covered, &failed)| covered && !failed).count();
        report.changes.failed = failed.iter().filter(|&&failed| failed).count() + batch.failed.len();
        for (reason, changes) in ignored(batch, plan) {
            report.ignore(reason, changes);
        }
        if !self.dry_run {
            report.changes.covered = covered;
        } else if covered > 0 {
            report.ignore(IgnoreReason::DryRun, covered);
        }
        (report, failures)
    }
}

fn mark(changes: &mut [bool], places: &[usize]) {
    for &place in places {
        if let Some(change) = changes.get_mut(place) {
            *change = true;
        }
    }
}

/// The changes that need no invalidation, grouped by reason and sorted.
fn ignored(batch: &Batch, plan: &Plan) -> BTreeMap<IgnoreReason, usize> {
    let name = |bucket: &Bucket| bucket.name.to_string();
    let untagged = plan.untagged.iter().map(|(it, &n)| (IgnoreReason::BucketNotTagged { bucket: name(it) }, n));
    let outside =
        plan.outside_origin_path.iter().map(|(it, &n)| (IgnoreReason::OutsideOriginPath { bucket: name(it) }, n));
    let other_events = batch
        .ignored
        .iter()
        .map(|record| (IgnoreReason::NotAContentChange { event_name: record.event_name.clone() }, 1));
    let mut by_reason = BTreeMap::new();
    for (reason, changes) in untagged.chain(outside).chain(other_events) {
        *by_reason.entry(reason).or_insert(0) += changes;
    }
    by_reason
}

/// The line that answers, by itself, what was invalidated and why not the rest.
fn log(report: &Report) {
    let Counts { covered, ignored, failed } = report.changes;
    tracing::info!(
        covered,
        ignored,
        failed,
        invalidations = json(&report.invalidations),
        ignored_by_reason = json(&report.ignored),
        "handled {} changes for {} distributions",
        covered + ignored + failed,
        report.invalidations.len(),
    );
}

/// JSON of a value, in one line; its strings have no control characters left.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

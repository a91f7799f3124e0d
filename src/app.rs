//! The whole way of a delivery, over the ports: decode, look up, plan, send, report.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use crate::cache::Clock;
use crate::change::BucketName;
use crate::collapse::Budget;
use crate::config::{Config, ExpectedOwner};
use crate::event::{self, Batch, Trigger};
use crate::plan::{Plan, PlannedInvalidation, plan};
use crate::ports::{AccountId, BucketQuery, BucketTags, Invalidations};
use crate::report::{Counts, Failure, IgnoreReason, Ignored, InvocationError, Report, SentInvalidation};
use crate::route::{Router, Routes};

/// How many distributions are sent their invalidations at the same time.
pub const CONCURRENT_SENDS: usize = 8;

/// What the function knows of one invocation besides the event.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Lambda's id of the request: the same on each of Lambda's own retries, so it is the identity of a direct event.
    pub request_id: String,
    /// The ARN by which the function was invoked.
    pub function_arn: String,
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
            router: Router::new(tags, config.route, clock),
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
                let report = Report {
                    ignored: vec![Ignored { reason: IgnoreReason::TestEvent, changes: 0 }],
                    ..Report::default()
                };
                log(&report);
                Ok(report)
            }
            Trigger::Changes(batch) => self.invalidate(batch, invocation).await,
        }
    }

    async fn invalidate(&self, batch: Batch, invocation: &Invocation) -> Result<Report, InvocationError> {
        let routes = self.router.routes(self.queries(&batch, invocation)?).await;
        let plan = plan(&batch.changes, &routes, self.budget, &invocation.request_id);
        let outcomes: Vec<_> = stream::iter(&plan.invalidations)
            .map(|planned| self.send(planned))
            .buffered(CONCURRENT_SENDS)
            .collect()
            .await;
        let (report, failures) = self.settle(&batch, &plan, &routes, outcomes);
        log(&report);
        if report.changes.failed == 0 {
            return Ok(report);
        }
        for failure in &failures {
            tracing::debug!(failure = failure.to_string(), "not invalidated");
        }
        Err(InvocationError::NotInvalidated { report: Box::new(report), failures })
    }

    /// One question per bucket, sorted. Where records disagree about a bucket's Region, the first counts.
    fn queries(&self, batch: &Batch, invocation: &Invocation) -> Result<Vec<BucketQuery>, InvocationError> {
        let mut regions = BTreeMap::new();
        for change in &batch.changes {
            if !regions.contains_key(&change.bucket) {
                regions.insert(change.bucket.clone(), change.region.clone());
            }
        }
        if regions.is_empty() {
            return Ok(Vec::new());
        }
        let expected_owner = match &self.expected_owner {
            ExpectedOwner::Any => None,
            ExpectedOwner::Account(id) => Some(id.clone()),
            ExpectedOwner::FunctionAccount => {
                Some(AccountId::of_function(&invocation.function_arn).ok_or(InvocationError::UnknownAccount)?)
            }
        };
        Ok(regions
            .into_iter()
            .map(|(bucket, region)| BucketQuery { bucket, region, expected_owner: expected_owner.clone() })
            .collect())
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
        routes: &Routes,
        outcomes: Vec<Result<SentInvalidation, Failure>>,
    ) -> (Report, Vec<Failure>) {
        let mut covered = vec![false; batch.changes.len()];
        let mut failed = vec![false; batch.changes.len()];
        let mut failures: Vec<_> = batch.failed.iter().map(|error| Failure::Record(error.to_string())).collect();
        for (bucket, places) in &plan.unrouted {
            mark(&mut failed, places);
            if let Some(Err(error)) = routes.get(bucket) {
                let (bucket, error) = (bucket.clone(), error.clone());
                failures.push(Failure::Route { bucket, changes: places.len(), error });
            }
        }
        let mut invalidations = Vec::with_capacity(outcomes.len());
        for (planned, outcome) in plan.invalidations.iter().zip(outcomes) {
            match outcome {
                Ok(sent) => {
                    mark(&mut covered, &planned.changes);
                    invalidations.push(sent);
                }
                Err(failure) => {
                    mark(&mut failed, &planned.changes);
                    failures.push(failure);
                }
            }
        }
        let covered = covered.iter().zip(&failed).filter(|&(&covered, &failed)| covered && !failed).count();
        let failed = failed.iter().filter(|&&failed| failed).count() + batch.failed.len();
        let mut ignored = ignored(batch, plan);
        if self.dry_run && covered > 0 {
            ignored.push(Ignored { reason: IgnoreReason::DryRun, changes: covered });
        }
        let counts = Counts {
            covered: if self.dry_run { 0 } else { covered },
            ignored: ignored.iter().map(|it| it.changes).sum(),
            failed,
        };
        (Report { changes: counts, invalidations, ignored }, failures)
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
fn ignored(batch: &Batch, plan: &Plan) -> Vec<Ignored> {
    let name = |bucket: &BucketName| bucket.to_string();
    let untagged = plan.untagged.iter().map(|(bucket, &n)| (IgnoreReason::BucketNotTagged { bucket: name(bucket) }, n));
    let outside = plan
        .outside_origin_path
        .iter()
        .map(|(bucket, &n)| (IgnoreReason::OutsideOriginPath { bucket: name(bucket) }, n));
    let other_events = batch
        .ignored
        .iter()
        .map(|record| (IgnoreReason::NotAContentChange { event_name: record.event_name.clone() }, 1));
    let mut by_reason = BTreeMap::new();
    for (reason, changes) in untagged.chain(outside).chain(other_events) {
        *by_reason.entry(reason).or_insert(0) += changes;
    }
    by_reason.into_iter().map(|(reason, changes)| Ignored { reason, changes }).collect()
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

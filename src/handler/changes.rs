//! Changes of objects, however they came.

use std::collections::{BTreeMap, BTreeSet};

use aws_lambda_events::event::sqs::SqsBatchResponse;
use tokio::time::{Duration, Instant};

use super::{App, Invocation, log_each};
use crate::aws::{BucketTags, CallError, Invalidations, Jobs, Objects, Settings};
use crate::change::text::excerpt;
use crate::change::{Batch, Bucket, DistributionId, Message};
use crate::lookup::{Learnt, Surveyed};
use crate::path::{InvalidationPath, Unseen};
use crate::plan::{self, Identity, IgnoreReason, Plan, Stock, gather};
use crate::report::{Answer, FAILURES_SPELT_OUT, Failure, InvocationError, Report, Summary};
use crate::send::{Patience, SentInvalidation};

/// What part of the time that is left may be waited for buckets' tags, and of what is left then for distributions'
/// settings. What has not answered by then must not keep the other changes from being sent.
const LOOKUP_SHARE: u32 = 3;

/// What part of the time that is left then buckets may be listed, and for how long at the most.
const LISTING_SHARE: u32 = 4;
const LONGEST_LISTING: Duration = Duration::from_secs(10);

/// How many failures have a line of the log of their own: what one delivery can make the function write must be bounded.
const LOGGED_FAILURES: usize = 500;

/// What became of changes.
pub(super) struct Delivered {
    pub(super) report: Report,
    pub(super) failures: Vec<Failure>,
    /// Whether each change failed, by its place in the batch.
    failed: Vec<bool>,
}

impl<T: BucketTags + Objects, I: Invalidations + Settings, J: Jobs> App<T, I, J> {
    pub(super) async fn changes(
        &self,
        batch: Batch,
        invocation: &Invocation,
        summary: &mut Summary,
    ) -> Result<Answer, InvocationError> {
        // What is true until more is known.
        summary.changes.failed = batch.changes.len() + batch.failed.len() + batch.failed_too;
        // An event of S3's own Lambda keeps for hours, at no cost, while each receive of a queue's message is one of few.
        let retries = if batch.messages.is_some() { None } else { Some(self.retries.direct) };
        let identity = Identity::Invocation(&invocation.request_id);
        let learnt = self.learn(buckets(&batch), invocation).await?;
        let delivered = self.deliver(&batch, &learnt, &identity, (invocation, invocation.patience(retries))).await;
        summary.tell(&delivered.report, &delivered.failures);
        log_each(&delivered.report);
        let answer = batch.messages.as_deref().and_then(|messages| delivered.for_queue(messages, &batch));
        if answer.is_none() && delivered.failures.is_empty() {
            return Ok(Answer::Report(Box::new(delivered.report)));
        }
        // Where the invocation fails the runtime logs its error, which spells out the first.
        let spelt_out = if answer.is_some() { 0 } else { FAILURES_SPELT_OUT };
        let mut others = delivered.failures.iter().skip(spelt_out);
        for failure in others.by_ref().take(LOGGED_FAILURES) {
            tracing::error!(failure = failure.to_string(), "not invalidated");
        }
        let unlisted = others.count() + batch.failed_too;
        if unlisted > 0 {
            tracing::error!(unlisted, "there are more failures");
        }
        answer.map(Answer::Batch).ok_or_else(|| delivered.into_error())
    }

    /// Sends each distribution one invalidation for all these changes. `identity` is that of the delivery.
    pub(super) async fn deliver(
        &self,
        batch: &Batch,
        learnt: &Learnt,
        identity: &Identity<'_>,
        (invocation, patience): (&Invocation, Patience),
    ) -> Delivered {
        let now = Instant::now();
        let deadline = now + patience.answers.saturating_duration_since(now) / LOOKUP_SHARE;
        let distributions = learnt.routes().flat_map(|(_, route)| &route.distributions).collect();
        let surveyed = self.surveyor.learn(&self.invalidations, distributions, deadline).await;
        let destinations = learnt.destinations(&surveyed);
        let gathering = gather(batch, &destinations);
        let stock = if self.lister.is_on() {
            let wanted = plan::wanted(batch, &destinations, &gathering, self.objective.budget);
            let buckets: BTreeSet<_> = wanted.keys().map(|(bucket, _)| bucket.clone()).collect();
            // Who can be asked for its tags can be asked for its keys.
            let queries = self.queries(buckets, invocation).unwrap_or_default();
            // Not boxed it would make the types of what is waited for too deep for the compiler.
            Box::pin(self.lister.list(self.router.source(), wanted, &queries, listing_deadline(patience))).await
        } else {
            Stock::default()
        };
        let inventory = |id: &DistributionId, paths: &[InvalidationPath]| stock.inventory(&destinations, id, paths);
        let plan = gathering.plan(batch, self.objective, identity, inventory);
        let outcomes = self.send(&plan.invalidations, patience).await;
        self.settle(batch, &plan, (learnt, &surveyed), outcomes)
    }

    /// What is known of these buckets.
    pub(super) async fn learn(
        &self,
        buckets: impl IntoIterator<Item = Bucket>,
        invocation: &Invocation,
    ) -> Result<Learnt, InvocationError> {
        let queries = self.queries(buckets, invocation)?;
        Ok(self.router.learn(queries, Instant::now() + invocation.time_left() / LOOKUP_SHARE).await)
    }

    /// Counts every change once. A change is covered only when each of its distributions took its invalidation.
    fn settle(
        &self,
        batch: &Batch,
        plan: &Plan,
        (learnt, surveyed): (&Learnt, &Surveyed),
        outcomes: Vec<Result<SentInvalidation, CallError>>,
    ) -> Delivered {
        let mut report = Report::default();
        let mut covered = vec![false; batch.changes.len()];
        let mut failed = vec![false; batch.changes.len()];
        let mut failures: Vec<_> = unreadable(batch).collect();
        for (bucket, places) in &plan.unrouted {
            mark(&mut failed, places);
            if let Some(error) = learnt.error(bucket) {
                failures.push(Failure::Route { bucket: bucket.name.clone(), changes: places.len(), error });
            }
        }
        for (distribution, places) in &plan.unsettled {
            mark(&mut failed, places);
            if let Some(error) = surveyed.error(distribution) {
                let buckets: BTreeSet<_> =
                    places.iter().filter_map(|&place| batch.changes.get(place)).map(|it| &it.bucket.name).collect();
                failures.push(Failure::Settings {
                    distribution: distribution.clone(),
                    buckets: buckets.into_iter().cloned().collect(),
                    changes: places.len(),
                    error,
                });
            }
        }
        for (planned, outcome) in plan.invalidations.iter().zip(outcomes) {
            match outcome {
                Ok(sent) => {
                    mark(&mut covered, &planned.changes);
                    report.add(sent);
                }
                Err(error) => {
                    mark(&mut failed, &planned.changes);
                    failures.push(Failure::send(planned, error));
                }
            }
        }
        let is_covered = |place: usize| covered.get(place) == Some(&true) && failed.get(place) == Some(&false);
        let times = batch.times.iter().enumerate().filter(|(place, _)| !self.dry_run && is_covered(*place));
        report.oldest_covered = times.filter_map(|(_, time)| *time).min();
        let covered = (0..batch.changes.len()).filter(|&place| is_covered(place)).count();
        report.changes.failed = failed.iter().filter(|&&failed| failed).count() + batch.failed.len() + batch.failed_too;
        if batch.test_events > 0 {
            report.ignore(IgnoreReason::TestEvent, 0);
        }
        for (reason, changes) in ignored(batch, plan) {
            report.ignore(reason, changes);
        }
        if !self.dry_run {
            report.changes.covered = covered;
        } else if covered > 0 {
            report.ignore(IgnoreReason::DryRun, covered);
        }
        Delivered { report, failures, failed }
    }
}

impl Delivered {
    fn into_error(self) -> InvocationError {
        InvocationError::NotInvalidated { report: Box::new(self.report), failures: self.failures }
    }

    /// Which messages are to come again: those of which anything failed. `None` if something failed that came with no
    /// message that could be named; then the whole batch must come again.
    fn for_queue(&self, messages: &[Message], batch: &Batch) -> Option<SqsBatchResponse> {
        let named: usize = messages.iter().map(|message| message.failed.len()).sum();
        if named < batch.failed.len() {
            return None;
        }
        let has_failed = |message: &&Message| {
            let failed = self.failed.get(message.changes.clone()).is_some_and(|changes| changes.contains(&true));
            failed || !message.failed.is_empty()
        };
        let ids: BTreeSet<_> = messages.iter().filter(has_failed).map(|message| &*message.id).collect();
        let mut response = SqsBatchResponse::default();
        for id in ids {
            response.add_failure(id);
        }
        Some(response)
    }
}

/// Until when buckets may be listed: it saves money, and must not cost the time to spend it.
fn listing_deadline(patience: Patience) -> Instant {
    let now = Instant::now();
    now + (patience.answers.saturating_duration_since(now) / LISTING_SHARE).min(LONGEST_LISTING)
}

/// The buckets of a batch, each once and sorted.
fn buckets(batch: &Batch) -> BTreeSet<Bucket> {
    let mut buckets = BTreeSet::new();
    for change in &batch.changes {
        if !buckets.contains(&change.bucket) {
            buckets.insert(change.bucket.clone());
        }
    }
    buckets
}

/// What of a batch could not be read, with the messages it came with.
fn unreadable(batch: &Batch) -> impl Iterator<Item = Failure> {
    let mut messages = batch.messages.iter().flatten().peekable();
    batch.failed.iter().enumerate().map(move |(place, error)| {
        while messages.next_if(|message| message.failed.end <= place).is_some() {}
        let message = messages.peek().filter(|message| message.failed.contains(&place));
        Failure::Record { message: message.map(|message| excerpt(&message.id)), error: error.clone() }
    })
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
    let unseen = plan.unseen.iter().map(|((it, unseen), &n)| match unseen {
        Unseen::OutsideOriginPath => (IgnoreReason::OutsideOriginPath { bucket: name(it) }, n),
        Unseen::Elsewhere => (IgnoreReason::ServedElsewhere { bucket: name(it) }, n),
    });
    let suffixes = plan
        .ignored_suffix
        .iter()
        .map(|((it, suffix), &n)| (IgnoreReason::IgnoredSuffix { bucket: name(it), suffix: excerpt(suffix) }, n));
    let other_events = batch
        .ignored
        .iter()
        .map(|record| (IgnoreReason::NotAContentChange { event_name: record.event_name.clone() }, 1));
    let mut by_reason = BTreeMap::new();
    for (reason, changes) in untagged.chain(unseen).chain(suffixes).chain(other_events) {
        *by_reason.entry(reason).or_insert(0) += changes;
    }
    by_reason
}

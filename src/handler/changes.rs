//! Changes of objects, however they came.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::{Duration, Instant};

use super::{App, Invocation, log_each};
use crate::aws::{BucketKeys, BucketTags, CallError, DistributionConfigs, Invalidations, Jobs};
use crate::change::text::excerpt;
use crate::change::{Batch, Bucket, DistributionId};
use crate::lookup::{ResolvedConfigs, ResolvedTags};
use crate::path::{InvalidationPath, NotServed};
use crate::plan::{self, DeliveryId, ListedKeys, Plan, SkipReason, assign};
use crate::report::{Answer, Failure, InvocationError, LogLine, MAX_FAILURES_IN_MESSAGE, Report};
use crate::send::{SendDeadlines, SentInvalidation};

/// What part of the time that is left may be waited for buckets' tags, and of what is left then for distributions'
/// settings. What has not answered by then must not keep the other changes from being sent.
const LOOKUP_SHARE: u32 = 3;

/// What part of the time that is left then buckets may be listed, and for how long at the most.
const LISTING_SHARE: u32 = 4;
const MAX_LISTING_TIME: Duration = Duration::from_secs(10);

/// How many failures have a line of the log of their own: what one delivery can make the function write must be bounded.
const LOGGED_FAILURES: usize = 500;

/// What became of changes.
pub(super) struct HandledChanges {
    pub(super) report: Report,
    pub(super) failures: Vec<Failure>,
    /// Whether each change failed, by its place in the batch.
    pub(super) failed: Vec<bool>,
}

impl<T: BucketTags + BucketKeys, I: Invalidations + DistributionConfigs, J: Jobs> App<T, I, J> {
    pub(super) async fn changes(
        &self,
        batch: Batch,
        invocation: &Invocation,
        summary: &mut LogLine,
    ) -> Result<Answer, InvocationError> {
        // What is true until more is known.
        summary.changes.failed = batch.changes.len() + batch.failed.len() + batch.unlisted_failures;
        // An event of S3's own Lambda keeps for hours, at no cost, while each receive of a queue's message is one of few.
        let retries = if batch.messages.is_some() { None } else { Some(self.retries.direct) };
        let delivery_id = DeliveryId::Invocation(&invocation.request_id);
        let tags = self.look_up_tags(buckets(&batch), invocation).await?;
        let handled =
            self.handle_changes(&batch, &tags, &delivery_id, (invocation, invocation.deadlines(retries))).await;
        summary.record(&handled.report, &handled.failures);
        log_each(&handled.report);
        let answer = batch.messages.as_deref().and_then(|messages| handled.batch_response(messages, &batch));
        if answer.is_none() && handled.failures.is_empty() {
            return Ok(Answer::Report(Box::new(handled.report)));
        }
        // Where the invocation fails the runtime logs its error, which spells out the first.
        let spelt_out = if answer.is_some() { 0 } else { MAX_FAILURES_IN_MESSAGE };
        let mut others = handled.failures.iter().skip(spelt_out);
        for failure in others.by_ref().take(LOGGED_FAILURES) {
            tracing::error!(failure = failure.to_string(), "not invalidated");
        }
        let unlisted = others.count() + batch.unlisted_failures;
        if unlisted > 0 {
            tracing::error!(unlisted, "there are more failures");
        }
        answer.map(Answer::Batch).ok_or_else(|| handled.into_error())
    }

    /// Sends each distribution one invalidation for all these changes. `delivery_id` is that of the delivery.
    pub(super) async fn handle_changes(
        &self,
        batch: &Batch,
        tags: &ResolvedTags,
        delivery_id: &DeliveryId<'_>,
        (invocation, deadlines): (&Invocation, SendDeadlines),
    ) -> HandledChanges {
        let now = Instant::now();
        let deadline = now + deadlines.answers.saturating_duration_since(now) / LOOKUP_SHARE;
        let distributions = tags.options().flat_map(|(_, options)| &options.distributions).collect();
        let configs = self.config_lookup.resolve(&self.invalidations, distributions, deadline).await;
        let resolutions = tags.resolutions(&configs);
        let assignment = assign(batch, &resolutions);
        let listed_keys = if self.key_lookup.is_enabled() {
            let prefixes = plan::prefixes_to_list(batch, &resolutions, &assignment, self.objective.budget);
            let buckets: BTreeSet<_> = prefixes.keys().map(|(bucket, _)| bucket.clone()).collect();
            // Who can be asked for its tags can be asked for its keys.
            let queries = self.queries(buckets, invocation).unwrap_or_default();
            // Not boxed it would make the types of what is waited for too deep for the compiler.
            Box::pin(self.key_lookup.list(self.tag_lookup.source(), prefixes, &queries, listing_deadline(deadlines)))
                .await
        } else {
            ListedKeys::default()
        };
        let counted = |id: &DistributionId, paths: &[InvalidationPath]| listed_keys.counted(&resolutions, id, paths);
        let plan = assignment.plan(batch, self.objective, delivery_id, counted);
        let outcomes = self.send(&plan.invalidations, deadlines).await;
        self.record_outcomes(batch, &plan, (tags, &configs), outcomes)
    }

    /// What is known of these buckets.
    pub(super) async fn look_up_tags(
        &self,
        buckets: impl IntoIterator<Item = Bucket>,
        invocation: &Invocation,
    ) -> Result<ResolvedTags, InvocationError> {
        let queries = self.queries(buckets, invocation)?;
        Ok(self.tag_lookup.resolve(queries, Instant::now() + invocation.time_left() / LOOKUP_SHARE).await)
    }

    /// Counts every change once. A change is covered only when each of its distributions took its invalidation.
    fn record_outcomes(
        &self,
        batch: &Batch,
        plan: &Plan,
        (tags, configs): (&ResolvedTags, &ResolvedConfigs),
        outcomes: Vec<Result<SentInvalidation, CallError>>,
    ) -> HandledChanges {
        let mut report = Report::default();
        let mut covered = vec![false; batch.changes.len()];
        let mut failed = vec![false; batch.changes.len()];
        let mut failures: Vec<_> = unreadable(batch).collect();
        for (bucket, indices) in &plan.tags_unavailable {
            set_all(&mut failed, indices);
            if let Some(error) = tags.error(bucket) {
                failures.push(Failure::Tags { bucket: bucket.name.clone(), changes: indices.len(), error });
            }
        }
        for (distribution, indices) in &plan.config_unavailable {
            set_all(&mut failed, indices);
            if let Some(error) = configs.error(distribution) {
                let buckets: BTreeSet<_> =
                    indices.iter().filter_map(|&index| batch.changes.get(index)).map(|it| &it.bucket.name).collect();
                failures.push(Failure::Config {
                    distribution: distribution.clone(),
                    buckets: buckets.into_iter().cloned().collect(),
                    changes: indices.len(),
                    error,
                });
            }
        }
        for (invalidation, outcome) in plan.invalidations.iter().zip(outcomes) {
            match outcome {
                Ok(sent) => {
                    set_all(&mut covered, &invalidation.changes);
                    report.add(sent);
                }
                Err(error) => {
                    set_all(&mut failed, &invalidation.changes);
                    failures.push(Failure::send(invalidation, error));
                }
            }
        }
        let is_covered = |index: usize| covered.get(index) == Some(&true) && failed.get(index) == Some(&false);
        let times = batch.times.iter().enumerate().filter(|(index, _)| !self.dry_run && is_covered(*index));
        report.oldest_covered = times.filter_map(|(_, time)| *time).min();
        let covered = (0..batch.changes.len()).filter(|&index| is_covered(index)).count();
        report.changes.failed =
            failed.iter().filter(|&&failed| failed).count() + batch.failed.len() + batch.unlisted_failures;
        if batch.test_events > 0 {
            report.ignore(SkipReason::TestEvent, 0);
        }
        for (reason, changes) in ignored(batch, plan) {
            report.ignore(reason, changes);
        }
        if !self.dry_run {
            report.changes.covered = covered;
        } else if covered > 0 {
            report.ignore(SkipReason::DryRun, covered);
        }
        HandledChanges { report, failures, failed }
    }
}

impl HandledChanges {
    fn into_error(self) -> InvocationError {
        InvocationError::NotInvalidated { report: Box::new(self.report), failures: self.failures }
    }
}

/// Until when buckets may be listed: it saves money, and must not cost the time to spend it.
fn listing_deadline(deadlines: SendDeadlines) -> Instant {
    let now = Instant::now();
    now + (deadlines.answers.saturating_duration_since(now) / LISTING_SHARE).min(MAX_LISTING_TIME)
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
    batch.failed.iter().enumerate().map(move |(index, error)| {
        while messages.next_if(|message| message.failed.end <= index).is_some() {}
        let message = messages.peek().filter(|message| message.failed.contains(&index));
        Failure::Record { message: message.map(|message| excerpt(&message.id)), error: error.clone() }
    })
}

fn set_all(changes: &mut [bool], indices: &[usize]) {
    for &index in indices {
        if let Some(change) = changes.get_mut(index) {
            *change = true;
        }
    }
}

/// The changes that need no invalidation, grouped by reason and sorted.
fn ignored(batch: &Batch, plan: &Plan) -> BTreeMap<SkipReason, usize> {
    let name = |bucket: &Bucket| bucket.name.to_string();
    let untagged = plan.untagged.iter().map(|(it, &n)| (SkipReason::BucketNotTagged { bucket: name(it) }, n));
    let not_served = plan.not_served.iter().map(|((it, not_served), &n)| match not_served {
        NotServed::OutsideOriginPath => (SkipReason::OutsideOriginPath { bucket: name(it) }, n),
        NotServed::Elsewhere => (SkipReason::ServedElsewhere { bucket: name(it) }, n),
    });
    let suffixes = plan
        .ignored_suffix
        .iter()
        .map(|((it, suffix), &n)| (SkipReason::IgnoredSuffix { bucket: name(it), suffix: excerpt(suffix) }, n));
    let other_events =
        batch.ignored.iter().map(|record| (SkipReason::NotAContentChange { event_name: record.event_name.clone() }, 1));
    let mut by_reason = BTreeMap::new();
    for (reason, changes) in untagged.chain(not_served).chain(suffixes).chain(other_events) {
        *by_reason.entry(reason).or_insert(0) += changes;
    }
    by_reason
}

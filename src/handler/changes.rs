//! Handles changes of objects from any event source: looks up bucket tags and distribution configs, lists keys where
//! that pays, plans and sends the invalidations, and records the outcome of every change.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::{Duration, Instant};

use super::{App, Invocation, log_invalidations};
use crate::aws::CallError;
use crate::change::text::excerpt;
use crate::change::{Batch, Bucket, DistributionId};
use crate::lookup::{ResolvedConfigs, ResolvedTags};
use crate::path::{InvalidationPath, NotServed};
use crate::plan::{self, DeliveryId, ListedKeys, Plan, SkipReason, assign};
use crate::report::{Answer, Failure, InvocationError, LogLine, MAX_FAILURES_IN_MESSAGE, Report};
use crate::send::{SendDeadlines, SentInvalidation};

/// The lookup of bucket tags may take the remaining time divided by this; the lookup of distribution configs after it,
/// what then remains divided by this. A lookup that hangs must not keep the other changes from being sent.
const LOOKUP_DIVISOR: u32 = 3;

/// Listing buckets may take the time remaining after the lookups divided by this, at most `MAX_LISTING_TIME`.
const LISTING_DIVISOR: u32 = 4;
const MAX_LISTING_TIME: Duration = Duration::from_secs(10);

/// The maximum number of failures that are logged one by one. It bounds what one delivery can write to the log.
const LOGGED_FAILURES: usize = 500;

/// The outcome of a batch of changes.
pub(super) struct HandledChanges {
    pub(super) report: Report,
    pub(super) failures: Vec<Failure>,
    /// Whether each change failed, by its index in the batch.
    pub(super) failed: Vec<bool>,
}

impl App {
    pub(super) async fn answer_changes(
        &self,
        batch: Batch,
        invocation: &Invocation,
        log_line: &mut LogLine,
    ) -> Result<Answer, InvocationError> {
        // Everything counts as failed until outcomes are recorded, since the tag lookup can fail the invocation.
        log_line.report.changes.failed = batch.changes.len() + batch.failed.len() + batch.unlisted_failures;
        // Lambda retries an asynchronous event by itself, and does not bill the wait, so its retries here are bounded.
        // An SQS batch is retried until the deadline, as each receive counts toward `maxReceiveCount`.
        let retries = if batch.messages.is_some() { None } else { Some(self.retries.direct) };
        let delivery_id = DeliveryId::Invocation(&invocation.request_id);
        let tags = self.look_up_tags(buckets(&batch), invocation).await?;
        let handled =
            self.handle_changes(&batch, &tags, &delivery_id, (invocation, invocation.deadlines(retries))).await;
        log_line.record(&handled.report);
        log_invalidations(&handled.report);
        let answer = batch.messages.as_deref().and_then(|messages| handled.batch_response(messages, &batch));
        if answer.is_none() && handled.failures.is_empty() {
            return Ok(Answer::Report(Box::new(handled.report)));
        }
        // If the invocation fails, the runtime logs the error, whose message already lists the first failures.
        let already_logged = if answer.is_some() { 0 } else { MAX_FAILURES_IN_MESSAGE };
        let mut others = handled.failures.iter().skip(already_logged);
        for failure in others.by_ref().take(LOGGED_FAILURES) {
            tracing::error!(failure = failure.to_string(), "changes not invalidated");
        }
        let unlisted = others.count() + batch.unlisted_failures;
        if unlisted > 0 {
            tracing::error!(unlisted, "further failures are not listed");
        }
        answer.map(Answer::Batch).ok_or_else(|| handled.into_error())
    }

    /// Sends one invalidation per distribution for the changes of `batch`. `delivery_id` identifies the delivery in
    /// caller references; for SQS messages the plan uses their IDs instead.
    pub(super) async fn handle_changes(
        &self,
        batch: &Batch,
        tags: &ResolvedTags,
        delivery_id: &DeliveryId<'_>,
        (invocation, deadlines): (&Invocation, SendDeadlines),
    ) -> HandledChanges {
        let now = Instant::now();
        let deadline = now + deadlines.answers.saturating_duration_since(now) / LOOKUP_DIVISOR;
        let distributions = tags.options().flat_map(|(_, options)| &options.distributions).collect();
        let configs = self.config_lookup.resolve(&self.cloudfront, distributions, deadline).await;
        let resolutions = tags.resolutions(&configs);
        let assignment = assign(batch, &resolutions);
        let listed_keys = if self.key_lookup.is_enabled() {
            let prefixes = plan::prefixes_to_list(batch, &resolutions, &assignment, self.objective.budget);
            let buckets: BTreeSet<_> = prefixes.keys().map(|(bucket, _)| bucket.clone()).collect();
            // Fails only if the account is unknown, and then the tag lookup has failed before.
            let queries = self.queries(buckets, invocation).unwrap_or_default();
            // Boxed, because the nested future types would exceed the compiler's limit on nesting.
            Box::pin(self.key_lookup.list(&self.s3, prefixes, &queries, listing_deadline(deadlines))).await
        } else {
            ListedKeys::default()
        };
        let counted = |id: &DistributionId, paths: &[InvalidationPath]| listed_keys.counted(&resolutions, id, paths);
        let plan = assignment.plan(batch, self.objective, delivery_id, counted);
        let outcomes = self.send(&plan.invalidations, deadlines).await;
        self.record_outcomes(batch, &plan, (tags, &configs), outcomes)
    }

    /// Looks up the tags of `buckets`, through the cache.
    pub(super) async fn look_up_tags(
        &self,
        buckets: impl IntoIterator<Item = Bucket>,
        invocation: &Invocation,
    ) -> Result<ResolvedTags, InvocationError> {
        let queries = self.queries(buckets, invocation)?;
        Ok(self.tag_lookup.resolve(&self.s3, queries, Instant::now() + invocation.time_left() / LOOKUP_DIVISOR).await)
    }

    /// Records the outcome of every change, each once. A change is invalidated only if all of its distributions
    /// accepted their invalidations.
    fn record_outcomes(
        &self,
        batch: &Batch,
        plan: &Plan,
        (tags, configs): (&ResolvedTags, &ResolvedConfigs),
        outcomes: Vec<Result<SentInvalidation, CallError>>,
    ) -> HandledChanges {
        let mut report = Report::default();
        let mut invalidated = vec![false; batch.changes.len()];
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
                    set_all(&mut invalidated, &invalidation.changes);
                    report.add(sent);
                }
                Err(error) => {
                    set_all(&mut failed, &invalidation.changes);
                    failures.push(Failure::send(invalidation, error));
                }
            }
        }
        let is_invalidated = |index: usize| invalidated.get(index) == Some(&true) && failed.get(index) == Some(&false);
        let times = batch.times.iter().enumerate().filter(|(index, _)| !self.dry_run && is_invalidated(*index));
        report.oldest_invalidated = times.filter_map(|(_, time)| *time).min();
        let invalidated_count = (0..batch.changes.len()).filter(|&index| is_invalidated(index)).count();
        report.changes.failed =
            failed.iter().filter(|&&failed| failed).count() + batch.failed.len() + batch.unlisted_failures;
        if batch.test_events > 0 {
            report.skip(SkipReason::TestEvent, 0);
        }
        for (reason, changes) in skipped(batch, plan) {
            report.skip(reason, changes);
        }
        if !self.dry_run {
            report.changes.invalidated = invalidated_count;
        } else if invalidated_count > 0 {
            report.skip(SkipReason::DryRun, invalidated_count);
        }
        report.set_failures(&failures, batch.unlisted_failures);
        HandledChanges { report, failures, failed }
    }
}

impl HandledChanges {
    fn into_error(self) -> InvocationError {
        InvocationError::NotInvalidated { report: Box::new(self.report), failures: self.failures }
    }
}

/// The deadline for listing buckets. Listing only saves paths and evictions, so it must not take the time needed to
/// send.
fn listing_deadline(deadlines: SendDeadlines) -> Instant {
    let now = Instant::now();
    now + (deadlines.answers.saturating_duration_since(now) / LISTING_DIVISOR).min(MAX_LISTING_TIME)
}

/// The buckets of a batch, sorted and without duplicates.
fn buckets(batch: &Batch) -> BTreeSet<Bucket> {
    let mut buckets = BTreeSet::new();
    for change in &batch.changes {
        if !buckets.contains(&change.bucket) {
            buckets.insert(change.bucket.clone());
        }
    }
    buckets
}

/// The records of a batch that could not be read, each with the ID of the message that it came in.
fn unreadable(batch: &Batch) -> impl Iterator<Item = Failure> {
    let mut messages = batch.messages.iter().flatten().peekable();
    batch.failed.iter().enumerate().map(move |(index, error)| {
        while messages.next_if(|message| message.failed.end <= index).is_some() {}
        let message = messages.peek().filter(|message| message.failed.contains(&index));
        Failure::Record { message_id: message.map(|message| excerpt(&message.id)), error: error.clone() }
    })
}

fn set_all(flags: &mut [bool], indices: &[usize]) {
    for &index in indices {
        if let Some(flag) = flags.get_mut(index) {
            *flag = true;
        }
    }
}

/// The number of skipped changes by reason, sorted.
fn skipped(batch: &Batch, plan: &Plan) -> BTreeMap<SkipReason, usize> {
    let name = |bucket: &Bucket| bucket.name.to_string();
    let untagged = plan.untagged.iter().map(|(it, &n)| (SkipReason::BucketNotTagged { bucket: name(it) }, n));
    let not_served = plan.not_served.iter().map(|((it, not_served), &n)| match not_served {
        NotServed::OutsideOriginPath => (SkipReason::OutsideOriginPath { bucket: name(it) }, n),
        NotServed::OtherOrigin => (SkipReason::OtherOrigin { bucket: name(it) }, n),
    });
    let suffixes = plan
        .ignored_suffix
        .iter()
        .map(|((it, suffix), &n)| (SkipReason::IgnoredSuffix { bucket: name(it), suffix: excerpt(suffix) }, n));
    let other_events =
        batch.skipped.iter().map(|record| (SkipReason::NotAContentChange { event_name: record.event_name.clone() }, 1));
    let mut by_reason = BTreeMap::new();
    for (reason, changes) in untagged.chain(not_served).chain(suffixes).chain(other_events) {
        *by_reason.entry(reason).or_insert(0) += changes;
    }
    by_reason
}

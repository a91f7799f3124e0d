//! Handles changes of objects from any event source: looks up bucket tags and distribution configs, lists keys where
//! that pays, plans and sends the invalidations, and records the outcome of every change.

use std::collections::{BTreeMap, BTreeSet};

use aws_lambda_events::event::sqs::SqsBatchResponse;
use tokio::time::Duration;

use super::app::App;
use super::deadline::{Invocation, QUEUE_ONLY_TIME, RETRY_TIME_BESIDE_QUEUE, configs_deadline, listing_deadline};
use super::enqueue::send_to_queue;
use crate::aws::{CallError, ErrorClass, Queue};
use crate::change::{Batch, Bucket, DistributionId, FieldError, Message};
use crate::lookup::{ResolvedConfigs, ResolvedTags};
use crate::plan::{
    AssignedBatch, Assignment, DeliveryId, Outcome, Outcomes, SkipReason, assign, plan_changes, prefixes_to_list,
    unchanged_evicted,
};
use crate::report::{Answer, Failure, IdSource, InvocationError, MAX_FAILURES_IN_MESSAGE, Report};
use crate::send::SendResult;

/// The maximum number of failures that are logged one by one. It bounds what one delivery can write to the log.
const LOGGED_FAILURES: usize = 500;

/// What became of a batch of changes.
pub(super) struct HandledChanges {
    pub(super) report: Report,
    pub(super) failures: Vec<Failure>,
    pub(super) outcomes: Outcomes,
}

/// What happens to the changes of a delivery that CloudFront throttles.
#[derive(Clone, Copy)]
pub(super) enum Retries<'q> {
    /// They are retried until the deadline.
    UntilDeadline,
    /// They are retried for this long.
    For(Duration),
    /// They are not retried but handed to the function's own queue, whose next poll sends one invalidation for all of
    /// them. Other transient errors are retried for some seconds.
    InQueue(&'q Queue),
}

impl App {
    pub(super) async fn answer_changes(
        &self,
        batch: Batch,
        invocation: &Invocation,
    ) -> Result<Answer, InvocationError> {
        // Lambda retries an asynchronous event by itself, and does not bill the wait, so its retries here are bounded.
        // An SQS batch is retried until the deadline, as each receive counts toward `maxReceiveCount`. What came from a
        // queue is handed to none: Lambda stops a function that sends to itself about 16 times (Lambda developer guide,
        // "Use Lambda recursive loop detection").
        let retries = match (&batch.messages, &self.queue) {
            (Some(_), _) => Retries::UntilDeadline,
            (None, Some(queue)) => Retries::InQueue(queue),
            (None, None) => Retries::For(self.config.retries.direct),
        };
        let delivery_id = DeliveryId::Invocation(&invocation.request_id);
        let handled = match retries {
            Retries::InQueue(queue) if self.refusals.any_within(QUEUE_ONLY_TIME) => {
                let queued = queue_changes(queue, &batch, invocation).await;
                if queued.report.has_failed {
                    // The retry of this event asks CloudFront again.
                    self.refusals.forget_refused();
                }
                queued
            }
            _ => self.handle_changes(&batch, &delivery_id, invocation, retries, self.config.dry_run).await?,
        };
        let batch_response = batch.messages.as_deref().and_then(|messages| handled.batch_response(messages, &batch));
        let HandledChanges { report, failures, .. } = handled;
        if batch_response.is_none() && !report.has_failed {
            return Ok(report.into());
        }
        // If the invocation fails, the runtime logs the error, whose message already lists the first failures.
        let logged_by_runtime = if batch_response.is_some() { 0 } else { MAX_FAILURES_IN_MESSAGE };
        log_failures(&failures, logged_by_runtime, batch.unlisted_failures);
        if batch_response.is_none() {
            return Err(InvocationError::changes(failures, report));
        }
        Ok(Answer { report, batch_response })
    }

    /// Sends one invalidation per distribution for the changes of `batch`, and records the outcome of every change.
    /// `delivery_id` identifies the delivery in caller references; for SQS messages the plan uses their IDs instead. In a
    /// dry run nothing is sent.
    pub(super) async fn handle_changes(
        &self,
        batch: &Batch,
        delivery_id: &DeliveryId<'_>,
        invocation: &Invocation,
        retries: Retries<'_>,
        dry_run: bool,
    ) -> Result<HandledChanges, InvocationError> {
        let buckets = batch.changes.iter().map(|change| &change.bucket).collect();
        let all_changes = batch.changes.len() + batch.failed.len() + batch.unlisted_failures;
        let queries = self.queries(buckets, invocation).ok_or_else(|| InvocationError::unknown_account(all_changes))?;
        let tags = self.tag_lookup.resolve(&self.s3, queries.clone(), invocation.tags_deadline()).await;
        let send_deadlines = invocation.send_deadlines(match retries {
            Retries::UntilDeadline => None,
            Retries::For(time) => Some(time),
            Retries::InQueue(_) => Some(RETRY_TIME_BESIDE_QUEUE),
        });
        let distributions = tags.options().flat_map(|(_, options)| &options.distributions).collect();
        let configs =
            self.config_lookup.resolve(&self.cloudfront, distributions, configs_deadline(send_deadlines)).await;
        let resolutions = tags.resolutions(&configs);
        let AssignedBatch { assignments, mut outcomes, tags_unavailable, config_unavailable } =
            assign(batch, &resolutions);
        let prefixes = || prefixes_to_list(batch, &assignments, self.config.objective.budget.max_paths);
        let prefixes = self.key_lookup.is_enabled().then(prefixes).unwrap_or_default();
        // Boxed, because the nested future types would exceed the compiler's limit on nesting.
        let listing = self.key_lookup.list(&self.s3, prefixes, &queries, listing_deadline(send_deadlines));
        let listed_keys = Box::pin(listing).await;
        let invalidations = plan_changes(batch, &assignments, &listed_keys, self.config.objective, delivery_id);
        let retry_refused = !matches!(retries, Retries::InQueue(_));
        let sent = self.send(&invalidations, dry_run, retry_refused, send_deadlines).await;
        let mut failures = unreadable(batch);
        failures.extend(tag_failures(&tags_unavailable, &tags));
        let id_source = self.id_source(IdSource::BucketTags);
        failures.extend(config_failures(batch, id_source, &config_unavailable, &configs));
        let accepted = if dry_run { SkipReason::DryRun.into() } else { Outcome::Invalidated };
        let (mut report, mut refused) = (Report::default(), Vec::new());
        // The changes of which a distribution is missing or denied: their buckets' tags may have been corrected by now.
        let unreadable_configs =
            config_unavailable.iter().filter(|(id, _)| configs.error(id).is_some_and(|error| error.may_be_misnamed()));
        let mut of_misnamed: Vec<_> = unreadable_configs.flat_map(|(_, changes)| changes.clone()).collect();
        for (invalidation, SendResult { mut sent, error }) in invalidations.iter().zip(sent) {
            let items: BTreeSet<_> = sent.iter().flat_map(|part| &part.paths).cloned().collect();
            if let Some(first) = sent.first_mut()
                && !items.iter().eq(&invalidation.items)
            {
                first.unchanged_evicted =
                    unchanged_evicted(batch, &assignments, &listed_keys, &invalidation.distribution, &items);
            }
            report.extend(sent);
            match error {
                None => outcomes.join(&invalidation.changes, accepted.clone()),
                Some(CallError { class: ErrorClass::Throttled | ErrorClass::TooManyInProgress, .. })
                    if !retry_refused =>
                {
                    refused.extend_from_slice(&invalidation.changes);
                }
                Some(error) => {
                    if error.may_be_misnamed() {
                        of_misnamed.extend_from_slice(&invalidation.changes);
                    }
                    outcomes.join(&invalidation.changes, Outcome::Failed);
                    failures.push(Failure::send(invalidation, id_source, &error));
                }
            }
        }
        let of_misnamed = of_misnamed.iter().filter_map(|&index| batch.changes.get(index)).map(|it| &it.bucket);
        for bucket in of_misnamed.collect::<BTreeSet<_>>() {
            self.tag_lookup.forget(bucket).await;
        }
        if let Retries::InQueue(queue) = retries {
            refused.sort_unstable();
            refused.dedup();
            // The whole event is redelivered for a change that failed.
            refused.retain(|&change| !outcomes.has_failed(change));
            failures.extend(send_to_queue(queue, batch, &refused, &mut outcomes, invocation.queue_deadline()).await);
        }
        report.set_outcomes(batch, &outcomes, &failures);
        let uncertain: BTreeSet<_> = assignments.iter().flat_map(Assignment::changes_with_uncertain_urls).collect();
        report.set_uncertain(&uncertain, &outcomes);
        Ok(HandledChanges { report, failures, outcomes })
    }
}

/// Hands all changes of a batch to the function's own queue.
async fn queue_changes(queue: &Queue, batch: &Batch, invocation: &Invocation) -> HandledChanges {
    let (mut failures, mut outcomes) = (unreadable(batch), Outcomes::new(batch.changes.len()));
    let changes: Vec<_> = (0..batch.changes.len()).collect();
    failures.extend(send_to_queue(queue, batch, &changes, &mut outcomes, invocation.queue_deadline()).await);
    let mut report = Report::default();
    report.set_outcomes(batch, &outcomes, &failures);
    HandledChanges { report, failures, outcomes }
}

/// Logs failures one by one, but for the first `skipped`. `unlisted` is the number of those that are not in `failures`.
pub(super) fn log_failures(failures: &[Failure], skipped: usize, unlisted: usize) {
    let mut others = failures.iter().skip(skipped);
    for failure in others.by_ref().take(LOGGED_FAILURES) {
        tracing::error!(failure = failure.message, "changes not invalidated");
    }
    let unlisted = others.count() + unlisted;
    if unlisted > 0 {
        tracing::error!(unlisted, "further failures are not listed");
    }
}

/// The records of a batch that could not be read, each with the ID of the message that it came in.
fn unreadable(batch: &Batch) -> Vec<Failure> {
    let mut messages = batch.messages.iter().flatten().peekable();
    let failure = |(index, error): (usize, &FieldError)| {
        while messages.next_if(|message| message.failed.end <= index).is_some() {}
        let message = messages.peek().filter(|message| message.failed.contains(&index));
        Failure::record(message.map(|message| &*message.id), error)
    };
    batch.failed.iter().enumerate().map(failure).collect()
}

/// The buckets whose tags could not be read or are invalid, with their changes.
fn tag_failures(tags_unavailable: &BTreeMap<&Bucket, Vec<usize>>, tags: &ResolvedTags) -> Vec<Failure> {
    let failure = |(&bucket, changes): (&&Bucket, &Vec<usize>)| {
        Some(Failure::tags(&bucket.name, changes.len(), tags.error(bucket)?))
    };
    tags_unavailable.iter().filter_map(failure).collect()
}

/// The distributions whose config could not be read, with the changes that failed because of it.
fn config_failures(
    batch: &Batch,
    id_source: IdSource,
    config_unavailable: &BTreeMap<&DistributionId, Vec<usize>>,
    configs: &ResolvedConfigs,
) -> Vec<Failure> {
    let failure = |(&distribution, changes): (&&DistributionId, &Vec<usize>)| {
        let buckets: BTreeSet<_> =
            changes.iter().filter_map(|&index| batch.changes.get(index)).map(|it| it.bucket.name.clone()).collect();
        let buckets: Vec<_> = buckets.into_iter().collect();
        Some(Failure::config(distribution, id_source, &buckets, changes.len(), &configs.error(distribution)?))
    };
    config_unavailable.iter().filter_map(failure).collect()
}

impl HandledChanges {
    /// The batch item failures: every message of which anything failed. Returns `None` if a record failed that belongs
    /// to no message with an ID; then the invocation must fail, so that the whole batch is redelivered.
    pub(super) fn batch_response(&self, messages: &[Message], batch: &Batch) -> Option<SqsBatchResponse> {
        let attributed: usize = messages.iter().map(|message| message.failed.len()).sum();
        if attributed < batch.failed.len() {
            return None;
        }
        let ids: BTreeSet<_> = messages.iter().filter(|it| self.has_failed(it)).map(|message| &*message.id).collect();
        let mut response = SqsBatchResponse::default();
        for id in ids {
            response.add_failure(id);
        }
        Some(response)
    }

    /// Whether anything of a message failed.
    pub(super) fn has_failed(&self, message: &Message) -> bool {
        self.outcomes.any_failed(message.changes.clone()) || !message.failed.is_empty()
    }
}

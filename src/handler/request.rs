//! Direct invocations, and the requests of CodePipeline jobs: a person names paths, cache tags or keys to invalidate.

use tokio::time::{Duration, Instant, sleep, timeout_at};

use super::changes::HandledChanges;
use super::{ANSWER_RESERVE, App, Invocation, log_invalidations};
use crate::aws::Progress;
use crate::change::{Batch, Bucket, Change, DistributionId, InvalidationId};
use crate::event::{EventError, Request, RequestKind, RequestTarget};
use crate::lookup::ResolvedTags;
use crate::plan::{DeliveryId, plan_named};
use crate::report::{Answer, Failure, InvocationError, LogLine, Report};
use crate::send::SentInvalidation;

/// The interval between two `GetInvalidation` polls of the same invalidations.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

impl App {
    /// Handles a direct invocation. If the request says so, waits until its invalidations are completed, within the
    /// invocation's deadline.
    pub(super) async fn answer_request(
        &self,
        request: &Request,
        invocation: &Invocation,
        log_line: &mut LogLine,
    ) -> Result<Answer, InvocationError> {
        let delivery_id = DeliveryId::Invocation(&invocation.request_id);
        let mut report = self.execute_request(request, &delivery_id, invocation, log_line).await?;
        if let Some(seconds) = request.wait {
            let latest = invocation.deadline.checked_sub(ANSWER_RESERVE).unwrap_or_else(Instant::now);
            self.wait(&mut report, latest.min(Instant::now() + Duration::from_secs(seconds))).await?;
        }
        Ok(Answer::Report(Box::new(report)))
    }

    /// Sends the requested invalidations. Fails if any of them was not accepted, or if any change failed.
    pub(super) async fn execute_request(
        &self,
        request: &Request,
        delivery_id: &DeliveryId<'_>,
        invocation: &Invocation,
        log_line: &mut LogLine,
    ) -> Result<Report, InvocationError> {
        let (mut report, failures) = match &request.kind {
            RequestKind::Keys { bucket, keys } => {
                // Every key counts as failed until outcomes are recorded, since the lookup can fail the request.
                log_line.report.changes.failed = keys.len();
                let tags = self.look_up_tags([bucket.clone()], invocation).await?;
                self.distributions(bucket, &tags)?;
                let changes = keys.iter().cloned().map(|key| Change { bucket: bucket.clone(), key }).collect();
                let batch = Batch { changes, ..Batch::default() };
                let HandledChanges { report, failures, .. } =
                    self.handle_changes(&batch, &tags, delivery_id, (invocation, invocation.deadlines(None))).await;
                (report, failures)
            }
            RequestKind::Paths { target, paths } => {
                let (distributions, bucket) = match target {
                    RequestTarget::Distribution(id) => (vec![id.clone()], None),
                    RequestTarget::Bucket(bucket) => {
                        let tags = self.look_up_tags([bucket.clone()], invocation).await?;
                        (self.distributions(bucket, &tags)?, Some(&bucket.name))
                    }
                    RequestTarget::Default => (vec![self.default_distribution()?], None),
                };
                let invalidations = plan_named(&distributions, paths, bucket, delivery_id);
                let mut report = Report::default();
                let mut failures = Vec::new();
                let outcomes = self.send(&invalidations, invocation.deadlines(None)).await;
                for (invalidation, outcome) in invalidations.iter().zip(outcomes) {
                    match outcome {
                        Ok(sent) => report.add(sent),
                        Err(error) => failures.push(Failure::send(invalidation, error)),
                    }
                }
                (report, failures)
            }
        };
        report.set_failures(&failures, 0);
        log_line.record(&report);
        log_invalidations(&report);
        if failures.is_empty() {
            Ok(report)
        } else {
            Err(InvocationError::Request { report: Box::new(report), failures })
        }
    }

    fn default_distribution(&self) -> Result<DistributionId, InvocationError> {
        self.default_distribution.clone().ok_or(InvocationError::Event(EventError::NoDistribution))
    }

    /// The distributions that the bucket's tag names. A bucket without the tag is an error here, because a person named
    /// it.
    fn distributions(&self, bucket: &Bucket, tags: &ResolvedTags) -> Result<Vec<DistributionId>, InvocationError> {
        if let Some(error) = tags.error(bucket) {
            let failure = Failure::Tags { bucket: bucket.name.clone(), changes: 0, error };
            return Err(InvocationError::request(failure));
        }
        match tags.options().find(|(it, _)| *it == bucket) {
            Some((_, options)) => Ok(options.distributions.clone()),
            None => Err(InvocationError::request(Failure::NotTagged {
                bucket: bucket.name.clone(),
                tag: self.tag_lookup.distribution_tag().to_owned(),
            })),
        }
    }

    /// Polls CloudFront until all invalidations of the report are completed, or no time is left for another poll before
    /// `latest`.
    async fn wait(&self, report: &mut Report, latest: Instant) -> Result<(), InvocationError> {
        loop {
            let mut completed = true;
            for sent in &mut report.invalidations {
                completed &= self.update_progress(sent, latest).await? == Progress::Completed;
            }
            if completed || Instant::now() + POLL_INTERVAL >= latest {
                return Ok(());
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Updates the status of an invalidation. One whose ID is unknown, because CloudFront had it before, cannot be
    /// polled and counts as completed; so does a dry run.
    async fn update_progress(&self, sent: &mut SentInvalidation, latest: Instant) -> Result<Progress, InvocationError> {
        let Some(id) = sent.invalidation_id.as_ref().filter(|_| sent.invalidation_status != Some(Progress::Completed))
        else {
            return Ok(Progress::Completed);
        };
        let progress = self.progress(&sent.distribution_id, id, latest).await?;
        sent.invalidation_status = Some(progress);
        Ok(progress)
    }

    /// The status of an invalidation. It counts as in progress if CloudFront does not answer by `latest`, or answers
    /// with a transient error.
    pub(super) async fn progress(
        &self,
        distribution: &DistributionId,
        invalidation: &InvalidationId,
        latest: Instant,
    ) -> Result<Progress, InvocationError> {
        match timeout_at(latest, self.cloudfront.progress(distribution, invalidation)).await {
            Ok(Ok(progress)) => Ok(progress),
            Err(_) => Ok(Progress::InProgress),
            Ok(Err(error)) if error.class.is_transient() => Ok(Progress::InProgress),
            Ok(Err(error)) => {
                Err(InvocationError::request(Failure::Wait { distribution: distribution.clone(), error }))
            }
        }
    }
}

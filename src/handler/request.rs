//! Direct invocations, and the requests of CodePipeline jobs: a person names paths, cache tags or keys to invalidate.

use tokio::time::{Duration, Instant, sleep, timeout_at};

use super::app::App;
use super::changes::{HandledChanges, Retries};
use super::deadline::{Invocation, POLL_INTERVAL};
use crate::aws::Progress;
use crate::change::{Batch, Bucket, Change, DistributionId, InvalidationId};
use crate::event::{EventError, Request, RequestKind, RequestTarget};
use crate::plan::{DeliveryId, SkipReason, plan_named};
use crate::report::{Answer, Failure, IdSource, InvocationError, Report};
use crate::send::{SendResult, SentInvalidation};

impl App {
    /// Handles a direct invocation. If the request says so, waits until its invalidations are completed, within the
    /// invocation's deadline.
    pub(super) async fn answer_request(
        &self,
        request: &Request,
        invocation: &Invocation,
    ) -> Result<Answer, InvocationError> {
        let delivery_id = DeliveryId::Invocation(&invocation.request_id);
        let mut report = self.execute_request(request, &delivery_id, invocation).await?;
        if let Some(seconds) = request.wait
            && let Err(failure) = self.wait(&mut report, invocation.wait_deadline(Duration::from_secs(seconds))).await
        {
            return Err(InvocationError::request_failed(vec![failure], report));
        }
        Ok(report.into())
    }

    /// Sends the requested invalidations. Fails if any of them was not accepted, or if any change failed.
    pub(super) async fn execute_request(
        &self,
        request: &Request,
        delivery_id: &DeliveryId<'_>,
        invocation: &Invocation,
    ) -> Result<Report, InvocationError> {
        let dry_run = self.config.dry_run || request.dry_run;
        let (report, failures) = match &request.kind {
            RequestKind::Keys { bucket, keys } => {
                let changes = keys.iter().cloned().map(|key| Change { bucket: bucket.clone(), key }).collect();
                let batch = Batch { changes, ..Batch::default() };
                let HandledChanges { report, failures, .. } =
                    self.handle_changes(&batch, delivery_id, invocation, Retries::UntilDeadline, dry_run).await?;
                if report.skipped.iter().any(|it| matches!(it.reason, SkipReason::BucketNotTagged { .. })) {
                    return Err(InvocationError::request_refused(self.not_tagged(bucket), keys.len()));
                }
                (report, failures)
            }
            RequestKind::Paths { target, paths, left_out } => {
                let (distributions, tagged, id_source) = match target {
                    RequestTarget::Distribution(id) => (vec![id.clone()], None, IdSource::Request),
                    RequestTarget::Bucket(bucket) => {
                        (self.distributions(bucket, invocation).await?, Some(bucket), IdSource::BucketTags)
                    }
                    RequestTarget::Default => {
                        // An event that cannot be handled counts as one change. A job is not one, and fails by itself.
                        let changes = usize::from(!matches!(delivery_id, DeliveryId::Job(_)));
                        let error = || InvocationError::event(&EventError::NoDistribution, changes);
                        let id = self.config.default_distribution.clone();
                        (vec![id.ok_or_else(error)?], None, IdSource::Variable)
                    }
                };
                let id_source = self.id_source(id_source);
                let invalidations = plan_named(&distributions, paths, tagged.map(|it| &it.name), delivery_id);
                let mut report = Report { paths_left_out: *left_out, ..Report::default() };
                let mut failures = Vec::new();
                let sent = self.send(&invalidations, dry_run, true, invocation.send_deadlines(None)).await;
                for (invalidation, SendResult { sent, error }) in invalidations.iter().zip(sent) {
                    report.extend(sent);
                    if let (Some(bucket), Some(error)) = (tagged, &error)
                        && error.may_be_misnamed()
                    {
                        self.tag_lookup.forget(bucket).await;
                    }
                    failures.extend(error.map(|error| Failure::send(invalidation, id_source, &error)));
                }
                report.set_failures(&failures, 0);
                (report, failures)
            }
        };
        if report.has_failed { Err(InvocationError::request_failed(failures, report)) } else { Ok(report) }
    }

    /// The distributions that the bucket's tag names. A bucket without the tag is an error here, because a person named
    /// it.
    async fn distributions(
        &self,
        bucket: &Bucket,
        invocation: &Invocation,
    ) -> Result<Vec<DistributionId>, InvocationError> {
        let queries = self.queries([bucket].into(), invocation).ok_or_else(|| InvocationError::unknown_account(0))?;
        let tags = self.tag_lookup.resolve(&self.s3, queries, invocation.tags_deadline()).await;
        if let Some(error) = tags.error(bucket) {
            return Err(Failure::tags(&bucket.name, 0, error).into());
        }
        let options = tags.options().find(|(it, _)| *it == bucket);
        let distributions = options.map(|(_, options)| options.distributions.clone());
        distributions.ok_or_else(|| self.not_tagged(bucket).into())
    }

    fn not_tagged(&self, bucket: &Bucket) -> Failure {
        Failure::not_tagged(&bucket.name, self.tag_lookup.distribution_tag())
    }

    /// Polls CloudFront until all invalidations of the report are completed, or no time is left for another poll before
    /// `latest`.
    async fn wait(&self, report: &mut Report, latest: Instant) -> Result<(), Failure> {
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
    async fn update_progress(&self, sent: &mut SentInvalidation, latest: Instant) -> Result<Progress, Failure> {
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
    ) -> Result<Progress, Failure> {
        match timeout_at(latest, self.cloudfront.progress(distribution, invalidation)).await {
            Ok(Ok(progress)) => Ok(progress),
            Err(_) => Ok(Progress::InProgress),
            Ok(Err(error)) if error.class.is_transient() => Ok(Progress::InProgress),
            Ok(Err(error)) => Err(Failure::wait(distribution, &error)),
        }
    }
}

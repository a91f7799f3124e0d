//! What a person asks for.

use tokio::time::{Duration, Instant, sleep, timeout_at};

use super::changes::Delivered;
use super::{App, Invocation, KEPT_FOR_ANSWER, log_each};
use crate::aws::{BucketTags, Invalidations, Jobs, Objects, Progress, Settings};
use crate::change::{Batch, Bucket, Change, DistributionId, InvalidationId};
use crate::event::{Ask, EventError, Request, Target};
use crate::lookup::Learnt;
use crate::plan::{Identity, plan_named};
use crate::report::{Answer, Failure, InvocationError, Report, Summary};
use crate::send::SentInvalidation;

/// How long to wait before CloudFront is asked again how far an invalidation is.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

impl<T: BucketTags + Objects, I: Invalidations + Settings, J: Jobs> App<T, I, J> {
    /// Carries out a direct invocation, and waits as long as it may if that was asked for.
    pub(super) async fn request(
        &self,
        request: &Request,
        invocation: &Invocation,
        summary: &mut Summary,
    ) -> Result<Answer, InvocationError> {
        let identity = Identity::Invocation(&invocation.request_id);
        let mut report = self.carry_out(request, &identity, invocation, summary).await?;
        if let Some(seconds) = request.wait {
            let latest = invocation.deadline.checked_sub(KEPT_FOR_ANSWER).unwrap_or_else(Instant::now);
            self.wait(&mut report, latest.min(Instant::now() + Duration::from_secs(seconds))).await?;
        }
        Ok(Answer::Report(Box::new(report)))
    }

    /// Sends what was asked for; succeeds only if all of it was taken.
    pub(super) async fn carry_out(
        &self,
        request: &Request,
        identity: &Identity<'_>,
        invocation: &Invocation,
        summary: &mut Summary,
    ) -> Result<Report, InvocationError> {
        let (report, failures) = match &request.ask {
            Ask::Keys { bucket, keys } => {
                // What is true until more is known.
                summary.changes.failed = keys.len();
                let learnt = self.learn([bucket.clone()], invocation).await?;
                self.distributions(bucket, &learnt)?;
                let changes = keys.iter().cloned().map(|key| Change { bucket: bucket.clone(), key }).collect();
                let batch = Batch { changes, ..Batch::default() };
                let Delivered { report, failures, .. } =
                    self.deliver(&batch, &learnt, identity, (invocation, invocation.patience(None))).await;
                (report, failures)
            }
            Ask::Items { of, items } => {
                let (distributions, bucket) = match of {
                    Target::Distribution(id) => (vec![id.clone()], None),
                    Target::Bucket(bucket) => {
                        let learnt = self.learn([bucket.clone()], invocation).await?;
                        (self.distributions(bucket, &learnt)?, Some(&bucket.name))
                    }
                    Target::Default => (vec![self.own_distribution()?], None),
                };
                let planned = plan_named(&distributions, items, bucket, identity);
                let mut report = Report::default();
                let mut failures = Vec::new();
                let outcomes = self.send(&planned, invocation.patience(None)).await;
                for (planned, outcome) in planned.iter().zip(outcomes) {
                    match outcome {
                        Ok(sent) => report.add(sent),
                        Err(error) => failures.push(Failure::send(planned, error)),
                    }
                }
                (report, failures)
            }
        };
        summary.tell(&report, &failures);
        log_each(&report);
        if failures.is_empty() { Ok(report) } else { Err(InvocationError::Request(failures)) }
    }

    fn own_distribution(&self) -> Result<DistributionId, InvocationError> {
        self.default_distribution.clone().ok_or(InvocationError::Event(EventError::NoDistribution))
    }

    /// The distributions that a bucket's tag names. A person who names a bucket means one that is tagged.
    fn distributions(&self, bucket: &Bucket, learnt: &Learnt) -> Result<Vec<DistributionId>, InvocationError> {
        if let Some(error) = learnt.error(bucket) {
            let failure = Failure::Route { bucket: bucket.name.clone(), changes: 0, error };
            return Err(InvocationError::Request(vec![failure]));
        }
        match learnt.routes().find(|(it, _)| *it == bucket) {
            Some((_, route)) => Ok(route.distributions.clone()),
            None => Err(InvocationError::Request(vec![Failure::NotTagged {
                bucket: bucket.name.clone(),
                tag: self.router.distribution_tag().to_owned(),
            }])),
        }
    }

    /// Asks CloudFront until all invalidations of the report are completed, or it is too late to ask again.
    async fn wait(&self, report: &mut Report, latest: Instant) -> Result<(), InvocationError> {
        loop {
            let mut completed = true;
            for sent in &mut report.invalidations {
                completed &= self.look(sent, latest).await? == Progress::Completed;
            }
            if completed || Instant::now() + POLL_INTERVAL >= latest {
                return Ok(());
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// How far an invalidation is. One that CloudFront has but did not name cannot be asked for.
    async fn look(&self, sent: &mut SentInvalidation, latest: Instant) -> Result<Progress, InvocationError> {
        let Some(id) = sent.invalidation_id.as_ref().filter(|_| sent.invalidation_status != Some(Progress::Completed))
        else {
            return Ok(Progress::Completed);
        };
        let progress = self.progress(&sent.distribution_id, id, latest).await?;
        sent.invalidation_status = Some(progress);
        Ok(progress)
    }

    /// How far an invalidation is; in progress if CloudFront does not say in time, or cannot say for a while.
    pub(super) async fn progress(
        &self,
        distribution: &DistributionId,
        invalidation: &InvalidationId,
        latest: Instant,
    ) -> Result<Progress, InvocationError> {
        match timeout_at(latest, self.invalidations.progress(distribution, invalidation)).await {
            Ok(Ok(progress)) => Ok(progress),
            Err(_) => Ok(Progress::InProgress),
            Ok(Err(error)) if error.class.is_transient() => Ok(Progress::InProgress),
            Ok(Err(error)) => {
                Err(InvocationError::Request(vec![Failure::Wait { distribution: distribution.clone(), error }]))
            }
        }
    }
}

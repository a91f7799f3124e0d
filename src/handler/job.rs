//! CodePipeline jobs. Each job is given exactly one result, whatever fails: without one the action hangs until its
//! timeout.

use std::collections::BTreeSet;

use tokio::time::{Instant, timeout_at};

use super::app::App;
use super::deadline::{Invocation, job_result_limits};
use crate::aws::{CallError, ErrorClass, Progress};
use crate::change::text::{counted, shortened};
use crate::event::{
    ContinuationToken, ContinuationTokenError, EventError, FailureType, InvalidationRef, Job, JobId, JobResult,
    MAX_SUMMARY_LENGTH, MAX_WAIT, Request, RequestKind,
};
use crate::lookup::calls::retry;
use crate::path::Item;
use crate::plan::DeliveryId;
use crate::report::{Answer, Failure, InvocationError, JobReport, Report};
use crate::send::SentStatus;

/// The largest tolerated difference between the clocks of two machines, in seconds.
const MAX_CLOCK_SKEW_SECONDS: u64 = 300;

/// The remedy if the function's role may not put results.
const RESULT_PERMISSIONS: &str = "; allow codepipeline:PutJobSuccessResult and codepipeline:PutJobFailureResult for \
                                  the execution role (template parameter: Pipelines)";

impl App {
    /// Executes a job and puts its result. The invocation succeeds even if the job fails, because the event of a failed
    /// invocation goes to the dead-letter queue, and a job's event holds live credentials. It fails only if no result
    /// could be put.
    pub(super) async fn answer_job(&self, job: Job, invocation: &Invocation) -> Result<Answer, InvocationError> {
        let result_deadline = invocation.job_result_deadline();
        let execution = Invocation { deadline: invocation.job_deadline(), ..invocation.clone() };
        let executed = timeout_at(execution.deadline, self.execute(&job, &execution)).await;
        let (result, mut report) = match executed {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => (error.job_result(), *error.report),
            Err(_) => timed_out(&job),
        };
        let result = match self.put(&job.id, result, result_deadline).await {
            Ok(result) => result,
            Err(reason) => return Err(InvocationError::job_result_not_put(&job.id, &reason, report)),
        };
        let (result, message) = match result {
            JobResult::Succeeded { summary, .. } => ("succeeded", summary),
            JobResult::Continued { token } => ("continued", token.summary()),
            JobResult::Failed { message, .. } => ("failed", message),
        };
        report.set_job(JobReport { id: job.id.to_string(), result, message });
        Ok(report.into())
    }

    async fn execute(&self, job: &Job, invocation: &Invocation) -> Result<(JobResult, Report), InvocationError> {
        // A job with a continuation token has created its invalidations already.
        if let Some(token) = &job.continuation_token {
            let result = match ContinuationToken::parse(token) {
                Ok(token) => self.check_progress(token, invocation).await?,
                Err(error) => JobResult::failed(FailureType::Failed, &error.to_string()),
            };
            return Ok((result, Report::default()));
        }
        let request = job.request.as_ref().map_err(|error| EventError::Request(error.clone()))?;
        let report = self.execute_request(request, &DeliveryId::Job(job.id.as_str()), invocation).await?;
        Ok((self.result_after_sending(request, &report), report))
    }

    /// The result once all invalidations of a job were sent: a continuation if the request waits for them, otherwise
    /// success.
    fn result_after_sending(&self, request: &Request, report: &Report) -> JobResult {
        let paths = all_paths(report);
        let created = report.invalidations.iter().filter_map(|sent| {
            let (distribution, invalidation) = (sent.distribution_id.clone(), sent.invalidation_id.clone()?);
            Some(InvalidationRef { distribution, invalidation })
        });
        let invalidations: Vec<_> = created.collect();
        match request.wait {
            Some(wait) if !invalidations.is_empty() => {
                let token = ContinuationToken { invalidations, started: self.seconds(), wait, paths };
                if token.fits() {
                    return JobResult::Continued { token };
                }
                let message = "the job cannot wait for so many distributions, but their invalidations continue; remove \
                               \"wait\"";
                JobResult::failed(FailureType::Configuration, message)
            }
            _ => JobResult::Succeeded { summary: summary(report), invalidations, paths },
        }
    }

    /// The result of a continued job.
    async fn check_progress(&self, token: ContinuationToken, invocation: &Invocation) -> Result<JobResult, Failure> {
        let poll_deadline = invocation.progress_deadline();
        let mut completed = true;
        for InvalidationRef { distribution, invalidation } in &token.invalidations {
            completed &= self.progress(distribution, invalidation, poll_deadline).await? == Progress::Completed;
        }
        if completed {
            return Ok(JobResult::Succeeded {
                summary: token.summary(),
                invalidations: token.invalidations,
                paths: token.paths,
            });
        }
        let now = self.seconds();
        if token.started > now + MAX_CLOCK_SKEW_SECONDS {
            return Ok(JobResult::failed(FailureType::Failed, &ContinuationTokenError.to_string()));
        }
        if now.saturating_sub(token.started) < token.wait {
            return Ok(JobResult::Continued { token });
        }
        let (was, continues) = if token.invalidations.len() == 1 {
            ("the invalidation was", "continues")
        } else {
            ("the invalidations were", "continue")
        };
        let message = format!(
            "{was} not complete after {} s, but {continues} in CloudFront; increase \"waitSeconds\" (at most \
             {MAX_WAIT}): {}",
            token.wait,
            token.summary()
        );
        Ok(JobResult::failed(FailureType::Failed, &message))
    }

    /// The current time, in seconds since 1970.
    fn seconds(&self) -> u64 {
        self.now().map_or(0, |now| now.milliseconds() / 1000)
    }

    /// Puts a result, retrying transient errors until `deadline`, and returns the result that CodePipeline accepted. If
    /// it refuses a success or a continuation, a failure that says so is put instead.
    async fn put(&self, job: &JobId, result: JobResult, deadline: Instant) -> Result<JobResult, String> {
        let first_error = match self.put_result_until(job, &result, deadline).await {
            Ok(()) => return Ok(result),
            Err(error) => error,
        };
        let with_remedy = |mut reason: String| {
            if first_error.class == ErrorClass::AccessDenied {
                reason.push_str(RESULT_PERMISSIONS);
            }
            reason
        };
        if first_error.class.is_transient() || matches!(result, JobResult::Failed { .. }) {
            return Err(with_remedy(first_error.to_string()));
        }
        let message = with_remedy(format!("CodePipeline rejected the job result: {first_error}"));
        let failed = JobResult::failed(FailureType::Failed, &message);
        match self.put_result_until(job, &failed, deadline).await {
            Ok(()) => Ok(failed),
            Err(error) => Err(with_remedy(format!("{first_error}; then {error}"))),
        }
    }

    async fn put_result_until(&self, job: &JobId, result: &JobResult, deadline: Instant) -> Result<(), CallError> {
        let operation = match result {
            JobResult::Failed { .. } => "PutJobFailureResult",
            JobResult::Succeeded { .. } | JobResult::Continued { .. } => "PutJobSuccessResult",
        };
        let put = async || self.codepipeline.put(job, result).await;
        retry(operation, &job_result_limits(), deadline, put).await
    }
}

/// The result and the report of a job that was not executed before its deadline.
fn timed_out(job: &Job) -> (JobResult, Report) {
    let message = "the deadline passed before AWS responded; retry the action, and increase the function's timeout if \
                   this happens often";
    let mut report = Report::default();
    // The keys of a continued job were invalidated before its continuation.
    if job.continuation_token.is_none()
        && let Ok(Request { kind: RequestKind::Keys { keys, .. }, .. }) = &job.request
    {
        report.changes.failed = keys.len();
    }
    (JobResult::failed(FailureType::Unavailable, message), report)
}

/// The first item is listed only if it has more room than this, in characters. With this much or less, the items are
/// only counted.
const MIN_ITEM_ROOM: usize = 8;

/// The separator between two distributions in a summary.
const SEPARATOR: &str = "; ";

/// Lists as many of `count` items as fit in `most` characters, and says how many more there are.
fn list_items<'a>(items: impl IntoIterator<Item = &'a Item>, count: usize, most: usize) -> String {
    let more = |listed| match count.saturating_sub(listed) {
        0 => String::new(),
        left => format!(" and {left} more"),
    };
    let (mut list, mut listed) = (String::new(), 0);
    for item in items {
        let room = most.saturating_sub(more(listed + 1).len());
        let longer = match listed {
            0 => shortened(item.as_str(), room),
            _ => format!("{list} {}", item.as_str()),
        };
        if room <= MIN_ITEM_ROOM || (listed > 0 && longer.len() > room) {
            break;
        }
        (list, listed) = (longer, listed + 1);
    }
    if listed == 0 && count > 0 { counted(count, "path") } else { list + &more(listed) }
}

/// The paths sent to any of the distributions. They can differ between distributions for the same objects, depending on
/// the distribution configs.
fn all_paths(report: &Report) -> String {
    let unlisted: usize =
        report.invalidations.iter().map(|sent| sent.path_count.saturating_sub(sent.paths.len())).sum();
    let paths: BTreeSet<_> = report.invalidations.iter().flat_map(|sent| &sent.paths).collect();
    let count = paths.len() + unlisted;
    list_items(paths, count, MAX_SUMMARY_LENGTH)
}

/// What was sent to each distribution, in one line.
fn summary(report: &Report) -> String {
    let whole = summary_of(report, MAX_SUMMARY_LENGTH);
    if whole.len() <= MAX_SUMMARY_LENGTH {
        return whole;
    }
    // Each distribution gets an equal share, so that none is left out because of another's paths.
    let share = MAX_SUMMARY_LENGTH / report.invalidations.len().max(1);
    shortened(&summary_of(report, share), MAX_SUMMARY_LENGTH)
}

/// The summary with at most `most` characters for each distribution.
fn summary_of(report: &Report, most: usize) -> String {
    let summaries = report.invalidations.iter().map(|sent| {
        let what = match sent.status {
            SentStatus::Accepted | SentStatus::AcceptedBefore => "invalidated",
            SentStatus::AlreadyExists => "already invalidated by an earlier request (status not checked)",
            SentStatus::DryRun => "would invalidate (DRY_RUN)",
        };
        let start = format!("{}: {what} ", sent.distribution_id);
        let paths = list_items(&sent.paths, sent.path_count, most.saturating_sub(start.len() + SEPARATOR.len()));
        format!("{start}{paths}")
    });
    let summaries: Vec<_> = summaries.collect();
    if summaries.is_empty() {
        return "nothing to invalidate".into();
    }
    summaries.join(SEPARATOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_were_invalidated_before_the_continuation_do_not_fail_with_it() {
        for (continuation_token, failed) in [(None, 2), (Some("token".to_owned()), 0)] {
            let request = Request::parse(r#"{"bucket":"site","keys":["a","b"]}"#);
            let job = Job { id: JobId::new("1").unwrap(), request, continuation_token };
            assert_eq!(timed_out(&job).1.changes.failed, failed, "{job:?}");
        }
    }
}

//! The error of an invocation, as Lambda and CodePipeline receive it.

use std::fmt;

use super::{Failure, MAX_FAILURES_IN_MESSAGE, Report};
use crate::change::text::counted;
use crate::event::{EventError, FailureType, JobId, JobResult};

/// Why an event was not handled completely, and the report of what was done in spite of it.
#[derive(Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct InvocationError {
    /// The `errorType` that Lambda reports. It is stable: alarms and redrives may rely on it.
    pub error_type: &'static str,
    /// The message, one line.
    message: String,
    /// What failed, if the event could be handled in part.
    pub failures: Vec<Failure>,
    /// The report, with what failed.
    pub report: Box<Report>,
}

impl InvocationError {
    fn new(error_type: &'static str, message: String, failures: Vec<Failure>, mut report: Report) -> Self {
        report.error_type = Some(error_type);
        Self { error_type, message, failures, report: Box::new(report) }
    }

    /// An event that counts as this many changes could not be decoded, or it is invalid.
    #[must_use]
    pub fn event(error: &EventError, changes: usize) -> Self {
        let error_type = if matches!(error, EventError::Request(_)) { "InvalidRequest" } else { "UnrecognizedEvent" };
        let failure = Failure::new("event-invalid", error.to_string());
        let mut of_event = Self::of_failure(error_type, failure, changes);
        for failure in &mut of_event.failures {
            failure.message = error.reason();
        }
        of_event
    }

    /// The expected bucket owner of this many changes is unknown: the function's ARN does not contain its account.
    #[must_use]
    pub fn unknown_account(changes: usize) -> Self {
        let message = "the function's ARN does not contain the account ID that is the expected bucket owner; set \
                       EXPECTED_BUCKET_OWNER to an account ID or to \"any\"";
        Self::of_failure("UnknownAccount", Failure::new("account-unknown", message.into()), changes)
    }

    /// An event of this many changes failed as a whole.
    fn of_failure(error_type: &'static str, failure: Failure, changes: usize) -> Self {
        let failures = vec![Failure { changes, ..failure }];
        let mut report = Report::default();
        report.changes.failed = changes;
        report.set_failures(&failures, 0);
        Self::new(error_type, first_failures(&failures), failures, report)
    }

    /// A request of this many changes failed before anything was done.
    #[must_use]
    pub fn request_refused(failure: Failure, changes: usize) -> Self {
        Self::of_failure("RequestFailed", failure, changes)
    }

    /// A request failed, wholly or in part.
    #[must_use]
    pub fn request_failed(failures: Vec<Failure>, mut report: Report) -> Self {
        if !report.has_failed {
            report.set_failures(&failures, 0);
        }
        Self::new("RequestFailed", first_failures(&failures), failures, report)
    }

    /// Some changes were not invalidated. The others were handled.
    #[must_use]
    pub fn changes(failures: Vec<Failure>, report: Report) -> Self {
        let (failed, changes) = (report.changes.failed, counted(report.changes.total(), "change"));
        let message = format!("{failed} of {changes} failed: {}", first_failures(&failures));
        Self::new("ChangesNotInvalidated", message, failures, report)
    }

    /// The result of a CodePipeline job could not be put, for this reason.
    #[must_use]
    pub fn job_result_not_put(job: &JobId, reason: &str, mut report: Report) -> Self {
        let message = format!("the result of job {job} could not be sent to CodePipeline: {reason}");
        if !report.has_failed {
            report.fail("job-result-not-put", &message);
        }
        Self::new("JobResultNotPut", message, Vec::new(), report)
    }

    /// The job result that reports this error to CodePipeline.
    #[must_use]
    pub fn job_result(&self) -> JobResult {
        let kind = self.failures.first().map_or(FailureType::Failed, |first| first.failure_type);
        JobResult::failed(kind, &first_failures(&self.failures))
    }
}

/// A request or a job that is invalid.
impl From<EventError> for InvocationError {
    fn from(error: EventError) -> Self {
        Self::event(&error, 0)
    }
}

/// A request of which nothing was done.
impl From<Failure> for InvocationError {
    fn from(failure: Failure) -> Self {
        Self::request_refused(failure, 0)
    }
}

/// `lambda_runtime` logs an error by its `Debug`, so this is the type and the message in one line.
impl fmt::Debug for InvocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.error_type)
    }
}

/// The first failures, and the number of the others.
fn first_failures(failures: &[Failure]) -> String {
    let first: Vec<_> = failures.iter().take(MAX_FAILURES_IN_MESSAGE).map(|it| it.message.as_str()).collect();
    match failures.len().saturating_sub(MAX_FAILURES_IN_MESSAGE) {
        0 => first.join("; "),
        more => format!("{}; and {}", first.join("; "), counted(more, "more failure")),
    }
}

//! The error of an invocation, as Lambda and CodePipeline receive it.

use std::fmt;

use super::{ChangeCounts, Failure, MAX_FAILURES_IN_MESSAGE, Report};
use crate::change::text::counted;
use crate::event::{EventError, FailureType, JobId, JobResult};

/// Why an event was not handled completely, and the report of what was done in spite of it. The message is one line.
#[derive(Clone, PartialEq)]
pub struct InvocationError {
    /// The cause.
    pub cause: ErrorCause,
    /// The report, with what failed.
    pub report: Box<Report>,
}

/// The causes of an [`InvocationError`].
#[derive(Clone, Debug, PartialEq)]
pub enum ErrorCause {
    /// The event as a whole could not be decoded.
    Event(EventError),
    /// The expected bucket owner is unknown: the function's ARN does not contain its account.
    UnknownAccount,
    /// A request failed, wholly or in part.
    Request(Vec<Failure>),
    /// The result of a CodePipeline job could not be put.
    JobResult {
        /// The job ID.
        job: JobId,
        /// Why CodePipeline did not accept the result.
        reason: String,
    },
    /// Some changes were not invalidated. The others were handled.
    Changes(Vec<Failure>),
}

impl InvocationError {
    /// The error with this cause, after `report` was done. It is listed there, unless something else has failed before.
    #[must_use]
    pub fn new(cause: ErrorCause, mut report: Report) -> Self {
        let code = match &cause {
            ErrorCause::Event(_) => "event-invalid",
            ErrorCause::UnknownAccount => "account-unknown",
            ErrorCause::JobResult { .. } => "job-result-not-put",
            ErrorCause::Request(failures) | ErrorCause::Changes(failures) => {
                if !report.has_failed {
                    report.set_failures(failures, 0);
                }
                ""
            }
        };
        let mut error = Self { cause, report: Box::new(report) };
        if !error.report.has_failed {
            let message = error.to_string();
            error.report.fail(code, &message);
        }
        error.report.error_type = Some(error.error_type());
        error
    }

    /// The same error, for this many changes of which none was handled.
    #[must_use]
    pub fn of_changes(mut self, changes: usize) -> Self {
        self.report.changes.failed = changes;
        if let [failure] = &mut self.report.failures[..] {
            failure.changes = changes;
        }
        self
    }

    /// The job result that reports this error to CodePipeline.
    #[must_use]
    pub fn job_result(&self) -> JobResult {
        let (kind, message) = match &self.cause {
            ErrorCause::Event(error) => (FailureType::Configuration, error.reason()),
            ErrorCause::UnknownAccount => (FailureType::Configuration, self.to_string()),
            ErrorCause::Request(failures) | ErrorCause::Changes(failures) => {
                (failures.first().map_or(FailureType::Failed, |first| first.failure_type), first_failures(failures))
            }
            ErrorCause::JobResult { .. } => (FailureType::Failed, self.to_string()),
        };
        JobResult::failed(kind, &message)
    }

    /// The `errorType` that Lambda reports. It is stable: alarms and redrives may rely on it.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match self.cause {
            ErrorCause::Event(EventError::Request(_)) => "InvalidRequest",
            ErrorCause::Event(_) => "UnrecognizedEvent",
            ErrorCause::UnknownAccount => "UnknownAccount",
            ErrorCause::Request(_) => "RequestFailed",
            ErrorCause::JobResult { .. } => "JobResultNotPut",
            ErrorCause::Changes(_) => "ChangesNotInvalidated",
        }
    }
}

impl From<ErrorCause> for InvocationError {
    fn from(cause: ErrorCause) -> Self {
        Self::new(cause, Report::default())
    }
}

impl From<EventError> for InvocationError {
    fn from(error: EventError) -> Self {
        ErrorCause::Event(error).into()
    }
}

/// A request of which nothing was done.
impl From<Failure> for InvocationError {
    fn from(failure: Failure) -> Self {
        ErrorCause::Request(vec![failure]).into()
    }
}

impl fmt::Display for InvocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            ErrorCause::Event(error) => error.fmt(f),
            ErrorCause::UnknownAccount => f.write_str(
                "the function's ARN does not contain the account ID that is the expected bucket owner; set \
                 EXPECTED_BUCKET_OWNER to an account ID or to \"any\"",
            ),
            ErrorCause::Request(failures) => f.write_str(&first_failures(failures)),
            ErrorCause::JobResult { job, reason } => {
                write!(f, "the result of job {job} could not be sent to CodePipeline: {reason}")
            }
            ErrorCause::Changes(failures) => {
                let ChangeCounts { failed, .. } = self.report.changes;
                let changes = counted(self.report.changes.total(), "change");
                write!(f, "{failed} of {changes} failed: {}", first_failures(failures))
            }
        }
    }
}

/// `lambda_runtime` logs an error by its `Debug`, so this is the type and the message in one line.
impl fmt::Debug for InvocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.error_type())
    }
}

impl std::error::Error for InvocationError {}

/// The first failures, and the number of the others.
fn first_failures(failures: &[Failure]) -> String {
    let first: Vec<_> = failures.iter().take(MAX_FAILURES_IN_MESSAGE).map(|it| it.message.as_str()).collect();
    match failures.len().saturating_sub(MAX_FAILURES_IN_MESSAGE) {
        0 => first.join("; "),
        more => format!("{}; and {}", first.join("; "), counted(more, "more failure")),
    }
}

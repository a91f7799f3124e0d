//! The error of an invocation, as Lambda and CodePipeline receive it.

use std::fmt;

use super::{ChangeCounts, Failure, MAX_FAILURES_IN_MESSAGE, Report};
use crate::change::text::counted;
use crate::event::{EventError, FailureType, JobId, JobResult};

/// Why an event was not handled completely. The type is stable; the message is one line.
#[derive(Clone, PartialEq)]
pub enum InvocationError {
    /// The event as a whole could not be decoded.
    Event(EventError),
    /// The expected bucket owner is unknown: the function's ARN does not contain its account.
    UnknownAccount,
    /// A request failed, wholly or in part.
    Request {
        /// The report of what was done.
        report: Box<Report>,
        /// What failed.
        failures: Vec<Failure>,
    },
    /// The result of a CodePipeline job could not be put.
    JobResult {
        /// The job ID.
        job: JobId,
        /// Why CodePipeline did not accept the result.
        reason: String,
    },
    /// Some changes were not invalidated. The others were handled.
    NotInvalidated {
        /// The report of the whole delivery.
        report: Box<Report>,
        /// The reasons of the failed changes.
        failures: Vec<Failure>,
    },
}

impl InvocationError {
    /// The job result that reports this error to CodePipeline.
    #[must_use]
    pub fn job_result(&self) -> JobResult {
        let (kind, message) = match self {
            Self::Event(error) => (FailureType::Configuration, error.reason()),
            Self::UnknownAccount => (FailureType::Configuration, self.to_string()),
            Self::Request { failures, .. } | Self::NotInvalidated { failures, .. } => {
                (failures.first().map_or(FailureType::Failed, FailureType::from), first_failures(failures))
            }
            Self::JobResult { .. } => (FailureType::Failed, self.to_string()),
        };
        JobResult::failed(kind, &message)
    }

    /// A request of which nothing was done.
    #[must_use]
    pub fn request(failure: Failure) -> Self {
        let failures = vec![failure];
        let mut report = Report::default();
        report.set_failures(&failures, 0);
        Self::Request { report: Box::new(report), failures }
    }

    /// The report of what was done in spite of the error.
    #[must_use]
    pub fn report(&self) -> Report {
        match self {
            Self::Request { report, .. } | Self::NotInvalidated { report, .. } => (**report).clone(),
            Self::Event(_) => Report::of_failure("event-invalid", &self.to_string()),
            Self::UnknownAccount => Report::of_failure("account-unknown", &self.to_string()),
            Self::JobResult { .. } => Report::of_failure("job-result-not-put", &self.to_string()),
        }
    }

    /// The `errorType` that Lambda reports. It is stable: alarms and redrives may rely on it.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Event(EventError::Request(_)) => "InvalidRequest",
            Self::Event(_) => "UnrecognizedEvent",
            Self::UnknownAccount => "UnknownAccount",
            Self::Request { .. } => "RequestFailed",
            Self::JobResult { .. } => "JobResultNotPut",
            Self::NotInvalidated { .. } => "ChangesNotInvalidated",
        }
    }
}

impl fmt::Display for InvocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(error) => error.fmt(f),
            Self::UnknownAccount => f.write_str(
                "the function's ARN does not contain the account ID that is the expected bucket owner; set \
                 EXPECTED_BUCKET_OWNER to an account ID or to \"any\"",
            ),
            Self::Request { failures, .. } => f.write_str(&first_failures(failures)),
            Self::JobResult { job, reason } => {
                write!(f, "the result of job {job} could not be sent to CodePipeline: {reason}")
            }
            Self::NotInvalidated { report, failures } => {
                let ChangeCounts { invalidated, skipped, failed } = report.changes;
                let changes = counted(invalidated + skipped + failed, "change");
                write!(f, "{failed} of {changes} failed: ")?;
                f.write_str(&first_failures(failures))
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
    let first: Vec<_> = failures.iter().take(MAX_FAILURES_IN_MESSAGE).map(ToString::to_string).collect();
    match failures.len().saturating_sub(MAX_FAILURES_IN_MESSAGE) {
        0 => first.join("; "),
        more => format!("{}; and {}", first.join("; "), counted(more, "more failure")),
    }
}

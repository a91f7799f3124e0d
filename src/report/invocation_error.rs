//! What an invocation could not do, as Lambda and a pipeline are told.

use std::fmt;

use super::{ChangeCounts, Failure, MAX_FAILURES_IN_MESSAGE, Report};
use crate::event::{EventError, FailureType, JobId, JobResult};

/// An invocation that did not do all it was asked for. Its type is stable, its message one line.
#[derive(Clone, PartialEq, Eq)]
pub enum InvocationError {
    /// The event as a whole could not be read.
    Event(EventError),
    /// The account whose buckets these should be is not known.
    UnknownAccount,
    /// What a person asked for was not done, or not all of it.
    Request(Vec<Failure>),
    /// The result of a pipeline's job could not be put.
    JobResult {
        /// The job.
        job: JobId,
        /// What was tried to tell, and why it could not be.
        reason: String,
    },
    /// Some changes are not covered; all others are.
    NotInvalidated {
        /// What became of the whole delivery.
        report: Box<Report>,
        /// Why the failed changes failed.
        failures: Vec<Failure>,
    },
}

impl InvocationError {
    /// How a pipeline is told of it.
    #[must_use]
    pub fn job_result(&self) -> JobResult {
        let (kind, message) = match self {
            Self::Event(error) => (FailureType::Configuration, error.reason()),
            Self::UnknownAccount => (FailureType::Configuration, self.to_string()),
            Self::Request(failures) | Self::NotInvalidated { failures, .. } => {
                (failures.first().map_or(FailureType::Failed, FailureType::from), listed(failures))
            }
            Self::JobResult { .. } => (FailureType::Failed, self.to_string()),
        };
        JobResult::failed(kind, &message)
    }

    /// The name of the error, as Lambda reports it in `errorType`. Alarms and redrives may rely on it.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Event(EventError::Request(_)) => "InvalidRequest",
            Self::Event(_) => "UnrecognizedEvent",
            Self::UnknownAccount => "UnknownAccount",
            Self::Request(_) => "RequestFailed",
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
                "the function's ARN does not tell its account, which must own the buckets; set EXPECTED_BUCKET_OWNER to an \
                 account's id or to \"any\"",
            ),
            Self::Request(failures) => f.write_str(&listed(failures)),
            Self::JobResult { job, reason } => {
                write!(f, "the result of the job {job} could not be given to CodePipeline: {reason}")
            }
            Self::NotInvalidated { report, failures } => {
                let ChangeCounts { covered, ignored, failed } = report.changes;
                let all = covered + ignored + failed;
                write!(f, "{failed} of {all} changes were not invalidated: ")?;
                f.write_str(&listed(failures))
            }
        }
    }
}

/// The runtime logs an error by its `Debug`.
impl fmt::Debug for InvocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.error_type())
    }
}

impl std::error::Error for InvocationError {}

/// The first failures, and how many more there are.
fn listed(failures: &[Failure]) -> String {
    let first: Vec<_> = failures.iter().take(MAX_FAILURES_IN_MESSAGE).map(ToString::to_string).collect();
    match failures.len().saturating_sub(MAX_FAILURES_IN_MESSAGE) {
        0 => first.join("; "),
        more => format!("{}; and {more} more failures", first.join("; ")),
    }
}

//! What went wrong, for a person, for Lambda and for a pipeline.

use std::fmt;
use std::sync::Arc;

use crate::change::BucketName;
use crate::distribution::DistributionId;
use crate::event::{EventError, JobId, RecordError};
use crate::job::{FailureType, JobResult};
use crate::ports::{CallError, ErrorClass};
use crate::report::{Counts, LISTED_BUCKETS, Report};
use crate::router::RouteError;

/// How many failures an error's message spells out. The rest is counted there, and each is a line of the log.
pub const FAILURES_SPELT_OUT: usize = 20;

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A record, or a message of a queue, could not be read.
    Record {
        /// The message, if it came with one.
        message: Option<String>,
        /// Where it is wrong, and how.
        error: RecordError,
    },
    /// A bucket that a person named does not say which distributions it is for.
    NotTagged {
        /// The bucket.
        bucket: BucketName,
        /// The tag that it does not have.
        tag: String,
    },
    /// An invalidation is under way, but how far it is could not be learnt.
    Wait {
        /// The distribution.
        distribution: DistributionId,
        /// Why.
        error: CallError,
    },
    /// It is not known where a bucket's changes go.
    Route {
        /// The bucket.
        bucket: BucketName,
        /// How many changes wait for it.
        changes: usize,
        /// Why.
        error: Arc<RouteError>,
    },
    /// It is not known which URLs the objects have in a distribution.
    Settings {
        /// The distribution.
        distribution: DistributionId,
        /// The buckets whose changes wait for it.
        buckets: Vec<BucketName>,
        /// How many changes wait for it.
        changes: usize,
        /// Why.
        error: Arc<CallError>,
    },
    /// A distribution did not take its invalidation.
    Send {
        /// The distribution.
        distribution: DistributionId,
        /// The buckets whose changes it would have covered.
        buckets: Vec<BucketName>,
        /// How many changes it would have covered.
        changes: usize,
        /// Why.
        error: CallError,
    },
}

impl Failure {
    /// The kind of it, by which failures are counted: stable, such as `tags-access-denied`.
    #[must_use]
    pub fn reason(&self) -> String {
        let (step, class) = match self {
            Self::Record { .. } => return "record-unreadable".into(),
            Self::NotTagged { .. } => return "bucket-not-tagged".into(),
            Self::Route { error, .. } => match &**error {
                RouteError::Tag(_) => return "tag-invalid".into(),
                RouteError::Lookup(error) => ("tags", error.class),
            },
            Self::Settings { error, .. } => ("settings", error.class),
            Self::Send { error, .. } => ("invalidation", error.class),
            Self::Wait { error, .. } => ("wait", error.class),
        };
        format!("{step}-{}", class.name())
    }

    /// What it is about.
    #[must_use]
    pub fn subject(&self) -> (Option<&BucketName>, Option<&DistributionId>) {
        match self {
            Self::Record { .. } => (None, None),
            Self::NotTagged { bucket, .. } | Self::Route { bucket, .. } => (Some(bucket), None),
            Self::Settings { distribution, .. } | Self::Send { distribution, .. } | Self::Wait { distribution, .. } => {
                (None, Some(distribution))
            }
        }
    }

    /// How many changes it keeps from being covered. One can be kept by several failures.
    #[must_use]
    pub fn changes(&self) -> usize {
        match self {
            Self::Record { .. } => 1,
            Self::NotTagged { .. } | Self::Wait { .. } => 0,
            Self::Route { changes, .. } | Self::Settings { changes, .. } | Self::Send { changes, .. } => *changes,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record { message: None, error } => error.fmt(f),
            Self::Record { message: Some(id), error } => write!(f, "message \"{id}\": {error}"),
            Self::NotTagged { bucket, tag } => {
                write!(f, "bucket \"{bucket}\" does not have the tag \"{tag}\", which names its distribution; add it")
            }
            Self::Wait { distribution, error } => {
                write!(f, "distribution {distribution} has its invalidation, but it cannot be waited for: {error}")?;
                f.write_str(match error.class {
                    ErrorClass::AccessDenied => "; allow cloudfront:GetInvalidation on it to the function's role",
                    _ => "",
                })
            }
            Self::Route { bucket, changes: 0, error } => write!(f, "bucket \"{bucket}\": {error}"),
            Self::Route { bucket, changes, error } => write!(f, "bucket \"{bucket}\" ({changes} changes): {error}"),
            Self::Settings { distribution, buckets, changes, error } => {
                write!(f, "distribution {distribution}")?;
                write_changes(f, *changes, buckets)?;
                write!(f, ": its settings could not be read: {error}")?;
                f.write_str(match error.class {
                    ErrorClass::NotFound => "; correct the tag that names it on these buckets",
                    _ => "",
                })
            }
            Self::Send { distribution, buckets, changes, error } => {
                write!(f, "distribution {distribution}")?;
                write_changes(f, *changes, buckets)?;
                write!(f, ": {error}")?;
                f.write_str(match error.class {
                    ErrorClass::AccessDenied => "; allow cloudfront:CreateInvalidation on it to the function's role",
                    ErrorClass::NotFound if buckets.is_empty() => "; correct its id",
                    ErrorClass::NotFound => "; correct the tag that names it on these buckets",
                    ErrorClass::InvalidArgument if *changes == 0 => "; correct the items",
                    _ => "",
                })
            }
        }
    }
}

/// How many changes, if any, and of which buckets.
fn write_changes(f: &mut fmt::Formatter<'_>, changes: usize, buckets: &[BucketName]) -> fmt::Result {
    if changes == 0 {
        return Ok(());
    }
    let listed: Vec<_> = buckets.iter().take(LISTED_BUCKETS).map(|it| format!("\"{it}\"")).collect();
    write!(f, " ({changes} changes of {}", listed.join(", "))?;
    match buckets.len().saturating_sub(LISTED_BUCKETS) {
        0 => f.write_str(")"),
        more => write!(f, " and {more} more buckets)"),
    }
}

/// The first failures, and how many more there are.
fn spelt_out(failures: &[Failure]) -> String {
    let first: Vec<_> = failures.iter().take(FAILURES_SPELT_OUT).map(ToString::to_string).collect();
    match failures.len().saturating_sub(FAILURES_SPELT_OUT) {
        0 => first.join("; "),
        more => format!("{}; and {more} more failures", first.join("; ")),
    }
}

/// What kind of cause a pipeline is told.
impl From<&Failure> for FailureType {
    fn from(failure: &Failure) -> Self {
        let class = match failure {
            Failure::Record { .. } | Failure::NotTagged { .. } => return Self::Configuration,
            Failure::Route { error, .. } => match &**error {
                RouteError::Tag(_) => return Self::Configuration,
                RouteError::Lookup(error) => error.class,
            },
            Failure::Settings { error, .. } => error.class,
            Failure::Send { error, .. } | Failure::Wait { error, .. } => error.class,
        };
        match class {
            ErrorClass::AccessDenied => Self::Permission,
            ErrorClass::NotFound
            | ErrorClass::WrongRegion
            | ErrorClass::InvalidArgument
            | ErrorClass::BatchTooLarge => Self::Configuration,
            class if class.is_transient() => Self::Unavailable,
            _ => Self::Failed,
        }
    }
}

impl InvocationError {
    /// How a pipeline is told of it.
    #[must_use]
    pub fn job_result(&self) -> JobResult {
        let (kind, message) = match self {
            Self::Event(error) => (FailureType::Configuration, error.reason()),
            Self::UnknownAccount => (FailureType::Configuration, self.to_string()),
            Self::Request(failures) | Self::NotInvalidated { failures, .. } => {
                (failures.first().map_or(FailureType::Failed, FailureType::from), spelt_out(failures))
            }
            Self::JobResult { .. } => (FailureType::Failed, self.to_string()),
        };
        JobResult::failed(kind, &message)
    }
}

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
            Self::Request(failures) => f.write_str(&spelt_out(failures)),
            Self::JobResult { job, reason } => write!(f, "the result of the job {job} could not be put: {reason}"),
            Self::NotInvalidated { report, failures } => {
                let Counts { covered, ignored, failed } = report.changes;
                let all = covered + ignored + failed;
                write!(f, "{failed} of {all} changes were not invalidated: ")?;
                f.write_str(&spelt_out(failures))
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

//! What went wrong, for a person, for Lambda and for a pipeline.

use std::fmt;
use std::sync::Arc;

use crate::aws::{CallError, ErrorClass};
use crate::change::{BucketName, DistributionId, RecordError};
use crate::event::FailureType;
use crate::lookup::TagLookupError;
use crate::plan::Invalidation;
use crate::send::LISTED_BUCKETS;

/// How many failures an error's message spells out. The rest is counted there, and each is a line of the log.
pub const MAX_FAILURES_IN_MESSAGE: usize = 20;

/// What to do where there is no such distribution.
const WRONG_ID: &str = "; correct the id, or the tag of these buckets that names it";

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
    Tags {
        /// The bucket.
        bucket: BucketName,
        /// How many changes wait for it.
        changes: usize,
        /// Why.
        error: Arc<TagLookupError>,
    },
    /// It is not known which URLs the objects have in a distribution.
    Config {
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
    /// That an invalidation was not accepted.
    #[must_use]
    pub fn send(planned: &Invalidation, error: CallError) -> Self {
        Self::Send {
            distribution: planned.distribution.clone(),
            buckets: planned.buckets.clone(),
            changes: planned.changes.len(),
            error,
        }
    }

    /// The kind of it, by which failures are counted: stable, such as `tags-access-denied`.
    #[must_use]
    pub fn reason(&self) -> String {
        let step = match self {
            Self::Record { .. } => return "record-unreadable".into(),
            Self::NotTagged { .. } => return "bucket-not-tagged".into(),
            Self::Tags { error, .. } if matches!(**error, TagLookupError::Tag(_)) => return "tag-invalid".into(),
            Self::Tags { .. } => "tags",
            Self::Config { .. } => "settings",
            Self::Send { .. } => "invalidation",
            Self::Wait { .. } => "wait",
        };
        self.class().map_or_else(|| step.to_owned(), |class| format!("{step}-{}", class.name()))
    }

    /// The class of the error, where a call failed.
    fn class(&self) -> Option<ErrorClass> {
        match self {
            Self::Tags { error, .. } => match &**error {
                TagLookupError::Tag(_) => None,
                TagLookupError::Lookup(error) => Some(error.class),
            },
            Self::Config { error, .. } => Some(error.class),
            Self::Send { error, .. } | Self::Wait { error, .. } => Some(error.class),
            Self::Record { .. } | Self::NotTagged { .. } => None,
        }
    }

    /// What it is about.
    #[must_use]
    pub fn subject(&self) -> (Option<&BucketName>, Option<&DistributionId>) {
        match self {
            Self::Record { .. } => (None, None),
            Self::NotTagged { bucket, .. } | Self::Tags { bucket, .. } => (Some(bucket), None),
            Self::Config { distribution, .. } | Self::Send { distribution, .. } | Self::Wait { distribution, .. } => {
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
            Self::Tags { changes, .. } | Self::Config { changes, .. } | Self::Send { changes, .. } => *changes,
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
                let is_denied = error.class == ErrorClass::AccessDenied;
                if is_denied { write_missing_permission(f, "GetInvalidation", distribution) } else { Ok(()) }
            }
            Self::Tags { bucket, changes: 0, error } => write!(f, "bucket \"{bucket}\": {error}"),
            Self::Tags { bucket, changes, error } => write!(f, "bucket \"{bucket}\" ({changes} changes): {error}"),
            Self::Config { distribution, buckets, changes, error } => {
                write!(f, "distribution {distribution}")?;
                write_changes(f, *changes, buckets)?;
                write!(f, ": its settings could not be read: {error}")?;
                f.write_str(if error.class == ErrorClass::NotFound { WRONG_ID } else { "" })
            }
            Self::Send { distribution, buckets, changes, error } => {
                write!(f, "distribution {distribution}")?;
                write_changes(f, *changes, buckets)?;
                write!(f, ": {error}")?;
                f.write_str(match error.class {
                    ErrorClass::AccessDenied => return write_missing_permission(f, "CreateInvalidation", distribution),
                    ErrorClass::NotFound if buckets.is_empty() => "; correct its id",
                    ErrorClass::NotFound => WRONG_ID,
                    ErrorClass::InvalidArgument if *changes == 0 => "; correct the items",
                    _ => "",
                })
            }
        }
    }
}

/// Which right is missing. Source: policy.json; tenants have operations of their own.
fn write_missing_permission(f: &mut fmt::Formatter<'_>, operation: &str, distribution: &DistributionId) -> fmt::Result {
    let (of, parameter) =
        if distribution.is_tenant() { ("ForDistributionTenant", "Tenants") } else { ("", "AllowedDistributions") };
    write!(f, "; allow cloudfront:{operation}{of} on it to the calling role (in the templates: {parameter})")
}

/// How many changes, if any, and of which buckets.
fn write_changes(f: &mut fmt::Formatter<'_>, changes: usize, buckets: &[BucketName]) -> fmt::Result {
    if buckets.is_empty() {
        return Ok(());
    }
    let listed: Vec<_> = buckets.iter().take(LISTED_BUCKETS).map(|it| format!("\"{it}\"")).collect();
    f.write_str(" (")?;
    if changes > 0 {
        write!(f, "{changes} changes ")?;
    }
    write!(f, "of {}", listed.join(", "))?;
    match buckets.len().saturating_sub(LISTED_BUCKETS) {
        0 => f.write_str(")"),
        more => write!(f, " and {more} more buckets)"),
    }
}

/// What kind of cause a pipeline is told.
impl From<&Failure> for FailureType {
    fn from(failure: &Failure) -> Self {
        match failure.class() {
            Some(ErrorClass::AccessDenied) => Self::Permission,
            None
            | Some(
                ErrorClass::NotFound
                | ErrorClass::WrongRegion
                | ErrorClass::InvalidArgument
                | ErrorClass::BatchTooLarge,
            ) => Self::Configuration,
            Some(class) if class.is_transient() => Self::Unavailable,
            Some(_) => Self::Failed,
        }
    }
}

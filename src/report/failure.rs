//! Failures, as messages with a remedy, as stable codes, and as failure types for CodePipeline.

use std::fmt;
use std::sync::Arc;

use crate::aws::{CallError, ErrorClass};
use crate::change::text::counted;
use crate::change::{BucketName, DistributionId, RecordError};
use crate::event::FailureType;
use crate::lookup::TagLookupError;
use crate::plan::Invalidation;
use crate::send::MAX_LISTED_BUCKETS;

/// The maximum number of failures in an error message. The message counts the others; those of a batch of changes are
/// logged one by one.
pub const MAX_FAILURES_IN_MESSAGE: usize = 20;

/// The remedy if the distribution does not exist.
const WRONG_ID_REMEDY: &str = "; correct the distribution ID in the bucket tags";

/// Why changes, or a request, failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A record or an SQS message could not be read.
    Record {
        /// The ID of the message, if the record came in one.
        message_id: Option<String>,
        /// The position of the defect, and what it is.
        error: RecordError,
    },
    /// A bucket that a request names does not have the tag with its distributions.
    NotTagged {
        /// The bucket.
        bucket: BucketName,
        /// The key of the missing tag.
        tag: String,
    },
    /// An invalidation was sent, but its status could not be read.
    Wait {
        /// The distribution.
        distribution: DistributionId,
        /// The error of the call.
        error: CallError,
    },
    /// A bucket's tags could not be read, or one of them is invalid.
    Tags {
        /// The bucket.
        bucket: BucketName,
        /// The number of changes that failed for it; 0 if a request named the bucket.
        changes: usize,
        /// The error of the lookup.
        error: Arc<TagLookupError>,
    },
    /// A distribution's config could not be read, so the URLs of its objects are unknown.
    Config {
        /// The distribution.
        distribution: DistributionId,
        /// The buckets of the changes that failed for it.
        buckets: Vec<BucketName>,
        /// The number of changes that failed for it.
        changes: usize,
        /// The error of the call.
        error: Arc<CallError>,
    },
    /// CloudFront did not accept an invalidation.
    Send {
        /// The distribution.
        distribution: DistributionId,
        /// The buckets of its changes, or the bucket whose tag named the distribution.
        buckets: Vec<BucketName>,
        /// The number of its changes; 0 if a person named the paths.
        changes: usize,
        /// The error of the last attempt.
        error: CallError,
    },
}

impl Failure {
    /// The failure of an invalidation that was not accepted.
    #[must_use]
    pub fn send(planned: &Invalidation, error: CallError) -> Self {
        Self::Send {
            distribution: planned.distribution.clone(),
            buckets: planned.buckets.clone(),
            changes: planned.changes.len(),
            error,
        }
    }

    /// The stable code, such as `tags-access-denied`.
    #[must_use]
    pub fn code(&self) -> String {
        let step = match self {
            Self::Record { .. } => return "record-invalid".into(),
            Self::NotTagged { .. } => return "bucket-not-tagged".into(),
            Self::Tags { error, .. } if matches!(**error, TagLookupError::Tag(_)) => return "tag-invalid".into(),
            Self::Tags { .. } => "tags",
            Self::Config { .. } => "config",
            Self::Send { .. } => "invalidation",
            Self::Wait { .. } => "wait",
        };
        self.class().map_or_else(|| step.to_owned(), |class| format!("{step}-{}", class.name()))
    }

    /// The class of the error, if a call to AWS failed.
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

    /// The bucket or the distribution that the failure concerns.
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

    /// The number of changes that fail because of it. A change can fail for several reasons.
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
            Self::Record { message_id: None, error } => error.fmt(f),
            Self::Record { message_id: Some(id), error } => write!(f, "message \"{id}\": {error}"),
            Self::NotTagged { bucket, tag } => {
                write!(
                    f,
                    "bucket \"{bucket}\" does not have the tag \"{tag}\" that names its distribution; add the tag"
                )
            }
            Self::Wait { distribution, error } => {
                write!(f, "distribution {distribution}: the status of its invalidation could not be read: {error}")?;
                let is_denied = error.class == ErrorClass::AccessDenied;
                if is_denied { write_missing_permission(f, "GetInvalidation", distribution) } else { Ok(()) }
            }
            Self::Tags { bucket, changes: 0, error } => write!(f, "bucket \"{bucket}\": {error}"),
            Self::Tags { bucket, changes, error } => {
                write!(f, "bucket \"{bucket}\" ({}): {error}", counted(*changes, "change"))
            }
            Self::Config { distribution, buckets, changes, error } => {
                write!(f, "distribution {distribution}")?;
                write_changes(f, *changes, buckets)?;
                write!(f, ": its distribution config could not be read: {error}")?;
                f.write_str(if error.class == ErrorClass::NotFound { WRONG_ID_REMEDY } else { "" })
            }
            Self::Send { distribution, buckets, changes, error } => {
                write!(f, "distribution {distribution}")?;
                write_changes(f, *changes, buckets)?;
                write!(f, ": {error}")?;
                f.write_str(match error.class {
                    ErrorClass::AccessDenied => return write_missing_permission(f, "CreateInvalidation", distribution),
                    ErrorClass::NotFound if buckets.is_empty() => "; correct the distribution ID",
                    ErrorClass::NotFound => WRONG_ID_REMEDY,
                    ErrorClass::InvalidArgument if *changes == 0 => "; correct the paths",
                    _ => "",
                })
            }
        }
    }
}

/// Writes the missing permission and the template parameter that grants it. Source: policy.json. Distribution tenants
/// have operations of their own.
fn write_missing_permission(f: &mut fmt::Formatter<'_>, operation: &str, distribution: &DistributionId) -> fmt::Result {
    let (suffix, resource, parameter) = if distribution.is_tenant() {
        ("ForDistributionTenant", "distribution tenant", "Tenants")
    } else {
        ("", "distribution", "AllowedDistributions")
    };
    write!(
        f,
        "; allow cloudfront:{operation}{suffix} on the {resource} for the role or user that makes the call (template \
         parameter: {parameter})"
    )
}

/// Writes the number of changes, if there are any, and their buckets.
fn write_changes(f: &mut fmt::Formatter<'_>, changes: usize, buckets: &[BucketName]) -> fmt::Result {
    if buckets.is_empty() {
        return Ok(());
    }
    let listed: Vec<_> = buckets.iter().take(MAX_LISTED_BUCKETS).map(|it| format!("\"{it}\"")).collect();
    f.write_str(" (")?;
    if changes > 0 {
        write!(f, "{} in ", counted(changes, "change"))?;
    }
    let noun = if buckets.len() == 1 { "bucket" } else { "buckets" };
    write!(f, "{noun} {}", listed.join(", "))?;
    match buckets.len().saturating_sub(MAX_LISTED_BUCKETS) {
        0 => f.write_str(")"),
        more => write!(f, " and {more} more)"),
    }
}

/// The failure type that CodePipeline is given.
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

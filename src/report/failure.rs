//! Failures: a message with a remedy, a stable code, and a failure type for CodePipeline.

use serde::Serialize;

use crate::aws::{CallError, ErrorClass};
use crate::change::text::{counted, excerpt};
use crate::change::{BucketName, DistributionId, FieldError};
use crate::event::FailureType;
use crate::lookup::{ConfigLookupError, TagLookupError};
use crate::plan::Invalidation;
use crate::send::MAX_LISTED_BUCKETS;

/// The maximum number of failures in an error message. The message counts the others; those of a batch of changes are
/// logged one by one.
pub const MAX_FAILURES_IN_MESSAGE: usize = 20;

/// Where a distribution ID was read, so where a wrong one is corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdSource {
    /// The tags of the buckets.
    BucketTags,
    /// A request.
    Request,
    /// The environment variable `DISTRIBUTION_ID`.
    Variable,
    /// The option `--distribution` of the command line.
    Option,
}

impl IdSource {
    /// The remedy if the distribution does not exist. CloudFront says the same of a multi-tenant distribution, which has
    /// no cache of its own.
    fn remedy(self, distribution: &DistributionId) -> String {
        let correction = match self {
            Self::BucketTags => "; correct the distribution ID in the bucket tags",
            Self::Request => "; correct the distribution ID in the request",
            Self::Variable => "; correct DISTRIBUTION_ID",
            Self::Option => "; correct --distribution",
        };
        let tenants = if distribution.is_tenant() {
            ""
        } else {
            "; if it is a multi-tenant distribution, name the IDs of its tenants (dt_…) instead"
        };
        format!("{correction}{tenants}")
    }
}

/// Why changes, or a request, failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The stable code, such as `tags-access-denied`.
    pub code: String,
    /// The message with the remedy; shortened in a report.
    pub message: String,
    /// The bucket, if the failure concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<BucketName>,
    /// The distribution, if the failure concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution_id: Option<DistributionId>,
    /// The number of changes that failed because of it. A change can fail for several reasons.
    pub changes: usize,
    /// The failure type that CodePipeline is given.
    #[serde(skip)]
    pub failure_type: FailureType,
}

impl Failure {
    /// A failure that concerns no bucket, distribution or change in particular, and is due to a wrong configuration.
    #[must_use]
    pub fn new(code: &str, message: String) -> Self {
        let (code, failure_type) = (code.to_owned(), FailureType::Configuration);
        Self { code, message, bucket: None, distribution_id: None, changes: 0, failure_type }
    }

    /// The failure of a call to AWS in this step.
    fn of_call(step: &str, error: &CallError, message: String) -> Self {
        let failure_type = match error.class {
            ErrorClass::AccessDenied => FailureType::Permission,
            ErrorClass::NotFound
            | ErrorClass::WrongRegion
            | ErrorClass::InvalidArgument
            | ErrorClass::BatchTooLarge => FailureType::Configuration,
            class if class.is_transient() => FailureType::Unavailable,
            _ => FailureType::Failed,
        };
        Self { failure_type, ..Self::new(&format!("{step}-{}", error.class.name()), message) }
    }

    /// A record or an SQS message could not be read. `message_id` is the ID of the message, if it came in one.
    #[must_use]
    pub fn record(message_id: Option<&str>, error: &FieldError) -> Self {
        let message = match message_id {
            None => error.to_string(),
            Some(id) => format!("message \"{}\": {error}", excerpt(id)),
        };
        Self { changes: 1, ..Self::new("record-invalid", message) }
    }

    /// A bucket that a request names does not have the tag with its distributions.
    #[must_use]
    pub fn not_tagged(bucket: &BucketName, tag: &str) -> Self {
        let message =
            format!("bucket \"{bucket}\" does not have the tag \"{tag}\" that names its distribution; add the tag");
        Self { bucket: Some(bucket.clone()), ..Self::new("bucket-not-tagged", message) }
    }

    /// An invalidation was sent, but its status could not be read.
    #[must_use]
    pub fn wait(distribution: &DistributionId, error: &CallError) -> Self {
        let remedy = match error.class {
            ErrorClass::AccessDenied => missing_permission("GetInvalidation", distribution),
            _ => String::new(),
        };
        let message =
            format!("distribution {distribution}: the status of its invalidation could not be read: {error}{remedy}");
        Self { distribution_id: Some(distribution.clone()), ..Self::of_call("wait", error, message) }
    }

    /// A bucket's tags could not be read, or one of them is invalid. `changes` is 0 if a request
    /// names paths for the bucket's distributions.
    #[must_use]
    pub fn tags(bucket: &BucketName, changes: usize, error: &TagLookupError) -> Self {
        let affected = if changes == 0 { String::new() } else { format!(" ({})", counted(changes, "change")) };
        let message = format!("bucket \"{bucket}\"{affected}: {error}");
        let failure = match error {
            TagLookupError::Tag(_) => Self::new("tag-invalid", message),
            TagLookupError::Lookup(error) => Self::of_call("tags", error, message),
        };
        Self { bucket: Some(bucket.clone()), changes, ..failure }
    }

    /// A distribution's config could not be read, so the URLs of its objects are unknown, or it is a multi-tenant
    /// distribution. `buckets` are those of the changes that failed for it, and `source` is where its ID was read.
    #[must_use]
    pub fn config(
        distribution: &DistributionId,
        source: IdSource,
        buckets: &[BucketName],
        changes: usize,
        error: &ConfigLookupError,
    ) -> Self {
        let remedy = match error {
            ConfigLookupError::Lookup(CallError { class: ErrorClass::NotFound, .. }) => source.remedy(distribution),
            _ => String::new(),
        };
        let message = format!("distribution {distribution}{}: {error}{remedy}", affected(changes, buckets));
        let failure = match error {
            ConfigLookupError::MultiTenant => Self::new("config-multi-tenant", message),
            ConfigLookupError::Lookup(error) => Self::of_call("config", error, message),
        };
        Self { distribution_id: Some(distribution.clone()), changes, ..failure }
    }

    /// The function has no queue to poll.
    #[must_use]
    pub fn no_queue() -> Self {
        let message = "QUEUE_URL is not set, so there is no queue to poll; set it to the URL of the function's queue";
        Self::new("queue-not-configured", message.into())
    }

    /// A call to the function's own queue failed.
    #[must_use]
    pub fn queue(error: &CallError) -> Self {
        let remedy = match error.class {
            ErrorClass::AccessDenied => {
                "; allow sqs:ReceiveMessage, sqs:DeleteMessage and sqs:SendMessage on the queue for the execution role"
            }
            ErrorClass::NotFound => "; correct QUEUE_URL",
            _ => "",
        };
        Self::of_call("queue", error, format!("the function's queue: {error}{remedy}"))
    }

    /// CloudFront did not accept an invalidation. `error` is that of the last attempt, and `source` is where the
    /// distribution's ID was read.
    #[must_use]
    pub fn send(planned: &Invalidation, source: IdSource, error: &CallError) -> Self {
        let Invalidation { distribution, buckets, .. } = planned;
        let remedy = match error.class {
            ErrorClass::AccessDenied => missing_permission("CreateInvalidation", distribution),
            ErrorClass::NotFound => source.remedy(distribution),
            ErrorClass::InvalidArgument if planned.is_named() => "; correct the paths".into(),
            _ => String::new(),
        };
        let changes = planned.changes.len();
        let message = format!("distribution {distribution}{}: {error}{remedy}", affected(changes, buckets));
        Self { distribution_id: Some(distribution.clone()), changes, ..Self::of_call("invalidation", error, message) }
    }
}

/// The missing permission and the template parameter that grants it. Source: policy.json. Distribution tenants have
/// operations of their own.
fn missing_permission(operation: &str, distribution: &DistributionId) -> String {
    let (suffix, resource, parameter) = if distribution.is_tenant() {
        ("ForDistributionTenant", "distribution tenant", "Tenants")
    } else {
        ("", "distribution", "AllowedDistributions")
    };
    format!(
        "; allow cloudfront:{operation}{suffix} on the {resource} for the role or user that makes the call (template \
         parameter: {parameter})"
    )
}

/// The number of changes, if there are any, and their buckets.
fn affected(changes: usize, buckets: &[BucketName]) -> String {
    if buckets.is_empty() {
        return String::new();
    }
    let changes = if changes > 0 { format!("{} in ", counted(changes, "change")) } else { String::new() };
    let noun = if buckets.len() == 1 { "bucket" } else { "buckets" };
    let listed: Vec<_> = buckets.iter().take(MAX_LISTED_BUCKETS).map(|it| format!("\"{it}\"")).collect();
    let more = match buckets.len().saturating_sub(MAX_LISTED_BUCKETS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(" ({changes}{noun} {}{more})", listed.join(", "))
}

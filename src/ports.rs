//! What the function needs of the world, as traits: the tags and keys of a bucket, how distributions are set, a place to send
//! invalidations, and whom to tell what became of a pipeline's job.
//!
//! Adapters for AWS are in `aws`; tests bring their own. An error says what class it is of, so that whoever decides
//! never looks at an SDK's types.

use std::fmt;
use std::future::Future;

use crate::change::Bucket;
use crate::distribution::{DistributionId, InvalidationId};
use crate::event::JobId;
use crate::job::JobResult;
use crate::plan::PlannedInvalidation;
use crate::route::Tags;
use crate::settings::{DistributionSettings, PolicyId};

/// A bucket to ask about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketQuery {
    /// The bucket.
    pub bucket: Bucket,
    /// The account that must own it, or the request is denied; `None` for any.
    pub expected_owner: Option<AccountId>,
}

/// The id of an AWS account: 12 digits.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountId(Box<str>);

impl AccountId {
    /// Takes 12 digits; `None` for anything else.
    #[must_use]
    pub fn new(id: &str) -> Option<Self> {
        (id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit())).then(|| Self(id.into()))
    }

    /// The account of a function, from its ARN (`arn:aws:lambda:eu-central-1:123456789012:function:name`).
    #[must_use]
    pub fn of_function(arn: &str) -> Option<Self> {
        let mut parts = arn.split(':');
        let (arn, service) = (parts.next()?, parts.nth(1)?);
        (arn == "arn" && service == "lambda").then(|| parts.nth(1).and_then(Self::new))?
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads the tags of buckets.
pub trait BucketTags {
    /// The bucket's tags.
    fn bucket_tags(&self, query: &BucketQuery) -> impl Future<Output = Result<Tags, CallError>>;
}

/// Lists the keys of buckets.
pub trait Objects {
    /// A page of the keys that start with `prefix` and come after `after`, in the order of their bytes.
    fn list(
        &self,
        query: &BucketQuery,
        prefix: &str,
        after: Option<&str>,
    ) -> impl Future<Output = Result<Page, CallError>>;
}

/// A page of a bucket's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The keys, in the order of their bytes.
    pub keys: Vec<String>,
    /// Whether there are more behind the last one.
    pub more: bool,
}

/// Takes invalidations.
pub trait Invalidations {
    /// Sends one invalidation.
    fn create(&self, invalidation: &PlannedInvalidation) -> impl Future<Output = Result<Accepted, CallError>>;

    /// Tells how far one is that was sent.
    fn progress(
        &self,
        distribution: &DistributionId,
        invalidation: &InvalidationId,
    ) -> impl Future<Output = Result<Progress, CallError>>;
}

/// Takes the results of pipelines' jobs.
pub trait Jobs {
    /// Puts the result of a job. One that has its result already is no error.
    fn put(&self, job: &JobId, result: &JobResult) -> impl Future<Output = Result<(), CallError>>;
}

/// Tells how distributions are set.
pub trait Settings {
    /// The settings of a distribution.
    fn settings(&self, distribution: &DistributionId) -> impl Future<Output = Result<DistributionSettings, CallError>>;

    /// Whether query strings, or some of their parameters, are in the key of a cache policy.
    fn has_query_strings(&self, policy: &PolicyId) -> impl Future<Output = Result<bool, CallError>>;
}

/// An invalidation that CloudFront has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It took it, under this id; it answers the same again, and bills nothing, for one that it already had.
    Created {
        /// CloudFront's id of the invalidation.
        id: InvalidationId,
    },
    /// It says that it had one under this caller reference before.
    AlreadyExists,
}

/// How far an invalidation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Progress {
    /// Some edges may still serve what it removes.
    InProgress,
    /// No edge does.
    Completed,
}

/// What a failed call means for those who wait for its result. Sources: API models of S3 and CloudFront; aws-sdk-js#3983.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Too many requests.
    Throttled,
    /// CloudFront works on as many invalidations of this distribution as it takes.
    TooManyInProgress,
    /// A fault of the service or of the way to it: 5xx, a time-out, a broken connection, an unreadable answer.
    Unavailable,
    /// The function's role, or the owner the bucket should have, does not allow it.
    AccessDenied,
    /// There is no such bucket or distribution.
    NotFound,
    /// The bucket is in another Region.
    WrongRegion,
    /// A path of the request is not to CloudFront's liking.
    InvalidArgument,
    /// More paths than CloudFront takes in one request.
    BatchTooLarge,
    /// Anything else.
    Other,
}

impl ErrorClass {
    /// Its name, as the log has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::TooManyInProgress => "too-many-in-progress",
            Self::Unavailable => "unavailable",
            Self::AccessDenied => "access-denied",
            Self::NotFound => "not-found",
            Self::WrongRegion => "wrong-region",
            Self::InvalidArgument => "invalid-argument",
            Self::BatchTooLarge => "batch-too-large",
            Self::Other => "other",
        }
    }

    /// Whether the same call may succeed a little later.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::TooManyInProgress | Self::Unavailable)
    }
}

/// A call to AWS that failed, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// What it means.
    pub class: ErrorClass,
    /// The operation, the service's code and message or the chain of causes, in one line.
    pub message: String,
}

impl CallError {
    /// There was not answered before the time was up.
    #[must_use]
    pub fn no_time(operation: &str) -> Self {
        let message = format!("{operation}: not answered before the time was up");
        Self { class: ErrorClass::Unavailable, message }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CallError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_read_from_the_arn() {
        let account = |arn| AccountId::of_function(arn).map(|id| id.as_str().to_owned());
        let arn = "arn:aws:lambda:eu-central-1:123456789012:function:invalidator";
        assert_eq!(account(arn).as_deref(), Some("123456789012"));
        assert_eq!(
            account("arn:aws-cn:lambda:cn-north-1:123456789012:function:f:alias").as_deref(),
            Some("123456789012")
        );
        for bad in
            ["", "arn:aws:lambda", "arn:aws:s3:eu-central-1:123456789012:x", "arn:aws:lambda:r:12345:function:f", "x"]
        {
            assert_eq!(account(bad), None, "{bad}");
        }
    }
}

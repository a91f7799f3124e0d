//! What the commands need of AWS, as a trait.

use std::collections::BTreeMap;
use std::future::Future;

use super::notification::Notifications;
use crate::aws::{CallError, ErrorClass};
use crate::change::{AccountId, BucketName, DistributionId};
use crate::path::Tags;

/// A function, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionInfo {
    /// Its ARN, without a version.
    pub arn: String,
    /// The tag that names a bucket's distributions, if its settings name one.
    pub distribution_tag: Option<String>,
    /// Whether it only plans and logs, and sends nothing.
    pub is_dry_run: bool,
    /// The account whose buckets it takes, if its settings name one; "any" for all.
    pub bucket_owner: Option<String>,
    /// The ARN of the queue, or topic, that what fails for good goes to.
    pub dead_letters: Option<String>,
}

/// What makes a function be called from a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSourceMapping {
    /// The queue's ARN.
    pub arn: String,
    /// Lambda's word for how it is, such as `Enabled`.
    pub state: String,
    /// Whether the messages that failed come again, and not only whole batches.
    pub reports_failures: bool,
}

impl EventSourceMapping {
    /// Whether the function reads it, or will in a moment.
    #[must_use]
    pub fn is_active(&self) -> bool {
        ["Enabled", "Enabling", "Updating", "Creating"].contains(&self.state.as_str())
    }
}

/// A queue, as far as it matters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Its policy, as JSON.
    pub policy: Option<String>,
    /// The key in KMS that it is encrypted under.
    pub kms_key: Option<String>,
    /// The ARN of the queue that what is received too often goes to.
    pub dead_letters: Option<String>,
    /// About how many messages wait.
    pub waiting: u64,
    /// About how many are being handled.
    pub in_flight: u64,
}

/// A rule of EventBridge's default bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRule {
    /// Its ARN.
    pub arn: String,
    /// Whether it is switched on.
    pub is_enabled: bool,
    /// Its event pattern, as JSON.
    pub pattern: Option<String>,
}

/// The invalidation that a distribution got last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastInvalidation {
    /// When it was created, in seconds since 1970.
    pub created: i64,
    /// CloudFront's word for how far it is, such as `Completed`.
    pub status: String,
}

/// AWS, as an operator sees it: one account and one Region.
pub trait OperatorApi {
    /// The account that asks.
    fn account(&self) -> impl Future<Output = Result<AccountId, CallError>>;

    /// The outputs of a stack; `None` if there is no such stack.
    fn stack_outputs(&self, stack: &str) -> impl Future<Output = Result<Option<BTreeMap<String, String>>, CallError>>;

    /// A function, by its name or ARN.
    fn function(&self, name: &str) -> impl Future<Output = Result<FunctionInfo, CallError>>;

    /// Where a function's events come from, of what Lambda fetches by itself.
    fn event_sources(&self, function: &str) -> impl Future<Output = Result<Vec<EventSourceMapping>, CallError>>;

    /// A function's policy, as JSON, if it has one.
    fn function_policy(&self, function: &str) -> impl Future<Output = Result<Option<String>, CallError>>;

    /// Lets a bucket call a function. That it may already, under this id, is no error.
    fn add_permission(
        &self,
        function: &str,
        id: &str,
        bucket_arn: &str,
        account: &AccountId,
    ) -> impl Future<Output = Result<(), CallError>>;

    /// Takes a statement out of a function's policy. That it is not there is no error.
    fn remove_permission(&self, function: &str, id: &str) -> impl Future<Output = Result<(), CallError>>;

    /// A queue, by its ARN.
    fn queue(&self, arn: &str) -> impl Future<Output = Result<Queue, CallError>>;

    /// The rules of EventBridge that send to a queue or function.
    fn event_rules(&self, target: &str) -> impl Future<Output = Result<Vec<EventRule>, CallError>>;

    /// The account's buckets in this Region.
    fn buckets(&self) -> impl Future<Output = Result<Vec<BucketName>, CallError>>;

    /// The Region that a bucket is in.
    fn bucket_region(&self, bucket: &BucketName) -> impl Future<Output = Result<String, CallError>>;

    /// A bucket's tags.
    fn tags(&self, bucket: &BucketName) -> impl Future<Output = Result<Tags, CallError>>;

    /// Replaces a bucket's tags.
    fn put_tags(&self, bucket: &BucketName, tags: &Tags) -> impl Future<Output = Result<(), CallError>>;

    /// Whether a bucket's tags decide who may do what, so that they can only be written by S3's newer `TagResource`.
    fn has_tag_access_control(&self, bucket: &BucketName) -> impl Future<Output = Result<bool, CallError>>;

    /// A bucket's notification configuration.
    fn notifications(&self, bucket: &BucketName) -> impl Future<Output = Result<Notifications, CallError>>;

    /// Replaces a bucket's notification configuration.
    fn put_notifications(
        &self,
        bucket: &BucketName,
        notifications: &Notifications,
    ) -> impl Future<Output = Result<(), CallError>>;

    /// The distribution that a tenant belongs to.
    fn distribution_of(&self, tenant: &DistributionId) -> impl Future<Output = Result<DistributionId, CallError>>;

    /// What a distribution got last, if anything.
    fn last_invalidation(
        &self,
        distribution: &DistributionId,
    ) -> impl Future<Output = Result<Option<LastInvalidation>, CallError>>;
}

/// What to do about a call that was refused.
pub(super) fn missing_permissions(error: &CallError) -> &'static str {
    match error.class {
        ErrorClass::AccessDenied => "; your role needs what docs/operator-policy.json allows",
        _ => "",
    }
}

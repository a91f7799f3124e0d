//! The AWS calls that `link`, `unlink` and `status` need, as a trait.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::notification::Notifications;
use crate::aws::{CallError, ErrorClass};
use crate::change::{AccountId, BucketName, DistributionId, Timestamp};
use crate::path::{DistributionConfig, Tags, Tenant};

/// The parts of a function's configuration that the commands read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionInfo {
    /// The ARN, without a version.
    pub arn: String,
    /// `DISTRIBUTION_TAG`, if it is set: the tag that names a bucket's distributions.
    pub distribution_tag: Option<String>,
    /// Whether `DRY_RUN` is `true`: the function plans and logs, and sends nothing.
    pub is_dry_run: bool,
    /// Whether the function reads distribution configs: `DISTRIBUTION_CONFIG` is not `off`.
    pub reads_configs: bool,
    /// `EXPECTED_BUCKET_OWNER`, if it is set: the only account whose buckets the function accepts, or `any`.
    pub bucket_owner: Option<String>,
    /// `QUEUE_URL`, if it is set: the queue that the function polls.
    pub queue_url: Option<String>,
    /// `VERSION`, if it is set: the version of the function's package. The templates set it.
    pub version: Option<String>,
    /// The ARN of the queue or topic in the function's dead-letter configuration.
    pub dead_letter_queue: Option<String>,
    /// The log group with a line of JSON for each failed invocation; `None` if the log format is another, or if the log
    /// level drops these lines.
    pub log_group: Option<String>,
}

/// An event source mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSourceMapping {
    /// The ARN of the event source.
    pub arn: String,
    /// Lambda's state of the mapping, such as `Enabled`.
    pub state: String,
    /// Whether `ReportBatchItemFailures` is set. Only with it are the messages redelivered that the function reports as
    /// failed.
    pub reports_batch_item_failures: bool,
}

impl EventSourceMapping {
    /// Whether Lambda reads the event source, or is about to.
    #[must_use]
    pub fn is_active(&self) -> bool {
        ["Enabled", "Enabling", "Updating", "Creating"].contains(&self.state.as_str())
    }
}

/// The attributes of a queue that the commands read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// The queue's policy, as JSON.
    pub policy: Option<String>,
    /// The KMS key that the queue is encrypted with (`KmsMasterKeyId`).
    pub kms_key: Option<String>,
    /// The ARN of the dead-letter queue in its redrive policy.
    pub dead_letter_queue: Option<String>,
    /// The approximate number of visible messages.
    pub available: u64,
    /// The approximate number of messages in flight.
    pub in_flight: u64,
    /// After how many seconds a received message that was not deleted is received again.
    pub visibility_timeout: u64,
    /// How often a message is received before SQS moves it to the dead-letter queue.
    pub max_receive_count: Option<u64>,
}

/// A rule of EventBridge's default event bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRule {
    /// The ARN.
    pub arn: String,
    /// Whether the rule is enabled.
    pub is_enabled: bool,
    /// The event pattern, as JSON.
    pub pattern: Option<String>,
}

/// A schedule of EventBridge Scheduler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The name.
    pub name: String,
    /// Whether the schedule is enabled.
    pub is_enabled: bool,
    /// The ARN of the target.
    pub target: String,
    /// The input of the target.
    pub input: Option<String>,
    /// When the schedule was created or last modified.
    pub modified_at: Option<Timestamp>,
}

/// How far back the last poll of a queue is looked for. At 3 hours, a queue is still active, so it still has metrics.
/// Source: SQS developer guide, "Monitoring Amazon SQS queues using CloudWatch": a queue is active for six hours.
pub const LAST_POLL_WINDOW: Duration = Duration::from_hours(3);

/// A distribution as the list of an account's distributions shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedDistribution {
    /// The ID.
    pub id: DistributionId,
    /// Its own domain name, and its aliases.
    pub domain_names: Vec<String>,
    /// Whether it is enabled, and no staging distribution.
    pub is_live: bool,
    /// Its config, of which the list has the origins, and whether it is a multi-tenant one.
    pub config: DistributionConfig,
}

impl ListedDistribution {
    /// Whether viewers request this domain name from the distribution.
    #[must_use]
    pub fn has_domain_name(&self, name: &str) -> bool {
        self.domain_names.iter().any(|it| it.eq_ignore_ascii_case(name))
    }
}

/// How far back failed invocations are looked for, at least. See [`failure_window`].
const MIN_FAILURE_WINDOW: Duration = Duration::from_mins(15);

/// Returns how far back failed invocations are looked for: so far that what keeps failing is in it. A failed message is received
/// again after its visibility timeout, by the next of the polls that are made at this interval.
pub(super) fn failure_window(interval: Duration, visibility_timeout: Duration) -> Duration {
    MIN_FAILURE_WINDOW.max(interval * 2 + visibility_timeout)
}

/// The invocations in which something failed, according to the function's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedInvocations {
    /// Their number.
    pub count: usize,
    /// The last one.
    pub last: FailedInvocation,
}

/// An invocation in which something failed, according to the function's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedInvocation {
    /// The time of the log line.
    pub time: Timestamp,
    /// The code and the message of the failure with the most changes.
    pub failure: Option<(String, String)>,
    /// How many messages a poll received and did not delete.
    pub messages_left: u64,
    /// How often the one of them was received that was received most often.
    pub attempt: Option<u64>,
}

/// What the function answered to a dry run: a request that changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DryRun {
    /// It planned the invalidation.
    Planned {
        /// Whether viewers may request other URLs of the object than those that were planned.
        urls_uncertain: bool,
    },
    /// It failed with this message.
    Failed(String),
}

/// The most recent invalidation of a distribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastInvalidation {
    /// The creation time.
    #[serde(serialize_with = "serialize_time")]
    pub created_at: Timestamp,
    /// The status, such as `Completed`.
    pub status: String,
}

/// Serializes a time in the format of RFC 3339.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn serialize_time<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// The AWS calls of the commands, in one account and one Region.
pub trait OperatorApi {
    /// Returns the caller's account.
    fn account(&self) -> impl Future<Output = Result<AccountId, CallError>>;

    /// Returns the outputs of a CloudFormation stack; `None` if there is no such stack.
    fn stack_outputs(&self, stack: &str) -> impl Future<Output = Result<Option<BTreeMap<String, String>>, CallError>>;

    /// Returns a function, by its name or ARN.
    fn function(&self, name: &str) -> impl Future<Output = Result<FunctionInfo, CallError>>;

    /// Invokes a function with a dry run for one object of a bucket.
    fn dry_run(
        &self,
        function: &str,
        bucket: &BucketName,
        key: &str,
    ) -> impl Future<Output = Result<DryRun, CallError>>;

    /// Returns a function's event source mappings.
    fn event_sources(&self, function: &str) -> impl Future<Output = Result<Vec<EventSourceMapping>, CallError>>;

    /// Returns a function's resource-based policy, as JSON; `None` if it has none.
    fn function_policy(&self, function: &str) -> impl Future<Output = Result<Option<String>, CallError>>;

    /// Adds a statement to a function's policy that allows a bucket to invoke it. An existing statement of this ID is
    /// not an error.
    fn add_permission(
        &self,
        function: &str,
        id: &str,
        bucket_arn: &str,
        account: &AccountId,
    ) -> impl Future<Output = Result<(), CallError>>;

    /// Removes a statement from a function's policy. A statement that does not exist is not an error.
    fn remove_permission(&self, function: &str, id: &str) -> impl Future<Output = Result<(), CallError>>;

    /// Returns a queue, by its ARN.
    fn queue(&self, arn: &str) -> impl Future<Output = Result<Queue, CallError>>;

    /// Returns the EventBridge rules that have this queue or function as a target.
    fn event_rules(&self, target: &str) -> impl Future<Output = Result<Vec<EventRule>, CallError>>;

    /// Returns a schedule of the default group, by its name; `None` if there is no such schedule.
    fn schedule(&self, name: &str) -> impl Future<Output = Result<Option<Schedule>, CallError>>;

    /// Returns the schedules that have this function as a target, or a version or an alias of it.
    fn schedules(&self, function: &str) -> impl Future<Output = Result<Vec<Schedule>, CallError>>;

    /// Returns the minute in which a queue was polled last, by its ARN; `None` if that was before
    /// [`LAST_POLL_WINDOW`]. A poll is known some minutes later.
    fn last_poll(&self, queue: &str) -> impl Future<Output = Result<Option<Timestamp>, CallError>>;

    /// Returns the invocations in this last time in which something failed, from a log group whose lines are JSON; `None` if
    /// there are none. The caller of a direct invocation sees its failure, so it is not one of them.
    fn failed_invocations(
        &self,
        log_group: &str,
        window: Duration,
    ) -> impl Future<Output = Result<Option<FailedInvocations>, CallError>>;

    /// Returns the account's buckets in this Region.
    fn buckets(&self) -> impl Future<Output = Result<Vec<BucketName>, CallError>>;

    /// Returns the Region of a bucket.
    fn bucket_region(&self, bucket: &BucketName) -> impl Future<Output = Result<String, CallError>>;

    /// Returns a bucket's tags; empty if it has none.
    fn tags(&self, bucket: &BucketName) -> impl Future<Output = Result<Tags, CallError>>;

    /// Sets these tags of a bucket (`TagResource`). Its other tags do not change.
    fn set_tags(&self, bucket: &BucketName, tags: &Tags) -> impl Future<Output = Result<(), CallError>>;

    /// Removes the tags of a bucket with these keys (`UntagResource`). Its other tags do not change.
    fn remove_tags(&self, bucket: &BucketName, keys: &[String]) -> impl Future<Output = Result<(), CallError>>;

    /// Replaces all tags of a bucket (`PutBucketTagging`). S3 refuses it if attribute-based access control is enabled
    /// for the bucket.
    fn replace_tags(&self, bucket: &BucketName, tags: &Tags) -> impl Future<Output = Result<(), CallError>>;

    /// Returns a bucket's notification configuration.
    fn notifications(&self, bucket: &BucketName) -> impl Future<Output = Result<Notifications, CallError>>;

    /// Replaces the whole notification configuration of a bucket.
    fn put_notifications(
        &self,
        bucket: &BucketName,
        notifications: &Notifications,
    ) -> impl Future<Output = Result<(), CallError>>;

    /// Returns a distribution tenant.
    fn tenant(&self, tenant: &DistributionId) -> impl Future<Output = Result<Tenant, CallError>>;

    /// Returns the account's distributions.
    fn distributions(&self) -> impl Future<Output = Result<Vec<ListedDistribution>, CallError>>;

    /// Returns the config of a distribution.
    fn distribution_config(
        &self,
        distribution: &DistributionId,
    ) -> impl Future<Output = Result<DistributionConfig, CallError>>;

    /// Returns the most recent invalidation of a distribution or a distribution tenant; `None` if there is none.
    fn last_invalidation(
        &self,
        distribution: &DistributionId,
    ) -> impl Future<Output = Result<Option<LastInvalidation>, CallError>>;
}

/// The error codes of expired credentials.
const EXPIRED: [&str; 4] = ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"];

/// The error codes of an access key, or of a session, that AWS does not know.
const UNKNOWN_KEY: [&str; 4] =
    ["InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException", "InvalidToken"];

/// The error codes of a secret access key that does not belong to the access key.
const WRONG_SECRET: [&str; 2] = ["SignatureDoesNotMatch", "InvalidSignatureException"];

/// Part of the message of a call without credentials; see [`CallError`].
const NO_CREDENTIALS: &str = "unable to locate credentials";

/// Returns the service's error code; empty if there is none. A message is "operation: code: text".
fn service_code(error: &CallError) -> &str {
    error.message.split(": ").nth(1).unwrap_or_default()
}

/// The code of a failed call in JSON: that of credentials that AWS does not accept, or else the class of the error.
#[must_use]
pub fn call_code(error: &CallError) -> &'static str {
    match service_code(error) {
        code if EXPIRED.contains(&code) => "credentials-expired",
        code if UNKNOWN_KEY.contains(&code) => "access-key-unknown",
        code if WRONG_SECRET.contains(&code) => "secret-key-wrong",
        _ if error.message.contains(NO_CREDENTIALS) => "credentials-missing",
        _ => error.class.name(),
    }
}

/// The remedy to append to an error message: for credentials that AWS does not accept, and for a call that was denied;
/// empty for any other error. Sources of the codes: "Common error types" in the API references of STS and S3.
#[must_use]
pub fn remedy(error: &CallError) -> &'static str {
    let code = service_code(error);
    if EXPIRED.contains(&code) {
        "; the credentials have expired: sign in again (`aws sso login`), or renew them"
    } else if UNKNOWN_KEY.contains(&code) {
        "; AWS does not know this access key or session: correct the profile (--profile, AWS_PROFILE), or \
         AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN"
    } else if WRONG_SECRET.contains(&code) {
        "; the secret access key is not that of the access key: correct the profile (--profile, AWS_PROFILE), or \
         AWS_SECRET_ACCESS_KEY"
    } else if error.class == ErrorClass::AccessDenied {
        "; grant your user or role the permissions in docs/operator-policy.json"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_failing_is_in_the_window() {
        let minutes = Duration::from_mins;
        assert_eq!(failure_window(minutes(1), minutes(3)), minutes(15));
        assert_eq!(failure_window(minutes(60), minutes(3)), minutes(123));
    }

    #[test]
    fn credentials_and_permissions_have_their_own_remedies() {
        let error = |class, message: &str| CallError { class, message: message.to_owned() };
        let (expired, unknown) = ("credentials-expired", "access-key-unknown");
        for (message, code, expected) in [
            ("GetCallerIdentity: ExpiredToken: The security token is expired (HTTP 403)", expired, "expired"),
            ("GetCallerIdentity: InvalidClientTokenId: The token is invalid (HTTP 403)", unknown, "this access key"),
            ("ListBuckets: InvalidAccessKeyId: The key does not exist (HTTP 403)", unknown, "this access key"),
            ("GetQueueUrl: SignatureDoesNotMatch: No match (HTTP 403)", "secret-key-wrong", "secret access key"),
            ("DescribeStacks: AccessDenied: not authorized (HTTP 403)", "access-denied", "operator-policy.json"),
            ("HeadBucket: unhandled error (HTTP 403)", "access-denied", "operator-policy.json"),
        ] {
            let error = error(ErrorClass::AccessDenied, message);
            assert_eq!(call_code(&error), code, "{message}");
            assert!(remedy(&error).contains(expected), "{message}");
        }
        let error_of_expired = error(ErrorClass::Other, "DescribeStacks: ExpiredToken: expired (HTTP 400)");
        assert!(remedy(&error_of_expired).contains("expired"));
        let missing = error(ErrorClass::NotFound, "DescribeStacks: ValidationError: does not exist");
        assert_eq!((call_code(&missing), remedy(&missing)), ("not-found", ""));
        let without =
            error(ErrorClass::Unavailable, "GetCallerIdentity: unable to locate credentials; choose a profile");
        assert_eq!(call_code(&without), "credentials-missing");
    }
}

//! Why a bucket cannot be linked or unlinked, with the remedy.

use super::api::{call_code, remedy};
use super::deployment::Deployment;
use super::given_options::GivenOptions;
use super::notification::{Overlap, name_of_arn};
use super::policy::{S3_PRINCIPAL, SQS_MANAGED_KEY};
use super::tags::TagsError;
use crate::aws::{CallError, ErrorClass};
use crate::change::text::one_line;
use crate::change::{AccountId, DistributionId};

/// The partitions in which CloudFront has an endpoint. Source: AWS General Reference, "Amazon CloudFront endpoints and
/// quotas"; "Amazon CloudFront" in "Getting Started with Amazon Web Services in China".
const WITH_CLOUD_FRONT: [&str; 2] = ["aws", "aws-cn"];

/// Why a bucket cannot be linked or unlinked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A call to AWS failed.
    #[error("{0}{remedy}", remedy = remedy(.0))]
    Call(CallError),
    /// The bucket and the function are in different Regions.
    #[error(
        "the bucket is in {bucket} and the function is in {function}, but S3 sends event notifications only within a \
         Region; deploy the function in {bucket} too and link with --region {bucket}, or forward the bucket's \
         EventBridge events to Region {function}"
    )]
    OtherRegion {
        /// The bucket's Region.
        bucket: String,
        /// The function's Region.
        function: String,
    },
    /// The function accepts only buckets of this account (`EXPECTED_BUCKET_OWNER`), which is not its own.
    #[error(
        "the function accepts only buckets of account {0} (EXPECTED_BUCKET_OWNER), so changes in this bucket fail; \
         deploy another stack in the bucket's account"
    )]
    OtherOwner(String),
    /// CloudFront cannot be reached from a partition in which it may not exist.
    #[error(
        "{error}; partition {partition} may have no CloudFront, and then no distribution to invalidate; see \"China, GovCloud \
         and other partitions\" in docs/operations.md"
    )]
    NoCloudFront {
        /// The function's partition.
        partition: String,
        /// The error of the call.
        error: CallError,
    },
    /// There is no such distribution.
    #[error(
        "distribution {distribution} does not exist in account {}; correct the ID or --profile",
        account.as_str()
    )]
    NoDistribution {
        /// The distribution.
        distribution: DistributionId,
        /// The account.
        account: AccountId,
    },
    /// No distribution has the bucket as an origin.
    #[error(
        "no enabled distribution of account {} has an origin that points to the bucket; name the ID of the distribution or of its \
         tenant (dt_…), with --skip-origin-check if one of its origins is a proxy of the bucket",
        .0.as_str()
    )]
    NoneServes(AccountId),
    /// The distributions cannot be listed.
    #[error("{0}{remedy}; or name the ID of the distribution", remedy = remedy(.0))]
    NoList(CallError),
    /// The function's queue does not exist.
    #[error("queue {} does not exist; {QUEUE_REMEDY}", name_of_arn(.0))]
    QueueNotFound(String),
    /// The distribution is a multi-tenant one, and not one of its tenants.
    #[error(
        "{0} is a multi-tenant distribution, whose cache is invalidated per tenant; name the IDs of its tenants instead \
         (dt_…)"
    )]
    MultiTenant(DistributionId),
    /// The distribution does not have the bucket as an origin.
    #[error(
        "no origin of {distribution} points to the bucket (its origins: {}); correct the ID, or add \
         --skip-origin-check if one of the origins is a proxy of the bucket",
        one_line(&domains.join(", "))
    )]
    NoOrigin {
        /// The distribution.
        distribution: DistributionId,
        /// The domain names of its origins.
        domains: Vec<String>,
    },
    /// The caller may not read the distribution's origins.
    #[error("cannot read the origins of {distribution}: {error}{}", origins_remedy(error))]
    OriginsUnreadable {
        /// The distribution.
        distribution: DistributionId,
        /// The error of the call that was denied.
        error: CallError,
    },
    /// The bucket's tags are invalid, or would exceed S3's limits.
    #[error(transparent)]
    Tags(TagsError),
    /// Only other deployments have linked the bucket.
    #[error(
        "this deployment has not linked the bucket; it was linked to {}; run {}",
        one_line(&functions.join(" and ")),
        functions.iter().map(|name| {
            let words: Vec<_> = words.iter().map(String::as_str).chain(["--function", name]).collect();
            given.invalidator_for(&words)
        }).collect::<Vec<_>>().join(" or ")
    )]
    OtherDeployment {
        /// The names of the functions that it is linked to.
        functions: Vec<String>,
        /// The command without the options that select a function.
        words: Vec<String>,
        /// The options of the command.
        given: GivenOptions,
    },
    /// Notification rules that `link` did not make match some of the events.
    #[error(
        "S3 sends an event to one destination only, and these event notifications of the bucket already match some of \
         the events: {}; narrow their filters, select other keys with --prefix and --suffix, or use --via eventbridge, \
         which works alongside other event notifications",
        .0.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Overlap(Overlap),
    /// The function polls no queue, and no queue has an event source mapping to it.
    #[error(
        "the function has no queue (QUEUE_URL, or an event source mapping of an SQS queue); deploy the template \
         with Buckets=true, or use --via function"
    )]
    NoQueue,
    /// The queue's policy does not let S3 send the bucket's events.
    #[error(
        "the policy of queue {} does not allow S3 to send the bucket's events; add \
         {{\"Effect\":\"Allow\",\"Principal\":{{\"Service\":\"{S3_PRINCIPAL}\"}},\
         \"Action\":\"sqs:SendMessage\",\"Resource\":\"{queue}\",\"Condition\":{{\"StringEquals\":{{\"aws:SourceAccount\":\
         \"{account}\"}},\"ArnLike\":{{\"aws:SourceArn\":\"{bucket}\"}}}}}}",
        name_of_arn(queue)
    )]
    QueuePolicyDenies {
        /// The queue's ARN.
        queue: String,
        /// The bucket's ARN.
        bucket: String,
        /// The bucket's account.
        account: String,
    },
    /// The queue, named by its ARN, is encrypted with a KMS key that S3 cannot use.
    #[error(
        "queue {} is encrypted with the AWS managed key {SQS_MANAGED_KEY}, which S3 cannot use; encrypt it with \
         SSE-SQS or a customer managed key",
        name_of_arn(.0)
    )]
    QueueKeyUnusable(String),
    /// No EventBridge rule forwards the bucket's events.
    #[error(
        "no EventBridge rule forwards the bucket's events to the function or its queue; add the bucket to the stack's \
         parameter EventBridgeBuckets, and deploy the stack"
    )]
    NoEventRule,
    /// A key filter was given, which has no effect with EventBridge: its rules select the keys.
    #[error("--prefix and --suffix have no effect with --via eventbridge; filter the keys in the EventBridge rule")]
    FilterInEventBridge,
}

/// The remedy for a queue that does not exist.
pub(super) const QUEUE_REMEDY: &str = "if a stack made it, delete the stack, deploy it again, and run link again for each \
                                       bucket; otherwise create it, or correct the function's QUEUE_URL or event source mapping";

impl LinkError {
    /// Returns the error of a call to CloudFront, which may not exist in the function's partition.
    pub(super) fn of_cloud_front(error: CallError, deployment: &Deployment) -> Self {
        let partition = deployment.partition();
        if error.class == ErrorClass::Unavailable && !WITH_CLOUD_FRONT.contains(&partition) {
            return Self::NoCloudFront { partition: partition.to_owned(), error };
        }
        Self::Call(error)
    }

    /// The code in JSON. Where `status` reports the same as a problem, it has the same code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Call(error) | Self::NoList(error) => call_code(error),
            Self::QueueNotFound(_) => "queue-not-found",
            Self::OtherRegion { .. } => "other-region",
            Self::OtherOwner(_) => "other-owner",
            Self::NoCloudFront { .. } => "no-cloudfront",
            Self::NoDistribution { .. } => "distribution-not-found",
            Self::MultiTenant(_) => "multi-tenant-distribution",
            Self::NoOrigin { .. } | Self::NoneServes(_) => "origin-missing",
            Self::OriginsUnreadable { .. } => "origins-unknown",
            Self::Tags(_) => "tag-invalid",
            Self::OtherDeployment { .. } => "other-deployment",
            Self::Overlap(_) => "notifications-overlap",
            Self::NoQueue => "queue-missing",
            Self::QueuePolicyDenies { .. } => "policy-missing",
            Self::QueueKeyUnusable(_) => "queue-key",
            Self::NoEventRule => "event-rule-missing",
            Self::FilterInEventBridge => "filter-in-event-rule",
        }
    }
}

impl From<CallError> for LinkError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

fn origins_remedy(error: &CallError) -> String {
    if error.class != ErrorClass::AccessDenied {
        return String::new();
    }
    // A message starts with the operation. A tenant needs two.
    let operation = error.message.split(':').next().unwrap_or_default();
    format!("; allow cloudfront:{operation}, or add --skip-origin-check")
}

//! Why a bucket cannot be linked, with the remedy.

use std::fmt;

use super::notification::{Overlap, name_in};
use super::permission::{KEY_OF_SQS, S3};
use super::tags::TagsError;
use crate::distribution::DistributionId;
use crate::ports::CallError;
use crate::route::Tags;

/// Why a bucket cannot be linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// AWS could not be asked.
    Call(CallError),
    /// The bucket is in another Region than the function.
    OtherRegion {
        /// The bucket's.
        bucket: String,
        /// The function's.
        function: String,
    },
    /// There is no such distribution.
    NoDistribution(DistributionId),
    /// The distribution does not have the bucket as an origin.
    NoOrigin {
        /// The distribution.
        distribution: DistributionId,
        /// The domains that it has.
        domains: Vec<String>,
    },
    /// It may not be asked what its origins are.
    UnknownOrigins {
        /// The distribution.
        distribution: DistributionId,
        /// What was said.
        error: CallError,
    },
    /// The tags cannot be as they would have to.
    Tags(TagsError),
    /// The bucket's tags can only be written by S3's newer call.
    TagResource(Tags),
    /// Rules of others take the events.
    Overlap(Overlap),
    /// The function has no queue.
    NoQueue,
    /// The queue's policy does not let the bucket in.
    QueueForbids {
        /// The queue's ARN.
        queue: String,
        /// The bucket's ARN.
        bucket: String,
        /// The account.
        account: String,
    },
    /// The queue is encrypted under a key that S3 cannot use.
    QueueKey(String),
    /// EventBridge has no rule that sends the bucket's events on.
    NoEventRule,
    /// EventBridge's rules filter, not the bucket.
    FilterInEventBridge,
}

impl From<CallError> for LinkError {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => error.fmt(f),
            Self::OtherRegion { bucket, function } => write!(
                f,
                "the bucket is in {bucket} and the function in {function}, and S3 notifies within a Region only; deploy the \
                 function in {bucket} too and link with --region {bucket}, or forward the bucket's EventBridge events to {function}"
            ),
            Self::NoDistribution(id) => write!(f, "there is no distribution {id} in this account"),
            Self::NoOrigin { distribution, domains } => write!(
                f,
                "no origin of {distribution} is the bucket; they are {}; with --any-origin it is linked all the same",
                domains.join(", ")
            ),
            Self::UnknownOrigins { distribution, error } => {
                write!(f, "the origins of {distribution} are not known; with --any-origin it is linked all the same: {error}")
            }
            Self::Tags(error) => error.fmt(f),
            Self::TagResource(added) => {
                let pairs: Vec<_> = added.iter().map(|(key, value)| format!("\"Key={key},Value={value}\"")).collect();
                write!(
                    f,
                    "the bucket has attribute-based access control, so its tags can only be written by TagResource; run `aws s3control \
                     tag-resource --account-id ACCOUNT --resource-arn BUCKET_ARN --tags {}` first, then this again",
                    pairs.join(" ")
                )
            }
            Self::Overlap(Overlap(rules)) => {
                let rules: Vec<_> = rules.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "S3 sends an event to one destination only, and these rules of the bucket take some already: {}; narrow them, \
                     or choose other keys with --prefix and --suffix, or --via eventbridge, which takes all events beside any rule",
                    rules.join("; ")
                )
            }
            Self::NoQueue => f.write_str("the function is called from no queue; choose --via function, or deploy the template"),
            Self::QueueForbids { queue, bucket, account } => write!(
                f,
                "the policy of the queue {} does not let the bucket in; add {{\"Effect\":\"Allow\",\"Principal\":{{\"Service\":\"{S3}\"}},\
                 \"Action\":\"sqs:SendMessage\",\"Resource\":\"{queue}\",\"Condition\":{{\"StringEquals\":{{\"aws:SourceAccount\":\
                 \"{account}\"}},\"ArnLike\":{{\"aws:SourceArn\":\"{bucket}\"}}}}}}",
                name_in(queue)
            ),
            Self::QueueKey(queue) => write!(
                f,
                "the queue {} is encrypted under {KEY_OF_SQS}, which S3 cannot use; encrypt it with SSE-SQS or a key of your own",
                name_in(queue)
            ),
            Self::NoEventRule => f.write_str(
                "no rule of EventBridge sends this bucket's events to the function or its queue; deploy the stack with the bucket \
                 in EventBridgeBuckets first",
            ),
            Self::FilterInEventBridge => {
                f.write_str("--prefix and --suffix are of no use with EventBridge: its rule says which keys it takes")
            }
        }
    }
}

impl std::error::Error for LinkError {}

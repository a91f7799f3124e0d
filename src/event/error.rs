//! Errors that reject an event as a whole.

use crate::change::FieldError;

/// The accepted kinds of events, at the end of error messages.
const ACCEPTED_EVENTS: &str = "; accepted events: an S3 event notification (\"Records\" with \"eventSource\": \
    \"aws:s3\") or S3 test event (\"Event\": \"s3:TestEvent\"); an S3 event from EventBridge (\"source\": \"aws.s3\"); \
    any of these in SQS or SNS messages, also as EventBridge Pipes and `aws sqs receive-message` give them; the \
    detail of an S3 event alone; the invocation record of a failed invocation (\"requestPayload\"); a \
    CodePipeline job; {\"pollQueue\": true}; {\"distributionId\": …, \"paths\": […]} or {\"bucket\": …, \"keys\": […]}; if DISTRIBUTION_ID is \
    set, also any other event without such fields";

/// The reason that an event as a whole was rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The event is not JSON, or not UTF-8. Contains the parser's message, with the position.
    #[error("the event is not JSON: {0}{ACCEPTED_EVENTS}")]
    NotJson(String),
    /// The event is JSON but of no known kind.
    #[error("the event is not recognized{ACCEPTED_EVENTS}")]
    UnknownKind,
    /// The event may name what to invalidate where that is not read.
    #[error(
        "the event may name what to invalidate{}, where that is not read; send {{\"distributionId\": …, \"paths\": […]}} \
         or {{\"bucket\": …, \"keys\": […]}} as the whole event: in a rule by the InputPath \"$.detail\", and to Lambda's \
         API instead of a function URL",
        if .at.is_empty() { String::new() } else { format!(" in \"{at}\"") }
    )]
    NamedInside {
        /// Where; empty for the whole event.
        at: String,
    },
    /// The event is nested too deeply in SQS, SNS or invocation records.
    #[error("the event is nested too deeply in SQS, SNS or invocation records")]
    TooDeep,
    /// The event is an invalid request. Its author must correct it.
    #[error(transparent)]
    Request(#[from] FieldError),
    /// The event is a CodePipeline job without a valid ID, so the function cannot report a job result for it.
    #[error(
        "the CodePipeline job has no valid ID (\"CodePipeline.job\".\"id\"), so the function cannot report a job result"
    )]
    JobWithoutId,
    /// The event is for the default distribution, and none is configured (`DISTRIBUTION_ID`).
    #[error(
        "the event names no distribution; add \"distributionId\", or \"bucket\" for a tagged bucket, or set \
         DISTRIBUTION_ID{ACCEPTED_EVENTS}"
    )]
    NoDistribution,
    /// The event of a schedule names nothing, and the function has a queue to poll (`QUEUE_URL`).
    #[error(
        "the schedule's event names nothing to invalidate; set the schedule's input to {{\"pollQueue\": true}} to poll \
         the function's queue, or to {{\"distributionId\": …, \"paths\": […]}} to invalidate paths"
    )]
    ScheduleWithoutInput,
}

impl EventError {
    /// Returns what is wrong, without the list of accepted events.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            // A message within an event is not JSON; the event itself is.
            Self::NotJson(reason) => format!("not JSON: {reason}"),
            other => other.to_string().replace(ACCEPTED_EVENTS, ""),
        }
    }
}

//! Errors that reject an event as a whole.

use std::fmt;

use super::RequestError;

/// The accepted kinds of events, as error messages list them.
pub const ACCEPTED_EVENTS: &str = "an S3 event notification (\"Records\" with \"eventSource\": \"aws:s3\") or S3 test \
    event (\"Event\": \"s3:TestEvent\"); an S3 event from EventBridge (\"source\": \"aws.s3\"); any of these in SQS or \
    SNS messages; the invocation record of a failed invocation (\"requestPayload\"); a CodePipeline job; \
    {\"distributionId\": …, \"paths\": […]} or {\"bucket\": …, \"keys\": […]}; if DISTRIBUTION_ID is set, also an \
    empty object, null, any other EventBridge event, and the hello-world test event of the Lambda console";

/// The reason that an event as a whole was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventError {
    /// The event is not JSON, or not UTF-8. Contains the parser's message, with the position.
    NotJson(String),
    /// The event is JSON but of no known kind.
    UnknownKind,
    /// The event is nested too deeply in SQS, SNS or invocation records.
    TooDeep,
    /// The event is an invalid request. Its author must correct it.
    Request(RequestError),
    /// The event is a CodePipeline job without a valid ID, so the function cannot report a job result for it.
    JobWithoutId,
    /// The event is for the default distribution, and none is configured (`DISTRIBUTION_ID`).
    NoDistribution,
    /// A request, a job or an event that names no change arrived in an SQS or SNS message, where only changes are
    /// accepted. Contains what arrived.
    NotAllowedHere(&'static str),
}

impl EventError {
    /// Returns what is wrong, without the list of accepted events.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::NotJson(reason) => format!("not JSON: {reason}"),
            Self::UnknownKind => "the event is not recognized".into(),
            Self::TooDeep => "the event is nested too deeply in SQS, SNS or invocation records".into(),
            Self::Request(error) => error.to_string(),
            Self::JobWithoutId => {
                "the CodePipeline job has no valid ID (\"CodePipeline.job\".\"id\"), so the function cannot report a \
                 job result"
                    .into()
            }
            Self::NoDistribution => {
                "the event names no distribution; add \"distributionId\", or \"bucket\" for a tagged bucket, or set \
                 DISTRIBUTION_ID"
                    .into()
            }
            Self::NotAllowedHere(what) => {
                format!("{what} is not accepted in an SQS or SNS message; invoke the function directly")
            }
        }
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(reason) => write!(f, "the event is not JSON: {reason}; accepted events: {ACCEPTED_EVENTS}"),
            Self::UnknownKind => write!(f, "the event is not recognized; accepted events: {ACCEPTED_EVENTS}"),
            Self::NoDistribution => write!(f, "{}; accepted events: {ACCEPTED_EVENTS}", self.reason()),
            other => f.write_str(&other.reason()),
        }
    }
}

impl std::error::Error for EventError {}

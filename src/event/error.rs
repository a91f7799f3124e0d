//! Why an event as a whole cannot be read.

use std::fmt;

use super::RequestError;

/// The shapes of events that are known, as a message names them.
pub const ACCEPTED_EVENTS: &str = "an S3 event notification (\"Records\" whose \"eventSource\" is \"aws:s3\") or S3's test \
    event (\"Event\": \"s3:TestEvent\"); an event of S3 from EventBridge (\"source\": \"aws.s3\"); any of these in messages of SQS \
    or SNS; the record of a failed invocation (\"requestPayload\"); a CodePipeline job; {\"distributionId\": …, \"items\": […]} \
    or {\"bucket\": …, \"keys\": […]}; with DISTRIBUTION_ID set also an empty object, null, other events from EventBridge, and \
    the console's hello-world event";

/// An event as a whole that asks for nothing we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventError {
    /// Not JSON; the message tells line and column.
    NotJson(String),
    /// JSON of another shape.
    UnknownKind,
    /// Envelopes within envelopes without end.
    TooDeep,
    /// A request of a person's, who must correct it.
    Request(RequestError),
    /// A pipeline's job without the id that its result is for.
    JobWithoutId,
    /// It is for the function's own distribution, and the function has none.
    NoDistribution,
    /// A request or a job where only changes come from.
    NotAllowedHere(&'static str),
}

impl EventError {
    /// What is wrong, without the list of what would be right.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::NotJson(reason) => format!("not JSON: {reason}"),
            Self::UnknownKind => "no known shape".into(),
            Self::TooDeep => "too many envelopes within one another".into(),
            Self::Request(error) => error.to_string(),
            Self::JobWithoutId => {
                "the CodePipeline job has no id that a result could be put for (\"CodePipeline.job\".\"id\")".into()
            }
            Self::NoDistribution => {
                "no distribution is named: name one (\"distributionId\"), a bucket that is tagged with one (\"bucket\"), or \
                 give the function one of its own (DISTRIBUTION_ID)"
                    .into()
            }
            Self::NotAllowedHere(what) => {
                format!("{what} does not come through a queue or a topic; invoke the function with it")
            }
        }
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(reason) => write!(f, "the event is not JSON: {reason}; accepted: {ACCEPTED_EVENTS}"),
            Self::UnknownKind => write!(f, "the event has no known shape; accepted: {ACCEPTED_EVENTS}"),
            Self::NoDistribution => write!(f, "{}; accepted: {ACCEPTED_EVENTS}", self.reason()),
            other => f.write_str(&other.reason()),
        }
    }
}

impl std::error::Error for EventError {}

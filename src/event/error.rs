//! Errors that reject an event as a whole.

use std::fmt;

use super::RequestError;

/// The accepted kinds of events, as error messages list them.
pub const ACCEPTED_EVENTS: &str = "an S3 event notification (\"Records\" whose \"eventSource\" is \"aws:s3\") or S3's test \
    event (\"Event\": \"s3:TestEvent\"); an event of S3 from EventBridge (\"source\": \"aws.s3\"); any of these in messages of SQS \
    or SNS; the record of a failed invocation (\"requestPayload\"); a CodePipeline job; {\"distributionId\": …, \"items\": […]} \
    or {\"bucket\": …, \"keys\": […]}; with DISTRIBUTION_ID set also an empty object, null, other events from EventBridge, and \
    the console's hello-world event";

/// The reason that an event as a whole was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventError {
    /// The event is not JSON, or not UTF-8. Contains the parser's message, with the position.
    NotJson(String),
    /// The event is JSON but of no known kind.
    UnknownKind,
    /// The event is nested in too many envelopes.
    TooDeep,
    /// The event is an invalid request. Its author must correct it.
    Request(RequestError),
    /// The event is a CodePipeline job without a valid id, so no result can be put for it.
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

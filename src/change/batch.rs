//! The changes of one delivery, the records skipped or failed, and the SQS messages they came in.

use std::ops::Range;

use super::{Change, Timestamp};

/// The source of a delivery: the service of its outermost envelope, or who invoked the function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventSource {
    /// An S3 event notification, sent to the function directly.
    #[default]
    S3,
    /// A batch of SQS messages.
    Sqs,
    /// An SNS notification.
    Sns,
    /// An EventBridge rule.
    EventBridge,
    /// The invocation record of a failed asynchronous invocation.
    #[serde(rename = "invocation-record")]
    InvocationRecord,
    /// A CodePipeline job.
    CodePipeline,
    /// A direct invocation: by a person, by a schedule, or with the console's Test button.
    Direct,
    /// Unknown, because the event could not be decoded.
    Unknown,
}

/// The content of one delivery. Every record is in exactly one of the lists, or in one of the two counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The source of the delivery.
    pub source: EventSource,
    /// The messages, if the delivery is a batch of SQS messages. Each succeeds or fails on its own.
    pub messages: Option<Vec<Message>>,
    /// The changes, in the order of the records. The same object can occur several times.
    pub changes: Vec<Change>,
    /// The event time of each change, by index in [`Batch::changes`]. `None` if the event has no valid time.
    pub times: Vec<Option<Timestamp>>,
    /// The records that were skipped because they report no change of content.
    pub skipped: Vec<SkippedRecord>,
    /// The number of S3 test events. They need no action.
    pub test_events: usize,
    /// The records and messages that could not be decoded: of each list of records, at most the first few.
    pub failed: Vec<FieldError>,
    /// The number of further decoding failures, which are not listed.
    pub unlisted_failures: usize,
}

/// An SQS message: which of the batch's changes and failures it contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The `messageId`; never empty.
    pub id: Box<str>,
    /// Its changes, by index in [`Batch::changes`].
    pub changes: Range<usize>,
    /// Its decoding failures, by index in [`Batch::failed`].
    pub failed: Range<usize>,
}

impl Batch {
    pub(crate) fn push(&mut self, change: Change, time: Option<Timestamp>) {
        self.changes.push(change);
        self.times.push(time);
    }

    /// Returns the message that contains the change at index `change`, if the batch has messages and one contains it.
    /// The search relies on messages being in the order of their changes.
    #[must_use]
    pub fn message_of(&self, change: usize) -> Option<&Message> {
        let messages = self.messages.as_deref()?;
        let index = messages.partition_point(|message| message.changes.end <= change);
        messages.get(index).filter(|message| message.changes.contains(&change))
    }
}

/// A record whose event changes no content (tagging, ACL, replication, restore …) or has an unknown name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRecord {
    /// The event name or EventBridge detail type, shortened and escaped.
    pub event_name: String,
}

/// The reason that a record, a message or a request was rejected, and the field it is about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}{}{reason}", if .at.is_empty() { "" } else { ": " })]
pub struct FieldError {
    /// The field, through all envelopes, such as `Records[3].body.Records[0].s3.object.key`. Empty if the whole is
    /// invalid.
    pub at: String,
    /// The reason, with the offending value where that helps.
    pub reason: String,
}

impl FieldError {
    pub(crate) fn new(at: impl Into<String>, reason: &(impl ToString + ?Sized)) -> Self {
        Self { at: at.into(), reason: reason.to_string() }
    }

    pub(crate) fn missing(at: impl Into<String>) -> Self {
        Self::new(at, "missing")
    }

    /// The same error, for a field within the field `envelope`.
    pub(crate) fn within(&self, envelope: &str) -> Self {
        let dot = if self.at.is_empty() { "" } else { "." };
        Self::new(format!("{envelope}{dot}{}", self.at), &self.reason)
    }
}

//! The changes of one delivery, and whom they belong to.

use std::fmt;
use std::ops::Range;

use super::{Change, Timestamp};

/// What brought a delivery to the function: the outermost of what was put around the changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventSource {
    /// S3 itself.
    #[default]
    S3,
    /// A queue.
    Sqs,
    /// A topic.
    Sns,
    /// A rule of EventBridge's.
    EventBridge,
    /// The record of a failed invocation.
    InvocationRecord,
    /// A pipeline.
    CodePipeline,
    /// A person, a schedule, a press of the console's button.
    Direct,
    /// Nobody knows: the event could not be read.
    Unknown,
}

/// What one delivery holds: every record of it is in exactly one of the lists, or counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// What brought it.
    pub source: EventSource,
    /// The messages, if the delivery is a batch of a queue's; each answers for itself.
    pub messages: Option<Vec<Message>>,
    /// Objects whose content changed, in the order of the records; an object can occur several times.
    pub changes: Vec<Change>,
    /// When each of them happened, by place, as far as that was told.
    pub times: Vec<Option<Timestamp>>,
    /// Records of something that changes no content.
    pub ignored: Vec<SkippedRecord>,
    /// How many of S3's test events came, which ask for nothing.
    pub test_events: usize,
    /// What could not be read, as far as it is listed: of each list of records the first few.
    pub failed: Vec<RecordError>,
    /// How much more could not be read.
    pub unlisted_failures: usize,
}

/// A message of a queue: which of a batch's changes and failures came with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The queue's id of it; never empty.
    pub id: Box<str>,
    /// Its changes, by their place in [`Batch::changes`].
    pub changes: Range<usize>,
    /// What could not be read of it, by place in [`Batch::failed`].
    pub failed: Range<usize>,
}

impl Batch {
    pub(crate) fn push(&mut self, change: Change, time: Option<Timestamp>) {
        self.changes.push(change);
        self.times.push(time);
    }

    /// The message that this change came with, if it came with one. Messages lie in the order of their changes.
    #[must_use]
    pub fn message_of(&self, change: usize) -> Option<&Message> {
        let messages = self.messages.as_deref()?;
        let index = messages.partition_point(|message| message.changes.end <= change);
        messages.get(index).filter(|message| message.changes.contains(&change))
    }
}

/// A record of an event that changes no content (a tag, an access list, a replication, a restore …) or that is new to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRecord {
    /// The event's name, shortened and escaped.
    pub event_name: String,
}

/// Something that could not be read: where it is and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// The way to it through the envelopes, such as `Records[3].body.Records[0].s3.object.key`.
    pub at: String,
    /// What is wrong with it, with the value where that helps.
    pub reason: String,
}

impl RecordError {
    pub(crate) fn new(at: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { at: at.into(), reason: reason.into() }
    }

    /// The same, seen from outside of `envelope`.
    pub(crate) fn within(mut self, envelope: &str) -> Self {
        let dot = if self.at.is_empty() || self.at.starts_with('[') { "" } else { "." };
        self.at = format!("{envelope}{dot}{}", self.at);
        self
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.reason)
    }
}

impl std::error::Error for RecordError {}

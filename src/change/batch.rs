//! The changes of one delivery with their source and times, the records skipped or failed, and the SQS messages they
//! came in. A [`FieldError`] also says what is wrong with a request.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::Range;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Change;

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
    /// Whether it was received before.
    pub is_redelivered: bool,
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

/// A point in time after the Unix epoch, in milliseconds. The epoch itself is rejected: the event template of the
/// Lambda console contains it as a placeholder.
///
/// ```
/// use s3_cloudfront_invalidator::change::Timestamp;
///
/// let time = Timestamp::parse("2026-01-02T03:04:05.006Z").unwrap();
/// assert_eq!(time, Timestamp::parse("2026-01-02T05:04:05.006+02:00").unwrap());
/// assert_eq!((time.milliseconds(), time.to_string().as_str()), (1_767_323_045_006, "2026-01-02T03:04:05.006Z"));
/// assert_eq!(Timestamp::parse("1970-01-01T00:00:00.000Z"), None);
/// assert_eq!(Timestamp::parse("yesterday"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(NonZeroU64);

impl Timestamp {
    /// Returns the time `milliseconds` after the Unix epoch. Returns `None` for the epoch itself and after the year
    /// 9999.
    #[must_use]
    pub fn new(milliseconds: u64) -> Option<Self> {
        date(milliseconds)?;
        NonZeroU64::new(milliseconds).map(Self)
    }

    /// Parses an RFC 3339 time, the format of S3 and EventBridge, truncated to milliseconds. Returns `None` for any
    /// other text and for a time that [`Timestamp::new`] rejects.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let milliseconds = OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp_nanos() / 1_000_000;
        Self::new(u64::try_from(milliseconds).ok()?)
    }

    /// Returns the time in milliseconds since the Unix epoch.
    #[must_use]
    pub fn milliseconds(self) -> u64 {
        self.0.get()
    }

    /// Returns the milliseconds from `earlier` to this time. Returns 0 if `earlier` is later, since clocks differ.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.milliseconds().saturating_sub(earlier.milliseconds())
    }
}

fn date(milliseconds: u64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000).ok()
}

/// RFC 3339 in UTC, with milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(date) = date(self.milliseconds()) else { return Ok(()) };
        let (year, month, day) = date.to_calendar_date();
        let (hour, minute, second, millisecond) = date.to_hms_milli();
        write!(f, "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z", u8::from(month))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_services_write_them() {
        for (text, milliseconds) in [
            ("1970-01-01T00:00:00.001Z", 1),
            ("2024-02-29T23:59:59Z", 1_709_251_199_000),
            ("2026-01-02T03:04:05.0067Z", 1_767_323_045_006),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(Timestamp::parse(text).map(Timestamp::milliseconds), Some(milliseconds), "{text}");
        }
        for text in ["", "2026-01-02", "2026-13-02T03:04:05Z", "1969-12-31T23:59:59Z", "1767323045006", "\u{0}"] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
        assert_eq!(Timestamp::new(u64::MAX), None);
    }

    #[test]
    fn elapsed_time_is_never_negative() {
        let [earlier, later] = [1, 5].map(|it| Timestamp::new(it).unwrap());
        assert_eq!((later.since(earlier), earlier.since(later)), (4, 0));
    }
}

//! Decoding: the payload of an invocation becomes an [`Event`].
//!
//! Pure: no clock, no environment, no SDK. An event is never deserialized into a tree and never printed; an error
//! quotes at most one short value. A list of records is split into raw JSON before its records are decoded, so that one
//! bad record fails alone.
//!
//! The kind of an event is detected by fields that only that kind has (`kind`), never by which type
//! happens to deserialize. To add an event source, start there, and decode it in a module beside `s3` and `eventbridge`.
//! Envelopes are decoded in any nesting (`envelope`), and keys by the rule of the service that wrote them (`s3`,
//! `eventbridge`).

mod effect;
mod envelope;
mod error;
mod eventbridge;
mod fields;
mod job;
mod job_result;
mod kind;
mod poll;
mod request;
mod s3;
mod unread;

pub use self::envelope::{Event, decode, decode_message};
pub use self::error::EventError;
pub use self::job::{Job, JobId};
pub use self::job_result::{
    ContinuationToken, ContinuationTokenError, FailureType, InvalidationRef, JobResult, MAX_MESSAGE_LENGTH,
    MAX_SUMMARY_LENGTH,
};
pub use self::poll::Poll;
pub use self::request::{DEFAULT_WAIT, MAX_WAIT, Request, RequestKind, RequestTarget};
pub use self::s3::{KeyError, decode_key, notification};

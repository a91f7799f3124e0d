//! Faults that a script asks for.

use std::time::Duration;

use super::connection::ConnectionFault;

/// What is to go wrong, where, and how often.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The operation it is for, such as `CreateInvalidation`.
    pub operation: &'static str,
    /// The bucket, distribution, tenant, cache policy or job it is for; `None` for any.
    pub target: Option<String>,
    /// What happens.
    pub effect: Effect,
    /// How many more calls it is for.
    pub times: usize,
}

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Effect {
    /// An error in the service's own form; the call does nothing.
    Error {
        /// The HTTP status.
        status: u16,
        /// The service's code.
        code: String,
    },
    /// An answer in no form at all; the call does nothing.
    Raw {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// An answer of somebody in between, such as a proxy; the call does nothing.
    Page {
        /// The HTTP status.
        status: u16,
        /// What it says it is.
        content_type: &'static str,
        /// The body.
        body: String,
    },
    /// The call works, but takes this long.
    Delay(Duration),
    /// The connection breaks; the call does nothing.
    HangUp,
    /// The connection breaks after the call has worked.
    WorkThenHangUp,
    /// The call works, and then this happens in place of its answer. If it does not work, its answer comes.
    After(Box<Effect>),
    /// The call works; of its answer only so many bytes, taken modulo its length, are sent, as if they were all.
    Shortened(usize),
    /// The call works; its answer says it is of this type.
    Retyped(&'static str),
    /// The call works, and something happens to its answer on the way.
    ConnectionFault(ConnectionFault),
}

impl Effect {
    /// An error in the service's own form.
    #[must_use]
    pub fn error(status: u16, code: &str) -> Self {
        Self::Error { status, code: code.to_owned() }
    }
}

impl Fault {
    /// A fault for every call of `operation` to `target`.
    #[must_use]
    pub fn always(operation: &'static str, target: &str, effect: Effect) -> Self {
        Self { operation, target: Some(target.to_owned()), effect, times: usize::MAX }
    }

    /// A fault for the next call of `operation` to `target`.
    #[must_use]
    pub fn once(operation: &'static str, target: &str, effect: Effect) -> Self {
        Self { times: 1, ..Self::always(operation, target, effect) }
    }

    pub(super) fn is_for(&self, operation: &str, target: &str) -> bool {
        self.times > 0 && self.operation == operation && self.target.as_deref().is_none_or(|only| only == target)
    }
}

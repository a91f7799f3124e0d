//! Faults that a script asks for.

use std::time::Duration;

/// What is to go wrong, where, and how often.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The operation it is for, such as `CreateInvalidation`.
    pub operation: &'static str,
    /// The bucket, distribution or job it is for; `None` for any.
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
    /// The call works, but takes this long.
    Delay(Duration),
    /// The connection breaks; the call does nothing.
    HangUp,
    /// The connection breaks after the call has worked.
    WorkThenHangUp,
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

//! Faults that a test injects into calls.

use std::time::Duration;

use super::connection::ConnectionFault;

/// A fault: which calls it applies to, what happens to them, and how often.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The operation it applies to, such as `CreateInvalidation`.
    pub operation: &'static str,
    /// The name or id of the bucket, distribution, tenant, cache policy, job or queue it applies to; `None` for any.
    pub target: Option<String>,
    /// What happens to the call.
    pub effect: Effect,
    /// The number of calls it still applies to.
    pub times: usize,
}

/// The effect of a fault on a call.
#[derive(Clone, Debug)]
pub enum Effect {
    /// An error in the service's own format. The call has no effect.
    Error {
        /// The HTTP status.
        status: u16,
        /// The error code.
        code: String,
    },
    /// A response with an arbitrary body. The call has no effect.
    Raw {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// A response from an intermediary, such as a proxy. The call has no effect.
    Page {
        /// The HTTP status.
        status: u16,
        /// The value of its `Content-Type` header.
        content_type: &'static str,
        /// The body.
        body: String,
    },
    /// The call is answered this much later.
    Delay(Duration),
    /// The connection is closed without a response. The call has no effect.
    Disconnect,
    /// The call takes effect, then the connection is closed without a response.
    SucceedThenDisconnect,
    /// The call takes effect, then this effect replaces its response. If the call fails, its own response is sent.
    After(Box<Effect>),
    /// The call takes effect. Its response body is truncated to this number of bytes, taken modulo the body's length,
    /// under a matching `Content-Length`.
    TruncatedBody(usize),
    /// The call takes effect. Its response has this `Content-Type`.
    WithContentType(&'static str),
    /// The call takes effect. The fault applies to the transmission of its response.
    ConnectionFault(ConnectionFault),
}

impl Effect {
    /// An error in the service's own format.
    #[must_use]
    pub fn error(status: u16, code: &str) -> Self {
        Self::Error { status, code: code.to_owned() }
    }

    /// Whether the call takes effect. A call that does not is answered without waiting for anything.
    #[must_use]
    pub fn takes_effect(&self) -> bool {
        !matches!(self, Self::Error { .. } | Self::Raw { .. } | Self::Page { .. } | Self::Disconnect)
    }
}

impl Fault {
    /// A fault for every call of `operation` on `target`.
    #[must_use]
    pub fn always(operation: &'static str, target: &str, effect: Effect) -> Self {
        Self { operation, target: Some(target.to_owned()), effect, times: usize::MAX }
    }

    /// A fault for the next call of `operation` on `target`.
    #[must_use]
    pub fn once(operation: &'static str, target: &str, effect: Effect) -> Self {
        Self { times: 1, ..Self::always(operation, target, effect) }
    }

    pub(super) fn is_for(&self, operation: &str, target: &str) -> bool {
        self.times > 0 && self.operation == operation && self.target.as_deref().is_none_or(|only| only == target)
    }
}

//! An SDK's error as the ports know it: its class, and one line that leaves nothing out.

use std::fmt;

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::change::text::one_line;

/// What a failed call means for those who wait for its result. Sources: API models of S3 and CloudFront; aws-sdk-js#3983.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Too many requests.
    Throttled,
    /// CloudFront works on as many invalidations of this distribution as it takes.
    TooManyInProgress,
    /// A fault of the service or of the way to it: 5xx, a time-out, a broken connection, an unreadable answer.
    Unavailable,
    /// The function's role, or the owner the bucket should have, does not allow it.
    AccessDenied,
    /// There is no such bucket or distribution.
    NotFound,
    /// The bucket is in another Region.
    WrongRegion,
    /// A path of the request is not to CloudFront's liking.
    InvalidArgument,
    /// More paths than CloudFront takes in one request.
    BatchTooLarge,
    /// Anything else.
    Other,
}

impl ErrorClass {
    /// Its name, as the log has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::TooManyInProgress => "too-many-in-progress",
            Self::Unavailable => "unavailable",
            Self::AccessDenied => "access-denied",
            Self::NotFound => "not-found",
            Self::WrongRegion => "wrong-region",
            Self::InvalidArgument => "invalid-argument",
            Self::BatchTooLarge => "batch-too-large",
            Self::Other => "other",
        }
    }

    /// Whether the same call may succeed a little later.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::TooManyInProgress | Self::Unavailable)
    }
}

/// A call to AWS that failed, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// What it means.
    pub class: ErrorClass,
    /// The operation, the service's code and message or the chain of causes, in one line.
    pub message: String,
}

impl CallError {
    /// There was not answered before the time was up.
    #[must_use]
    pub fn timed_out(operation: &str) -> Self {
        let message = format!("{operation}: not answered before the time was up");
        Self { class: ErrorClass::Unavailable, message }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CallError {}

/// How much of a service's message is kept, in bytes: some answer with whole pages.
const MAX_MESSAGE_LENGTH: usize = 600;

/// The codes by which services throttle, and those of what passes by itself. Source: the SDK's own lists,
/// `aws_runtime::retries::classifiers`.
const THROTTLING_CODES: [&str; 14] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];
const TRANSIENT_CODES: [&str; 2] = ["RequestTimeout", "RequestTimeoutException"];

/// Maps the error of `operation`.
pub(crate) fn call_error<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let status = status(error);
    let class = match error {
        SdkError::DispatchFailure(failure) if failure.is_user() => ErrorClass::Other,
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) | SdkError::DispatchFailure(_) => {
            ErrorClass::Unavailable
        }
        _ => class(error.code(), status),
    };
    let code = error.code().map(|code| format!("{}: ", leading(code))).unwrap_or_default();
    let status = status.map(|status| format!(" (HTTP {status})")).unwrap_or_default();
    // What is cut off is cut before it is escaped, which makes up to ten bytes of one.
    let cause = match error.message() {
        Some(message) => leading(message).to_owned(),
        None => chain(error),
    };
    let cause = match cause.find(LOADING_FAILED) {
        _ if cause.contains(NO_PROVIDER) => NO_CREDENTIALS.to_owned(),
        // Who could not be asked is no matter of the profile.
        Some(at) if !cause.contains("dispatch failure: io") && !cause.contains("timed out") => {
            let cause_text = cause.get(at..).unwrap_or_default();
            // What a program says can have any length; the remedy must not be cut off.
            let cause_text =
                cause_text.get(..cause_text.floor_char_boundary(MAX_MESSAGE_LENGTH / 2)).unwrap_or_default();
            format!("{cause_text}{BAD_CREDENTIALS}")
        }
        Some(at) => cause.get(at..).unwrap_or_default().to_owned(),
        None => cause,
    };
    let mut message = one_line(leading(&format!("{operation}: {code}{cause}")));
    if message.len() > MAX_MESSAGE_LENGTH {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE_LENGTH));
        message.push('…');
    }
    message.push_str(&status);
    CallError { class, message }
}

/// How the SDK says that no provider has credentials. Source: `aws_credential_types::provider::error`.
const NO_PROVIDER: &str = "the credential provider was not enabled";

/// And that one that has some could not get them.
const LOADING_FAILED: &str = "an error occurred while loading credentials";

/// What to do then.
const BAD_CREDENTIALS: &str =
    "; correct the profile (--profile, AWS_PROFILE), or sign in again if it is one to sign in with (`aws sso login`)";

/// How we say it.
const NO_CREDENTIALS: &str = "there are no credentials; choose a profile that has some (--profile, AWS_PROFILE), set AWS_ACCESS_KEY_ID and \
     AWS_SECRET_ACCESS_KEY, or run `aws configure`";

/// The status of the answer, if there was one.
pub(crate) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// As much of a text as can be kept, and one byte more or a few, so that it shows if there is more.
fn leading(text: &str) -> &str {
    text.get(..text.ceil_char_boundary(MAX_MESSAGE_LENGTH + 1)).unwrap_or(text)
}

/// Maps the error of an `operation` for one who goes on without its answer if it may not ask, which is worse than waiting for
/// one. So only AWS's own word for it counts: a 403 can also mean that the credentials have just expired, or come from
/// something in between.
pub(crate) fn call_error_unless_denied<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let mut cause_text = call_error(operation, error);
    if cause_text.class == ErrorClass::AccessDenied && error.code() != Some("AccessDenied") {
        cause_text.class = ErrorClass::Unavailable;
    }
    cause_text
}

/// A success that says less than AWS always says: it may come from something in between, so it may pass.
pub(crate) fn invalid_response(operation: &str, reason: &str) -> CallError {
    CallError {
        class: ErrorClass::Unavailable,
        message: format!("{operation}: the answer was not understood: {reason}"),
    }
}

/// The class of an answer, by the service's code, and by the status where there is no code we know: a proxy, or a body
/// that was not understood.
fn class(code: Option<&str>, status: Option<u16>) -> ErrorClass {
    match (code.unwrap_or_default(), status.unwrap_or_default()) {
        ("TooManyInvalidationsInProgress", _) => ErrorClass::TooManyInProgress,
        ("BatchTooLarge", _) | (_, 413) => ErrorClass::BatchTooLarge,
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
        | (_, 301 | 307) => ErrorClass::WrongRegion,
        (code, status) if THROTTLING_CODES.contains(&code) || status == 429 => ErrorClass::Throttled,
        (code, _) if TRANSIENT_CODES.contains(&code) => ErrorClass::Unavailable,
        // A success that is an error could not be read.
        ("RequestTimeTooSkewed", _) | (_, 200..=299 | 408 | 500..) => ErrorClass::Unavailable,
        ("InvalidArgument", _) => ErrorClass::InvalidArgument,
        // CodePipeline says it with a status of 400.
        ("AccessDeniedException", _) | (_, 401 | 403) => ErrorClass::AccessDenied,
        // SQS says it with a status of 400.
        ("AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist", _) | (_, 404) => ErrorClass::NotFound,
        _ => ErrorClass::Other,
    }
}

/// An error and all its causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_statuses_have_their_classes() {
        for (code, status, expected) in [
            (Some("Throttling"), 400, ErrorClass::Throttled),
            (Some("ThrottledException"), 400, ErrorClass::Throttled),
            (Some("RequestThrottled"), 400, ErrorClass::Throttled),
            (Some("RequestThrottledException"), 400, ErrorClass::Throttled),
            (Some("BandwidthLimitExceeded"), 509, ErrorClass::Throttled),
            (None, 429, ErrorClass::Throttled),
            (Some("SlowDown"), 503, ErrorClass::Throttled),
            (Some("RequestTimeout"), 400, ErrorClass::Unavailable),
            (Some("RequestTimeoutException"), 400, ErrorClass::Unavailable),
            (Some("TooManyInvalidationsInProgress"), 400, ErrorClass::TooManyInProgress),
            (Some("BatchTooLarge"), 413, ErrorClass::BatchTooLarge),
            (Some("InvalidArgument"), 400, ErrorClass::InvalidArgument),
            (Some("AccessDenied"), 403, ErrorClass::AccessDenied),
            (Some("AllAccessDisabled"), 403, ErrorClass::AccessDenied),
            (None, 403, ErrorClass::AccessDenied),
            (Some("NoSuchBucket"), 404, ErrorClass::NotFound),
            (Some("NoSuchDistribution"), 404, ErrorClass::NotFound),
            (Some("AWS.SimpleQueueService.NonExistentQueue"), 400, ErrorClass::NotFound),
            (Some("PermanentRedirect"), 301, ErrorClass::WrongRegion),
            (Some("AuthorizationHeaderMalformed"), 400, ErrorClass::WrongRegion),
            (Some("ServiceUnavailable"), 503, ErrorClass::Unavailable),
            (None, 502, ErrorClass::Unavailable),
            (Some("MissingBody"), 400, ErrorClass::Other),
            (None, 400, ErrorClass::Other),
        ] {
            assert_eq!(class(code, Some(status)), expected, "{code:?} {status}");
        }
    }
}

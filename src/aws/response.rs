//! Maps SDK errors to [`CallError`]: a class that callers decide by, and a message of one line with the whole cause
//! chain. Rejects truncated and oversized responses by interceptors.
//!
//! The SDK's XML parser accepts a document that ends early and returns what it has found by then. If a proxy truncated
//! a list of tags, the bucket would look untagged and its changes would be skipped permanently; a truncated list of
//! keys would hide the other objects. So a response counts only if its root element is closed and the expected element
//! occurs. Otherwise the call fails, and may be retried. The same applies to error responses that count as an outcome,
//! such as `NoSuchTagSet`.

use std::error::Error;

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
};
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{BoxError, BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::SdkBody;
use http_body_util::Limited;

use crate::change::text::one_line;

/// What a failed call means to its caller. Sources: API models of S3 and CloudFront; aws-sdk-js#3983.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The request was throttled.
    Throttled,
    /// The distribution has as many invalidations in progress as CloudFront allows (`TooManyInvalidationsInProgress`).
    TooManyInProgress,
    /// The service, or the connection to it, failed: 5xx, a timeout, a broken connection or an unreadable response.
    Unavailable,
    /// Access was denied: the role lacks a permission, or the bucket's owner is not the expected account.
    AccessDenied,
    /// The bucket, distribution or other resource does not exist.
    NotFound,
    /// The bucket is in another Region.
    WrongRegion,
    /// The service rejected an argument; in the case of CloudFront, an invalidation path.
    InvalidArgument,
    /// The invalidation has more paths than CloudFront accepts in one request (`BatchTooLarge`).
    BatchTooLarge,
    /// Any other error.
    Other,
}

impl ErrorClass {
    /// Returns the class's name as it is logged.
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

    /// Returns whether the same call may succeed a little later.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::TooManyInProgress | Self::Unavailable)
    }
}

/// A failed call to AWS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// What the failure means.
    pub class: ErrorClass,
    /// One line: the operation, and the service's error code and message or the error's cause chain.
    pub message: String,
}

impl CallError {
    /// Returns whether a wrong name, such as that of a distribution in a tag, may be the cause.
    #[must_use]
    pub fn may_be_misnamed(&self) -> bool {
        matches!(self.class, ErrorClass::NotFound | ErrorClass::AccessDenied)
    }

    /// Returns the error of a call that did not finish before its deadline.
    #[must_use]
    pub fn timed_out(operation: &str) -> Self {
        let message = format!("{operation}: no response before the deadline");
        Self { class: ErrorClass::Unavailable, message }
    }
}

/// The longest part of a service's message that is kept, in bytes: some services and proxies answer with whole pages.
const MAX_MESSAGE_LENGTH: usize = 600;

/// Maps the error of `operation`.
pub(crate) fn call_error<E: ProvideErrorMetadata + Error + 'static>(operation: &str, error: &SdkError<E>) -> CallError {
    let status = status(error);
    let class = match error {
        SdkError::DispatchFailure(failure) if failure.is_user() => ErrorClass::Other,
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) | SdkError::DispatchFailure(_) => {
            ErrorClass::Unavailable
        }
        _ => class(error.code(), status),
    };
    let code = error.code().map(|code| format!("{code}: ")).unwrap_or_default();
    let status = status.map(|status| format!(" (HTTP {status})")).unwrap_or_default();
    let cause = with_remedy(error.message().map_or_else(|| error_chain(error), str::to_owned));
    // The text is cut before it is escaped: escaping makes up to ten bytes of one character.
    let mut message = one_line(truncate_visibly(&format!("{operation}: {code}{cause}")));
    if message.len() > MAX_MESSAGE_LENGTH {
        message.truncate(message.floor_char_boundary(MAX_MESSAGE_LENGTH));
        message.push('…');
    }
    message.push_str(&status);
    CallError { class, message }
}

/// The SDK's message if no provider has credentials. Source: `aws_credential_types::provider::error`.
const NO_PROVIDER: &str = "the credential provider was not enabled";

/// The SDK's message if a provider is configured but could not get its credentials.
const LOADING_FAILED: &str = "an error occurred while loading credentials";

/// The remedy for [`LOADING_FAILED`].
const BAD_CREDENTIALS: &str = "; correct the profile (--profile, AWS_PROFILE), or sign in again (`aws sso login`)";

/// The message that replaces [`NO_PROVIDER`].
const NO_CREDENTIALS: &str = "unable to locate credentials; choose a profile with credentials (--profile, \
                              AWS_PROFILE), set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`";

/// Adds the remedy to the SDK's message that it has no credentials.
fn with_remedy(cause: String) -> String {
    if cause.contains(NO_PROVIDER) {
        return NO_CREDENTIALS.to_owned();
    }
    let Some(loading_error) = cause.find(LOADING_FAILED).and_then(|at| cause.get(at..)) else { return cause };
    // If the source of the credentials could not be reached, the profile is not at fault.
    if cause.contains("dispatch failure: io") || cause.contains("timed out") {
        return loading_error.to_owned();
    }
    // The output of a credential process can have any length; it must not push out the remedy.
    let end = loading_error.floor_char_boundary(MAX_MESSAGE_LENGTH / 2);
    format!("{}{BAD_CREDENTIALS}", loading_error.get(..end).unwrap_or_default())
}

/// Returns the HTTP status of the response, if there was one.
pub(crate) fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}

/// Returns the first [`MAX_MESSAGE_LENGTH`] bytes of a text and at least one byte more, so that a cut remains visible.
fn truncate_visibly(text: &str) -> &str {
    text.get(..text.ceil_char_boundary(MAX_MESSAGE_LENGTH + 1)).unwrap_or(text)
}

/// Maps the error of an `operation` whose caller continues without the answer if access is denied. Doing so by mistake
/// is worse than retrying, so only the error code `AccessDenied`, or a 403 without a code, counts as denied. Any other
/// code becomes [`ErrorClass::Unavailable`]: a 403 can also be due to credentials that have just expired.
pub(crate) fn call_error_unless_denied<E: ProvideErrorMetadata + Error + 'static>(
    operation: &str,
    error: &SdkError<E>,
) -> CallError {
    let mut mapped = call_error(operation, error);
    if mapped.class == ErrorClass::AccessDenied && error.code().is_some_and(|code| code != "AccessDenied") {
        mapped.class = ErrorClass::Unavailable;
    }
    mapped
}

/// The error of a request that lacks a required member, and so is not made.
pub(crate) fn invalid_request(operation: &str, error: &BuildError) -> CallError {
    CallError { class: ErrorClass::Other, message: format!("{operation}: invalid request: {error}") }
}

/// The error of a successful response that lacks what AWS always returns. It may come from a proxy, so it is
/// transient.
pub(crate) fn invalid_response(operation: &str, reason: &str) -> CallError {
    CallError { class: ErrorClass::Unavailable, message: format!("{operation}: invalid response: {reason}") }
}

/// Classifies an error by the service's error code, or by the HTTP status if the code is missing or unknown, as with a
/// proxy's response or an unreadable body.
fn class(code: Option<&str>, status: Option<u16>) -> ErrorClass {
    match (code.unwrap_or_default(), status.unwrap_or_default()) {
        ("TooManyInvalidationsInProgress", _) => ErrorClass::TooManyInProgress,
        ("BatchTooLarge", _) | (_, 413) => ErrorClass::BatchTooLarge,
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
        | (_, 301 | 307) => ErrorClass::WrongRegion,
        (code, status) if THROTTLING_ERRORS.contains(&code) || status == 429 => ErrorClass::Throttled,
        (code, _) if TRANSIENT_ERRORS.contains(&code) => ErrorClass::Unavailable,
        // An error with a success status means that the response could not be parsed.
        ("RequestTimeTooSkewed", _) | (_, 200..=299 | 408 | 500..) => ErrorClass::Unavailable,
        ("InvalidArgument", _) => ErrorClass::InvalidArgument,
        // CodePipeline returns this code with HTTP 400.
        ("AccessDeniedException", _) | (_, 401 | 403) => ErrorClass::AccessDenied,
        // SQS returns these codes with HTTP 400.
        ("AWS.SimpleQueueService.NonExistentQueue" | "QueueDoesNotExist", _) | (_, 404) => ErrorClass::NotFound,
        _ => ErrorClass::Other,
    }
}

/// Returns the messages of an error and all its causes, without repetitions.
fn error_chain(error: &dyn Error) -> String {
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

/// The longest error response that is read, in bytes. AWS's own have some hundred bytes; a longer one is a proxy's
/// page.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// The longest response that is read from operations with short responses, in bytes.
pub(crate) const SMALL_RESPONSE_BYTES: usize = 256 * 1024;

/// Fails calls with an oversized response, instead of filling the memory with it. The limit, in bytes, applies to
/// successful responses. It should be no larger than the operation's longest response requires, since several calls are
/// made concurrently. If several limits are set, the lowest applies.
#[derive(Debug)]
pub(crate) struct SizeLimit(pub(crate) usize);

impl Intercept for SizeLimit {
    fn name(&self) -> &'static str {
        "SizeLimit"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        let limit = if response.status().is_success() { self.0 } else { MAX_ERROR_BYTES };
        let body = std::mem::replace(response.body_mut(), SdkBody::taken());
        *response.body_mut() = SdkBody::from_body_1_x(Limited::new(body, limit));
        Ok(())
    }
}

/// Fails calls whose successful response is not a complete XML document that contains this element. Only for
/// operations that answer with such a document.
#[derive(Debug)]
pub(crate) struct CompleteXml(pub(crate) &'static str);

impl Intercept for CompleteXml {
    fn name(&self) -> &'static str {
        "CompleteXml"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if !response.status().is_success()
            || response.body().bytes().is_some_and(|it| is_complete_xml(it) && contains(it, self.0.as_bytes()))
        {
            return Ok(());
        }
        Err(format!("the response is not a complete XML document with the element {}>", self.0).into())
    }
}

/// Whether this error is a complete response from AWS with this status, so that its code counts as an outcome.
pub(crate) fn is_complete_response_with_status<E>(error: &SdkError<E, HttpResponse>, status: u16) -> bool {
    let answer = error.raw_response();
    answer.is_some_and(|it| it.status().as_u16() == status && it.body().bytes().is_some_and(is_complete_xml))
}

/// Whether the document ends with the end tag of its root element.
fn is_complete_xml(document: &[u8]) -> bool {
    let document = document.trim_ascii_end();
    let is_name_byte = |byte: &u8| byte.is_ascii_alphanumeric();
    let root = document
        .split(|&byte| byte == b'<')
        .skip(1)
        // Skips the XML declaration and comments.
        .find(|tag| tag.first().is_some_and(is_name_byte))
        .map(|tag| tag.split(|byte| !is_name_byte(byte)).next().unwrap_or_default());
    root.is_some_and(|root| document.ends_with(&[b"</", root, b">"].concat()))
}

fn contains(document: &[u8], element: &[u8]) -> bool {
    document.windows(element.len()).any(|window| window == element)
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

#[cfg(test)]
mod response_tests {
    use super::*;

    #[test]
    fn only_a_document_whose_root_is_closed_is_complete() {
        let complete =
            b"<?xml version=\"1.0\"?>\n<!-- tags -->\n<Tagging xmlns=\"urn:x\"><TagSet><Tag/></TagSet></Tagging>\n";
        assert!(is_complete_xml(complete));
        for end in 0..complete.len() - 1 {
            assert!(!is_complete_xml(&complete[..end]), "{}", String::from_utf8_lossy(&complete[..end]));
        }
        assert!(!is_complete_xml(b"<Tag><Tagging></Tagging>"));
    }
}

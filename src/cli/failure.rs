//! What a failed command prints, and its exit status.

use std::process::ExitCode;

use serde::Serialize;

use super::aws::ProfileNotFound;
use super::input::UsageError;
use super::keys::InputError;
use super::link::{ApplyError, FindError, LinkError, call_code};
use super::terminal;
use crate::aws::CallError;
use crate::change::text::one_line;

/// The exit status for options that cannot work, also those that clap rejects.
pub(super) const USAGE: u8 = 2;

/// An error that the command has already printed as JSON, if it prints JSON.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Reported(pub(super) String);

/// An error with the code of its cause, whose message is part of the error's own.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct CodedError {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// A failure in JSON.
#[derive(Serialize)]
pub(super) struct Failure {
    /// The stable code. The codes are in docs/json.md.
    pub(super) code: &'static str,
    /// The error message.
    pub(super) message: String,
}

/// The JSON of a command that failed before it had a result.
#[derive(Serialize)]
struct Failed {
    ok: bool,
    failures: [Failure; 1],
}

/// Prints the error of a command, with `is_json` also as JSON, and returns the exit status.
pub(super) fn report(error: &anyhow::Error, is_json: bool) -> ExitCode {
    // The message may quote outside text, such as a bucket's tags, with control characters in it.
    let message = one_line(&format!("{error:#}"));
    terminal::error(&message);
    if is_json && !error.is::<Reported>() {
        let failed = Failed { ok: false, failures: [Failure { code: code(error), message }] };
        if terminal::say_json(&failed).is_err() {
            return ExitCode::FAILURE;
        }
    }
    if error.is::<UsageError>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
}

/// Returns the code of an error.
pub(super) fn code(error: &anyhow::Error) -> &'static str {
    let known = error.chain().find_map(|cause| {
        let call = || cause.downcast_ref::<CallError>().map(call_code);
        let coded = || cause.downcast_ref::<CodedError>().map(|error| error.code);
        let profile = || cause.is::<ProfileNotFound>().then_some("profile-not-found");
        let find = || cause.downcast_ref::<FindError>().map(FindError::code);
        let link = || cause.downcast_ref::<LinkError>().map(LinkError::code);
        let apply = || cause.is::<ApplyError>().then_some("changes-failed");
        let usage = || cause.is::<UsageError>().then_some("options-invalid");
        let input = || cause.is::<InputError>().then_some("input-invalid");
        call().or_else(coded).or_else(profile).or_else(find).or_else(link).or_else(apply).or_else(usage).or_else(input)
    });
    known.unwrap_or("failed")
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;
    use crate::aws::ErrorClass;

    #[test]
    fn the_code_is_that_of_the_cause() {
        let call = || CallError { class: ErrorClass::AccessDenied, message: "ListBuckets: AccessDenied".to_owned() };
        let with_context = Err::<(), _>(call()).context("cannot list the buckets").unwrap_err();
        for (error, expected) in [
            (anyhow!(call()), "access-denied"),
            (with_context, "access-denied"),
            (anyhow!(FindError::Call(call())), "access-denied"),
            (anyhow!(FindError::Output("s".to_owned())), "stack-without-function"),
            (anyhow!(LinkError::NoQueue), "queue-missing"),
            (anyhow!(UsageError("no".to_owned())), "options-invalid"),
            (anyhow!("another"), "failed"),
        ] {
            assert_eq!(code(&error), expected, "{error}");
        }
    }
}

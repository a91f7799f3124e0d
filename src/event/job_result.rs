//! The result of a CodePipeline job, and the continuation token of a job that waits for invalidations. This module
//! makes no API calls.
//!
//! Sources: CodePipeline API reference, `PutJobSuccessResult`, `PutJobFailureResult`; user guide, "Invoke an AWS Lambda
//! function in a pipeline".

use serde::{Deserialize, Serialize};

use super::MAX_WAIT;
use crate::change::text::{is_one_line, shortened};
use crate::change::{DistributionId, InvalidationId};

/// The longest failure message that CodePipeline accepts, in characters.
pub const MAX_MESSAGE_LENGTH: usize = 5000;

/// The longest summary and the longest list of paths in a result, in characters.
pub const MAX_SUMMARY_LENGTH: usize = 800;

/// The longest continuation token that CodePipeline accepts, in characters. Beside the paths it has room for about 20
/// invalidations.
const MAX_TOKEN_LENGTH: usize = 2048;

const TOKEN_VERSION: u8 = 1;

/// The result of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobResult {
    /// The job succeeded.
    Succeeded {
        /// What was done, for display in the pipeline.
        summary: String,
        /// The invalidations, for later actions of the pipeline. Empty if none was created.
        invalidations: Vec<InvalidationRef>,
        /// The paths of the invalidations, for the same purpose, as far as there is room.
        paths: String,
    },
    /// The job goes on: CodePipeline is to invoke the function again with this token.
    Continued {
        /// The invalidations to wait for.
        token: ContinuationToken,
    },
    /// The job failed.
    Failed {
        /// The type of failure.
        kind: FailureType,
        /// What went wrong and what to change.
        message: String,
    },
}

/// The failure types of CodePipeline that the function reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureType {
    /// `ConfigurationError`: the action, a tag or the function's configuration is wrong.
    Configuration,
    /// `PermissionError`: the function's role lacks a permission.
    Permission,
    /// `SystemUnavailable`: AWS did not respond in time.
    Unavailable,
    /// `JobFailed`: any other cause.
    Failed,
}

/// An invalidation and its distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidationRef {
    /// The distribution.
    pub distribution: DistributionId,
    /// The invalidation.
    pub invalidation: InvalidationId,
}

/// The state of a job that waits for its invalidations. A job that has a token must not create them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContinuationToken {
    /// The invalidations to wait for; at least one.
    pub invalidations: Vec<InvalidationRef>,
    /// When the wait began, in seconds since the Unix epoch.
    pub started: u64,
    /// How long to wait at most, in seconds.
    pub wait: u64,
    /// The paths of the invalidations, as far as there is room.
    pub paths: String,
}

/// The error for a token that this function did not write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the job's continuation token was not written by this function; retry the action")]
pub struct ContinuationTokenError;

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TokenJson {
    version: u8,
    invalidations: Vec<(String, String)>,
    started: u64,
    wait: u64,
    paths: String,
}

impl ContinuationToken {
    /// Parses the output of [`ContinuationToken::write`], and nothing else.
    ///
    /// # Errors
    /// [`ContinuationTokenError`] for any other text.
    pub fn parse(text: &str) -> Result<Self, ContinuationTokenError> {
        Self::parse_written(text).ok_or(ContinuationTokenError)
    }

    fn parse_written(text: &str) -> Option<Self> {
        // A derived `Deserialize` also accepts an array of the fields.
        let json = text.starts_with('{').then_some(text)?;
        let TokenJson { version, invalidations, started, wait, paths } = serde_json::from_str(json).ok()?;
        let to_ref = |(distribution, invalidation): &(String, String)| {
            let (distribution, invalidation) = (DistributionId::new(distribution), InvalidationId::new(invalidation));
            Some(InvalidationRef { distribution: distribution.ok()?, invalidation: invalidation.ok()? })
        };
        let invalidations: Vec<_> = invalidations.iter().map(to_ref).collect::<Option<_>>()?;
        let is_valid = version == TOKEN_VERSION && !invalidations.is_empty() && wait <= MAX_WAIT && is_one_line(&paths);
        is_valid.then_some(Self { invalidations, started, wait, paths })
    }

    /// Returns a summary in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let distributions: Vec<_> = self.invalidations.iter().map(|it| it.distribution.as_str()).collect();
        let in_total = if distributions.len() > 1 { " in total" } else { "" };
        shortened(&format!("{}: invalidated{in_total} {}", distributions.join(" "), self.paths), MAX_SUMMARY_LENGTH)
    }

    /// Returns whether the token is short enough for CodePipeline.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.write().len() <= MAX_TOKEN_LENGTH
    }

    /// Returns the token as JSON, the form in which CodePipeline stores it.
    #[must_use]
    pub fn write(&self) -> String {
        let pair = |it: &InvalidationRef| (it.distribution.to_string(), it.invalidation.to_string());
        let written = TokenJson {
            version: TOKEN_VERSION,
            invalidations: self.invalidations.iter().map(pair).collect(),
            started: self.started,
            wait: self.wait,
            paths: self.paths.clone(),
        };
        serde_json::to_string(&written).unwrap_or_default()
    }
}

impl JobResult {
    /// Returns a failure, with the message shortened to the length that CodePipeline accepts.
    #[must_use]
    pub fn failed(kind: FailureType, message: &str) -> Self {
        Self::Failed { kind, message: shortened(message, MAX_MESSAGE_LENGTH) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> ContinuationToken {
        let invalidation = |n: usize| InvalidationRef {
            distribution: DistributionId::new(&format!("E{n:013}")).unwrap(),
            invalidation: InvalidationId::new(&format!("I{n:025}")).unwrap(),
        };
        ContinuationToken {
            invalidations: (0..20).map(invalidation).collect(),
            started: 1_767_323_045,
            wait: 3600,
            paths: "/".repeat(MAX_SUMMARY_LENGTH),
        }
    }

    #[test]
    fn a_token_survives_writing_and_reading() {
        let written = token().write();
        assert_eq!(ContinuationToken::parse(&written), Ok(token()));
        assert!(token().fits(), "{}", written.len());
        let sixty = (0..3).flat_map(|_| token().invalidations).collect();
        let too_long = ContinuationToken { invalidations: sixty, ..token() };
        assert!(!too_long.fits());
    }

    #[test]
    fn nothing_else_is_a_token() {
        let written = token().write();
        for end in 0..written.len() {
            assert_eq!(ContinuationToken::parse(&written[..end]), Err(ContinuationTokenError));
        }
        let other = |from: &str, to: &str| {
            assert!(written.contains(from), "{from}");
            written.replacen(from, to, 1)
        };
        for text in [
            other("\"version\":1", "\"version\":2"),
            other("{", "{\"more\":1,"),
            other("E0000000000000", "../x"),
            other("I0000", "i0000"),
            other("1767323045", "\"1767323045\""),
            other("3600", "-1"),
            other("3600", "3601"),
            other("//", "\\n/"),
            other("//", "/\u{2028}forged"),
            other("//", "/\\u202eforged"),
            r#"{"version":1,"invalidations":[],"started":0,"wait":1,"paths":""}"#.to_owned(),
            r#"[1,[["E1","I1"]],0,1,""]"#.to_owned(),
            String::new(),
        ] {
            assert_eq!(ContinuationToken::parse(&text), Err(ContinuationTokenError), "{text}");
        }
    }
}

//! The result of a pipeline's job, and the token by which a job is continued. Pure.
//!
//! Sources: CodePipeline API reference, `PutJobSuccessResult`, `PutJobFailureResult`; user guide, "Invoke an AWS Lambda
//! function in a pipeline".

use std::fmt;

use serde::{Deserialize, Serialize};

use super::MAX_WAIT;
use crate::change::text::{is_one_line, shortened};
use crate::change::{DistributionId, InvalidationId};

/// The longest message of a failure, in characters.
pub const MAX_MESSAGE_LENGTH: usize = 5000;

/// The longest summary, and the longest list of paths, that is told.
pub const MAX_TEXT_LENGTH: usize = 800;

/// The longest continuation token, in characters. It holds the paths too, and has room for about 20 invalidations.
const MAX_TOKEN_LENGTH: usize = 2048;

const TOKEN_VERSION: u8 = 1;

/// What a job came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobResult {
    /// It is done.
    Succeeded {
        /// What was done, for the pipeline's page.
        summary: String,
        /// The invalidations, for later actions of the pipeline; none if nothing was sent.
        invalidations: Vec<InvalidationRef>,
        /// Their paths, for the same, as far as there is room.
        paths: String,
    },
    /// CodePipeline is to call again in a while, with this token.
    Continued {
        /// What is waited for.
        token: ContinuationToken,
    },
    /// It failed.
    Failed {
        /// Of what kind the cause is.
        kind: FailureType,
        /// What to change.
        message: String,
    },
}

/// Kinds of causes that CodePipeline knows, as far as they are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureType {
    /// The action, a tag or a setting is wrong.
    Configuration,
    /// The function's role may not do it.
    Permission,
    /// AWS could not do it in time.
    Unavailable,
    /// Anything else.
    Failed,
}

/// An invalidation that is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidationRef {
    /// The distribution.
    pub distribution: DistributionId,
    /// Its invalidation.
    pub invalidation: InvalidationId,
}

/// What a job is continued with. Whoever has one must not create an invalidation again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContinuationToken {
    /// What is waited for; at least one.
    pub invalidations: Vec<InvalidationRef>,
    /// When the waiting began, in seconds since 1970.
    pub started: u64,
    /// How long to wait at the most, in seconds.
    pub wait: u64,
    /// The paths of the invalidations, as far as there is room.
    pub paths: String,
}

/// A text that is no token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContinuationTokenError;

impl fmt::Display for ContinuationTokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the job's continuation token is none that this function wrote; run the action again")
    }
}

impl std::error::Error for ContinuationTokenError {}

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
    /// Reads what [`ContinuationToken::write`] wrote, and nothing else.
    ///
    /// # Errors
    /// [`ContinuationTokenError`].
    pub fn parse(text: &str) -> Result<Self, ContinuationTokenError> {
        // What serde derives takes a list of the fields as well.
        let written: TokenJson =
            text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten().ok_or(ContinuationTokenError)?;
        let waiting = |(distribution, invalidation): (String, String)| {
            Some(InvalidationRef {
                distribution: DistributionId::new(&distribution).ok()?,
                invalidation: InvalidationId::new(&invalidation)?,
            })
        };
        let TokenJson { version, invalidations, started, wait, paths } = written;
        let invalidations: Option<Vec<_>> = invalidations.into_iter().map(waiting).collect();
        match invalidations {
            Some(invalidations)
                if version == TOKEN_VERSION && !invalidations.is_empty() && wait <= MAX_WAIT && is_one_line(&paths) =>
            {
                Ok(Self { invalidations, started, wait, paths })
            }
            _ => Err(ContinuationTokenError),
        }
    }

    /// What was done, in a line.
    #[must_use]
    pub fn summary(&self) -> String {
        let distributions: Vec<_> = self.invalidations.iter().map(|it| it.distribution.as_str()).collect();
        let together = if distributions.len() > 1 { "together " } else { "" };
        shortened(&format!("{}: {together}invalidated {}", distributions.join(" "), self.paths), MAX_TEXT_LENGTH)
    }

    /// Whether CodePipeline takes it.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.write().len() <= MAX_TOKEN_LENGTH
    }

    /// The token as CodePipeline keeps it.
    #[must_use]
    pub fn write(&self) -> String {
        let pair = |it: &InvalidationRef| (it.distribution.to_string(), it.invalidation.as_str().to_owned());
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
    /// A failure whose message has a length that CodePipeline takes.
    #[must_use]
    pub fn failed(kind: FailureType, message: &str) -> Self {
        Self::Failed { kind, message: shortened(message, MAX_MESSAGE_LENGTH) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> ContinuationToken {
        let waiting = |n: usize| InvalidationRef {
            distribution: DistributionId::new(&format!("E{n:013}")).unwrap(),
            invalidation: InvalidationId::new(&format!("I{n:025}")).unwrap(),
        };
        ContinuationToken {
            invalidations: (0..20).map(waiting).collect(),
            started: 1_767_323_045,
            wait: 3600,
            paths: "/".repeat(MAX_TEXT_LENGTH),
        }
    }

    #[test]
    fn a_token_is_read_as_it_was_written_and_fits() {
        let written = token().write();
        assert_eq!(ContinuationToken::parse(&written), Ok(token()));
        assert!(token().fits(), "{}", written.len());
        let three = (0..3).flat_map(|_| token().invalidations).collect();
        let more = ContinuationToken { invalidations: three, ..token() };
        assert!(!more.fits());
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

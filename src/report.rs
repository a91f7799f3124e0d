//! What became of a delivery: the response body, the line in the log, and the error where something failed.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::change::BucketName;
use crate::distribution::DistributionId;
use crate::event::EventError;
use crate::path::InvalidationPath;
use crate::plan::PlannedInvalidation;
use crate::ports::{Accepted, CallError, ErrorClass};
use crate::router::RouteError;

/// How many failures an error's message spells out. The rest is counted there, and each is a line of the log.
pub const FAILURES_SPELT_OUT: usize = 20;

/// How many invalidations, reasons, and buckets of one invalidation a report lists, and how many bytes of paths it lists
/// altogether: an answer may have 6 MB and a line of the log 256 kB, and what was done must not be reported as failed for
/// a list that is too long. What is left out is counted. Source: Lambda and CloudWatch Logs quotas.
const LISTED_INVALIDATIONS: usize = 100;
const LISTED_REASONS: usize = 100;
const LISTED_BUCKETS: usize = 10;
const LISTED_PATH_BYTES: usize = 64 * 1024;

/// The function's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How many changes became what.
    pub changes: Counts,
    /// The invalidations, one per distribution.
    pub invalidations: Vec<SentInvalidation>,
    /// How many further invalidations are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub further_invalidations: usize,
    /// The changes that needed none, by reason.
    pub ignored: Vec<Ignored>,
    /// How many changes were ignored for reasons not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub further_ignored: usize,
    /// How many bytes of paths are listed.
    #[serde(skip)]
    path_bytes: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Report {
    /// Lists an invalidation, as far as there is room.
    pub fn add(&mut self, mut sent: SentInvalidation) {
        if self.invalidations.len() == LISTED_INVALIDATIONS {
            self.further_invalidations += 1;
            return;
        }
        sent.paths.retain(|path| {
            self.path_bytes += path.as_str().len();
            self.path_bytes <= LISTED_PATH_BYTES
        });
        self.invalidations.push(sent);
    }

    /// Counts ignored changes, and lists their reason as far as there is room.
    pub fn ignore(&mut self, reason: IgnoreReason, changes: usize) {
        self.changes.ignored += changes;
        if self.ignored.len() == LISTED_REASONS {
            self.further_ignored += changes;
        } else {
            self.ignored.push(Ignored { reason, changes });
        }
    }
}

/// How many changes became what; every change is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Covered by accepted invalidations of all their distributions.
    pub covered: usize,
    /// Ignored, for the reasons listed.
    pub ignored: usize,
    /// Not covered; where this is not 0 the invocation fails, and S3's event is delivered again.
    pub failed: usize,
}

/// One invalidation that CloudFront has, or would have been sent in a dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentInvalidation {
    /// The distribution.
    pub distribution_id: String,
    /// What happened to it.
    pub status: Status,
    /// CloudFront's id of it; absent if it was not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalidation_id: Option<String>,
    /// Our name of it.
    pub caller_reference: String,
    /// How many buckets it covers changes of.
    pub bucket_count: usize,
    /// The first of them.
    pub buckets: Vec<String>,
    /// How many changes it covers. A change can count for several distributions.
    pub changes: usize,
    /// How many items it has.
    pub path_count: usize,
    /// Its items, or as many of them as there is room for.
    pub paths: Vec<InvalidationPath>,
}

/// What happened to an invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// CloudFront has it.
    Accepted,
    /// CloudFront said that it had it from an earlier attempt at the same work.
    AlreadyExists,
    /// `DRY_RUN` is on: nothing was sent.
    DryRun,
}

/// Changes that need no invalidation, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ignored {
    /// Why.
    #[serde(flatten)]
    pub reason: IgnoreReason,
    /// How many.
    pub changes: usize,
}

/// Why a change needs no invalidation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum IgnoreReason {
    /// The bucket does not have the tag that names a distribution.
    BucketNotTagged {
        /// The bucket.
        bucket: String,
    },
    /// The key lies outside the bucket's origin path, where CloudFront never looks.
    OutsideOriginPath {
        /// The bucket.
        bucket: String,
    },
    /// The event is not about an object's content.
    NotAContentChange {
        /// Its name.
        event_name: String,
    },
    /// `DRY_RUN` is on.
    DryRun,
    /// The message that S3 sends when a notification is set up. It is about no change.
    TestEvent,
}

impl SentInvalidation {
    /// What is reported of `planned` once CloudFront has `accepted` it; `None` for a dry run.
    #[must_use]
    pub fn new(planned: &PlannedInvalidation, accepted: Option<Accepted>) -> Self {
        let (status, invalidation_id) = match accepted {
            Some(Accepted::Created { id }) => (Status::Accepted, Some(id)),
            Some(Accepted::AlreadyExists) => (Status::AlreadyExists, None),
            None => (Status::DryRun, None),
        };
        Self {
            distribution_id: planned.distribution.to_string(),
            status,
            invalidation_id,
            caller_reference: planned.caller_reference.as_str().to_owned(),
            bucket_count: planned.buckets.len(),
            buckets: planned.buckets.iter().take(LISTED_BUCKETS).map(ToString::to_string).collect(),
            changes: planned.changes.len(),
            path_count: planned.paths.len(),
            paths: planned.paths.clone(),
        }
    }
}

/// Why some changes were not covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A record could not be read.
    Record(String),
    /// It is not known where a bucket's changes go.
    Route {
        /// The bucket.
        bucket: BucketName,
        /// How many changes wait for it.
        changes: usize,
        /// Why.
        error: Arc<RouteError>,
    },
    /// A distribution did not take its invalidation.
    Send {
        /// The distribution.
        distribution: DistributionId,
        /// The buckets whose changes it would have covered.
        buckets: Vec<BucketName>,
        /// How many changes it would have covered.
        changes: usize,
        /// Why.
        error: CallError,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(error) => f.write_str(error),
            Self::Route { bucket, changes, error } => write!(f, "bucket \"{bucket}\" ({changes} changes): {error}"),
            Self::Send { distribution, buckets, changes, error } => {
                let listed: Vec<_> = buckets.iter().take(LISTED_BUCKETS).map(|it| format!("\"{it}\"")).collect();
                let more = match buckets.len().saturating_sub(LISTED_BUCKETS) {
                    0 => String::new(),
                    more => format!(" and {more} more buckets"),
                };
                write!(f, "distribution {distribution} ({changes} changes of {}{more}): {error}", listed.join(", "))?;
                f.write_str(match error.class {
                    ErrorClass::AccessDenied => "; allow cloudfront:CreateInvalidation on it to the function's role",
                    ErrorClass::NotFound => "; correct the tag that names it on these buckets",
                    _ => "",
                })
            }
        }
    }
}

/// An invocation that did not do all it was asked for. Its type is stable, its message one line.
#[derive(Clone, PartialEq, Eq)]
pub enum InvocationError {
    /// The event as a whole could not be read.
    Event(EventError),
    /// The account whose buckets these should be is not known.
    UnknownAccount,
    /// Some changes are not covered; all others are.
    NotInvalidated {
        /// What became of the whole delivery.
        report: Box<Report>,
        /// Why the failed changes failed.
        failures: Vec<Failure>,
    },
}

impl InvocationError {
    /// The name of the error, as Lambda reports it in `errorType`. Alarms and redrives may rely on it.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Event(_) => "UnrecognizedEvent",
            Self::UnknownAccount => "UnknownAccount",
            Self::NotInvalidated { .. } => "ChangesNotInvalidated",
        }
    }
}

impl fmt::Display for InvocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(error) => error.fmt(f),
            Self::UnknownAccount => f.write_str(
                "the function's ARN does not tell its account, which must own the buckets; set EXPECTED_BUCKET_OWNER to an \
                 account's id or to \"any\"",
            ),
            Self::NotInvalidated { report, failures } => {
                let Counts { covered, ignored, failed } = report.changes;
                let all = covered + ignored + failed;
                write!(f, "{failed} of {all} changes were not invalidated: ")?;
                let spelt_out: Vec<_> = failures.iter().take(FAILURES_SPELT_OUT).map(ToString::to_string).collect();
                f.write_str(&spelt_out.join("; "))?;
                match failures.len().saturating_sub(FAILURES_SPELT_OUT) {
                    0 => Ok(()),
                    more => write!(f, "; and {more} more failures"),
                }
            }
        }
    }
}

/// The runtime logs an error by its `Debug`.
impl fmt::Debug for InvocationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.error_type())
    }
}

impl std::error::Error for InvocationError {}

//! What became of a delivery: the function's answer.

mod failure;
mod invocation_error;
mod log_line;
pub mod logging;
mod metrics;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use serde::Serialize;

use crate::change::Timestamp;
use crate::plan::SkipReason;
use crate::send::SentInvalidation;

pub use self::failure::{Failure, MAX_FAILURES_IN_MESSAGE};
pub use self::invocation_error::InvocationError;
pub use self::log_line::LogLine;
pub use self::metrics::{DIMENSION, METRICS, Metrics, NAMESPACE};

/// How many invalidations, reasons, and buckets of one invalidation a report lists, and how many bytes of paths and names it lists
/// altogether: an answer may have 6 MB and a line of the log 256 kB, and what was done must not be reported as failed for
/// a list that is too long. What is left out is counted. Source: Lambda and CloudWatch Logs quotas.
const LISTED_INVALIDATIONS: usize = 100;
const LISTED_REASONS: usize = 100;
const LISTED_BYTES: usize = 64 * 1024;

/// The function's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To whoever invoked it.
    Report(Box<Report>),
    /// To a queue: which messages are to come again.
    Batch(SqsBatchResponse),
}

/// What became of a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How many changes became what.
    pub changes: ChangeCounts,
    /// The invalidations, one per distribution.
    pub invalidations: Vec<SentInvalidation>,
    /// How many further invalidations are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub further_invalidations: usize,
    /// The changes that needed none, by reason.
    pub ignored: Vec<Skipped>,
    /// How many changes were ignored for reasons not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub further_ignored: usize,
    /// What a pipeline was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobReport>,
    /// What the invalidations come to, those that are not listed included.
    #[serde(skip)]
    pub totals: Totals,
    /// When the oldest change happened that is covered, if that was told.
    #[serde(skip)]
    pub oldest_covered: Option<Timestamp>,
    /// How many bytes of buckets' names and paths are listed.
    #[serde(skip)]
    listed_bytes: usize,
}

/// What the invalidations come to that CloudFront took now, and bills: not those that it had before, nor those of a dry run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many there are.
    pub invalidations: usize,
    /// How many items they have.
    pub paths: usize,
    /// How many of these are wildcards.
    pub wildcards: usize,
    /// How many paths less than one for each change and distribution; less than none where objects have several URLs.
    /// `None` where a person named all of them.
    pub paths_saved: Option<i64>,
    /// How many URLs they evict although nothing changed there, of those where that was counted.
    pub needless_evictions: Option<u64>,
}

impl Totals {
    fn add(&mut self, sent: &SentInvalidation) {
        if !sent.is_billed() {
            return;
        }
        self.invalidations += 1;
        self.paths += sent.path_count;
        self.wildcards += sent.wildcard_count;
        if sent.changes > 0 {
            // Both are bounded by the size of an event, far below the limits of the type.
            let saved = i64::try_from(sent.changes).unwrap_or(i64::MAX) - i64::try_from(sent.path_count).unwrap_or(0);
            *self.paths_saved.get_or_insert(0) += saved;
        }
        if let Some(evicted) = sent.needless_evictions {
            *self.needless_evictions.get_or_insert(0) += evicted;
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(crate) fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Report {
    /// Lists an invalidation, as far as there is room.
    pub fn add(&mut self, mut sent: SentInvalidation) {
        self.totals.add(&sent);
        if self.invalidations.len() == LISTED_INVALIDATIONS {
            self.further_invalidations += 1;
            return;
        }
        let mut has_room = |length: usize| {
            self.listed_bytes += length;
            self.listed_bytes <= LISTED_BYTES
        };
        sent.buckets.retain(|bucket| has_room(bucket.len()));
        sent.paths.retain(|path| has_room(path.as_str().len()));
        self.invalidations.push(sent);
    }

    /// Counts ignored changes, and lists their reason as far as there is room.
    pub fn ignore(&mut self, reason: SkipReason, changes: usize) {
        self.changes.ignored += changes;
        if self.ignored.len() == LISTED_REASONS {
            self.further_ignored += changes;
        } else {
            self.ignored.push(Skipped { reason, changes });
        }
    }
}

/// What a pipeline was told of its job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobReport {
    /// The job.
    pub id: String,
    /// Whether it succeeded, failed or is to be continued.
    pub result: &'static str,
    /// The summary or message.
    pub message: String,
}

/// How many changes became what; every change is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChangeCounts {
    /// Covered by accepted invalidations of all their distributions.
    pub covered: usize,
    /// Ignored, for the reasons listed.
    pub ignored: usize,
    /// Not covered: reported to the sender, who delivers them again.
    pub failed: usize,
}

/// Changes that need no invalidation, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Why.
    #[serde(flatten)]
    pub reason: SkipReason,
    /// How many.
    pub changes: usize,
}

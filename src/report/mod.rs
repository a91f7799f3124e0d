//! The outcome of a delivery, and its renderings: the function's answer, the log line and the metrics.

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

/// Limits of a response: invalidations, reasons, and bytes of bucket names and paths altogether. A response may have 6
/// MB (Lambda quotas), and finished work must not be reported as failed because a list is too long. What is omitted is
/// counted.
const LISTED_INVALIDATIONS: usize = 100;
const LISTED_REASONS: usize = 100;
const LISTED_BYTES: usize = 64 * 1024;

/// The function's response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The report, to an invocation that is not a batch of SQS messages.
    Report(Box<Report>),
    /// The batch item failures, to the event source mapping of an SQS queue.
    Batch(SqsBatchResponse),
}

/// The outcome of a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The number of changes by outcome.
    pub changes: ChangeCounts,
    /// The invalidations, one per distribution: the first ones, up to a limit, each with as many buckets and paths as
    /// there is room for.
    pub invalidations: Vec<SentInvalidation>,
    /// The number of invalidations that are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub further_invalidations: usize,
    /// The skipped changes by reason, as far as they are listed.
    pub ignored: Vec<Skipped>,
    /// The number of changes skipped for reasons that are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub further_ignored: usize,
    /// The result of a CodePipeline job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobReport>,
    /// Totals of the invalidations, unlisted ones included.
    #[serde(skip)]
    pub totals: Totals,
    /// The time of the oldest change that was invalidated, if any has a time.
    #[serde(skip)]
    pub oldest_covered: Option<Timestamp>,
    /// The number of bytes of bucket names and paths that were to be listed, the omitted ones included.
    #[serde(skip)]
    bytes_to_list: usize,
}

/// Totals of the invalidations that CloudFront accepted in this invocation, and bills. Excludes those accepted for an
/// earlier delivery, and dry runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The number of invalidations.
    pub invalidations: usize,
    /// The number of their items. Each is billed as one path.
    pub paths: usize,
    /// The number of wildcards among them.
    pub wildcards: usize,
    /// The paths saved compared with one path for each change and distribution; negative where objects have several
    /// URLs. `None` if a person named all paths.
    pub paths_saved: Option<i64>,
    /// The number of URLs evicted although their objects did not change, over the invalidations for which it is known.
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
            // The size of an event bounds both numbers, far below `i64::MAX`.
            let saved = i64::try_from(sent.changes).unwrap_or(i64::MAX) - i64::try_from(sent.path_count).unwrap_or(0);
            *self.paths_saved.get_or_insert(0) += saved;
        }
        if let Some(evicted) = sent.needless_evictions {
            *self.needless_evictions.get_or_insert(0) += evicted;
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Report {
    /// Adds an invalidation to the totals, and lists it if there is room.
    pub fn add(&mut self, mut sent: SentInvalidation) {
        self.totals.add(&sent);
        if self.invalidations.len() == LISTED_INVALIDATIONS {
            self.further_invalidations += 1;
            return;
        }
        let mut has_room = |length: usize| {
            self.bytes_to_list += length;
            self.bytes_to_list <= LISTED_BYTES
        };
        sent.buckets.retain(|bucket| has_room(bucket.len()));
        sent.paths.retain(|path| has_room(path.as_str().len()));
        self.invalidations.push(sent);
    }

    /// Counts skipped changes, and lists their reason if there is room.
    pub fn ignore(&mut self, reason: SkipReason, changes: usize) {
        self.changes.ignored += changes;
        if self.ignored.len() == LISTED_REASONS {
            self.further_ignored += changes;
        } else {
            self.ignored.push(Skipped { reason, changes });
        }
    }
}

/// The result that was put for a CodePipeline job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobReport {
    /// The job ID.
    pub id: String,
    /// `succeeded`, `failed` or `continued`.
    pub result: &'static str,
    /// The summary, or the message of the failure.
    pub message: String,
}

/// The number of changes by outcome. Every change is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChangeCounts {
    /// Invalidated: all of their distributions accepted an invalidation that covers them.
    pub covered: usize,
    /// Skipped, for the listed reasons.
    pub ignored: usize,
    /// Failed: reported to the event source, which redelivers them, or to the caller.
    pub failed: usize,
}

/// Changes that were skipped for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The reason.
    #[serde(flatten)]
    pub reason: SkipReason,
    /// The number of changes.
    pub changes: usize,
}

//! The log line of one invocation: what was invalidated, and why the rest was not.
//!
//! Counts come first, since CloudWatch turns only the first few hundred values of a line into fields; lists follow. The
//! lists are short, as every byte is billed and the size of a log event is limited. The only text from an event is
//! bucket names, event names, paths and the excerpts in messages, each restricted by its grammar or escaped.

use std::time::Duration;

use serde::Serialize;

use super::{ChangeCounts, ListLimits, MESSAGE_LENGTH, Report, Totals};
use crate::change::text::{counted, shortened};
use crate::change::{EventSource, Timestamp};
use crate::lookup::Stats;

/// The maximum number of invalidations, failures or skip reasons, and buckets and paths of one invalidation in a line,
/// and of bytes of paths altogether.
const LOGGED_INVALIDATIONS: usize = 30;
const LOGGED_CODES: usize = 30;
const LOGGED_BUCKETS: usize = 3;
const LOGGED_PATHS: usize = 5;
const LOGGED_BYTES: usize = 16 * 1024;
const LOG_LIMITS: ListLimits = ListLimits {
    invalidations: LOGGED_INVALIDATIONS,
    codes: LOGGED_CODES,
    buckets: LOGGED_BUCKETS,
    paths: LOGGED_PATHS,
    bytes: LOGGED_BYTES,
};

/// The log line of one invocation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// The event source.
    pub source: EventSource,
    /// The time from the oldest change that was invalidated to the answer, in milliseconds; absent if the time of the
    /// change is unknown.
    #[serde(rename = "invalidationLagMs", skip_serializing_if = "Option::is_none")]
    pub invalidation_lag: Option<u64>,
    /// Cache hits and misses, list requests and retries.
    #[serde(flatten)]
    pub stats: Stats,
    /// How long the invocation took, in milliseconds.
    #[serde(rename = "durationMs")]
    duration: u64,
    /// The type of the error that the invocation or the job failed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'static str>,
    /// The outcome, with shorter lists than the answer has. An event that cannot be decoded counts as one failed
    /// change.
    #[serde(flatten)]
    pub report: Report,
}

impl LogLine {
    /// The line of an invocation with this report, whose lists it shortens.
    #[must_use]
    pub fn new(source: EventSource, report: &Report, stats: Stats, took: Duration, now: Option<Timestamp>) -> Self {
        let mut report = report.clone();
        report.limit(&LOG_LIMITS);
        if let Some(job) = &mut report.job {
            job.message = shortened(&job.message, MESSAGE_LENGTH);
        }
        Self {
            source,
            invalidation_lag: report.oldest_invalidated.and_then(|oldest| Some(now?.since(oldest))),
            stats,
            duration: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            error_type: report.error_type,
            report,
        }
    }

    /// Writes the line to the log: at WARN if anything failed, otherwise at INFO.
    pub fn log(&self) {
        let ChangeCounts { invalidated, skipped, failed, .. } = self.report.changes;
        let Totals { invalidations, paths, .. } = self.report.totals;
        let message = format!(
            "{}: {invalidated} invalidated, {skipped} skipped, {failed} failed; {} with {}",
            counted(self.report.changes.total(), "change"),
            counted(invalidations, "invalidation"),
            counted(paths, "path"),
        );
        let failure = self.report.failures.first().map_or_else(String::new, |it| format!("; {}", it.code));
        let summary = serde_json::to_string(self).unwrap_or_default();
        if self.report.has_failed {
            tracing::warn!(summary, "{message}{failure}");
        } else {
            tracing::info!(summary, "{message}");
        }
    }
}

//! The log line of one invocation: what was invalidated, and why the rest was not.
//!
//! Counts come first, since CloudWatch turns only the first few hundred values of a line into fields; lists follow. The
//! lists are short, as every byte is billed and the size of a log event is limited. The only text from an event is
//! bucket names, event names, paths and the excerpts in messages, each restricted by its grammar or escaped.

use std::time::Duration;

use serde::Serialize;

use super::{ChangeCounts, InvocationError, JobReport, MESSAGE_LENGTH, Report, Totals, truncate_by_changes};
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

/// The line of an event that has not been decoded.
impl Default for LogLine {
    fn default() -> Self {
        Self {
            source: EventSource::Unknown,
            invalidation_lag: None,
            stats: Stats::default(),
            duration: 0,
            error_type: None,
            report: Report::default(),
        }
    }
}

impl LogLine {
    /// Records the outcome of a delivery.
    pub fn record(&mut self, report: &Report) {
        self.report = report.clone();
        let Report {
            failures, failures_omitted, skipped, skipped_omitted, invalidations, invalidations_omitted, ..
        } = &mut self.report;
        *failures_omitted += truncate_by_changes(failures, LOGGED_CODES, |it| it.changes);
        *skipped_omitted += truncate_by_changes(skipped, LOGGED_CODES, |it| it.changes);
        *invalidations_omitted += invalidations.len().saturating_sub(LOGGED_INVALIDATIONS);
        invalidations.truncate(LOGGED_INVALIDATIONS);
        let mut room = LOGGED_BYTES;
        for sent in invalidations {
            sent.buckets.truncate(LOGGED_BUCKETS);
            let has_room = |length: usize| {
                let left = room.checked_sub(length);
                room = left.unwrap_or_default();
                left.is_some()
            };
            let lengths = sent.paths.iter().map(|path| path.as_str().len());
            let listed = lengths.take(LOGGED_PATHS).map(has_room).take_while(|has_room| *has_room).count();
            sent.paths.truncate(listed);
        }
    }

    /// Records the result that was put for a CodePipeline job.
    pub fn record_job(&mut self, job: &JobReport) {
        let message = shortened(&job.message, MESSAGE_LENGTH);
        self.report.set_job(JobReport { message, ..job.clone() });
    }

    /// Records the error that the invocation fails with, or that was put as the result of a job.
    pub fn record_error(&mut self, error: &InvocationError) {
        self.error_type = Some(error.error_type());
        // Otherwise the failures are recorded.
        if self.report.ok {
            let Report { failures, failures_omitted, .. } = error.report();
            self.report.ok = false;
            self.report.failures = failures;
            self.report.failures_omitted =
                failures_omitted + truncate_by_changes(&mut self.report.failures, LOGGED_CODES, |it| it.changes);
            // The changes of an event that cannot be decoded, or of which none could be handled.
            if let [failure] = &mut self.report.failures[..] {
                failure.changes = failure.changes.max(self.report.changes.failed);
            }
        }
    }

    /// Completes the line once the answer is known.
    pub fn finish(&mut self, stats: Stats, took: Duration, now: Option<Timestamp>) {
        self.stats = stats;
        self.duration = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.invalidation_lag = self.report.oldest_invalidated.and_then(|oldest| Some(now?.since(oldest)));
    }

    /// Writes the line to the log: at WARN if anything failed, otherwise at INFO.
    pub fn log(&self) {
        let ChangeCounts { invalidated, skipped, failed } = self.report.changes;
        let Totals { invalidations, paths, .. } = self.report.totals;
        let message = format!(
            "{}: {invalidated} invalidated, {skipped} skipped, {failed} failed; {} with {}",
            counted(invalidated + skipped + failed, "change"),
            counted(invalidations, "invalidation"),
            counted(paths, "path"),
        );
        let failure = self.report.failures.first().map_or_else(String::new, |it| format!("; {}", it.code));
        let summary = serde_json::to_string(self).unwrap_or_default();
        if self.report.ok {
            tracing::info!(summary, "{message}");
        } else {
            tracing::warn!(summary, "{message}{failure}");
        }
    }
}

//! The log line of one invocation: what was invalidated, and why the rest was not.
//!
//! Counts come first, since CloudWatch turns only the first few hundred values of a line into fields; lists follow. The
//! lists are short, as every byte is billed and the size of a log event is limited. The only text from an event is
//! bucket names, event names and paths, each restricted by its grammar or quoted as an excerpt.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::{ChangeCounts, Failure, InvocationError, Report, Skipped, Totals, is_zero};
use crate::change::text::shortened;
use crate::change::{BucketName, DistributionId, EventSource, InvalidationId, Timestamp};
use crate::event::JobId;
use crate::lookup::Stats;
use crate::path::Item;
use crate::send::{SentInvalidation, SentStatus};

/// The maximum number of invalidations, reasons, and buckets and paths of one invalidation in a line, and of bytes of
/// paths altogether.
const LOGGED_INVALIDATIONS: usize = 30;
const LOGGED_REASONS: usize = 30;
const LOGGED_BUCKETS: usize = 3;
const LOGGED_PATHS: usize = 5;
const LOGGED_BYTES: usize = 16 * 1024;

/// The maximum length of a job's message, in characters.
const MESSAGE_LENGTH: usize = 300;

/// The number of paths per dollar, beyond the free ones. Source: CloudFront pricing, "Invalidation requests".
const PATHS_PER_DOLLAR: f64 = 200.0;

/// The log line of one invocation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// The event source.
    pub source: EventSource,
    /// The number of changes by outcome. An event that cannot be decoded counts as one failed change.
    #[serde(flatten)]
    pub changes: ChangeCounts,
    /// Totals of the invalidations.
    #[serde(flatten)]
    sent: SentTotals,
    /// The age of the oldest change that was invalidated, in milliseconds; absent if its time is unknown.
    #[serde(rename = "oldestChangeMs", skip_serializing_if = "Option::is_none")]
    pub oldest_change_age: Option<u64>,
    /// Cache hits and misses, list requests and retries.
    #[serde(flatten)]
    pub stats: Stats,
    /// How long the invocation took, in milliseconds.
    #[serde(rename = "durationMs")]
    duration: u64,
    /// The type of the error that the invocation or the job failed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(flatten)]
    job: Option<JobFields>,
    failed_reasons: Vec<FailedChanges>,
    #[serde(skip_serializing_if = "is_zero")]
    further_failed: usize,
    ignored_reasons: Vec<Skipped>,
    #[serde(skip_serializing_if = "is_zero")]
    further_ignored: usize,
    invalidations: Vec<ListedInvalidation>,
    #[serde(skip_serializing_if = "is_zero")]
    further_invalidations: usize,
    /// The time of the oldest change that was invalidated.
    #[serde(skip)]
    oldest_covered: Option<Timestamp>,
    /// The totals, for the metrics and for the message.
    #[serde(skip)]
    pub totals: Totals,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct SentTotals {
    invalidation_count: usize,
    path_count: usize,
    wildcard_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    paths_saved: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    needless_evictions: Option<u64>,
    cost_usd: f64,
}

#[derive(Clone, Debug, Serialize)]
struct JobFields {
    #[serde(rename = "jobId")]
    id: String,
    #[serde(rename = "jobResult")]
    result: &'static str,
    #[serde(rename = "jobMessage")]
    message: String,
}

/// The number of failed changes with the same reason, bucket and distribution.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct FailedChanges {
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution_id: Option<DistributionId>,
    changes: usize,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedInvalidation {
    distribution_id: DistributionId,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    invalidation_id: Option<InvalidationId>,
    changes: usize,
    path_count: usize,
    wildcard_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    needless_evictions: Option<u64>,
    cost_usd: f64,
    bucket_count: usize,
    buckets: Vec<String>,
    paths: Vec<Item>,
}

/// The line of an event that has not been decoded.
impl Default for LogLine {
    fn default() -> Self {
        Self {
            source: EventSource::Unknown,
            changes: ChangeCounts::default(),
            sent: SentTotals::default(),
            oldest_change_age: None,
            stats: Stats::default(),
            duration: 0,
            error: None,
            job: None,
            failed_reasons: Vec::new(),
            further_failed: 0,
            ignored_reasons: Vec::new(),
            further_ignored: 0,
            invalidations: Vec::new(),
            further_invalidations: 0,
            oldest_covered: None,
            totals: Totals::default(),
        }
    }
}

impl LogLine {
    /// Records the outcome of a delivery.
    pub fn record(&mut self, report: &Report, failures: &[Failure]) {
        self.changes = report.changes;
        self.totals = report.totals;
        self.oldest_covered = report.oldest_covered;
        self.sent = SentTotals {
            invalidation_count: report.totals.invalidations,
            path_count: report.totals.paths,
            wildcard_count: report.totals.wildcards,
            paths_saved: report.totals.paths_saved,
            needless_evictions: report.totals.needless_evictions,
            cost_usd: price_usd(report.totals.paths),
        };
        let ignored = top_by_changes(report.ignored.clone(), |it| it.changes);
        self.further_ignored = report.further_ignored + ignored.1;
        self.ignored_reasons = ignored.0;
        let mut room = LOGGED_BYTES;
        self.invalidations = report
            .invalidations
            .iter()
            .take(LOGGED_INVALIDATIONS)
            .map(|sent| ListedInvalidation::new(sent, &mut room))
            .collect();
        self.further_invalidations =
            report.further_invalidations + report.invalidations.len() - self.invalidations.len();
        self.record_failures(failures);
    }

    fn record_failures(&mut self, failures: &[Failure]) {
        let mut reasons: BTreeMap<_, usize> = BTreeMap::new();
        for failure in failures {
            *reasons.entry((failure.reason(), failure.subject())).or_default() += failure.changes();
        }
        let failed =
            |((reason, (bucket, distribution)), changes): ((String, (Option<&BucketName>, _)), _)| FailedChanges {
                reason,
                bucket: bucket.map(ToString::to_string),
                distribution_id: Option::<&DistributionId>::cloned(distribution),
                changes,
            };
        (self.failed_reasons, self.further_failed) =
            top_by_changes(reasons.into_iter().map(failed).collect(), |it| it.changes);
    }

    /// Records the result that was put for a CodePipeline job.
    pub fn record_job(&mut self, id: &JobId, result: &'static str, message: &str) {
        let message = shortened(message, MESSAGE_LENGTH);
        self.job = Some(JobFields { id: id.to_string(), result, message });
    }

    /// Records the error that the invocation fails with, or that was put as the result of a job.
    pub fn record_error(&mut self, error: &InvocationError) {
        self.error = Some(error.error_type());
        if !self.failed_reasons.is_empty() {
            return;
        }
        if let InvocationError::Request(failures) | InvocationError::NotInvalidated { failures, .. } = error {
            self.record_failures(failures);
            return;
        }
        let reason = match error {
            InvocationError::Event(_) => "event-unreadable",
            InvocationError::UnknownAccount => "account-unknown",
            _ => "job-result-not-put",
        };
        let changes = self.changes.failed;
        self.failed_reasons =
            vec![FailedChanges { reason: reason.into(), bucket: None, distribution_id: None, changes }];
    }

    /// Completes the line once the answer is known.
    pub fn finish(&mut self, stats: Stats, took: Duration, now: Option<Timestamp>) {
        self.stats = stats;
        self.duration = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.oldest_change_age = self.oldest_covered.and_then(|oldest| Some(now?.since(oldest)));
    }

    /// Writes the line to the log, at INFO.
    pub fn log(&self) {
        let ChangeCounts { covered, ignored, failed } = self.changes;
        let Totals { invalidations, paths, .. } = self.totals;
        tracing::info!(
            summary = serde_json::to_string(self).unwrap_or_default(),
            "handled {} changes: {covered} covered, {ignored} ignored, {failed} failed; sent {invalidations} \
             invalidations of {paths} paths",
            covered + ignored + failed,
        );
    }
}

/// The entries with the most changes, at most `LOGGED_REASONS`, and the number of changes of all others.
fn top_by_changes<T>(mut all: Vec<T>, changes: impl Fn(&T) -> usize) -> (Vec<T>, usize) {
    all.sort_by_key(|it| Reverse(changes(it)));
    let further = all.iter().skip(LOGGED_REASONS).map(&changes).sum();
    all.truncate(LOGGED_REASONS);
    (all, further)
}

impl ListedInvalidation {
    fn new(sent: &SentInvalidation, room: &mut usize) -> Self {
        let mut has_room = |path: &&Item| {
            let left = room.checked_sub(path.as_str().len());
            *room = left.unwrap_or_default();
            left.is_some()
        };
        Self {
            distribution_id: sent.distribution_id.clone(),
            status: match sent.status {
                SentStatus::Accepted if sent.is_cached => "accepted-before",
                SentStatus::Accepted => "accepted",
                SentStatus::AlreadyExists => "already-exists",
                SentStatus::DryRun => "dry-run",
            },
            invalidation_id: sent.invalidation_id.clone(),
            changes: sent.changes,
            path_count: sent.path_count,
            wildcard_count: sent.wildcard_count,
            needless_evictions: sent.needless_evictions,
            cost_usd: price_usd(if sent.is_billed() { sent.path_count } else { 0 }),
            bucket_count: sent.bucket_count,
            buckets: sent.buckets.iter().take(LOGGED_BUCKETS).cloned().collect(),
            paths: sent.paths.iter().take(LOGGED_PATHS).take_while(&mut has_room).cloned().collect(),
        }
    }
}

/// The price of `paths` paths in US dollars, beyond the free ones.
fn price_usd(paths: usize) -> f64 {
    f64::from(u32::try_from(paths).unwrap_or(u32::MAX)) / PATHS_PER_DOLLAR
}

//! The outcome of a delivery, and its renderings: the function's answer, the log line and the metrics. The answer, the
//! log line and the command line's `--json` share one JSON schema, documented in `docs/json.md`.

mod failure;
mod invocation_error;
pub mod logging;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use aws_lambda_events::event::sqs::SqsBatchResponse;
use serde::{Serialize, Serializer};

use crate::change::text::shortened;
use crate::change::{Batch, Timestamp};
use crate::path::Item;
use crate::plan::{Outcome, Outcomes, SkipReason, price_usd};
use crate::send::SentInvalidation;

pub use self::failure::{Failure, IdSource, MAX_FAILURES_IN_MESSAGE};
pub use self::invocation_error::InvocationError;
pub use self::logging::{DIMENSION, LogLine, METRICS, Metrics, NAMESPACE};

/// The maximum lengths of the lists in a response. A response may have 6 MB (Lambda quotas), and finished work must not
/// be reported as failed because a list is too long. What is omitted is counted.
const LISTED_INVALIDATIONS: usize = 100;
const LISTED_CODES: usize = 100;
const LISTED_BYTES: usize = 64 * 1024;
pub(crate) const RESPONSE_LIMITS: ListLimits = ListLimits {
    invalidations: LISTED_INVALIDATIONS,
    codes: LISTED_CODES,
    buckets: usize::MAX,
    paths: usize::MAX,
    bytes: LISTED_BYTES,
};

/// The maximum lengths of the lists in a rendering of a report.
pub(crate) struct ListLimits {
    invalidations: usize,
    /// The maximum number of failures, and of skip reasons.
    codes: usize,
    /// The maximum number of buckets of one invalidation.
    buckets: usize,
    /// The maximum number of paths of one invalidation.
    paths: usize,
    /// The maximum number of bytes of paths altogether.
    bytes: usize,
}

/// The maximum length of the message of a listed failure, in characters. IAM's reason for a denial has more than 300,
/// and the remedy follows it.
const MESSAGE_LENGTH: usize = 1000;

/// The function's response: the batch item failures to the event source mapping of a queue, otherwise the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The report.
    pub report: Report,
    /// The batch item failures, if the event is a batch of SQS messages.
    pub batch_response: Option<SqsBatchResponse>,
}

impl From<Report> for Answer {
    fn from(report: Report) -> Self {
        Self { report, batch_response: None }
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.batch_response {
            Some(response) => response.serialize(serializer),
            None => self.report.serialize(serializer),
        }
    }
}

/// The outcome of a delivery.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether anything failed; the JSON has the opposite, `ok`.
    #[serde(rename = "ok", serialize_with = "negated")]
    pub has_failed: bool,
    /// The number of changes by outcome.
    pub changes: ChangeCounts,
    /// Totals of the invalidations, unlisted ones included.
    pub totals: Totals,
    /// The number of the invalidated changes of which viewers may also request other URLs.
    #[serde(skip_serializing_if = "is_zero")]
    pub urls_uncertain: usize,
    /// The number of paths and cache tags that a person named, and that others of the same request cover.
    #[serde(skip_serializing_if = "is_zero")]
    pub paths_left_out: usize,
    /// The messages of a poll of the function's own queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueCounts>,
    /// The result of a CodePipeline job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobReport>,
    /// The failures by code, bucket and distribution, those with the most changes first, up to a limit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
    /// The number of failures that are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub failures_omitted: usize,
    /// The skipped changes by reason, those with the most changes first, up to a limit.
    pub skipped: Vec<Skipped>,
    /// The number of reasons that are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub skipped_omitted: usize,
    /// The invalidations, one per distribution or several parts: the first ones, up to a limit, each with as many paths as there is room
    /// for.
    pub invalidations: Vec<SentInvalidation>,
    /// The number of invalidations that are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub invalidations_omitted: usize,
    /// The type of the error that the invocation or the job failed with.
    #[serde(skip)]
    pub error_type: Option<&'static str>,
    /// The time of the oldest change that was invalidated, if any has a time.
    #[serde(skip)]
    pub oldest_invalidated: Option<Timestamp>,
}

/// Totals of the invalidations that CloudFront accepted in this invocation, and bills. Excludes those accepted for an
/// earlier delivery, and dry runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// The number of invalidations.
    pub invalidations: usize,
    /// The number of their items. Each is billed as one path.
    pub paths: usize,
    /// The number of wildcards among them.
    pub wildcards: usize,
    /// The paths saved compared with one path for each change and distribution; negative where objects have several
    /// URLs. `None` if a person named all paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paths_saved: Option<i64>,
    /// The number of URLs of unchanged objects that are evicted, over the invalidations for which it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged_evicted: Option<u64>,
    /// The price of the paths in US dollars, beyond the free ones.
    pub cost_usd: f64,
}

impl Totals {
    fn add(&mut self, sent: &SentInvalidation) {
        if !sent.is_billed() {
            return;
        }
        self.invalidations += 1;
        self.paths += sent.path_count;
        self.cost_usd = price_usd(self.paths);
        self.wildcards += sent.wildcard_count;
        if sent.changes > 0 {
            // The size of an event bounds both numbers, far below `i64::MAX`.
            let saved = i64::try_from(sent.changes).unwrap_or(i64::MAX) - i64::try_from(sent.path_count).unwrap_or(0);
            *self.paths_saved.get_or_insert(0) += saved;
        }
        if let Some(evicted) = sent.unchanged_evicted {
            *self.unchanged_evicted.get_or_insert(0) += evicted;
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn negated<S: Serializer>(value: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(!value)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Report {
    /// Adds invalidations.
    pub fn extend(&mut self, sent: Vec<SentInvalidation>) {
        for sent in &sent {
            self.totals.add(sent);
        }
        self.invalidations.extend(sent);
    }

    /// Shortens the lists, those of failures and skipped changes to the entries with the most changes.
    pub(crate) fn limit(&mut self, limits: &ListLimits) {
        self.failures_omitted += truncate_by_changes(&mut self.failures, limits.codes, |it| it.changes);
        self.skipped_omitted += truncate_by_changes(&mut self.skipped, limits.codes, |it| it.changes);
        self.invalidations_omitted += self.invalidations.len().saturating_sub(limits.invalidations);
        self.invalidations.truncate(limits.invalidations);
        let mut room = limits.bytes;
        for sent in &mut self.invalidations {
            sent.buckets.truncate(limits.buckets);
            let has_room = |path: &&Item| {
                let left = room.checked_sub(path.as_str().len());
                room = left.unwrap_or_default();
                left.is_some()
            };
            let listed = sent.paths.iter().take(limits.paths).take_while(has_room).count();
            sent.paths.truncate(listed);
        }
    }

    /// Counts the changes and records of a batch by outcome, each once, and lists what failed and was skipped.
    pub fn set_outcomes(&mut self, batch: &Batch, outcomes: &Outcomes, failures: &[Failure]) {
        let other_events = batch.skipped.iter().map(|record| record.event_name.clone());
        let other_events: Vec<_> =
            other_events.map(|event_name| SkipReason::NotAContentChange { event_name }).collect();
        let mut skipped = BTreeMap::new();
        for reason in &other_events {
            *skipped.entry(reason).or_insert(0) += 1;
        }
        self.changes.failed = batch.failed.len() + batch.unlisted_failures;
        for (index, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Outcome::Skipped(reason) => *skipped.entry(reason).or_insert(0) += 1,
                Outcome::Invalidated => {
                    self.changes.invalidated += 1;
                    let time = batch.times.get(index).copied().flatten();
                    self.oldest_invalidated = self.oldest_invalidated.into_iter().chain(time).min();
                }
                Outcome::Queued => self.changes.queued += 1,
                Outcome::Failed => self.changes.failed += 1,
            }
        }
        if batch.test_events > 0 {
            self.skip(SkipReason::TestEvent, 0);
        }
        for (reason, changes) in skipped {
            self.skip(reason.clone(), changes);
        }
        self.set_failures(failures, batch.unlisted_failures);
        self.has_failed |= self.changes.failed > 0;
    }

    /// Counts the invalidated changes of which viewers may also request other URLs. `uncertain` are the changes of which
    /// they may, by index in the batch.
    pub fn set_uncertain(&mut self, uncertain: &BTreeSet<usize>, outcomes: &Outcomes) {
        let outcomes = outcomes.iter().enumerate();
        let dry_run = Outcome::from(SkipReason::DryRun);
        let sent = outcomes.filter(|(_, outcome)| **outcome == Outcome::Invalidated || **outcome == dry_run);
        self.urls_uncertain = sent.filter(|(index, _)| uncertain.contains(index)).count();
    }

    fn skip(&mut self, reason: SkipReason, changes: usize) {
        self.changes.skipped += changes;
        self.skipped.push(Skipped { reason, changes });
    }

    /// Lists the failures by code, bucket and distribution, each with the message of the first of them. `omitted` is
    /// the number of further failures that are not in `failures`.
    pub fn set_failures(&mut self, failures: &[Failure], omitted: usize) {
        let mut listed: BTreeMap<_, Failure> = BTreeMap::new();
        for failure in failures {
            let first = listed.entry((&failure.code, &failure.bucket, &failure.distribution_id));
            let listed = first.or_insert_with(|| Failure {
                message: shortened(&failure.message, MESSAGE_LENGTH),
                changes: 0,
                ..failure.clone()
            });
            listed.changes += failure.changes;
        }
        self.has_failed |= !failures.is_empty() || omitted > 0;
        self.failures = listed.into_values().collect();
        self.failures_omitted = omitted;
    }

    /// Lists a failure that concerns no bucket, distribution or change in particular.
    pub fn fail(&mut self, code: &str, message: &str) {
        self.has_failed = true;
        self.failures.push(Failure::new(code, shortened(message, MESSAGE_LENGTH)));
    }

    /// Records the result that was put for a CodePipeline job.
    pub fn set_job(&mut self, job: JobReport) {
        if job.result == "failed" && self.failures.is_empty() {
            self.fail("job-failed", &job.message);
        }
        self.job = Some(job);
    }
}

/// Keeps the `most` entries with the most changes, in this order. Returns the number of the others.
fn truncate_by_changes<T>(entries: &mut Vec<T>, most: usize, changes: impl Fn(&T) -> usize) -> usize {
    entries.sort_by_key(|it| Reverse(changes(it)));
    let omitted = entries.len().saturating_sub(most);
    entries.truncate(most);
    omitted
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

/// The messages of a poll. Those that were received and not deleted are received again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueueCounts {
    /// The number of messages received. One that was received twice counts once.
    #[serde(rename = "messagesReceived")]
    pub received: usize,
    /// The number of messages deleted, because nothing of them failed.
    #[serde(rename = "messagesDeleted")]
    pub deleted: usize,
    /// How often the message that was received most often was received, of those that were not deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
}

/// The number of changes by outcome. Every change is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChangeCounts {
    /// Invalidated: all of their distributions accepted an invalidation that covers them.
    pub invalidated: usize,
    /// Skipped, for the listed reasons.
    pub skipped: usize,
    /// Queued: accepted by the function's own queue.
    #[serde(skip_serializing_if = "is_zero")]
    pub queued: usize,
    /// Failed: reported to the event source, which redelivers them, or to the caller.
    pub failed: usize,
}

impl ChangeCounts {
    /// The number of all changes.
    #[must_use]
    pub fn total(self) -> usize {
        self.invalidated + self.skipped + self.queued + self.failed
    }
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

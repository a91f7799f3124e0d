//! What became of a delivery: the function's answer.

use aws_lambda_events::event::sqs::SqsBatchResponse;
use serde::Serialize;

use crate::distribution::{DistributionId, InvalidationId};
use crate::moment::Moment;
use crate::path::Item;
use crate::plan::PlannedInvalidation;
use crate::ports::{Accepted, Progress};

/// How many invalidations, reasons, and buckets of one invalidation a report lists, and how many bytes of paths and names it lists
/// altogether: an answer may have 6 MB and a line of the log 256 kB, and what was done must not be reported as failed for
/// a list that is too long. What is left out is counted. Source: Lambda and CloudWatch Logs quotas.
const LISTED_INVALIDATIONS: usize = 100;
const LISTED_REASONS: usize = 100;
pub(crate) const LISTED_BUCKETS: usize = 10;
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
    /// What a pipeline was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobReport>,
    /// What the invalidations come to, those that are not listed included.
    #[serde(skip)]
    pub totals: Totals,
    /// When the oldest change happened that is covered, if that was told.
    #[serde(skip)]
    pub oldest_covered: Option<Moment>,
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
    pub fn ignore(&mut self, reason: IgnoreReason, changes: usize) {
        self.changes.ignored += changes;
        if self.ignored.len() == LISTED_REASONS {
            self.further_ignored += changes;
        } else {
            self.ignored.push(Ignored { reason, changes });
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
pub struct Counts {
    /// Covered by accepted invalidations of all their distributions.
    pub covered: usize,
    /// Ignored, for the reasons listed.
    pub ignored: usize,
    /// Not covered: reported to the sender, who delivers them again.
    pub failed: usize,
}

/// One invalidation that CloudFront has, or would have been sent in a dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentInvalidation {
    /// The distribution.
    pub distribution_id: DistributionId,
    /// What happened to it.
    pub status: Status,
    /// CloudFront's id of it; absent if it was not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalidation_id: Option<InvalidationId>,
    /// How far it is, in CloudFront's words; absent if it was not waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalidation_status: Option<Progress>,
    /// Our name of it.
    pub caller_reference: String,
    /// How many buckets it covers changes of.
    pub bucket_count: usize,
    /// The first of them.
    pub buckets: Vec<String>,
    /// How many changes it covers. A change can count for several distributions.
    pub changes: usize,
    /// How many URLs it evicts although nothing changed there; absent where that is guessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needless_evictions: Option<u64>,
    /// How many items it has.
    pub path_count: usize,
    /// Its items, or as many of them as there is room for.
    pub paths: Vec<Item>,
    /// How many of all its items are wildcards.
    #[serde(skip)]
    pub wildcard_count: usize,
    /// Whether it was sent for an earlier attempt at this delivery, so that it was not sent again.
    #[serde(skip)]
    pub is_recalled: bool,
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
    /// Requests for the object's URLs go to other origins of the distribution.
    ServedElsewhere {
        /// The bucket.
        bucket: String,
    },
    /// The bucket's tag `invalidation:ignore` names the end of the key.
    IgnoredSuffix {
        /// The bucket.
        bucket: String,
        /// The end.
        suffix: String,
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
            distribution_id: planned.distribution.clone(),
            status,
            invalidation_id,
            invalidation_status: None,
            caller_reference: planned.caller_reference.as_str().to_owned(),
            bucket_count: planned.buckets.len(),
            buckets: planned.buckets.iter().take(LISTED_BUCKETS).map(ToString::to_string).collect(),
            changes: planned.changes.len(),
            needless_evictions: planned.collateral,
            path_count: planned.items.len(),
            paths: planned.items.clone(),
            wildcard_count: planned.items.iter().filter(|item| item.is_wildcard()).count(),
            is_recalled: false,
        }
    }

    /// The same, which was sent for an earlier attempt at this delivery.
    #[must_use]
    pub fn recalled(self) -> Self {
        Self { is_recalled: true, ..self }
    }

    /// Whether CloudFront took it now. What it says that it has under this reference it does not bill again.
    #[must_use]
    pub fn is_billed(&self) -> bool {
        self.status == Status::Accepted && !self.is_recalled
    }
}

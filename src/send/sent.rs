//! An invalidation that was sent, as it is reported.

use serde::Serialize;

use crate::aws::{Accepted, Progress};
use crate::change::{DistributionId, InvalidationId};
use crate::path::Item;
use crate::plan::Invalidation;

/// How many buckets of one invalidation are listed.
pub(crate) const LISTED_BUCKETS: usize = 10;

/// One invalidation that CloudFront has, or would have been sent in a dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentInvalidation {
    /// The distribution.
    pub distribution_id: DistributionId,
    /// What happened to it.
    pub status: SentStatus,
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
    pub is_cached: bool,
}

/// What happened to an invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SentStatus {
    /// CloudFront has it.
    Accepted,
    /// CloudFront said that it had it from an earlier attempt at the same work.
    AlreadyExists,
    /// `DRY_RUN` is on: nothing was sent.
    DryRun,
}

impl SentInvalidation {
    /// What is reported of `planned` once CloudFront has `accepted` it; `None` for a dry run.
    #[must_use]
    pub fn new(planned: &Invalidation, accepted: Option<Accepted>) -> Self {
        let (status, invalidation_id) = match accepted {
            Some(Accepted::Created { id }) => (SentStatus::Accepted, Some(id)),
            Some(Accepted::AlreadyExists) => (SentStatus::AlreadyExists, None),
            None => (SentStatus::DryRun, None),
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
            needless_evictions: planned.unchanged_evicted,
            path_count: planned.items.len(),
            paths: planned.items.clone(),
            wildcard_count: planned.items.iter().filter(|item| item.is_wildcard()).count(),
            is_cached: false,
        }
    }

    /// The same, which was sent for an earlier attempt at this delivery.
    #[must_use]
    pub fn cached(self) -> Self {
        Self { is_cached: true, ..self }
    }

    /// Whether CloudFront took it now. What it says that it has under this reference it does not bill again.
    #[must_use]
    pub fn is_billed(&self) -> bool {
        self.status == SentStatus::Accepted && !self.is_cached
    }
}

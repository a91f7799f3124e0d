//! An invalidation that was sent, as it is reported.

use serde::Serialize;

use crate::aws::{Accepted, Progress};
use crate::change::{DistributionId, InvalidationId};
use crate::path::Item;
use crate::plan::Invalidation;

/// The most buckets of one invalidation that are listed.
pub(crate) const MAX_LISTED_BUCKETS: usize = 10;

/// An invalidation that CloudFront accepted, or that a dry run would have sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentInvalidation {
    /// The distribution.
    pub distribution_id: DistributionId,
    /// The result of sending it.
    pub status: SentStatus,
    /// CloudFront's id of the invalidation; absent if CloudFront did not return one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalidation_id: Option<InvalidationId>,
    /// The status of the invalidation in CloudFront; absent if nothing waited for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalidation_status: Option<Progress>,
    /// The caller reference.
    pub caller_reference: String,
    /// The number of buckets whose changes it covers, or whose tag named the distribution.
    pub bucket_count: usize,
    /// The first of these buckets.
    pub buckets: Vec<String>,
    /// The number of changes it covers. A change is counted for each of its distributions.
    pub changes: usize,
    /// The number of URLs of unchanged objects that it evicts; absent if that is only estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needless_evictions: Option<u64>,
    /// The number of its paths and cache tags.
    pub path_count: usize,
    /// Its paths and cache tags; a report may list only some.
    pub paths: Vec<Item>,
    /// The number of wildcards among all its paths.
    #[serde(skip)]
    pub wildcard_count: usize,
    /// Whether it was accepted for an earlier delivery of the same changes, so that it was not sent again.
    #[serde(skip)]
    pub is_cached: bool,
}

/// The result of sending an invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SentStatus {
    /// CloudFront accepted it.
    Accepted,
    /// CloudFront answered that it had accepted it before, for an earlier delivery or attempt.
    AlreadyExists,
    /// `DRY_RUN` is on: nothing was sent.
    DryRun,
}

impl SentInvalidation {
    /// Builds the report of `invalidation` from CloudFront's answer; `accepted` is `None` in a dry run.
    #[must_use]
    pub fn new(invalidation: &Invalidation, accepted: Option<Accepted>) -> Self {
        let (status, invalidation_id) = match accepted {
            Some(Accepted::Created { id }) => (SentStatus::Accepted, Some(id)),
            Some(Accepted::AlreadyExists) => (SentStatus::AlreadyExists, None),
            None => (SentStatus::DryRun, None),
        };
        Self {
            distribution_id: invalidation.distribution.clone(),
            status,
            invalidation_id,
            invalidation_status: None,
            caller_reference: invalidation.caller_reference.as_str().to_owned(),
            bucket_count: invalidation.buckets.len(),
            buckets: invalidation.buckets.iter().take(MAX_LISTED_BUCKETS).map(ToString::to_string).collect(),
            changes: invalidation.changes.len(),
            needless_evictions: invalidation.unchanged_evicted,
            path_count: invalidation.items.len(),
            paths: invalidation.items.clone(),
            wildcard_count: invalidation.items.iter().filter(|item| item.is_wildcard()).count(),
            is_cached: false,
        }
    }

    /// Marks it as accepted for an earlier delivery of the same changes.
    #[must_use]
    pub fn cached(self) -> Self {
        Self { is_cached: true, ..self }
    }

    /// Returns whether CloudFront accepted it in this invocation, and so bills it. One that already exists under its
    /// caller reference is not billed again.
    #[must_use]
    pub fn is_billed(&self) -> bool {
        self.status == SentStatus::Accepted && !self.is_cached
    }
}

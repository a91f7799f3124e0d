//! An invalidation that was sent, as it is reported.

use serde::Serialize;

use crate::aws::{Accepted, Progress};
use crate::change::{DistributionId, InvalidationId};
use crate::path::Item;
use crate::plan::{Invalidation, price_usd};

/// The most buckets of one invalidation that are listed.
pub(crate) const MAX_LISTED_BUCKETS: usize = 10;

/// An invalidation that CloudFront accepted, or that a dry run would have sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SentInvalidation {
    /// The distribution.
    pub distribution_id: DistributionId,
    /// The result of sending it.
    pub status: SentStatus,
    /// CloudFront's ID of the invalidation; absent if CloudFront did not return one.
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
    /// The number of its paths and cache tags.
    pub path_count: usize,
    /// The number of wildcards among all its paths.
    pub wildcard_count: usize,
    /// The number of URLs of unchanged objects that it evicts; absent if that is only estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged_evicted: Option<u64>,
    /// The price of its paths in US dollars, beyond the free ones; 0 if it was not sent in this invocation.
    pub cost_usd: f64,
    /// Its paths and cache tags; a report may list only some.
    pub paths: Vec<Item>,
}

/// The result of sending an invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SentStatus {
    /// CloudFront accepted it.
    Accepted,
    /// CloudFront accepted it for an earlier delivery of the same changes, so it was not sent again.
    AcceptedBefore,
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
            path_count: invalidation.items.len(),
            wildcard_count: invalidation.items.iter().filter(|item| item.is_wildcard()).count(),
            unchanged_evicted: invalidation.unchanged_evicted,
            cost_usd: if status == SentStatus::Accepted { price_usd(invalidation.items.len()) } else { 0.0 },
            paths: invalidation.items.clone(),
        }
    }

    /// Marks it as accepted for an earlier delivery of the same changes.
    #[must_use]
    pub fn cached(self) -> Self {
        let status = if self.status == SentStatus::Accepted { SentStatus::AcceptedBefore } else { self.status };
        Self { status, cost_usd: 0.0, ..self }
    }

    /// Returns whether CloudFront accepted it in this invocation, and so bills it. One that already exists under its
    /// caller reference is not billed again.
    #[must_use]
    pub fn is_billed(&self) -> bool {
        self.status == SentStatus::Accepted
    }
}

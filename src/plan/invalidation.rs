//! An invalidation to send, and its rewritten forms for when CloudFront rejects it.

use std::sync::Arc;

use super::CallerReference;
use crate::change::{BucketName, DistributionId};
use crate::collapse::{Budget, CostModel, Heuristic, Objective, collapse};
use crate::path::{InvalidationPath, Item};

/// An invalidation to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidation {
    /// The distribution to invalidate.
    pub distribution: DistributionId,
    /// The items, never empty; sorted, paths before cache tags.
    pub items: Vec<Item>,
    /// The caller reference, derived from the distribution, the items and the delivery.
    pub caller_reference: CallerReference,
    /// The buckets whose changes it covers, or whose tag named the distribution; sorted.
    pub buckets: Vec<BucketName>,
    /// The indices in the batch of the changes that it covers, ascending; empty if a person named the items.
    pub changes: Arc<[usize]>,
    /// The number of URLs of unchanged objects that it evicts, if known.
    pub unchanged_evicted: Option<u64>,
    /// The maximum number of items and wildcards.
    pub budget: Budget,
    /// The hashed identity of the delivery.
    pub(super) delivery_digest: [u8; 32],
}

impl Invalidation {
    /// Whether a person named the items. Such items are never widened.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns the invalidation with every unusual path widened (see [`InvalidationPath::widened`]), within its budget;
    /// `None` if that changes no item.
    #[must_use]
    pub fn widened(&self) -> Option<Self> {
        self.with(self.paths().map(InvalidationPath::widened).collect(), self.budget)
    }

    /// Returns the invalidation collapsed to `budget`, which it keeps; `None` if that changes no item.
    #[must_use]
    pub fn within(&self, budget: Budget) -> Option<Self> {
        self.with(self.paths().cloned().collect(), budget)
    }

    fn paths(&self) -> impl Iterator<Item = &InvalidationPath> {
        self.items.iter().filter_map(|item| match item {
            Item::Path(path) => Some(path),
            Item::Tag(_) => None,
        })
    }

    /// Different items need a caller reference of their own, as CloudFront rejects one that was used with other paths.
    fn with(&self, paths: Vec<InvalidationPath>, budget: Budget) -> Option<Self> {
        let (items, unchanged_evicted) = collapsed(paths, Objective { budget, evictions_per_path: 0 }, &Heuristic);
        let caller_reference = CallerReference::new(&self.distribution, &items, &self.delivery_digest);
        (items != self.items).then(|| Self { items, caller_reference, unchanged_evicted, budget, ..self.clone() })
    }
}

/// Collapses paths to the best items.
///
/// Also returns how many URLs of unchanged objects the items evict. This is `None` if it is not known, or if one of
/// `paths` was a wildcard already, since what that evicts is not counted.
pub(super) fn collapsed(
    paths: Vec<InvalidationPath>,
    objective: Objective,
    model: &impl CostModel,
) -> (Vec<Item>, Option<u64>) {
    let has_no_wildcard = paths.iter().all(|path| path.wildcard_prefix().is_none());
    let set = collapse(paths, objective, model);
    (set.items.into_iter().map(Item::Path).collect(), set.unchanged_evicted.filter(|_| has_no_wildcard))
}

//! One invalidation, and what it can be made into where CloudFront does not take it.

use std::sync::Arc;

use super::{CallerReference, DeliveryDigest};
use crate::change::{BucketName, DistributionId};
use crate::collapse::{Budget, CostModel, Heuristic, Objective, collapse};
use crate::path::{InvalidationPath, Item};

/// One invalidation to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalidation {
    /// Where to.
    pub distribution: DistributionId,
    /// Its items, sorted; never empty.
    pub items: Vec<Item>,
    /// The name of this very work.
    pub caller_reference: CallerReference,
    /// The buckets whose changes it covers, or whose tag named the distribution, sorted.
    pub buckets: Vec<BucketName>,
    /// The changes it answers for, by their place in the batch, ascending; none where a person named the items.
    pub changes: Arc<[usize]>,
    /// How many URLs it evicts needlessly, if that is known.
    pub unchanged_evicted: Option<u64>,
    /// How many items it may have.
    pub budget: Budget,
    /// Whose work it is.
    pub(super) delivery_digest: DeliveryDigest,
}

impl Invalidation {
    /// Whether a person named the items. Those are never widened.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.changes.is_empty()
    }

    /// The same work with every path that holds anything unusual widened to a wildcard that does not, within its budget;
    /// `None` if no path does.
    #[must_use]
    pub fn widened(&self) -> Option<Self> {
        self.with(self.paths().map(InvalidationPath::widened).collect(), self.budget)
    }

    /// The same work within `budget`, which it has from now on; `None` if it is already.
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

    /// Other items are other work for CloudFront, under a reference of its own.
    fn with(&self, paths: Vec<InvalidationPath>, budget: Budget) -> Option<Self> {
        let (items, unchanged_evicted) = collapsed(paths, Objective { budget, path_weight: 0 }, &Heuristic);
        let caller_reference = CallerReference::new(&self.distribution, &items, &self.delivery_digest);
        (items != self.items).then(|| Self { items, caller_reference, unchanged_evicted, budget, ..self.clone() })
    }
}

/// The best items for these paths, and how many URLs they evict needlessly, if that is known: what a path that was a wildcard
/// from the start evicts is not counted.
pub(super) fn collapsed(
    paths: Vec<InvalidationPath>,
    objective: Objective,
    model: &impl CostModel,
) -> (Vec<Item>, Option<u64>) {
    let is_counted = paths.iter().all(|path| path.wildcard_prefix().is_none());
    let set = collapse(paths, objective, model);
    (set.items.into_iter().map(Item::Path).collect(), set.unchanged_evicted.filter(|_| is_counted))
}

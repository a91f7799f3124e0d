//! An invalidation to send, its rewritten forms for when CloudFront rejects it, the caller references by which
//! CloudFront recognizes a repeated request for the same invalidation, and the price of its paths.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use sha2::{Digest, Sha256};

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
    /// Whether any of its messages was received before.
    pub is_redelivered: bool,
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

    /// Returns the number of wildcards among the items.
    #[must_use]
    pub fn wildcard_count(&self) -> usize {
        self.items.iter().filter(|item| item.is_wildcard()).count()
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

    /// Returns parts of the invalidation as `chunks` does, of which the last has its caller reference:
    /// sent in order, that one is used only when all items are accepted, as a whole or in parts.
    #[must_use]
    pub fn split(&self, max_paths: usize, max_wildcards: usize) -> Vec<Self> {
        let mut parts = self.chunks(max_paths, max_wildcards);
        if let Some(last) = parts.last_mut() {
            last.caller_reference.clone_from(&self.caller_reference);
        }
        parts
    }

    /// Returns invalidations that together have its items, each with at most `max_paths` items and `max_wildcards`
    /// wildcards, both at least one.
    pub(super) fn chunks(&self, max_paths: usize, max_wildcards: usize) -> Vec<Self> {
        let (wildcards, others): (Vec<_>, Vec<_>) = self.items.iter().cloned().partition(Item::is_wildcard);
        let (mut wildcards, mut others) = (wildcards.as_slice(), others.as_slice());
        let mut parts = Vec::new();
        while !wildcards.is_empty() || !others.is_empty() {
            let (first, further) = wildcards.split_at(wildcards.len().min(max_wildcards.max(1)).min(max_paths.max(1)));
            let room = max_paths.max(1) - first.len();
            let (more, rest) = others.split_at(others.len().min(room));
            (wildcards, others) = (further, rest);
            parts.push(self.with_items([first, more].concat()));
        }
        parts
    }

    /// Returns the invalidation with other items, sorted, and with a caller reference of their own: CloudFront takes one
    /// that was used with other paths for that invalidation.
    #[must_use]
    pub fn with_items(&self, mut items: Vec<Item>) -> Self {
        items.sort_unstable();
        let caller_reference = CallerReference::new(&self.distribution, &items, &self.delivery_digest);
        Self { items, caller_reference, ..self.clone() }
    }

    fn paths(&self) -> impl Iterator<Item = &InvalidationPath> {
        self.items.iter().filter_map(Item::path)
    }

    fn with(&self, paths: Vec<InvalidationPath>, budget: Budget) -> Option<Self> {
        let (items, unchanged_evicted) = collapsed(paths, Objective { budget, evictions_per_path: 0 }, &Heuristic);
        (items != self.items).then(|| Self { unchanged_evicted, budget, ..self.with_items(items) })
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

/// The identity of a delivery, which stays the same when it is retried or redelivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryId<'a> {
    /// An event that the function was invoked with: Lambda's request ID, which is the same on each retry.
    Invocation(&'a str),
    /// Messages of a queue: their IDs, since they may be redelivered in other batches.
    Messages(BTreeSet<&'a str>),
    /// A pipeline action: the ID of its CodePipeline job.
    Job(&'a str),
}

impl DeliveryId<'_> {
    /// Returns a hash of the identity.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        match self {
            DeliveryId::Invocation(id) => TextHash::of(["invocation", id]),
            DeliveryId::Job(id) => TextHash::of(["job", id]),
            DeliveryId::Messages(ids) => TextHash::of(["messages"].into_iter().chain(ids.iter().copied())),
        }
    }
}

/// A SHA-256 hash of texts. Each is preceded by its length, so different lists never hash the same bytes.
#[derive(Default)]
pub(super) struct TextHash(Sha256);

impl TextHash {
    pub(super) fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> [u8; 32] {
        let mut hash = Self::default();
        texts.into_iter().for_each(|text| hash.part(text));
        hash.0.finalize().into()
    }

    fn part(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text);
    }
}

/// The caller reference of an invalidation, which makes `CreateInvalidation` idempotent: a repeated request creates and
/// bills no second invalidation.
///
/// It is a hash of the distribution, the final items and the identity of the delivery. It never depends on the clock or
/// on an event's content: test events repeat their content, and CloudFront creates no invalidation for a reference that
/// was used before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallerReference(String);

impl CallerReference {
    pub(crate) fn new(distribution: &DistributionId, items: &[Item], delivery_digest: &[u8; 32]) -> Self {
        let mut hash = TextHash::default();
        hash.0.update(delivery_digest);
        hash.part(distribution.as_str());
        for item in items {
            hash.part(item.as_str());
        }
        let mut reference = String::with_capacity(64);
        for byte in hash.0.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(reference, "{byte:02x}");
        }
        Self(reference)
    }

    /// Returns the reference: 64 hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The number of paths per dollar, beyond the free ones.
pub const PATHS_PER_DOLLAR: f64 = 200.0;

/// The number of free paths per month and account.
pub const FREE_PATHS_PER_MONTH: usize = 1000;

/// Returns the price of `paths` paths in US dollars, beyond the free ones.
#[must_use]
pub fn price_usd(paths: usize) -> f64 {
    f64::from(u32::try_from(paths).unwrap_or(u32::MAX)) / PATHS_PER_DOLLAR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_hashed_with_their_lengths() {
        let items = |paths: &[&str]| paths.iter().map(|path| Item::named(path).unwrap()).collect::<Vec<_>>();
        let id = |text| DistributionId::new(text).unwrap();
        let messages = |ids: &[&'static str]| DeliveryId::Messages(ids.iter().copied().collect());
        let reference = |id: &DistributionId, items: &[Item], delivery_id: DeliveryId<'_>| {
            CallerReference::new(id, items, &delivery_id.digest())
        };
        let references = [
            reference(&id("E1"), &items(&["/a/b"]), DeliveryId::Invocation("r")),
            reference(&id("E1"), &items(&["/a", "/b"]), DeliveryId::Invocation("r")),
            reference(&id("E1"), &items(&["/a/b"]), DeliveryId::Invocation("rE")),
            reference(&id("EE1"), &items(&["/a/b"]), DeliveryId::Invocation("r")),
            reference(&id("E1"), &items(&["/a/b"]), DeliveryId::Job("r")),
            reference(&id("E1"), &items(&["/a/b"]), messages(&["r"])),
            reference(&id("E1"), &items(&["/a/b"]), messages(&["r", "s"])),
            reference(&id("E1"), &items(&["/a/b"]), messages(&["rs"])),
        ];
        let different: BTreeSet<_> = references.iter().map(CallerReference::as_str).collect();
        assert_eq!(different.len(), references.len());
    }
}

#[cfg(test)]
mod price_tests {
    use super::*;

    #[test]
    fn a_thousand_paths_are_five_dollars() {
        for (paths, price) in [(0, "0"), (1, "0.005"), (7, "0.035"), (247, "1.235"), (1000, "5")] {
            assert_eq!(price_usd(paths).to_string(), price);
        }
    }
}

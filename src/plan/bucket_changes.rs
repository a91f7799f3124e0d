//! The changes of one bucket that a mapping serves, shared by distributions with the same mapping.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::TextHash;
use crate::change::{Batch, Bucket};
use crate::path::{BucketOptions, InvalidationPath, Mapping, NotServed};

/// How many paths are collected before the first deduplication.
const DEDUPLICATE_ABOVE: usize = 4096;

/// The changes of a bucket that a mapping serves.
///
/// The paths are not stored but computed again when needed, so only one list of paths exists at a time, however many
/// distributions there are.
#[derive(Debug)]
pub(super) struct BucketChanges<'d> {
    pub(super) bucket: &'d Bucket,
    mapping: &'d Mapping,
    /// The maximum number of paths in the bucket's tag.
    pub(super) max_paths: Option<NonZeroUsize>,
    /// The indices in the batch of the changes that the mapping serves, ascending.
    pub(super) changes: Arc<[usize]>,
    /// The number of distinct paths of the changes.
    pub(super) paths: usize,
    /// A hash of the paths.
    digest: [u8; 32],
}

/// Whether any of its bucket's mappings serves a change, or may do so; if none does, the reason.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ServedState {
    pub(super) is_served: bool,
    pub(super) not_served: Option<NotServed>,
}

impl<'d> BucketChanges<'d> {
    /// Maps the bucket's changes at `indices`, and updates their `states`.
    ///
    /// Also returns the changes that a stale mapping does not serve. They are to fail, not to be skipped: a stale
    /// config is good enough to invalidate too much, but a change skipped by mistake would never be redelivered.
    pub(super) fn new(
        (bucket, options, mapping): (&'d Bucket, &BucketOptions, &'d Mapping),
        batch: &Batch,
        indices: &Arc<[usize]>,
        states: &mut [ServedState],
    ) -> (Self, Arc<[usize]>) {
        let (mut changes, mut config_unavailable) = (Vec::new(), Vec::new());
        let mut paths = PathSet::default();
        for (&index, state) in indices.iter().zip(states) {
            match batch.changes.get(index).map(|change| mapping.paths(&change.key)) {
                Some(Ok(more)) => {
                    state.is_served = true;
                    changes.push(index);
                    paths.extend(more);
                }
                Some(Err(_)) if mapping.is_stale() => {
                    state.is_served = true;
                    config_unavailable.push(index);
                }
                // The greatest reason is reported, see `NotServed`.
                Some(Err(reason)) => state.not_served = state.not_served.max(Some(reason)),
                None => {}
            }
        }
        let paths = paths.sorted();
        let digest = TextHash::of(paths.iter().map(InvalidationPath::as_str));
        let changes = if changes.len() == indices.len() { Arc::clone(indices) } else { changes.into() };
        (
            Self { bucket, mapping, max_paths: options.max_paths, changes, paths: paths.len(), digest },
            config_unavailable.into(),
        )
    }

    /// Whether both have the same changes with the same paths.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest && self.changes == other.changes
    }
}

/// Returns the paths of these bucket changes, sorted and deduplicated.
pub(super) fn paths<'s>(
    all_bucket_changes: impl IntoIterator<Item = &'s BucketChanges<'s>>,
    batch: &Batch,
) -> Vec<InvalidationPath> {
    let mut paths = PathSet::default();
    for bucket_changes in all_bucket_changes {
        for change in bucket_changes.changes.iter().filter_map(|&index| batch.changes.get(index)) {
            paths.extend(bucket_changes.mapping.paths(&change.key).unwrap_or_default());
        }
    }
    paths.sorted()
}

/// A set of paths that stays small when the same paths are added often.
#[derive(Debug, Default)]
struct PathSet {
    paths: Vec<InvalidationPath>,
    /// The number of paths after the last deduplication.
    distinct: usize,
}

impl PathSet {
    fn extend(&mut self, more: Vec<InvalidationPath>) {
        self.paths.extend(more);
        // Sorting again only once the list has doubled keeps the total cost at about that of one or two full sorts.
        if self.paths.len() >= DEDUPLICATE_ABOVE + 2 * self.distinct {
            self.deduplicate();
        }
    }

    fn deduplicate(&mut self) {
        self.paths.sort_unstable();
        self.paths.dedup();
        self.distinct = self.paths.len();
    }

    fn sorted(mut self) -> Vec<InvalidationPath> {
        self.deduplicate();
        self.paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_paths_are_deduplicated_early() {
        let path = |n: usize| InvalidationPath::parse(&format!("/{n}")).unwrap();
        let mut set = PathSet::default();
        for n in 0..100_000 {
            set.extend(vec![path(n % 7)]);
            assert!(set.paths.len() <= DEDUPLICATE_ABOVE + 2 * 7, "{n}");
        }
        assert_eq!(set.sorted(), (0..7).map(path).collect::<Vec<_>>());
    }
}

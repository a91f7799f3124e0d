//! The changes of one bucket, as distributions show them that show it alike.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::Hash;
use crate::change::{Batch, Bucket};
use crate::path::{BucketOptions, InvalidationPath, Mapping, NotServed};

/// How many paths are gathered before they are looked through for such as occur twice.
const FEW_PATHS: usize = 4096;

/// Changes of a bucket and their paths. The paths are not kept, but made again when they are needed: of all lists of them
/// there is one at a time, however many distributions there are.
#[derive(Debug)]
pub(super) struct BucketChanges<'d> {
    pub(super) bucket: &'d Bucket,
    mapping: &'d Mapping,
    /// The most that the bucket asks for.
    pub(super) max_paths: Option<NonZeroUsize>,
    /// The changes that the view shows, by their place in the batch, ascending.
    pub(super) changes: Arc<[usize]>,
    /// How many different paths they have.
    pub(super) paths: usize,
    /// A hash of the paths.
    digest: [u8; 32],
}

/// Whether a change is seen through any of its bucket's views.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ServedState {
    pub(super) is_served: bool,
    pub(super) not_served: Option<NotServed>,
}

impl<'d> BucketChanges<'d> {
    /// What a view shows of the bucket's changes at `indices`, and notes it for each of them. With it the changes that an old
    /// view does not show, of which nothing is known therefore: what old settings say is good for sending too much, and not
    /// for ignoring what never comes again.
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
                Some(Err(reason)) => state.not_served = state.not_served.max(Some(reason)),
                None => {}
            }
        }
        let paths = paths.sorted();
        let digest = Hash::of(paths.iter().map(InvalidationPath::as_str));
        let changes = if changes.len() == indices.len() { Arc::clone(indices) } else { changes.into() };
        (
            Self { bucket, mapping, max_paths: options.max_paths, changes, paths: paths.len(), digest },
            config_unavailable.into(),
        )
    }

    /// Whether these are the same paths of the same changes of a bucket.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest && self.changes == other.changes
    }
}

/// The paths of these strands, sorted, each once.
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

/// Paths, of which those that occur often do not pile up.
#[derive(Debug, Default)]
struct PathSet {
    paths: Vec<InvalidationPath>,
    /// How many there were when they were last looked through.
    different: usize,
}

impl PathSet {
    fn extend(&mut self, more: Vec<InvalidationPath>) {
        self.paths.extend(more);
        // Twice as many as last time, so that this costs no more than sorting them all once or twice.
        if self.paths.len() >= FEW_PATHS + 2 * self.different {
            self.deduplicate();
        }
    }

    fn deduplicate(&mut self) {
        self.paths.sort_unstable();
        self.paths.dedup();
        self.different = self.paths.len();
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
    fn repeated_paths_do_not_pile_up() {
        let path = |n: usize| InvalidationPath::parse(&format!("/{n}")).unwrap();
        let mut set = PathSet::default();
        for n in 0..100_000 {
            set.extend(vec![path(n % 7)]);
            assert!(set.paths.len() <= FEW_PATHS + 2 * 7, "{n}");
        }
        assert_eq!(set.sorted(), (0..7).map(path).collect::<Vec<_>>());
    }
}

//! Assigns the changes of a batch to distributions, and records the outcome of each change.
//!
//! Many distributions can serve one bucket, most of them with the same mapping. They share one [`Assignment`].

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::invalidation::TextHash;
use crate::change::text::excerpt;
use crate::change::{Batch, Bucket, BucketName, DistributionId};
use crate::path::{BucketOptions, InvalidationPath, Mapping, NotServed};

/// The result of looking up a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The bucket is tagged with distributions.
    Served {
        /// The bucket's options.
        options: Arc<BucketOptions>,
        /// The mapping of each distribution; `None` if its config is unavailable, so that no URL is known.
        mappings: Vec<(DistributionId, Option<Mapping>)>,
    },
    /// The bucket does not have the tag that names a distribution.
    Untagged,
    /// The bucket's tags could not be read or are invalid.
    Failed,
}

/// The resolution of each bucket.
pub type Resolutions = BTreeMap<Bucket, Resolution>;

/// The changes of a batch, assigned to distributions.
#[derive(Debug)]
pub struct AssignedBatch<'d> {
    /// The assignments. Each distribution is in at most one.
    pub assignments: Vec<Assignment<'d>>,
    /// The outcomes of the changes that are skipped or failed. The changes of an assignment get another one once their
    /// invalidation is sent.
    pub outcomes: Outcomes,
    /// The changes per bucket that failed because its tags are unavailable, by index in the batch.
    pub tags_unavailable: BTreeMap<&'d Bucket, Vec<usize>>,
    /// The changes per distribution that failed because its config is unavailable, or is stale and does not serve them,
    /// by index in the batch.
    pub config_unavailable: BTreeMap<&'d DistributionId, Vec<usize>>,
}

/// Distributions that serve the buckets of a batch with the same mappings, and the changes to invalidate in each of
/// them.
#[derive(Debug)]
pub struct Assignment<'d> {
    /// The distributions, sorted.
    pub distributions: Vec<&'d DistributionId>,
    /// The mapping of each of their buckets, also of those without a change that they serve.
    pub mappings: Vec<BucketMapping<'d>>,
    /// The changes, by index in the batch, ascending. Not empty.
    pub changes: Arc<[usize]>,
    /// The number of their paths. A path that two buckets share counts twice.
    pub path_count: usize,
    /// A hash of the paths.
    pub digest: [u8; 32],
}

/// How a distribution maps one bucket, and which of the bucket's changes it serves.
///
/// The paths are not stored but computed again when needed, so only one list of paths exists at a time, however many
/// distributions there are.
#[derive(Clone, Debug)]
pub struct BucketMapping<'d> {
    /// The bucket.
    pub bucket: &'d Bucket,
    /// The mapping.
    pub mapping: &'d Mapping,
    /// The changes that the mapping serves, by index in the batch, ascending.
    pub changes: Arc<[usize]>,
    /// The changes that a stale mapping does not serve. They fail and are not skipped: a stale config is good enough to
    /// invalidate too much, but a change skipped by mistake would never be redelivered.
    unknown: Vec<usize>,
    max_paths: Option<NonZeroUsize>,
    path_count: usize,
    digest: [u8; 32],
}

/// Determines for each change which distributions to invalidate, or why none.
#[must_use]
pub fn assign<'d>(batch: &'d Batch, resolutions: &'d Resolutions) -> AssignedBatch<'d> {
    let mut outcomes = Outcomes::new(batch.changes.len());
    let mut tags_unavailable = BTreeMap::new();
    let mut config_unavailable: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut mappings: Vec<BucketMapping<'_>> = Vec::new();
    // The indices of the mappings of each distribution.
    let mut by_distribution: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (name, mut changes) in changes_by_bucket(batch) {
        let (bucket, options, of_bucket) = match resolutions.get_key_value(name) {
            Some((bucket, Resolution::Served { options, mappings })) => (bucket, options, mappings),
            Some((_, Resolution::Untagged)) => {
                outcomes.join(&changes, SkipReason::BucketNotTagged { bucket: name.name.to_string() });
                continue;
            }
            Some((_, Resolution::Failed)) | None => {
                outcomes.join(&changes, Outcome::Failed);
                tags_unavailable.insert(name, changes);
                continue;
            }
        };
        changes.retain(|&change| {
            let rule = batch.changes.get(change).and_then(|it| options.ignore_rule(&it.key));
            if let Some(rule) = rule {
                let (bucket, rule) = (bucket.name.to_string(), excerpt(rule));
                outcomes.join(&[change], SkipReason::Ignored { bucket, rule });
            }
            rule.is_none()
        });
        if changes.is_empty() {
            continue;
        }
        let changes: Arc<[_]> = changes.into();
        let first = mappings.len();
        for (distribution, mapping) in of_bucket {
            let Some(mapping) = mapping else {
                // Without a config the distribution may serve them all.
                outcomes.join(&changes, Outcome::Failed);
                config_unavailable.entry(distribution).or_default().extend(&*changes);
                continue;
            };
            let known = mappings.iter().skip(first).position(|it| it.mapping == mapping);
            let index = known.map_or(mappings.len(), |offset| first + offset);
            if known.is_none() {
                mappings.push(BucketMapping::new(bucket, options, mapping, batch, &changes, &mut outcomes));
            }
            by_distribution.entry(distribution).or_default().push(index);
            if let Some(BucketMapping { unknown, .. }) = mappings.get(index)
                && !unknown.is_empty()
            {
                config_unavailable.entry(distribution).or_default().extend(unknown);
            }
        }
    }
    let mut by_mappings: BTreeMap<Vec<usize>, Vec<_>> = BTreeMap::new();
    for (distribution, indices) in by_distribution {
        by_mappings.entry(indices).or_default().push(distribution);
    }
    let assignments = by_mappings.into_iter().map(|(indices, distributions)| {
        Assignment::new(distributions, indices.iter().filter_map(|&index| mappings.get(index)).cloned().collect())
    });
    let assignments = assignments.filter(|it| !it.changes.is_empty()).collect();
    AssignedBatch { assignments, outcomes, tags_unavailable, config_unavailable }
}

fn changes_by_bucket(batch: &Batch) -> BTreeMap<&Bucket, Vec<usize>> {
    let mut by_bucket: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (index, change) in batch.changes.iter().enumerate() {
        by_bucket.entry(&change.bucket).or_default().push(index);
    }
    by_bucket
}

impl<'d> BucketMapping<'d> {
    /// Maps the bucket's `changes`, and records the outcomes of those that the mapping does not serve.
    fn new(
        bucket: &'d Bucket,
        options: &BucketOptions,
        mapping: &'d Mapping,
        batch: &Batch,
        changes: &Arc<[usize]>,
        outcomes: &mut Outcomes,
    ) -> Self {
        let (mut served, mut unknown, mut paths) = (Vec::new(), Vec::new(), PathSet::default());
        let mut not_served: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for &index in &**changes {
            match batch.changes.get(index).map(|change| mapping.paths(&change.key)) {
                Some(Ok(more)) => {
                    served.push(index);
                    paths.extend(more);
                }
                Some(Err(_)) if mapping.is_stale => unknown.push(index),
                Some(Err(reason)) => not_served.entry(reason).or_default().push(index),
                None => {}
            }
        }
        for (reason, changes) in not_served {
            let bucket = bucket.name.to_string();
            outcomes.join(
                &changes,
                match reason {
                    NotServed::OutsideOriginPath => SkipReason::OutsideOriginPath { bucket },
                    NotServed::OtherOrigin => SkipReason::OtherOrigin { bucket },
                    NotServed::NotCached => SkipReason::NotCached { bucket },
                },
            );
        }
        outcomes.join(&unknown, Outcome::Failed);
        let paths = paths.sorted();
        Self {
            bucket,
            mapping,
            changes: if served.len() == changes.len() { Arc::clone(changes) } else { served.into() },
            unknown,
            max_paths: options.max_paths,
            path_count: paths.len(),
            digest: TextHash::of(paths.iter().map(InvalidationPath::as_str)),
        }
    }
}

impl<'d> Assignment<'d> {
    fn new(distributions: Vec<&'d DistributionId>, mappings: Vec<BucketMapping<'d>>) -> Self {
        let serving: Vec<_> = mappings.iter().filter(|it| !it.changes.is_empty()).collect();
        let changes = if let [only] = serving.as_slice() {
            Arc::clone(&only.changes)
        } else {
            let mut changes: Vec<_> = serving.iter().flat_map(|it| it.changes.iter().copied()).collect();
            changes.sort_unstable();
            changes.into()
        };
        let digests: Vec<_> = serving.iter().map(|it| it.digest).collect();
        let path_count = serving.iter().map(|it| it.path_count).sum();
        let digest = Sha256::digest(digests.as_flattened()).into();
        Self { distributions, mappings, changes, path_count, digest }
    }

    /// Returns the paths of the changes, sorted and deduplicated.
    #[must_use]
    pub fn paths(&self, batch: &Batch) -> Vec<InvalidationPath> {
        let mut paths = PathSet::default();
        for BucketMapping { mapping, changes, .. } in &self.mappings {
            for change in changes.iter().filter_map(|&index| batch.changes.get(index)) {
                paths.extend(mapping.paths(&change.key).unwrap_or_default());
            }
        }
        paths.sorted()
    }

    /// Returns the most paths that the invalidation may have: `limit`, or less if a bucket's tag says so.
    #[must_use]
    pub fn max_paths(&self, limit: NonZeroUsize) -> NonZeroUsize {
        self.serving().filter_map(|it| it.max_paths).fold(limit, NonZeroUsize::min)
    }

    /// Returns the changes of which viewers may also request other URLs, by index in the batch.
    pub fn changes_with_uncertain_urls(&self) -> impl Iterator<Item = usize> {
        self.serving().filter(|it| it.mapping.are_urls_uncertain).flat_map(|it| it.changes.iter().copied())
    }

    /// Returns the buckets of the changes, sorted by name.
    #[must_use]
    pub fn buckets(&self) -> Vec<BucketName> {
        let mut buckets: Vec<_> = self.serving().map(|it| it.bucket.name.clone()).collect();
        buckets.dedup();
        buckets
    }

    /// The mappings that the distribution config settles, and of which the keys below a URL are known.
    pub(super) fn countable(&self) -> impl Iterator<Item = &BucketMapping<'d>> {
        self.mappings.iter().filter(|it| it.mapping.is_conclusive() && it.mapping.is_invertible())
    }

    fn serving(&self) -> impl Iterator<Item = &BucketMapping<'d>> {
        self.mappings.iter().filter(|it| !it.changes.is_empty())
    }
}

/// How many paths are collected before the first deduplication.
const DEDUPLICATE_ABOVE: usize = 4096;

/// A set of paths that stays small when the same paths are added often.
#[derive(Default)]
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
            self.paths = std::mem::take(self).sorted();
            self.distinct = self.paths.len();
        }
    }

    fn sorted(mut self) -> Vec<InvalidationPath> {
        self.paths.sort_unstable();
        self.paths.dedup();
        self.paths
    }
}

/// The outcome of a change. Of its outcomes in several distributions the greatest counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It needs no invalidation. Of several reasons the greatest counts.
    Skipped(Arc<SkipReason>),
    /// CloudFront accepted an invalidation that covers it.
    Invalidated,
    /// The function's own queue has accepted it, and delivers it again.
    Queued,
    /// It is reported to its sender as failed.
    Failed,
}

impl From<SkipReason> for Outcome {
    fn from(reason: SkipReason) -> Self {
        Self::Skipped(Arc::new(reason))
    }
}

/// The outcomes of a batch's changes, by index. A change without an outcome counts as failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcomes(Vec<Option<Outcome>>);

impl Outcomes {
    /// No outcomes yet, for this number of changes.
    #[must_use]
    pub fn new(changes: usize) -> Self {
        Self(vec![None; changes])
    }

    /// Joins `outcome` to those that these changes already have.
    pub fn join(&mut self, changes: &[usize], outcome: impl Into<Outcome>) {
        // `None`, no outcome yet, is less than any.
        let outcome = Some(outcome.into());
        for &change in changes {
            if let Some(joined) = self.0.get_mut(change)
                && *joined < outcome
            {
                joined.clone_from(&outcome);
            }
        }
    }

    /// Returns the outcome of every change.
    pub fn iter(&self) -> impl Iterator<Item = &Outcome> {
        self.0.iter().map(|outcome| outcome.as_ref().unwrap_or(&Outcome::Failed))
    }

    /// Returns whether it is known already that this change failed.
    #[must_use]
    pub fn has_failed(&self, change: usize) -> bool {
        matches!(self.0.get(change), Some(Some(Outcome::Failed)))
    }

    /// Returns whether any of these changes failed, or has no outcome.
    #[must_use]
    pub fn any_failed(&self, changes: Range<usize>) -> bool {
        let outcomes = self.0.get(changes).unwrap_or_default();
        outcomes.iter().any(|outcome| outcome.as_ref().is_none_or(|outcome| *outcome == Outcome::Failed))
    }
}

/// Why a change is skipped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum SkipReason {
    /// The bucket does not have the tag that names a distribution.
    BucketNotTagged {
        /// The bucket.
        bucket: String,
    },
    /// The key is outside every origin path under which the distributions serve the bucket.
    OutsideOriginPath {
        /// The bucket.
        bucket: String,
    },
    /// Requests for the object's URLs go to other origins of the distribution.
    OtherOrigin {
        /// The bucket.
        bucket: String,
    },
    /// No behavior that may serve the object's URLs caches anything.
    NotCached {
        /// The bucket.
        bucket: String,
    },
    /// The bucket's tag `invalidation:ignore` names a folder that the key lies in, or a suffix that it ends with.
    Ignored {
        /// The bucket.
        bucket: String,
        /// The folder with its slash, or the suffix.
        rule: String,
    },
    /// The event does not change an object's content.
    NotAContentChange {
        /// The name of the event.
        event_name: String,
    },
    /// `DRY_RUN` is on.
    DryRun,
    /// The test event that S3 sends when an event notification is configured. It concerns no object.
    TestEvent,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::change::{Change, ObjectKey};
    use crate::collapse::{Budget, Objective};
    use crate::path::{DirectoryUrls, IndexDocuments};
    use crate::plan::{DeliveryId, ListedKeys, plan_changes};

    const ONE: NonZeroUsize = NonZeroUsize::new(1).unwrap();
    const OBJECTIVE: Objective =
        Objective { budget: Budget { max_paths: ONE, max_wildcards: ONE }, evictions_per_path: 0 };

    fn mapping(
        bucket: &Bucket,
        options: &BucketOptions,
        query_strings: bool,
        directory_urls: DirectoryUrls,
    ) -> Mapping {
        let (query_strings, directory_urls) = (Some(query_strings), Some(directory_urls));
        Mapping::new(bucket, &BucketOptions { directory_urls, query_strings, ..options.clone() }, None)
    }

    /// Twelve distributions: half include query strings in the cache key, and half use `DirectoryUrls::Both`, which
    /// changes nothing here, since there are no index documents.
    #[test]
    fn shared_work_is_done_once() {
        let bucket = Bucket { name: BucketName::new("site").unwrap(), region: None };
        let ids: Vec<_> = (0..12).map(|n| format!("E{n:02}")).collect();
        let options = Arc::new(BucketOptions {
            distributions: DistributionId::parse_tag(&ids.join(" ")).unwrap(),
            origin_path: None,
            index_documents: IndexDocuments::Default(Vec::new()),
            directory_urls: None,
            urls: None,
            query_strings: None,
            max_paths: None,
            ignored: Vec::new(),
        });
        let directory_urls = [DirectoryUrls::Slash, DirectoryUrls::Both];
        let numbered = options.distributions.iter().enumerate();
        let mappings =
            numbered.map(|(n, id)| (id.clone(), Some(mapping(&bucket, &options, n % 2 == 0, directory_urls[n / 6]))));
        let resolutions =
            [(bucket.clone(), Resolution::Served { options: options.clone(), mappings: mappings.collect() })].into();
        let change = |n: usize| Change { bucket: bucket.clone(), key: ObjectKey::new(&format!("a/{n}")).unwrap() };
        let batch = Batch { changes: (0..100).map(change).collect(), ..Batch::default() };

        let AssignedBatch { assignments, .. } = assign(&batch, &resolutions);
        assert_eq!(assignments.len(), 4, "one for all with the same mapping");
        assert!(assignments.iter().all(|it| it.path_count == 100 && it.distributions.len() == 3));
        let digests: BTreeSet<_> = assignments.iter().map(|it| it.digest).collect();
        assert_eq!(digests.len(), 2, "with and without query strings");
        let [one, others @ ..] = assignments.as_slice() else { panic!("four") };
        assert!(others.iter().all(|other| Arc::ptr_eq(&one.changes, &other.changes)), "one list of changes");
        let invalidations =
            plan_changes(&batch, &assignments, &ListedKeys::default(), OBJECTIVE, &DeliveryId::Job("1"));
        assert_eq!(invalidations.len(), 12);
        for invalidation in &invalidations {
            assert_eq!(invalidation.items.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/a/*"]);
            assert!(Arc::ptr_eq(&invalidation.changes, &invalidations[0].changes));
        }
    }

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

#[cfg(test)]
mod outcome_tests {
    use super::*;

    #[test]
    fn the_greatest_outcome_of_a_change_counts() {
        let outside = || SkipReason::OutsideOriginPath { bucket: "site".into() };
        let other = || SkipReason::OtherOrigin { bucket: "site".into() };
        let mut outcomes = Outcomes::new(5);
        outcomes.join(&[0, 1, 2, 3], other());
        outcomes.join(&[0, 1, 2, 3], outside());
        outcomes.join(&[1, 2, 3], Outcome::Invalidated);
        outcomes.join(&[2, 3], Outcome::Queued);
        outcomes.join(&[3], Outcome::Failed);
        outcomes.join(&[3], Outcome::Invalidated);
        outcomes.join(&[99], Outcome::Invalidated);
        let expected = [other().into(), Outcome::Invalidated, Outcome::Queued, Outcome::Failed, Outcome::Failed];
        assert!(outcomes.iter().eq(&expected), "{outcomes:?}");
        assert!(outcomes.any_failed(2..4) && !outcomes.any_failed(0..3) && !outcomes.any_failed(3..3));
    }
}

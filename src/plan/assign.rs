//! Assigns the changes of a batch to distributions.
//!
//! Distributions that need the same paths for the same changes are grouped. What needs no invalidation or cannot be
//! resolved is recorded in the plan.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::assignment::{AssignedChanges, Assignment, DistributionGroup};
use super::bucket_changes::{BucketChanges, ServedState};
use super::{Plan, Resolution, Resolutions};
use crate::change::{Batch, Bucket, DistributionId};
use crate::path::{BucketOptions, Mapping};

/// A distribution's bucket changes, by index, and the numbers of its mappings, counted over all buckets.
#[derive(Default)]
struct DistributionChanges {
    all_bucket_changes: Vec<usize>,
    mappings: Vec<usize>,
    /// The changes whose mapping is not known, because the distribution config is unavailable.
    config_unavailable: Vec<Arc<[usize]>>,
}

/// A bucket's options, its mappings by distribution, and the indices of its changes in the batch.
struct ServedBucket<'d> {
    options: &'d BucketOptions,
    mappings: &'d [(DistributionId, Option<Mapping>)],
    indices: Vec<usize>,
}

/// A mapping of a bucket, the index of the bucket changes that it serves, if any, and the changes whose mapping is not
/// known.
struct MappedChanges<'d> {
    mapping: &'d Option<Mapping>,
    bucket_changes: Option<usize>,
    config_unavailable: Arc<[usize]>,
}

/// Determines for each change which distributions to invalidate, or why none.
#[must_use]
pub fn assign<'d>(batch: &Batch, resolutions: &'d Resolutions) -> Assignment<'d> {
    let mut plan = Plan::default();
    let mut all_bucket_changes: Vec<BucketChanges<'d>> = Vec::new();
    let mut by_distribution: BTreeMap<&'d DistributionId, DistributionChanges> = BTreeMap::new();
    let mut mappings_before = 0;
    for (bucket, ServedBucket { options, mappings, indices }) in changes_by_bucket(batch, resolutions, &mut plan) {
        let indices: Arc<[usize]> = indices.into();
        let mut states = vec![ServedState::default(); indices.len()];
        let bucket_changes_before = all_bucket_changes.len();
        let mut mapped: Vec<MappedChanges<'_>> = Vec::new();
        for (distribution, mapping) in mappings {
            let number = mapped.iter().position(|it| it.mapping == mapping).unwrap_or_else(|| {
                let (bucket_changes, config_unavailable) = if let Some(mapping) = mapping {
                    let (bucket_changes, config_unavailable) =
                        BucketChanges::new((bucket, options, mapping), batch, &indices, &mut states);
                    let is_any = !bucket_changes.changes.is_empty();
                    (
                        is_any.then(|| index_of(bucket_changes, bucket_changes_before, &mut all_bucket_changes)),
                        config_unavailable,
                    )
                } else {
                    for state in &mut states {
                        state.is_served = true;
                    }
                    (None, Arc::clone(&indices))
                };
                mapped.push(MappedChanges { mapping, bucket_changes, config_unavailable });
                mapped.len() - 1
            });
            let by_distribution = by_distribution.entry(distribution).or_default();
            by_distribution.mappings.push(mappings_before + number);
            if let Some(mapped) = mapped.get(number) {
                by_distribution.all_bucket_changes.extend(mapped.bucket_changes);
                by_distribution
                    .config_unavailable
                    .extend((!mapped.config_unavailable.is_empty()).then(|| Arc::clone(&mapped.config_unavailable)));
            }
        }
        mappings_before += mapped.len();
        for reason in states.iter().filter(|state| !state.is_served).filter_map(|state| state.not_served) {
            *plan.not_served.entry((bucket.clone(), reason)).or_default() += 1;
        }
    }
    let mut groups: BTreeMap<Vec<usize>, BTreeMap<Vec<usize>, Vec<&DistributionId>>> = BTreeMap::new();
    for (distribution, DistributionChanges { all_bucket_changes, mappings, config_unavailable }) in by_distribution {
        if !config_unavailable.is_empty() {
            plan.config_unavailable.insert(distribution.clone(), joined(&config_unavailable));
        }
        if !all_bucket_changes.is_empty() {
            groups.entry(all_bucket_changes).or_default().entry(mappings).or_default().push(distribution);
        }
    }
    let group = |(numbers, distributions): (Vec<usize>, _)| {
        let all_bucket_changes = || numbers.iter().filter_map(|&number| all_bucket_changes.get(number));
        let assigned = AssignedChanges {
            paths: all_bucket_changes().map(|bucket_changes| bucket_changes.paths).sum(),
            changes: joined(all_bucket_changes().map(|bucket_changes| &bucket_changes.changes)),
            buckets: all_bucket_changes().map(|bucket_changes| bucket_changes.bucket.name.clone()).collect(),
            max_paths: all_bucket_changes().filter_map(|bucket_changes| bucket_changes.max_paths).min(),
        };
        DistributionGroup { assigned, all_bucket_changes: numbers, distributions }
    };
    let groups = groups.into_iter().map(group).collect();
    Assignment { plan, all_bucket_changes, groups }
}

/// Returns the buckets that distributions serve, with their changes. All other changes are recorded in the plan.
fn changes_by_bucket<'d>(
    batch: &Batch,
    resolutions: &'d Resolutions,
    plan: &mut Plan,
) -> BTreeMap<&'d Bucket, ServedBucket<'d>> {
    let mut by_distribution: BTreeMap<&'d Bucket, ServedBucket<'d>> = BTreeMap::new();
    for (index, change) in batch.changes.iter().enumerate() {
        let (bucket, options, mappings) = match resolutions.get_key_value(&change.bucket) {
            Some((bucket, Resolution::Served { options, mappings })) => (bucket, options, mappings),
            Some((_, Resolution::Untagged)) => {
                *plan.untagged.entry(change.bucket.clone()).or_default() += 1;
                continue;
            }
            Some((_, Resolution::Failed)) | None => {
                plan.tags_unavailable.entry(change.bucket.clone()).or_default().push(index);
                continue;
            }
        };
        if let Some(suffix) = options.ignored_suffix(&change.key) {
            *plan.ignored_suffix.entry((change.bucket.clone(), suffix.to_owned())).or_default() += 1;
            continue;
        }
        by_distribution
            .entry(bucket)
            .or_insert_with(|| ServedBucket { options, mappings, indices: Vec::new() })
            .indices
            .push(index);
    }
    by_distribution
}

/// Adds bucket changes and returns their index, or that of equal ones from index `first` on.
fn index_of<'d>(
    bucket_changes: BucketChanges<'d>,
    first: usize,
    all_bucket_changes: &mut Vec<BucketChanges<'d>>,
) -> usize {
    if let Some(like) = all_bucket_changes.iter().skip(first).position(|it| it.is_same(&bucket_changes)) {
        return first + like;
    }
    all_bucket_changes.push(bucket_changes);
    all_bucket_changes.len() - 1
}

/// Merges lists of change indices, in ascending order. A single non-empty list is shared, not copied.
fn joined<'l>(lists: impl IntoIterator<Item = &'l Arc<[usize]>>) -> Arc<[usize]> {
    let lists: Vec<_> = lists.into_iter().filter(|list| !list.is_empty()).collect();
    if let [list] = lists.as_slice() {
        return Arc::clone(list);
    }
    let mut indices: Vec<_> = lists.into_iter().flat_map(|list| list.iter().copied()).collect();
    indices.sort_unstable();
    indices.into()
}

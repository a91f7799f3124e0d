//! Assigns the changes of a batch to distributions, and makes the plan of the changes assigned to each.
//!
//! What needs no invalidation or cannot be resolved is recorded in the plan.
//!
//! Many distributions can serve one bucket, most of them with the same mapping. Shared work is done once: the paths for
//! distributions with the same bucket changes, and the collapse for those of them with the same cost model.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::bucket_changes::{BucketChanges, ServedState, paths};
use super::invalidation::collapsed;
use super::{CallerReference, DeliveryDigest, DeliveryId, Invalidation, Plan};
use crate::change::{Batch, Bucket, BucketName, DistributionId};
use crate::collapse::{Budget, CostModel, Heuristic, Objective};
use crate::path::{BucketOptions, InvalidationPath, Mapping};

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
pub struct Assignment<'d> {
    /// What the assignment has determined; the invalidations are still missing.
    partial_plan: Plan,
    all_bucket_changes: Vec<BucketChanges<'d>>,
    groups: Vec<DistributionGroup<'d>>,
}

/// Distributions that are assigned the same changes with the same paths.
#[derive(Debug)]
struct DistributionGroup<'d> {
    assigned: AssignedChanges,
    /// The indices of their bucket changes.
    bucket_changes_indices: Vec<usize>,
    /// The distributions, by the IDs of their mappings.
    distributions: BTreeMap<Vec<usize>, Vec<&'d DistributionId>>,
}

/// The changes assigned to a distribution.
#[derive(Debug)]
pub struct AssignedChanges {
    /// The number of paths of the changes. A path that two buckets share counts twice.
    pub paths: usize,
    /// The indices of the changes in the batch, ascending.
    pub changes: Arc<[usize]>,
    pub(super) buckets: BTreeSet<BucketName>,
    /// The smallest maximum of paths among the contributing buckets' tags.
    max_paths: Option<NonZeroUsize>,
}

impl AssignedChanges {
    /// Returns the most paths that the invalidation may have. A bucket's tag can lower the budget, but never raise it.
    #[must_use]
    pub fn max_paths(&self, budget: Budget) -> NonZeroUsize {
        self.max_paths.map_or(budget.max_paths, |most| most.min(budget.max_paths))
    }
}

impl Assignment<'_> {
    /// Returns, for each set of distributions that share bucket changes and mappings, one of them with its assigned
    /// changes.
    pub fn distributions(&self) -> impl Iterator<Item = (&DistributionId, &AssignedChanges)> {
        self.groups.iter().flat_map(|group| {
            let each = group.distributions.values().filter_map(|same_mapping| same_mapping.first());
            each.map(|distribution| (*distribution, &group.assigned))
        })
    }

    /// Plans the invalidations.
    ///
    /// `delivery_id` identifies the delivery; where the batch has messages, the IDs of those that contributed are used
    /// instead. `model` returns the cost model of a distribution, and is called once for all with the same bucket
    /// changes and mappings. Where it returns `None`, [`Heuristic`] is used.
    #[must_use]
    pub fn plan<M: CostModel>(
        self,
        batch: &Batch,
        objective: Objective,
        delivery_id: &DeliveryId<'_>,
        model: impl Fn(&DistributionId, &[InvalidationPath]) -> Option<M>,
    ) -> Plan {
        let Self { partial_plan: mut plan, all_bucket_changes, groups } = self;
        for DistributionGroup { assigned, bucket_changes_indices, distributions } in groups {
            let budget = Budget { max_paths: assigned.max_paths(objective.budget), ..objective.budget };
            let objective = Objective { budget, ..objective };
            let delivery_id = match batch.messages {
                None => delivery_id.clone(),
                Some(_) => DeliveryId::Messages(
                    assigned.changes.iter().filter_map(|&change| batch.message_of(change)).map(|it| &*it.id).collect(),
                ),
            };
            let delivery_digest = DeliveryDigest::from(&delivery_id);
            let buckets: Vec<_> = assigned.buckets.into_iter().collect();
            let mut paths =
                paths(bucket_changes_indices.iter().filter_map(|&index| all_bucket_changes.get(index)), batch);
            let mut by_heuristic = None;
            let mut remaining = distributions.len();
            for same_mapping in distributions.into_values() {
                remaining -= 1;
                let model = same_mapping.first().and_then(|distribution| model(distribution, &paths));
                let mut take_paths = || if remaining == 0 { mem::take(&mut paths) } else { paths.clone() };
                let (items, unchanged_evicted) = match model {
                    Some(model) => collapsed(take_paths(), objective, &model),
                    None => by_heuristic.get_or_insert_with(|| collapsed(take_paths(), objective, &Heuristic)).clone(),
                };
                plan.invalidations.extend(same_mapping.into_iter().map(|distribution| Invalidation {
                    distribution: distribution.clone(),
                    caller_reference: CallerReference::new(distribution, &items, &delivery_digest),
                    items: items.clone(),
                    unchanged_evicted,
                    buckets: buckets.clone(),
                    changes: Arc::clone(&assigned.changes),
                    budget,
                    delivery_digest: delivery_digest.clone(),
                }));
            }
        }
        plan.invalidations.sort_unstable_by(|one, other| one.distribution.cmp(&other.distribution));
        plan
    }
}

/// What is assigned to one distribution.
#[derive(Default)]
struct DistributionChanges {
    /// The indices of its bucket changes.
    bucket_changes_indices: Vec<usize>,
    /// The IDs of its mappings. They are unique across buckets, so distributions with the same IDs have the same cost
    /// model.
    mapping_ids: Vec<usize>,
    /// The changes whose mapping is not known, because the distribution config is unavailable.
    config_unavailable: Vec<Arc<[usize]>>,
}

/// A bucket's options, its mappings by distribution, and the indices of its changes in the batch.
struct ServedBucket<'d> {
    options: &'d BucketOptions,
    mappings: &'d [(DistributionId, Option<Mapping>)],
    indices: Vec<usize>,
}

/// The changes of a bucket under one of its mappings.
struct MappedChanges<'d> {
    mapping: &'d Option<Mapping>,
    /// The index of the bucket changes that it serves, if any.
    bucket_changes_index: Option<usize>,
    /// The changes that fail, because the distribution config is unavailable, or stale and does not serve them.
    config_unavailable: Arc<[usize]>,
}

/// Determines for each change which distributions to invalidate, or why none.
#[must_use]
pub fn assign<'d>(batch: &Batch, resolutions: &'d Resolutions) -> Assignment<'d> {
    let mut plan = Plan::default();
    let mut all_bucket_changes: Vec<BucketChanges<'d>> = Vec::new();
    let mut by_distribution: BTreeMap<&'d DistributionId, DistributionChanges> = BTreeMap::new();
    let mut first_mapping_id = 0;
    for (bucket, ServedBucket { options, mappings, indices }) in changes_by_bucket(batch, resolutions, &mut plan) {
        let indices: Arc<[usize]> = indices.into();
        let mut states = vec![ServedState::default(); indices.len()];
        let first_index = all_bucket_changes.len();
        let mut mapped: Vec<MappedChanges<'_>> = Vec::new();
        for (distribution, mapping) in mappings {
            let position = mapped.iter().position(|it| it.mapping == mapping).unwrap_or_else(|| {
                let (bucket_changes_index, config_unavailable) = if let Some(mapping) = mapping {
                    let (bucket_changes, config_unavailable) =
                        BucketChanges::new((bucket, options, mapping), batch, &indices, &mut states);
                    let serves_any = !bucket_changes.changes.is_empty();
                    (
                        serves_any.then(|| index_of(bucket_changes, first_index, &mut all_bucket_changes)),
                        config_unavailable,
                    )
                } else {
                    // Without a config the distribution may serve them all: they fail, and are not skipped as not
                    // served.
                    for state in &mut states {
                        state.is_served = true;
                    }
                    (None, Arc::clone(&indices))
                };
                mapped.push(MappedChanges { mapping, bucket_changes_index, config_unavailable });
                mapped.len() - 1
            });
            let of_distribution = by_distribution.entry(distribution).or_default();
            of_distribution.mapping_ids.push(first_mapping_id + position);
            if let Some(mapped) = mapped.get(position) {
                of_distribution.bucket_changes_indices.extend(mapped.bucket_changes_index);
                of_distribution
                    .config_unavailable
                    .extend((!mapped.config_unavailable.is_empty()).then(|| Arc::clone(&mapped.config_unavailable)));
            }
        }
        first_mapping_id += mapped.len();
        for reason in states.iter().filter(|state| !state.is_served).filter_map(|state| state.not_served) {
            *plan.not_served.entry((bucket.clone(), reason)).or_default() += 1;
        }
    }
    // By the indices of their bucket changes, then by the IDs of their mappings.
    let mut groups: BTreeMap<Vec<usize>, BTreeMap<Vec<usize>, Vec<&DistributionId>>> = BTreeMap::new();
    for (distribution, DistributionChanges { bucket_changes_indices, mapping_ids, config_unavailable }) in
        by_distribution
    {
        if !config_unavailable.is_empty() {
            plan.config_unavailable.insert(distribution.clone(), joined(&config_unavailable));
        }
        if !bucket_changes_indices.is_empty() {
            groups.entry(bucket_changes_indices).or_default().entry(mapping_ids).or_default().push(distribution);
        }
    }
    let group = |(bucket_changes_indices, distributions): (Vec<usize>, _)| {
        let of_group = || bucket_changes_indices.iter().filter_map(|&index| all_bucket_changes.get(index));
        let assigned = AssignedChanges {
            paths: of_group().map(|bucket_changes| bucket_changes.paths).sum(),
            changes: joined(of_group().map(|bucket_changes| &bucket_changes.changes)),
            buckets: of_group().map(|bucket_changes| bucket_changes.bucket.name.clone()).collect(),
            max_paths: of_group().filter_map(|bucket_changes| bucket_changes.max_paths).min(),
        };
        DistributionGroup { assigned, bucket_changes_indices, distributions }
    };
    let groups = groups.into_iter().map(group).collect();
    Assignment { partial_plan: plan, all_bucket_changes, groups }
}

/// Returns the tagged buckets with their changes. All other changes are recorded in the plan.
fn changes_by_bucket<'d>(
    batch: &Batch,
    resolutions: &'d Resolutions,
    plan: &mut Plan,
) -> BTreeMap<&'d Bucket, ServedBucket<'d>> {
    let mut by_bucket: BTreeMap<&'d Bucket, ServedBucket<'d>> = BTreeMap::new();
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
        by_bucket
            .entry(bucket)
            .or_insert_with(|| ServedBucket { options, mappings, indices: Vec::new() })
            .indices
            .push(index);
    }
    by_bucket
}

/// Returns the index of equal bucket changes from index `first` on, where those of the same bucket begin. Adds
/// `bucket_changes` if there are none.
fn index_of<'d>(
    bucket_changes: BucketChanges<'d>,
    first: usize,
    all_bucket_changes: &mut Vec<BucketChanges<'d>>,
) -> usize {
    if let Some(offset) = all_bucket_changes.iter().skip(first).position(|it| it.is_same(&bucket_changes)) {
        return first + offset;
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::change::{Bucket, Change, ObjectKey};
    use crate::path::Mapping;
    use crate::path::{BucketOptions, DirectoryUrls, IndexDocuments};
    use crate::plan::{Resolution, assign};

    const ONE: NonZeroUsize = NonZeroUsize::new(1).unwrap();
    const OBJECTIVE: Objective =
        Objective { budget: Budget { max_paths: ONE, max_wildcards: ONE }, evictions_per_path: 0 };

    fn mapping(
        bucket: &Bucket,
        options: &BucketOptions,
        query_strings: bool,
        directory_urls: DirectoryUrls,
    ) -> Mapping {
        Mapping::new(
            bucket,
            &BucketOptions { query_strings: Some(query_strings), directory_urls, ..options.clone() },
            None,
        )
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
            directory_urls: DirectoryUrls::Slash,
            query_strings: None,
            max_paths: None,
            ignored_suffixes: Vec::new(),
        });
        let directory_urls = [DirectoryUrls::Slash, DirectoryUrls::Both];
        let numbered = options.distributions.iter().enumerate();
        let mappings =
            numbered.map(|(n, id)| (id.clone(), Some(mapping(&bucket, &options, n % 2 == 0, directory_urls[n / 6]))));
        let resolutions =
            [(bucket.clone(), Resolution::Served { options: options.clone(), mappings: mappings.collect() })].into();
        let change = |n: usize| Change { bucket: bucket.clone(), key: ObjectKey::new(format!("a/{n}")).unwrap() };
        let batch = Batch { changes: (0..100).map(change).collect(), ..Batch::default() };

        let assignment = assign(&batch, &resolutions);
        assert_eq!(assignment.all_bucket_changes.len(), 2, "with and without query strings");
        assert_eq!(assignment.groups.len(), 2);
        assert!(assignment.distributions().all(|(_, it)| it.paths == 100));
        let [one, other] = assignment.all_bucket_changes.as_slice() else { panic!("two") };
        assert!(Arc::ptr_eq(&one.changes, &other.changes), "one list of changes");
        let model_calls = Cell::new(0);
        let plan = assignment.plan(&batch, OBJECTIVE, &DeliveryId::Job("1"), |_, paths| {
            assert_eq!(paths.len(), 100);
            model_calls.set(model_calls.get() + 1);
            None::<Heuristic>
        });
        assert_eq!(model_calls.get(), 4, "once for all that show the bucket alike");
        assert_eq!(plan.invalidations.len(), 12);
        for invalidation in &plan.invalidations {
            assert_eq!(invalidation.items.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/a/*"]);
            assert!(Arc::ptr_eq(&invalidation.changes, &plan.invalidations[0].changes));
        }
    }
}

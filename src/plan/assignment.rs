//! The changes assigned to each distribution, and the plan made from them.
//!
//! Many distributions can serve one bucket, most of them with the same mapping. Shared work is done once: the paths for
//! distributions with the same bucket changes, and the collapse for those of them with the same cost model.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::bucket_changes::{BucketChanges, paths};
use super::invalidation::collapsed;
use super::{CallerReference, DeliveryDigest, DeliveryId, Invalidation, Plan};
use crate::change::{Batch, BucketName, DistributionId};
use crate::collapse::{Budget, CostModel, Heuristic, Objective};
use crate::path::InvalidationPath;

/// The changes of a batch, assigned to distributions.
#[derive(Debug)]
pub struct Assignment<'d> {
    pub(super) plan: Plan,
    pub(super) all_bucket_changes: Vec<BucketChanges<'d>>,
    pub(super) groups: Vec<DistributionGroup<'d>>,
}

/// Distributions that are assigned the same changes with the same paths.
#[derive(Debug)]
pub(super) struct DistributionGroup<'d> {
    pub(super) assigned: AssignedChanges,
    /// Their bucket changes, by index.
    pub(super) all_bucket_changes: Vec<usize>,
    /// The distributions, by the numbers of their mappings.
    pub(super) distributions: BTreeMap<Vec<usize>, Vec<&'d DistributionId>>,
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
    pub(super) max_paths: Option<NonZeroUsize>,
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
    /// `delivery_id` identifies the delivery; where the batch has messages, the ids of those that contributed are used
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
        let Self { mut plan, all_bucket_changes, groups } = self;
        for DistributionGroup { assigned, all_bucket_changes: indices, distributions } in groups {
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
            let mut paths = paths(indices.iter().filter_map(|&number| all_bucket_changes.get(number)), batch);
            let mut heuristic = None;
            let mut remaining = distributions.len();
            for same_mapping in distributions.into_values() {
                remaining -= 1;
                let model = same_mapping.first().and_then(|distribution| model(distribution, &paths));
                let mut take_paths = || if remaining == 0 { mem::take(&mut paths) } else { paths.clone() };
                let (items, unchanged_evicted) = match model {
                    Some(model) => collapsed(take_paths(), objective, &model),
                    None => heuristic.get_or_insert_with(|| collapsed(take_paths(), objective, &Heuristic)).clone(),
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::change::{Bucket, Change, ObjectKey};
    use crate::path::Mapping;
    use crate::path::{BucketOptions, DirectoryUrls, IndexDocuments};
    use crate::plan::{Resolution, assign};

    const ONE: NonZeroUsize = NonZeroUsize::new(1).unwrap();
    const OBJECTIVE: Objective = Objective { budget: Budget { max_paths: ONE, max_wildcards: ONE }, path_weight: 0 };

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
        let forms = [DirectoryUrls::Slash, DirectoryUrls::Both];
        let mappings = options.distributions.iter().enumerate();
        let mappings = mappings.map(|(n, id)| (id.clone(), Some(mapping(&bucket, &options, n % 2 == 0, forms[n / 6]))));
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
        let asked = Cell::new(0);
        let plan = assignment.plan(&batch, OBJECTIVE, &DeliveryId::Job("1"), |_, paths| {
            assert_eq!(paths.len(), 100);
            asked.set(asked.get() + 1);
            None::<Heuristic>
        });
        assert_eq!(asked.get(), 4, "once for all that show the bucket alike");
        assert_eq!(plan.invalidations.len(), 12);
        for invalidation in &plan.invalidations {
            assert_eq!(invalidation.items.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/a/*"]);
            assert!(Arc::ptr_eq(&invalidation.changes, &plan.invalidations[0].changes));
        }
    }
}

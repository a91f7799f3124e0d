//! What each distribution is to be told, and how it is made into few paths.
//!
//! A bucket can be shown by many distributions, most of them alike. What is the same for several is worked out once: the
//! paths for those that show the bucket alike, and the collapse for those that have the same paths.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::num::NonZeroUsize;
use std::sync::Arc;

use super::bucket_changes::{Strand, paths};
use super::invalidation::collapsed;
use super::{CallerReference, Delivery, Identity, Plan, PlannedInvalidation};
use crate::change::{Batch, BucketName, DistributionId};
use crate::collapse::{Blind, Budget, CollateralModel, Objective};
use crate::path::InvalidationPath;

/// The changes of a batch, sorted by what is to become of them.
#[derive(Debug)]
pub struct Gathering<'d> {
    pub(super) plan: Plan,
    pub(super) strands: Vec<Strand<'d>>,
    pub(super) groups: Vec<Group<'d>>,
}

/// Distributions that are to be told the same.
#[derive(Debug)]
pub(super) struct Group<'d> {
    pub(super) gathered: Gathered,
    /// The strands that are theirs, by their place.
    pub(super) strands: Vec<usize>,
    /// The distributions, by how they show the buckets: the numbers of their views.
    pub(super) distributions: BTreeMap<Vec<usize>, Vec<&'d DistributionId>>,
}

/// What a distribution is to be told.
#[derive(Debug)]
pub struct Gathered {
    /// How many paths the changes have. A path of two buckets counts twice.
    pub paths: usize,
    /// The changes, by their place in the batch, ascending.
    pub changes: Arc<[usize]>,
    pub(super) buckets: BTreeSet<BucketName>,
    /// The least that a contributing bucket asks for.
    pub(super) max_paths: Option<NonZeroUsize>,
}

impl Gathered {
    /// The most paths that the invalidation may have. A bucket's tag can lower the bill, and never raise it.
    #[must_use]
    pub fn max_paths(&self, budget: Budget) -> NonZeroUsize {
        self.max_paths.map_or(budget.max_paths, |most| most.min(budget.max_paths))
    }
}

impl Gathering<'_> {
    /// What distributions are to be told: of those that show the buckets alike only one.
    pub fn distributions(&self) -> impl Iterator<Item = (&DistributionId, &Gathered)> {
        self.groups.iter().flat_map(|group| {
            let each = group.distributions.values().filter_map(|alike| alike.first());
            each.map(|distribution| (*distribution, &group.gathered))
        })
    }

    /// Plans the invalidations. `identity` is that of the delivery; for messages their own ids take its place. `model` tells
    /// what is known of what lies next to a distribution's changes; it is asked once for all that show the buckets alike.
    #[must_use]
    pub fn plan<M: CollateralModel>(
        self,
        batch: &Batch,
        objective: Objective,
        identity: &Identity<'_>,
        model: impl Fn(&DistributionId, &[InvalidationPath]) -> Option<M>,
    ) -> Plan {
        let Self { mut plan, strands, groups } = self;
        for Group { gathered, strands: numbers, distributions } in groups {
            let budget = Budget { max_paths: gathered.max_paths(objective.budget), ..objective.budget };
            let objective = Objective { budget, ..objective };
            let identity = match batch.messages {
                None => identity.clone(),
                Some(_) => Identity::Messages(
                    gathered.changes.iter().filter_map(|&change| batch.message_of(change)).map(|it| &*it.id).collect(),
                ),
            };
            let delivery = Delivery::from(&identity);
            let buckets: Vec<_> = gathered.buckets.into_iter().collect();
            let mut paths = paths(numbers.iter().filter_map(|&number| strands.get(number)), batch);
            let mut blind = None;
            let mut left = distributions.len();
            for alike in distributions.into_values() {
                left -= 1;
                let model = alike.first().and_then(|distribution| model(distribution, &paths));
                let mut take = || if left == 0 { mem::take(&mut paths) } else { paths.clone() };
                let (items, collateral) = match model {
                    Some(model) => collapsed(take(), objective, &model),
                    None => blind.get_or_insert_with(|| collapsed(take(), objective, &Blind)).clone(),
                };
                plan.invalidations.extend(alike.into_iter().map(|distribution| PlannedInvalidation {
                    distribution: distribution.clone(),
                    caller_reference: CallerReference::new(distribution, &items, &delivery),
                    items: items.clone(),
                    collateral,
                    buckets: buckets.clone(),
                    changes: Arc::clone(&gathered.changes),
                    budget,
                    delivery: delivery.clone(),
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
    use crate::path::View;
    use crate::path::{DirectoryUrls, IndexDocuments, Route};
    use crate::plan::{Destination, gather};

    const ONE: NonZeroUsize = NonZeroUsize::new(1).unwrap();
    const OBJECTIVE: Objective = Objective { budget: Budget { max_paths: ONE, max_wildcards: ONE }, path_weight: 0 };

    fn view(bucket: &Bucket, route: &Route, query_strings: bool, directory_urls: DirectoryUrls) -> View {
        View::new(bucket, &Route { query_strings: Some(query_strings), directory_urls, ..route.clone() }, None)
    }

    /// Twelve distributions: every second one tells query strings apart, and half of them have directories' second URLs,
    /// of which there are none.
    #[test]
    fn what_is_the_same_for_several_is_worked_out_once() {
        let bucket = Bucket { name: BucketName::new("site").unwrap(), region: None };
        let ids: Vec<_> = (0..12).map(|n| format!("E{n:02}")).collect();
        let route = Arc::new(Route {
            distributions: DistributionId::parse_list(&ids.join(" ")).unwrap(),
            origin_path: None,
            index_documents: IndexDocuments::Usual(Vec::new()),
            directory_urls: DirectoryUrls::Slash,
            query_strings: None,
            max_paths: None,
            ignored_suffixes: Vec::new(),
        });
        let forms = [DirectoryUrls::Slash, DirectoryUrls::Both];
        let views = route.distributions.iter().enumerate();
        let views = views.map(|(n, id)| (id.clone(), Some(view(&bucket, &route, n % 2 == 0, forms[n / 6]))));
        let destinations =
            [(bucket.clone(), Destination::Shown { route: route.clone(), views: views.collect() })].into();
        let change = |n: usize| Change { bucket: bucket.clone(), key: ObjectKey::new(format!("a/{n}")).unwrap() };
        let batch = Batch { changes: (0..100).map(change).collect(), ..Batch::default() };

        let gathering = gather(&batch, &destinations);
        assert_eq!(gathering.strands.len(), 2, "with and without query strings");
        assert_eq!(gathering.groups.len(), 2);
        assert!(gathering.distributions().all(|(_, it)| it.paths == 100));
        let [one, other] = gathering.strands.as_slice() else { panic!("two") };
        assert!(Arc::ptr_eq(&one.changes, &other.changes), "one list of changes");
        let asked = Cell::new(0);
        let plan = gathering.plan(&batch, OBJECTIVE, &Identity::Job("1"), |_, paths| {
            assert_eq!(paths.len(), 100);
            asked.set(asked.get() + 1);
            None::<Blind>
        });
        assert_eq!(asked.get(), 4, "once for all that show the bucket alike");
        assert_eq!(plan.invalidations.len(), 12);
        for planned in &plan.invalidations {
            assert_eq!(planned.items.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/a/*"]);
            assert!(Arc::ptr_eq(&planned.changes, &plan.invalidations[0].changes));
        }
    }
}

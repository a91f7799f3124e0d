//! What each distribution is to be told, before it is made into few paths.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use super::planned::collapsed;
use super::{Plan, PlannedInvalidation};
use crate::change::BucketName;
use crate::collapse::{Blind, Budget, CollateralModel, Objective};
use crate::distribution::DistributionId;
use crate::event::Batch;
use crate::path::InvalidationPath;
use crate::reference::{CallerReference, Delivery, Identity};
use crate::view::{Destination, Destinations};

/// The changes of a batch, sorted by what is to become of them.
#[derive(Debug)]
pub struct Gathering<'d> {
    plan: Plan,
    gathered: BTreeMap<&'d DistributionId, Gathered>,
}

/// What one distribution is to be told.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The paths of the changes, sorted, each once.
    pub paths: Vec<InvalidationPath>,
    /// The changes, by their place in the batch, ascending.
    pub changes: Vec<usize>,
    buckets: BTreeSet<BucketName>,
    /// The least that a contributing bucket asks for.
    max_paths: Option<NonZeroUsize>,
}

impl Gathered {
    /// The most paths that the invalidation may have. A bucket's tag can lower the bill, and never raise it.
    #[must_use]
    pub fn max_paths(&self, budget: Budget) -> NonZeroUsize {
        self.max_paths.map_or(budget.max_paths, |most| most.min(budget.max_paths))
    }
}

/// Finds out what is to become of each change.
#[must_use]
pub fn gather<'d>(batch: &Batch, destinations: &'d Destinations) -> Gathering<'d> {
    let mut plan = Plan::default();
    let mut gathered: BTreeMap<&'d DistributionId, Gathered> = BTreeMap::new();
    for (place, change) in batch.changes.iter().enumerate() {
        let (route, views) = match destinations.get(&change.bucket) {
            Some(Destination::Shown { route, views }) => (route, views),
            Some(Destination::Untagged) => {
                *plan.untagged.entry(change.bucket.clone()).or_default() += 1;
                continue;
            }
            Some(Destination::Unknown) | None => {
                plan.unrouted.entry(change.bucket.clone()).or_default().push(place);
                continue;
            }
        };
        if let Some(suffix) = route.ignored_suffix(&change.key) {
            *plan.ignored_suffix.entry((change.bucket.clone(), suffix.to_owned())).or_default() += 1;
            continue;
        }
        let mut unseen = None;
        let mut is_seen = false;
        for (distribution, view) in views {
            let paths = match view.as_ref().map(|view| view.paths(&change.key)) {
                Some(Ok(paths)) => paths,
                Some(Err(reason)) => {
                    unseen = unseen.max(Some(reason));
                    continue;
                }
                None => {
                    plan.unsettled.entry(distribution.clone()).or_default().push(place);
                    is_seen = true;
                    continue;
                }
            };
            is_seen = true;
            let gathered = gathered.entry(distribution).or_default();
            gathered.paths.extend(paths);
            gathered.changes.push(place);
            gathered.max_paths = gathered.max_paths.into_iter().chain(route.max_paths).min();
            if !gathered.buckets.contains(&change.bucket.name) {
                gathered.buckets.insert(change.bucket.name.clone());
            }
        }
        if let (Some(reason), false) = (unseen, is_seen) {
            *plan.unseen.entry((change.bucket.clone(), reason)).or_default() += 1;
        }
    }
    for gathered in gathered.values_mut() {
        gathered.paths.sort_unstable();
        gathered.paths.dedup();
    }
    Gathering { plan, gathered }
}

impl Gathering<'_> {
    /// The distributions, and what each is to be told.
    pub fn distributions(&self) -> impl Iterator<Item = (&DistributionId, &Gathered)> {
        self.gathered.iter().map(|(distribution, gathered)| (*distribution, gathered))
    }

    /// Plans the invalidations. `identity` is that of the delivery; for messages their own ids take its place. `model` tells
    /// what is known of what lies next to a distribution's changes.
    #[must_use]
    pub fn plan<M: CollateralModel>(
        self,
        batch: &Batch,
        objective: Objective,
        identity: &Identity<'_>,
        model: impl Fn(&DistributionId, &[InvalidationPath]) -> Option<M>,
    ) -> Plan {
        let Self { mut plan, gathered } = self;
        let invalidation = |(distribution, gathered): (&DistributionId, Gathered)| {
            let budget = Budget { max_paths: gathered.max_paths(objective.budget), ..objective.budget };
            let objective = Objective { budget, ..objective };
            let (items, collateral) = match model(distribution, &gathered.paths) {
                Some(model) => collapsed(gathered.paths, objective, &model),
                None => collapsed(gathered.paths, objective, &Blind),
            };
            let identity = match batch.messages {
                None => identity.clone(),
                Some(_) => Identity::Messages(
                    gathered.changes.iter().filter_map(|&change| batch.message_of(change)).map(|it| &*it.id).collect(),
                ),
            };
            let delivery = Delivery::from(&identity);
            PlannedInvalidation {
                distribution: distribution.clone(),
                caller_reference: CallerReference::new(distribution, &items, &delivery),
                items,
                collateral,
                buckets: gathered.buckets.into_iter().collect(),
                changes: gathered.changes,
                budget,
                delivery,
            }
        };
        plan.invalidations = gathered.into_iter().map(invalidation).collect();
        plan
    }
}

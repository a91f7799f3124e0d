//! Plans one invalidation per distribution from the changes of a batch and the mappings of their buckets.
//!
//! Planning is pure and deterministic: paths and caller references do not depend on the order of the changes. It has
//! two steps: [`assign()`] finds out which distributions each change belongs to, and [`plan_changes`] makes their
//! invalidations. Between them the caller can list bucket keys, so that the unchanged objects that a wildcard evicts
//! are counted, not estimated. Items that a person named are planned by [`plan_named`].
//!
//! What a wildcard evicts can be counted where everything that it matches is known: all matching requests go to origins
//! that were listed, and the listing is complete there. Elsewhere it is estimated. Without a distribution config
//! everything is estimated, since the distribution may have any other origins.

mod assignment;
mod invalidation;
mod key_listing;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use self::invalidation::collapsed;
use crate::change::{Batch, Bucket, BucketName, DistributionId, ObjectKey};
use crate::collapse::{Budget, CostModel, Counted, Coverage, Heuristic, Objective};
use crate::path::{DistributionConfig, InvalidationPath, Item, Mapping, without_covered};

pub use self::assignment::{
    AssignedBatch, Assignment, BucketMapping, Outcome, Outcomes, Resolution, Resolutions, SkipReason, assign,
};
pub use self::invalidation::{
    CallerReference, DeliveryId, FREE_PATHS_PER_MONTH, Invalidation, PATHS_PER_DOLLAR, price_usd,
};
pub use self::key_listing::KeyListing;
pub(crate) use self::key_listing::{KeyPosition, KnownRanges};

/// Plans the invalidations of the assigned changes, sorted by distribution.
///
/// `delivery_id` identifies the delivery; where the batch has messages, the IDs of those that contributed are used
/// instead. Evictions are counted where `listed_keys` has the keys, and elsewhere estimated by [`Heuristic`].
#[must_use]
pub fn plan_changes(
    batch: &Batch,
    assignments: &[Assignment<'_>],
    listed_keys: &ListedKeys,
    objective: Objective,
    delivery_id: &DeliveryId<'_>,
) -> Vec<Invalidation> {
    // Without a listing the same paths collapse to the same items in every distribution.
    let mut without_listing = BTreeMap::new();
    let mut invalidations = Vec::new();
    for assignment in assignments {
        let budget = Budget { max_paths: assignment.max_paths(objective.budget.max_paths), ..objective.budget };
        let objective = Objective { budget, ..objective };
        let (items, unchanged_evicted) = match listed_keys.of(assignment) {
            Some((urls, listed)) => {
                let paths = assignment.paths(batch);
                let model = Counted::new(urls, listed, &paths);
                collapsed(paths, objective, &model)
            }
            None => without_listing
                .entry((assignment.digest, budget.max_paths))
                .or_insert_with(|| collapsed(assignment.paths(batch), objective, &Heuristic))
                .clone(),
        };
        let messages = assignment.changes.iter().filter_map(|&change| batch.message_of(change));
        let is_redelivered = messages.clone().any(|message| message.is_redelivered);
        let delivery_digest = match batch.messages {
            None => delivery_id.digest(),
            Some(_) => DeliveryId::Messages(messages.map(|message| &*message.id).collect()).digest(),
        };
        let buckets = assignment.buckets();
        invalidations.extend(assignment.distributions.iter().map(|&distribution| Invalidation {
            distribution: distribution.clone(),
            caller_reference: CallerReference::new(distribution, &items, &delivery_digest),
            items: items.clone(),
            is_redelivered,
            unchanged_evicted,
            buckets: buckets.clone(),
            changes: assignment.changes.clone(),
            budget,
            delivery_digest,
        }));
    }
    invalidations.sort_unstable_by(|one, other| one.distribution.cmp(&other.distribution));
    invalidations
}

/// Returns how many URLs of unchanged objects these items evict from a distribution, which may be wider or fewer than
/// the planned ones; `None` if that is not known, as in [`plan_changes`].
#[must_use]
pub fn unchanged_evicted(
    batch: &Batch,
    assignments: &[Assignment<'_>],
    listed_keys: &ListedKeys,
    distribution: &DistributionId,
    items: &BTreeSet<Item>,
) -> Option<u64> {
    let paths = without_covered(items.iter().filter_map(Item::path).cloned().collect());
    let mut prefixes = paths.iter().filter_map(InvalidationPath::wildcard_prefix).peekable();
    if prefixes.peek().is_none() {
        return Some(0);
    }
    let assignment = assignments.iter().find(|it| it.distributions.contains(&distribution))?;
    let required = assignment.paths(batch);
    let (urls, listed) = listed_keys.of(assignment)?;
    if required.iter().any(|path| path.wildcard_prefix().is_some()) {
        return None;
    }
    let model = Counted::new(urls, listed, &required);
    prefixes.map(|prefix| model.count(prefix)).sum()
}

/// Plans invalidations of items that a person named, which are sent unchanged. If there are more than CloudFront accepts
/// at a time, there are several for each distribution.
///
/// `bucket` is the one whose tag named the distributions, if any.
#[must_use]
pub fn plan_named(
    distributions: &[DistributionId],
    items: &[Item],
    bucket: Option<&BucketName>,
    delivery_id: &DeliveryId<'_>,
) -> Vec<Invalidation> {
    let delivery_digest = delivery_id.digest();
    let invalidation = |distribution: &DistributionId| Invalidation {
        distribution: distribution.clone(),
        caller_reference: CallerReference::new(distribution, items, &delivery_digest),
        delivery_digest,
        items: items.to_vec(),
        buckets: bucket.into_iter().cloned().collect(),
        changes: [].into(),
        is_redelivered: false,
        unchanged_evicted: None,
        budget: Budget { max_paths: Budget::MAX_PATHS, max_wildcards: Budget::MAX_WILDCARDS },
    };
    let invalidations = distributions.iter().map(invalidation);
    invalidations.flat_map(|it| it.chunks(it.budget.max_paths.get(), it.budget.max_wildcards.get())).collect()
}

/// The least number of paths for which listing is worth its requests. Below it there is little to save.
const MIN_PATHS_TO_LIST: usize = 10;

/// A bucket and a key prefix to list, which is empty or ends with `/`.
pub type BucketPrefix = (Bucket, String);

/// Returns the prefixes to list, each with the changed keys below it, sorted.
#[must_use]
pub fn prefixes_to_list<'b>(
    batch: &'b Batch,
    assignments: &[Assignment<'_>],
    max_paths: NonZeroUsize,
) -> BTreeMap<BucketPrefix, BTreeSet<&'b str>> {
    let mut prefixes_to_list: BTreeMap<BucketPrefix, BTreeSet<&str>> = BTreeMap::new();
    let is_worthwhile =
        |it: &&Assignment<'_>| it.path_count >= MIN_PATHS_TO_LIST || it.path_count > it.max_paths(max_paths).get();
    for BucketMapping { bucket, mapping, changes, .. } in
        assignments.iter().filter(is_worthwhile).flat_map(Assignment::countable)
    {
        let keys = changes.iter().filter_map(|&index| batch.changes.get(index)).map(|change| change.key.as_str());
        for prefix in mapping.origin_matches.iter().map(|it| it.path.key_prefix()) {
            let mut inside = keys.clone().filter(|key| key.starts_with(&prefix)).peekable();
            if inside.peek().is_some() {
                prefixes_to_list.entry(((*bucket).clone(), prefix.clone())).or_default().extend(inside);
            }
        }
    }
    prefixes_to_list
}

/// The keys listed, by bucket and prefix.
#[derive(Debug, Default)]
pub struct ListedKeys(pub BTreeMap<BucketPrefix, KeyListing>);

/// The listed origins of a distribution: [`Coverage`] of the URLs that only they serve.
#[derive(Debug)]
struct ListedOrigins<'s> {
    config: Arc<DistributionConfig>,
    /// The IDs of the listed origins.
    origins: Vec<&'s str>,
    /// The mappings with the key prefixes of their origin paths, each with its listing.
    listings: Vec<(&'s Mapping, String, &'s KeyListing)>,
}

impl ListedKeys {
    /// Returns the listed URLs of an assignment's distributions, and where they are complete; `None` if no keys were
    /// listed for them.
    fn of<'s>(&'s self, assignment: &'s Assignment<'_>) -> Option<(Vec<String>, ListedOrigins<'s>)> {
        let mut urls = Vec::new();
        let mut listed = None;
        for BucketMapping { bucket, mapping, .. } in assignment.countable() {
            for origin_match in &mapping.origin_matches {
                let key_prefix = origin_match.path.key_prefix();
                let listing = self.0.get(&((*bucket).clone(), key_prefix.clone()));
                let (Some(listing), Some(config)) = (listing, &mapping.config) else { continue };
                let keys = listing.keys().filter_map(|key| ObjectKey::new(key).ok());
                urls.extend(keys.flat_map(|key| mapping.served_urls(&key)));
                let listed = listed.get_or_insert_with(|| ListedOrigins {
                    config: Arc::clone(config),
                    origins: Vec::new(),
                    listings: Vec::new(),
                });
                listed.origins.extend(origin_match.origins.iter().map(String::as_str));
                listed.listings.push((mapping, key_prefix, listing));
            }
        }
        Some((urls, listed?))
    }
}

impl Coverage for ListedOrigins<'_> {
    fn includes(&self, prefix: &str) -> bool {
        let is_listed = |(mapping, key_prefix, listing): &(&Mapping, String, &KeyListing)| {
            mapping.all_keys_below(prefix, |relative| listing.is_complete(&format!("{key_prefix}{relative}")))
        };
        self.listings.iter().all(is_listed) && self.config.is_served_only_by(prefix, &self.origins)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::change::{Bucket, Change, Message, ObjectKey};
    use crate::path::{BucketOptions, IndexDocuments, OriginPath};

    fn bucket(name: &str) -> Bucket {
        Bucket { name: BucketName::new(name).unwrap(), region: None }
    }

    fn change(name: &str, key: &str) -> Change {
        Change { bucket: bucket(name), key: ObjectKey::new(key).unwrap() }
    }

    fn batch(changes: &[Change]) -> Batch {
        Batch { changes: changes.to_vec(), ..Batch::default() }
    }

    fn served(ids: &str, origin_path: &str) -> Resolution {
        let options = Arc::new(BucketOptions {
            distributions: DistributionId::parse_tag(ids).unwrap(),
            origin_path: Some(OriginPath::parse(origin_path).unwrap()),
            index_documents: IndexDocuments::Default(vec!["index.html".into()]),
            directory_urls: None,
            urls: None,
            query_strings: None,
            max_paths: None,
            ignored: vec![".map".into()],
        });
        let mapping = Mapping::new(&bucket("any"), &options, None);
        let mappings = options.distributions.iter().map(|id| (id.clone(), Some(mapping.clone()))).collect();
        Resolution::Served { options, mappings }
    }

    fn resolutions() -> Resolutions {
        [
            (bucket("one"), served("E1", "")),
            (bucket("two"), served("E1 E2", "/web")),
            (bucket("untagged"), Resolution::Untagged),
            (bucket("denied"), Resolution::Failed),
        ]
        .into()
    }

    const BUDGET: Budget = Budget { max_paths: Budget::MAX_PATHS, max_wildcards: Budget::MAX_WILDCARDS };

    /// What the two steps of planning determine.
    #[derive(Debug, Default, PartialEq)]
    struct Planned {
        invalidations: Vec<Invalidation>,
        outcomes: Vec<Outcome>,
        config_unavailable: BTreeMap<DistributionId, Vec<usize>>,
    }

    fn plan(batch: &Batch, resolutions: &Resolutions, budget: Budget, delivery_id: &DeliveryId<'_>) -> Planned {
        let objective = Objective { budget, evictions_per_path: 0 };
        let AssignedBatch { assignments, outcomes, config_unavailable, .. } = assign(batch, resolutions);
        Planned {
            invalidations: plan_changes(batch, &assignments, &ListedKeys::default(), objective, delivery_id),
            outcomes: outcomes.iter().cloned().collect(),
            config_unavailable: config_unavailable.into_iter().map(|(id, changes)| (id.clone(), changes)).collect(),
        }
    }

    #[test]
    fn every_change_is_planned_or_recorded() {
        assert_eq!(plan(&Batch::default(), &resolutions(), BUDGET, &DeliveryId::Job("1")), Planned::default());
        let changes = [
            change("one", "a.txt"),
            change("two", "web/b/index.html"),
            change("two", "elsewhere/c.txt"),
            change("untagged", "d.txt"),
            change("denied", "e.txt"),
            change("never-asked", "f.txt"),
        ];
        let plan = plan(&batch(&changes), &resolutions(), BUDGET, &DeliveryId::Invocation("request"));
        let [first, second] = plan.invalidations.as_slice() else { panic!("{plan:?}") };
        assert_eq!(first.distribution.as_str(), "E1");
        assert_eq!(first.items.iter().map(Item::as_str).collect::<Vec<_>>(), ["/a.txt", "/b/", "/b/index.html"]);
        assert_eq!((&*first.changes, first.buckets.len()), (&[0, 1][..], 2));
        assert_eq!(second.distribution.as_str(), "E2");
        assert_eq!((&*second.changes, second.buckets.len()), (&[1][..], 1));
        // Those of the first two follow when their invalidations are sent.
        let outside = SkipReason::OutsideOriginPath { bucket: "two".into() }.into();
        let untagged = SkipReason::BucketNotTagged { bucket: "untagged".into() }.into();
        assert_eq!(plan.outcomes[2..], [outside, untagged, Outcome::Failed, Outcome::Failed]);
    }

    #[test]
    fn a_reference_depends_on_distribution_paths_and_delivery_and_on_nothing_else() {
        let reference = |changes: &[Change], request_id: &str| {
            plan(&batch(changes), &resolutions(), BUDGET, &DeliveryId::Invocation(request_id))
                .invalidations
                .remove(0)
                .caller_reference
        };
        let (a, b) = (change("one", "a.txt"), change("one", "b.txt"));
        let base = reference(&[a.clone(), b.clone()], "request");
        assert_eq!(base.as_str().len(), 64);
        assert_eq!(base, reference(&[b.clone(), a.clone(), b.clone()], "request"), "order and repetition");
        assert_ne!(base, reference(&[a.clone(), b], "request 2"), "delivery");
        assert_ne!(base, reference(std::slice::from_ref(&a), "request"), "paths");
        let both =
            plan(&batch(&[change("two", "web/a.txt")]), &resolutions(), BUDGET, &DeliveryId::Invocation("request"))
                .invalidations;
        assert_ne!(both[0].caller_reference, both[1].caller_reference, "distribution");
        assert_eq!(both[0].items, both[1].items);
    }

    #[test]
    fn only_contributing_messages_determine_the_caller_reference() {
        let message = |id: &str, changes| Message { id: id.into(), changes, failed: 0..0, is_redelivered: false };
        let reference = |changes: &[Change], messages: &[Message], request_id: &str| {
            let batch = Batch { messages: Some(messages.to_vec()), ..batch(changes) };
            plan(&batch, &resolutions(), BUDGET, &DeliveryId::Invocation(request_id))
                .invalidations
                .remove(0)
                .caller_reference
        };
        let (a, b, untagged) = (change("one", "a"), change("one", "b"), change("untagged", "c"));
        let both = reference(&[a.clone(), b.clone()], &[message("m1", 0..1), message("m2", 1..2)], "r1");
        let redelivered = [message("empty", 0..0), message("m2", 0..1), message("m3", 1..2), message("m1", 2..3)];
        assert_eq!(both, reference(&[b.clone(), untagged, a.clone()], &redelivered, "r2"));
        assert_ne!(both, reference(&[a, b], &[message("m1", 0..1), message("m4", 1..2)], "r1"));
    }

    /// Work that distributions share must not change any of their plans.
    #[test]
    fn sharing_work_changes_no_plan() {
        let mut random = fastrand::Rng::with_seed(5);
        let pick = |random: &mut fastrand::Rng, from: &[&str]| from[random.usize(..from.len())].to_owned();
        for round in 0..300 {
            let mut resolutions = Resolutions::new();
            for name in ["one", "two", "three"] {
                let Resolution::Served { options, .. } = served("E1 E2 E3 E4 E5", "") else { panic!("served") };
                let mappings = options.distributions.iter().filter_map(|id| {
                    let varied = BucketOptions {
                        origin_path: OriginPath::parse(&pick(&mut random, &["", "", "/web"])).ok(),
                        query_strings: Some(random.u8(..4) == 0),
                        ..(*options).clone()
                    };
                    let mapping = (random.u8(..8) > 0).then(|| Mapping::new(&bucket(name), &varied, None));
                    (random.u8(..4) > 0).then(|| (id.clone(), mapping))
                });
                let mappings = mappings.collect();
                resolutions.insert(bucket(name), Resolution::Served { options, mappings });
            }
            let keys = ["a", "b", "web/a", "web/b c", "web/index.html", "index.html", "x.map"];
            let changes = (0..random.usize(..12)).map(|_| {
                let name = pick(&mut random, &["one", "two", "three"]);
                change(&name, &pick(&mut random, &keys))
            });
            let batch = batch(&changes.collect::<Vec<_>>());
            let plan = |resolutions: &Resolutions| plan(&batch, resolutions, BUDGET, &DeliveryId::Job("1"));
            let together = plan(&resolutions);
            let mut alone = Planned::default();
            for id in DistributionId::parse_tag("E1 E2 E3 E4 E5").unwrap() {
                let mut its_own = resolutions.clone();
                for resolution in its_own.values_mut() {
                    let Resolution::Served { mappings, .. } = resolution else { panic!("served") };
                    mappings.retain(|(it, _)| *it == id);
                }
                let plan = plan(&its_own);
                alone.invalidations.extend(plan.invalidations);
                alone.config_unavailable.extend(plan.config_unavailable);
            }
            assert_eq!(together.invalidations, alone.invalidations, "{round}");
            assert_eq!(together.config_unavailable, alone.config_unavailable, "{round}");
        }
    }
}

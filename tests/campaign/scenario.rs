//! Runs a scenario with its faults, and again without, to measure what the faults cost.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use s3_cloudfront_invalidator::local::State;

use crate::edge::Edge;
use crate::faults::Faults;
use crate::lane::Lane;
use crate::plan::Plan;
use crate::play::{End, Play};
use crate::resources::Resources;
use crate::stats::Spent;

/// Runs the scenario of this seed; returns the violations found.
pub(crate) async fn run(lane: &mut Lane<'_>, seed: u64) -> Vec<String> {
    let mut rng = Rng::with_seed(seed);
    let plan = Plan::draw(&mut rng, seed);
    let faults = Faults::draw(&mut rng, &plan.resources, plan.burst);
    let deliveries = rng.fork();
    let mut found = Vec::new();
    for played in [Some(&faults), None] {
        let mut one = Play::new(&plan, lane, (played, &faults), deliveries.clone());
        one.play().await;
        let (since, ends) = (one.since, one.ends);
        found.extend(one.found);
        let (spent, calls) = lane.aws.with(|state| {
            check_rules(state, &plan.resources, &mut found);
            let calls: Vec<_> = state.calls.iter().map(|call| call.operation).collect();
            (spent(state, &plan, &since), calls)
        });
        let stats = &mut lane.stats;
        if played.is_none() {
            stats.without_faults.add(spent);
            continue;
        }
        stats.with_faults.add(spent);
        for call in &calls {
            *stats.calls.entry(call).or_default() += 1;
        }
        stats.scenarios += 1;
        stats.changes += plan.changes.len();
        stats.jobs += plan.jobs.len();
        for (end, count) in
            [(End::Covered, &mut stats.covered), (End::Ignored, &mut stats.ignored), (End::Dead, &mut stats.dead)]
        {
            *count += ends.values().filter(|it| **it == end).count();
        }
    }
    found.append(&mut lane.found);
    found
}

/// Checks that no invalidation has a path that matches nothing, or exceeds its budgets.
fn check_rules(state: &State, resources: &Resources, found: &mut Vec<String>) {
    let (paths, most_wildcards) = resources.mode.budget();
    let most = resources.max_paths.map_or(paths, |most| most.min(paths));
    for invalidation in state.distributions.values().flat_map(|it| &it.invalidations) {
        let wildcards = invalidation.paths.iter().filter(|path| path.ends_with('*')).count();
        let within = invalidation.paths.len() <= most && wildcards <= most_wildcards;
        if !within || !invalidation.ineffective.is_empty() {
            found.push(format!("against the rules: {invalidation:?}"));
        }
    }
}

/// What the invalidations cost: the paths, and the unchanged URLs evicted, which viewers' requests must fetch again.
/// Assumes that an evicted URL is cached again at once, as if every object were requested all the time, and that the
/// URLs are those of the first distribution config.
fn spent(state: &State, plan: &Plan, since: &BTreeMap<usize, BTreeMap<String, usize>>) -> Spent {
    let mut spent = Spent::default();
    for (id, distribution) in &state.distributions {
        spent.invalidations += distribution.invalidations.len();
        spent.paths += distribution.invalidations.iter().map(|it| it.paths.len()).sum::<usize>();
        if plan.burst {
            // Thousands of invalidations over thousands of URLs take too long to simulate.
            continue;
        }
        let served: Vec<_> = plan.resources.buckets.iter().map(|it| it.ids.contains(id)).collect();
        let mut cached = BTreeSet::new();
        for (number, place) in plan.resources.buckets.iter().enumerate().filter(|(number, _)| served[*number]) {
            cached.extend(place.objects.iter().flat_map(|key| plan.resources.urls(number, key, id, 0)));
        }
        let mut changed: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for (place, change) in plan.changes.iter().enumerate().filter(|(_, it)| served[it.bucket]) {
            let urls = plan.resources.urls(change.bucket, &change.key, id, 0);
            cached.extend(urls.clone());
            if let Some(counts) = since.get(&place) {
                changed.entry(counts[id]).or_default().extend(urls);
            }
        }
        let mut outdated = BTreeSet::new();
        for (number, invalidation) in distribution.invalidations.iter().enumerate() {
            outdated.extend(changed.remove(&number).unwrap_or_default());
            let evicted = Edge::new(cached.clone()).invalidate(invalidation.paths.iter().map(String::as_str));
            spent.needless += evicted.difference(&outdated).count();
            outdated.retain(|url| !evicted.contains(url));
        }
    }
    spent
}

//! Runs a scenario once with its faults and once without them, to measure the cost of the faults.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use s3_cloudfront_invalidator::local::State;

use crate::edge_cache::Edge;
use crate::faults::Faults;
use crate::plan::Plan;
use crate::resources::Resources;
use crate::run::{FinalOutcome, ScenarioRun, is_throttled};
use crate::stats::Cost;
use crate::worker::Worker;

/// Runs the scenario of this seed; returns the violations found.
pub(crate) async fn run(worker: &mut Worker<'_>, seed: u64) -> Vec<String> {
    let mut rng = Rng::with_seed(seed);
    let plan = Plan::random(&mut rng, seed);
    let faults = Faults::random(&mut rng, &plan);
    let delivery_rng = rng.fork();
    let mut violations = Vec::new();
    for run_faults in [Some(&faults), None] {
        let mut run = ScenarioRun::new(&plan, worker, (run_faults, &faults), delivery_rng.clone());
        run.execute().await;
        let (invalidations_before, outcomes) = (run.invalidations_before, run.outcomes);
        violations.extend(run.violations);
        let (cost, calls, refused) = worker.aws.with(|state| {
            check_limits(state, &plan.resources, &mut violations);
            let calls: Vec<_> = state.calls.iter().map(|call| call.operation).collect();
            let refused = state.calls.iter().filter(|call| is_throttled(call)).count();
            (invalidation_cost(state, &plan, &invalidations_before), calls, refused)
        });
        let stats = &mut worker.stats;
        if run_faults.is_none() {
            stats.without_faults.add(cost);
            stats.refused_without_faults += refused;
            continue;
        }
        stats.with_faults.add(cost);
        for call in &calls {
            *stats.calls.entry(call).or_default() += 1;
        }
        stats.scenarios += 1;
        stats.changes += plan.changes.len();
        stats.jobs += plan.jobs.len();
        if let Some(own_queue) = &plan.own_queue {
            *stats.quotas.entry(own_queue.quota_name()).or_default() += 1;
            let scenarios =
                if own_queue.has_all_changes { &mut stats.polled_scenarios } else { &mut stats.queueing_scenarios };
            *scenarios += 1;
        }
        for (outcome, count) in [
            (FinalOutcome::Invalidated, &mut stats.invalidated),
            (FinalOutcome::Skipped, &mut stats.skipped),
            (FinalOutcome::DeadLettered, &mut stats.dead_lettered),
        ] {
            *count += outcomes.values().filter(|it| **it == outcome).count();
        }
    }
    violations.append(&mut worker.violations);
    violations
}

/// Checks that no invalidation has a path that matches nothing, or exceeds its budgets.
fn check_limits(state: &State, resources: &Resources, violations: &mut Vec<String>) {
    let (path_budget, max_wildcards) = resources.function_config.budget();
    let max_paths = resources.max_paths.map_or(path_budget, |limit| limit.min(path_budget));
    for invalidation in state.distributions.values().flat_map(|it| &it.invalidations) {
        let wildcards = invalidation.paths.iter().filter(|path| path.ends_with('*')).count();
        let within_limits = invalidation.paths.len() <= max_paths && wildcards <= max_wildcards;
        if !within_limits || !invalidation.ineffective.is_empty() {
            violations.push(format!(
                "an invalidation exceeds its limits or has a path that matches nothing: {invalidation:?}"
            ));
        }
    }
}

/// The cost of the invalidations: the paths, and the unchanged URLs evicted, which CloudFront must fetch again.
/// Assumes that an evicted URL is cached again at once, as if every object were requested all the time, and that the
/// URLs are those of the first distribution config.
fn invalidation_cost(
    state: &State,
    plan: &Plan,
    invalidations_before: &BTreeMap<usize, BTreeMap<String, usize>>,
) -> Cost {
    let mut cost = Cost::default();
    for (id, distribution) in &state.distributions {
        cost.invalidations += distribution.invalidations.len();
        cost.paths += distribution.invalidations.iter().map(|it| it.paths.len()).sum::<usize>();
        if plan.is_burst {
            // Thousands of invalidations over thousands of URLs take too long to simulate.
            continue;
        }
        let served: Vec<_> = plan.resources.buckets.iter().map(|it| it.distribution_ids.contains(id)).collect();
        let mut cached = BTreeSet::new();
        for (index, bucket) in plan.resources.buckets.iter().enumerate().filter(|(index, _)| served[*index]) {
            cached.extend(bucket.objects.iter().flat_map(|key| plan.resources.urls(index, key, id, 0)));
        }
        let mut changed: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
        for (index, change) in plan.changes.iter().enumerate().filter(|(_, it)| served[it.bucket]) {
            let urls = plan.resources.urls(change.bucket, &change.key, id, 0);
            cached.extend(urls.clone());
            if let Some(invalidation_counts) = invalidations_before.get(&index) {
                changed.entry(invalidation_counts[id]).or_default().extend(urls);
            }
        }
        let mut outdated = BTreeSet::new();
        for (invalidation_index, invalidation) in distribution.invalidations.iter().enumerate() {
            outdated.extend(changed.remove(&invalidation_index).unwrap_or_default());
            let evicted = Edge::new(cached.clone()).invalidate(invalidation.paths.iter().map(String::as_str));
            cost.unchanged_evicted += evicted.difference(&outdated).count();
            outdated.retain(|url| !evicted.contains(url));
        }
    }
    cost
}

//! Checks that each response is correct, and that each failure has a cause.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::edge_cache::Edge;
use crate::own_queue::QUEUE;
use crate::queues::PendingDelivery;
use crate::resources::PossibleOutcome;
use crate::run::{FailureCauses, FinalOutcome, ScenarioRun, is_throttled};

impl ScenarioRun<'_, '_> {
    /// The outcomes that a change may have.
    fn possible_outcomes(&self, change: usize) -> BTreeSet<PossibleOutcome> {
        let change = &self.plan.changes[change];
        self.plan.resources.possible_outcomes(change.bucket, &change.key, &self.known_configs)
    }

    pub(crate) fn describe_change(&self, change: usize) -> String {
        let change = &self.plan.changes[change];
        format!("{:?} of {}", change.key, self.plan.resources.buckets[change.bucket].name)
    }

    /// Checks that the changes of a successful event or message are invalidated or skipped, and records their outcomes.
    pub(crate) fn record_success(&mut self, delivery: &PendingDelivery) {
        if delivery.unreadable {
            self.violations.push(format!("{} cannot be parsed, but succeeded", delivery.id));
        }
        for &change in &delivery.changes {
            let possible_outcomes = self.possible_outcomes(change);
            if possible_outcomes == [PossibleOutcome::Fails].into() {
                self.violations
                    .push(format!("reported as successful, but must fail: {}", self.describe_change(change)));
            }
            self.check_invalidated(change);
            let skipped = possible_outcomes.iter().all(|outcome| matches!(outcome, PossibleOutcome::Skipped(_)));
            self.outcomes.insert(change, if skipped { FinalOutcome::Skipped } else { FinalOutcome::Invalidated });
        }
    }

    /// Checks that every cached copy of the object was evicted after the change, in each of its distributions: at all
    /// URLs under the current distribution config, or under one that the function may still have cached.
    fn check_invalidated(&mut self, index: usize) {
        let change = &self.plan.changes[index];
        for id in &self.plan.resources.buckets[change.bucket].distribution_ids {
            let invalidations_before = self.invalidations_before[&index][id];
            let remaining = self.known_configs.versions.clone().map(|config_version| {
                let urls = self.plan.resources.urls(change.bucket, &change.key, id, config_version);
                let mut cache = Edge::new(urls.clone());
                self.worker.aws.with(|state| {
                    // Newest first: a burst has thousands, and the loop ends once all URLs are evicted.
                    for invalidation in state.distributions[id].invalidations[invalidations_before..].iter().rev() {
                        if !urls.iter().any(|url| cache.holds(url)) {
                            break;
                        }
                        cache.invalidate(invalidation.paths.iter().map(String::as_str));
                    }
                });
                urls.into_iter().filter(|url| cache.holds(url)).collect::<Vec<_>>()
            });
            let remaining = remaining.min_by_key(Vec::len).unwrap_or_default();
            for url in remaining {
                self.violations.push(format!(
                    "reported as successful, but {url} of {id} is stale: {}",
                    self.describe_change(index)
                ));
            }
        }
    }

    /// Checks that a response counts every change, and gives the reason for each skipped one.
    pub(crate) fn check_report(&mut self, event: &PendingDelivery, body: &[u8]) {
        let report: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let count = |value: &Value| value.as_u64().and_then(|it| usize::try_from(it).ok()).unwrap_or_default();
        // Without a queue, a change that is reported as queued is not counted, so the total is wrong.
        let queued = if self.may_queue() { count(&report["changes"]["queued"]) } else { 0 };
        let mut queued_changes = self.queued_changes(event);
        self.worker.stats.queued += queued;
        // A poll that continues after its timeout may have received messages before they were found.
        let is_queued_as_reported = queued <= queued_changes.len() || self.worker.has_timed_out();
        // Another event of the round may have queued the same object. Then it is not known which changes were queued.
        let mut max_unknown = 0;
        if queued != queued_changes.len() {
            queued_changes.clear();
            max_unknown = queued;
        }
        // Minimum and maximum. They differ only where more than one outcome is possible.
        let mut expected_skips: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
        let mut invalidated = (0, 0);
        for &change in event.changes.iter().filter(|change| !queued_changes.contains(change)) {
            let possible_outcomes = self.possible_outcomes(change);
            let certain = usize::from(possible_outcomes.len() == 1);
            let bucket = &self.plan.resources.buckets[self.plan.changes[change].bucket].name;
            for outcome in possible_outcomes {
                let counts = match outcome {
                    PossibleOutcome::Invalidated => &mut invalidated,
                    PossibleOutcome::Skipped(reason) => {
                        expected_skips.entry((reason.to_owned(), bucket.clone())).or_default()
                    }
                    PossibleOutcome::Fails => continue,
                };
                *counts = (counts.0 + certain, counts.1 + 1);
            }
        }
        if event.other_records > 0 {
            let other_records = ("not-a-content-change".to_owned(), "ObjectTagging:Put".to_owned());
            expected_skips.insert(other_records, (event.other_records, event.other_records));
        }
        if event.is_test_event {
            expected_skips.insert(("test-event".to_owned(), String::new()), (0, 0));
        }
        let mut skipped: BTreeMap<_, _> = report["skipped"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| ((text(&it["code"]), text(&it["bucket"]) + &text(&it["eventName"])), count(&it["changes"])))
            .collect();
        let within =
            |(min, max): (usize, usize), number: usize| (min.saturating_sub(max_unknown)..=max).contains(&number);
        let reported_invalidated = count(&report["changes"]["invalidated"]);
        let total = queued + reported_invalidated + skipped.values().sum::<usize>();
        let reasons_match =
            expected_skips.iter().all(|(reason, &counts)| within(counts, skipped.remove(reason).unwrap_or_default()));
        if total != event.changes.len() + event.other_records
            || !within(invalidated, reported_invalidated)
            || count(&report["changes"]["failed"]) > 0
            || !is_queued_as_reported
            || (queued > 0 && !self.may_have_queued)
            || !reasons_match
            || !skipped.is_empty()
        {
            self.violations.push(format!(
                "{}: expected {invalidated:?} invalidated and {expected_skips:?} skipped, got {report}",
                event.id
            ));
        }
    }

    /// Whether a part of a delivery can fail without a fault.
    pub(crate) fn may_fail(&self, delivery: &PendingDelivery) -> bool {
        let fails = |&change: &usize| self.possible_outcomes(change).contains(&PossibleOutcome::Fails);
        delivery.unreadable || delivery.changes.iter().any(fails)
    }

    /// Checks that a failure has a cause. Records a failure whose cause is unrelated to the failed changes.
    pub(crate) fn check_failure(&mut self, delivery: &mut PendingDelivery, causes: FailureCauses, reason: &str) {
        let may_fail = self.may_fail(delivery);
        let any_fault = causes.call_fault_occurred || causes.process_fault_applied;
        if !may_fail && !any_fault && self.faults.is_none_or(|faults| !faults.has_permanent_fault) {
            self.violations.push(format!("{} failed without a fault: {reason}", delivery.id));
        }
        if !may_fail && !causes.process_fault_applied && !self.has_related_fault(delivery) {
            delivery.unexplained_failure = Some(reason.to_owned());
        }
    }

    /// Whether a call for a resource of these changes, or of this job, had a fault or was throttled in this round.
    fn has_related_fault(&self, delivery: &PendingDelivery) -> bool {
        let mut names = BTreeSet::new();
        for &change in &delivery.changes {
            let bucket = &self.plan.resources.buckets[self.plan.changes[change].bucket];
            names.insert(bucket.name.as_str());
            names.extend(bucket.distribution_ids.iter().map(String::as_str));
            names.extend(bucket.wrong_id());
            // A tenant has the config of its distribution.
            names.extend(self.plan.resources.multi_tenant.as_ref().map(|it| it.id.as_str()));
        }
        names.extend(delivery.job.iter().flat_map(|&job| self.plan.jobs[job].resource_names(&self.plan.resources)));
        names.extend(self.plan.resources.cache_policies.keys().map(String::as_str));
        names.extend(self.plan.own_queue.as_ref().map(|_| QUEUE));
        self.worker.aws.with(|state| {
            // The request rate is limited for the whole account, so `Throttling` can affect every change.
            let mut throttled = state.calls.iter().skip(self.at_round_start.calls).filter(|call| is_throttled(call));
            let throttled =
                throttled.any(|call| call.code.as_deref() == Some("Throttling") || names.contains(&*call.target));
            throttled
                || self
                    .faults
                    .is_some_and(|faults| faults.occurred_since(&self.at_round_start.fault_occurrences, state, &names))
        })
    }
}

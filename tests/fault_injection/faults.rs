//! The faults of a scenario's calls to AWS.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use s3_cloudfront_invalidator::local::State;
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};

use crate::effects::{creates_invalidation, random_effect, random_job_effect, random_queue_effect, reads_config};
use crate::own_queue::QUEUE;
use crate::plan::Plan;
use crate::resources::Resources;
use crate::stats::FaultCounts;

/// A fault of a scenario, with the name of its kind.
struct PlannedFault {
    kind: &'static str,
    fault: Fault,
    /// Whether it can make a change fail. A receive that fails without an effect takes no message.
    may_fail_changes: bool,
}

/// All faults of a scenario.
#[derive(Default)]
pub(crate) struct Faults {
    planned: Vec<PlannedFault>,
    /// The minimum time between two `CreateInvalidation` calls in the account; sooner ones are throttled.
    throttle: Option<Duration>,
    /// Whether a fault is permanent.
    pub(crate) has_permanent_fault: bool,
    /// Whether a fault may make the function send different paths.
    pub(crate) may_change_paths: bool,
    /// Whether the function may be denied to read a distribution config, a distribution tenant or a cache policy.
    pub(crate) may_deny_config_reads: bool,
}

impl Faults {
    /// Generates two to nine faults of one to three calls each. In one of 16 scenarios, bursts excepted, one fault is
    /// permanent.
    pub(crate) fn random(rng: &mut Rng, plan: &Plan) -> Self {
        let resources = &plan.resources;
        let mut faults = Self::default();
        for _ in 0..rng.usize(2..=9) {
            let operation = match &plan.own_queue {
                Some(own_queue) if rng.u8(0..3) == 0 => random_queue_operation(rng, own_queue.has_all_changes),
                _ => random_operation(rng, resources),
            };
            let (kind, effect) = match operation {
                "PutJobSuccessResult" | "PutJobFailureResult" => random_job_effect(rng, operation),
                "ReceiveMessage" | "DeleteMessageBatch" | "SendMessage" => random_queue_effect(rng, operation),
                _ => random_effect(rng, operation, resources.tags_suffice),
            };
            let names: Vec<_> = match operation {
                "GetBucketTagging" | "ListObjectsV2" => resources.buckets.iter().map(|it| it.name.clone()).collect(),
                "GetCachePolicy" => resources.cache_policies.keys().cloned().collect(),
                "ReceiveMessage" | "DeleteMessageBatch" | "SendMessage" => vec![QUEUE.to_owned()],
                // A fault for any job.
                "PutJobSuccessResult" | "PutJobFailureResult" => Vec::new(),
                _ => resources.targets(operation),
            };
            let target = if rng.u8(0..3) == 0 { None } else { rng.choice(names) };
            let times = rng.usize(1..=3);
            faults.may_change_paths |= ["invalid argument", "batch too large", "too many in progress"].contains(&kind);
            let may_deny = ["access denied", "access denied without a body", "HTML page"].contains(&kind);
            faults.may_deny_config_reads |= may_deny && reads_config(operation);
            if operation == "ReceiveMessage" && rng.bool() {
                // Otherwise every fault would hit the first receive of a poll, which then ends.
                let effect = Effect::Delay(Duration::from_millis(rng.u64(1..5)));
                let fault = Fault { operation, target: target.clone(), effect, times: rng.usize(1..=5) };
                let kind = "delay before the operation";
                faults.planned.push(PlannedFault { kind, fault, may_fail_changes: false });
            }
            let may_fail_changes = operation != "ReceiveMessage" || effect.takes_effect();
            let fault = Fault { operation, target, effect, times };
            faults.planned.push(PlannedFault { kind, fault, may_fail_changes });
        }
        // In a burst, thousands of events that each fail three times would take hours.
        if rng.u8(0..16) == 0 && !plan.is_burst {
            faults.has_permanent_fault = true;
            let index = rng.usize(0..faults.planned.len());
            faults.planned[index].fault.times = usize::MAX;
        }
        if rng.u8(0..12) == 0 {
            faults.throttle = Some(Duration::from_millis(rng.u64(5..40)));
        }
        faults
    }

    /// Adds the faults to the fake AWS.
    pub(crate) fn install(&self, state: &mut State) {
        state.faults = self.planned.iter().map(|it| it.fault.clone()).collect();
        state.throttle = self.throttle;
    }

    /// How often each kind of fault has occurred so far.
    pub(crate) fn fault_counts(&self, state: &State) -> FaultCounts {
        let mut kinds = FaultCounts::default();
        for (PlannedFault { kind, fault, .. }, times) in self.planned.iter().zip(self.occurrences(state)) {
            *kinds.entry((kind, fault.operation)).or_default() += times;
        }
        if self.throttle.is_some() {
            let throttled = state.calls.iter().filter(|call| call.code.as_deref() == Some("Throttling"));
            let throttled = throttled.filter(|call| creates_invalidation(call.operation)).count();
            let injected = kinds.iter().filter(|((kind, it), _)| *kind == "throttling" && creates_invalidation(it));
            let injected: usize = injected.map(|(_, times)| times).sum();
            kinds.insert(("throttling storm", "CreateInvalidation"), throttled.saturating_sub(injected));
        }
        kinds.retain(|_, times| *times > 0);
        kinds
    }

    /// How many faults have occurred so far that can make a change fail.
    pub(crate) fn count_that_may_fail_changes(&self, state: &State) -> usize {
        let occurrences = self.planned.iter().zip(self.occurrences(state));
        let others: usize =
            occurrences.filter(|(planned, _)| !planned.may_fail_changes).map(|(_, occurrences)| occurrences).sum();
        self.fault_counts(state).values().sum::<usize>() - others
    }

    /// How often each fault has occurred so far.
    pub(crate) fn occurrences(&self, state: &State) -> Vec<usize> {
        self.planned
            .iter()
            .zip(&state.faults)
            .map(|(planned, remaining)| planned.fault.times - remaining.times)
            .collect()
    }

    /// Whether a fault that can affect a resource with one of these names has occurred since `before`.
    pub(crate) fn occurred_since(&self, before: &[usize], state: &State, names: &BTreeSet<&str>) -> bool {
        let mut occurrences = self.planned.iter().zip(before).zip(self.occurrences(state));
        occurrences.any(|((planned, before), times)| {
            times > *before
                && planned.may_fail_changes
                && planned.fault.target.as_deref().is_none_or(|target| names.contains(target))
        })
    }
}

/// A random operation on the function's own queue.
fn random_queue_operation(rng: &mut Rng, has_all_changes: bool) -> &'static str {
    match rng.u8(0..4) {
        0 | 1 if !has_all_changes => "SendMessage",
        0 | 2 => "ReceiveMessage",
        _ => "DeleteMessageBatch",
    }
}

/// A random operation that can occur in the scenario.
fn random_operation(rng: &mut Rng, resources: &Resources) -> &'static str {
    let has_configs = resources.config_versions.iter().any(|it| !it.is_empty());
    let operation = match rng.u8(0..20) {
        0..4 if has_configs => "GetDistributionConfig",
        4..6 if has_configs => "GetCachePolicy",
        6..10 if resources.many_objects => "ListObjectsV2",
        10..12 if resources.has_jobs => "PutJobSuccessResult",
        12 if resources.has_jobs => "PutJobFailureResult",
        0..13 => ["GetBucketTagging", "CreateInvalidation"][usize::from(rng.u8(0..5) > 1)],
        13 => "GetDistributionConfig",
        14..16 => "GetBucketTagging",
        _ => "CreateInvalidation",
    };
    match operation {
        "CreateInvalidation" if resources.multi_tenant.is_some() && rng.bool() => {
            "CreateInvalidationForDistributionTenant"
        }
        "GetDistributionConfig" if resources.multi_tenant.is_some() && rng.bool() => "GetDistributionTenant",
        other => other,
    }
}

//! The faults of a scenario's calls to AWS.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use s3_cloudfront_invalidator::local::State;
use s3_cloudfront_invalidator::local::fault::Fault;

use crate::effects::{random_effect, random_job_effect};
use crate::resources::Resources;
use crate::stats::FaultCounts;

/// A fault of a scenario, with the name of its kind.
struct PlannedFault {
    kind: &'static str,
    fault: Fault,
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
    /// Whether the function may be denied to read a distribution config or a cache policy.
    pub(crate) may_deny_config_reads: bool,
}

impl Faults {
    /// Generates two to nine faults of one to three calls each. In one of 16 scenarios, bursts excepted, one fault is
    /// permanent.
    pub(crate) fn random(rng: &mut Rng, resources: &Resources, is_burst: bool) -> Self {
        let mut faults = Self::default();
        for _ in 0..rng.usize(2..=9) {
            let operation = random_operation(rng, resources);
            let (kind, effect) = match operation {
                "PutJobSuccessResult" | "PutJobFailureResult" => random_job_effect(rng, operation),
                _ => random_effect(rng, operation, resources.tags_suffice),
            };
            let names: Vec<_> = match operation {
                "GetBucketTagging" | "ListObjectsV2" => resources.buckets.iter().map(|it| it.name.clone()).collect(),
                "GetCachePolicy" => resources.cache_policies.keys().cloned().collect(),
                // A fault for any job.
                "PutJobSuccessResult" | "PutJobFailureResult" => Vec::new(),
                _ => resources.distributions.clone(),
            };
            let target = if rng.u8(0..3) == 0 { None } else { rng.choice(names) };
            let times = rng.usize(1..=3);
            faults.may_change_paths |= ["invalid argument", "batch too large", "too many in progress"].contains(&kind);
            faults.may_deny_config_reads |=
                kind == "access denied" && ["GetDistributionConfig", "GetCachePolicy"].contains(&operation);
            faults.planned.push(PlannedFault { kind, fault: Fault { operation, target, effect, times } });
        }
        // In a burst, thousands of events that each fail three times would take hours.
        if rng.u8(0..16) == 0 && !is_burst {
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
        for (PlannedFault { kind, fault }, times) in self.planned.iter().zip(self.occurrences(state)) {
            *kinds.entry((kind, fault.operation)).or_default() += times;
        }
        if self.throttle.is_some() {
            let throttled = state.calls.iter().filter(|call| call.code.as_deref() == Some("Throttling"));
            let throttled = throttled.filter(|call| call.operation == "CreateInvalidation").count();
            let injected = kinds.get(&("throttling", "CreateInvalidation")).copied().unwrap_or_default();
            kinds.insert(("throttling storm", "CreateInvalidation"), throttled.saturating_sub(injected));
        }
        kinds.retain(|_, times| *times > 0);
        kinds
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
            times > *before && planned.fault.target.as_deref().is_none_or(|target| names.contains(target))
        })
    }
}

/// A random operation that can occur in the scenario.
fn random_operation(rng: &mut Rng, resources: &Resources) -> &'static str {
    let has_configs = resources.config_versions.iter().any(|it| !it.is_empty());
    match rng.u8(0..20) {
        0..4 if has_configs => "GetDistributionConfig",
        4..6 if has_configs => "GetCachePolicy",
        6..10 if resources.many_objects => "ListObjectsV2",
        10..12 if resources.has_jobs => "PutJobSuccessResult",
        12 if resources.has_jobs => "PutJobFailureResult",
        0..13 => ["GetBucketTagging", "CreateInvalidation"][usize::from(rng.u8(0..5) > 1)],
        13 => "GetDistributionConfig",
        14..16 => "GetBucketTagging",
        _ => "CreateInvalidation",
    }
}

//! The faults that a scenario's calls to AWS have.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use s3_cloudfront_invalidator::local::State;
use s3_cloudfront_invalidator::local::fault::Fault;

use crate::effects::{effect, job_effect};
use crate::resources::Resources;
use crate::stats::Kinds;

/// A fault of a scenario, with the name of its kind.
struct PlannedFault {
    kind: &'static str,
    fault: Fault,
}

/// All faults of a scenario.
#[derive(Default)]
pub(crate) struct Faults {
    asked: Vec<PlannedFault>,
    /// The least time between two `CreateInvalidation` calls in the account; sooner ones are throttled.
    throttle: Option<Duration>,
    /// Whether a fault is permanent.
    pub(crate) lasting: bool,
    /// Whether a fault may make the function send different paths.
    pub(crate) widening: bool,
    /// Whether the function may be denied to read a distribution config or a cache policy.
    pub(crate) denying: bool,
}

impl Faults {
    /// Draws two to nine faults of one to three calls each. In one of 16 scenarios, bursts excepted, one fault is
    /// permanent.
    pub(crate) fn draw(rng: &mut Rng, resources: &Resources, burst: bool) -> Self {
        let mut faults = Self::default();
        for _ in 0..rng.usize(2..=9) {
            let operation = operation(rng, resources);
            let (kind, effect) = match operation {
                "PutJobSuccessResult" | "PutJobFailureResult" => job_effect(rng, operation),
                _ => effect(rng, operation, resources.tags_suffice),
            };
            let names: Vec<_> = match operation {
                "GetBucketTagging" | "ListObjectsV2" => resources.buckets.iter().map(|it| it.name.clone()).collect(),
                "GetCachePolicy" => resources.policies.keys().cloned().collect(),
                // A fault for any job.
                "PutJobSuccessResult" | "PutJobFailureResult" => Vec::new(),
                _ => resources.distributions.clone(),
            };
            let target = if rng.u8(0..3) == 0 { None } else { rng.choice(names) };
            let times = rng.usize(1..=3);
            faults.widening |= ["invalid argument", "batch too large", "too many in progress"].contains(&kind);
            faults.denying |=
                kind == "access denied" && ["GetDistributionConfig", "GetCachePolicy"].contains(&operation);
            faults.asked.push(PlannedFault { kind, fault: Fault { operation, target, effect, times } });
        }
        // In a burst, thousands of events that each fail three times would take hours.
        if rng.u8(0..16) == 0 && !burst {
            faults.lasting = true;
            let place = rng.usize(0..faults.asked.len());
            faults.asked[place].fault.times = usize::MAX;
        }
        if rng.u8(0..12) == 0 {
            faults.throttle = Some(Duration::from_millis(rng.u64(5..40)));
        }
        faults
    }

    pub(crate) fn set(&self, state: &mut State) {
        state.faults = self.asked.iter().map(|it| it.fault.clone()).collect();
        state.throttle = self.throttle;
    }

    /// How often each kind of fault has occurred so far.
    pub(crate) fn played(&self, state: &State) -> Kinds {
        let mut kinds = Kinds::default();
        for (PlannedFault { kind, fault }, times) in self.asked.iter().zip(self.times(state)) {
            *kinds.entry((kind, fault.operation)).or_default() += times;
        }
        if self.throttle.is_some() {
            let throttled = state.calls.iter().filter(|call| call.code.as_deref() == Some("Throttling"));
            let throttled = throttled.filter(|call| call.operation == "CreateInvalidation").count();
            let asked_for = kinds.get(&("throttling", "CreateInvalidation")).copied().unwrap_or_default();
            kinds.insert(("throttling storm", "CreateInvalidation"), throttled.saturating_sub(asked_for));
        }
        kinds.retain(|_, times| *times > 0);
        kinds
    }

    /// How often each fault has occurred so far.
    pub(crate) fn times(&self, state: &State) -> Vec<usize> {
        self.asked.iter().zip(&state.faults).map(|(asked, left)| asked.fault.times - left.times).collect()
    }

    /// Whether a fault that can affect a resource with one of these names has occurred since `before`.
    pub(crate) fn touched(&self, before: &[usize], state: &State, names: &BTreeSet<&str>) -> bool {
        let mut now = self.asked.iter().zip(before).zip(self.times(state));
        now.any(|((asked, before), now)| {
            now > *before && asked.fault.target.as_deref().is_none_or(|target| names.contains(target))
        })
    }
}

/// A random operation that the scenario has a use for.
fn operation(rng: &mut Rng, resources: &Resources) -> &'static str {
    let has_settings = resources.settings.iter().any(|it| !it.is_empty());
    match rng.u8(0..20) {
        0..4 if has_settings => "GetDistributionConfig",
        4..6 if has_settings => "GetCachePolicy",
        6..10 if resources.stocked => "ListObjectsV2",
        10..12 if resources.has_jobs => "PutJobSuccessResult",
        12 if resources.has_jobs => "PutJobFailureResult",
        0..13 => ["GetBucketTagging", "CreateInvalidation"][usize::from(rng.u8(0..5) > 1)],
        13 => "GetDistributionConfig",
        14..16 => "GetBucketTagging",
        _ => "CreateInvalidation",
    }
}

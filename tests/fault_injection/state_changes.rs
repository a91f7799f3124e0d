//! Changes of the fake AWS's state while a scenario runs: objects and distribution configs.

use std::collections::BTreeMap;

use s3_cloudfront_invalidator::local::State;

use crate::keys::random_key;
use crate::run::ScenarioRun;
use crate::worker::StateChange;

impl<'a> ScenarioRun<'a, '_> {
    /// Applies changes to the buckets before S3 sends their notifications, and records how many invalidations each
    /// distribution has.
    pub(crate) fn apply_changes(&mut self, changes: Vec<usize>) {
        let current_counts = self.worker.aws.with(|state| {
            for change in
                changes.iter().map(|&change| &self.plan.changes[change]).filter(|_| self.plan.resources.many_objects)
            {
                let name = &self.plan.resources.buckets[change.bucket].name;
                let Some(fake_bucket) = state.buckets.get_mut(name) else { continue };
                if change.deleted {
                    fake_bucket.objects.remove(&change.key);
                } else {
                    fake_bucket.objects.insert(change.key.clone());
                }
            }
            invalidation_counts(state)
        });
        self.invalidations_before.extend(changes.into_iter().map(|change| (change, current_counts.clone())));
    }

    /// At random, replaces the distribution configs or some objects of the buckets: at once, or, if it returns the
    /// change, during the deliveries.
    pub(crate) fn maybe_change_state(&mut self) -> Option<StateChange<'a>> {
        let resources = &self.plan.resources;
        let replaces_configs = self.config_version + 1 < resources.config_versions.len() && self.rng.u8(0..3) == 0;
        let (from, to) = (self.config_version, self.config_version + usize::from(replaces_configs));
        self.config_version = to;
        let changes_objects = resources.many_objects && self.rng.u8(0..4) == 0;
        let after_calls = self.rng.usize(0..12);
        let mut rng = self.rng.fork();
        let apply = move |state: &mut State| {
            if replaces_configs {
                for (id, distribution) in &mut state.distributions {
                    distribution.config = resources.config_versions[to].get(id).cloned();
                }
            }
            for bucket in resources.buckets.iter().filter(|_| changes_objects) {
                let Some(fake_bucket) = state.buckets.get_mut(&bucket.name) else { continue };
                for _ in 0..20 {
                    fake_bucket.objects.remove(&bucket.objects[rng.usize(0..bucket.objects.len())]);
                    fake_bucket.objects.insert(random_key(&mut rng, bucket.key_prefix));
                }
            }
        };
        let during_delivery = (replaces_configs || changes_objects) && self.rng.bool();
        if during_delivery {
            self.known_configs.versions = self.plan.resources.known_configs(from..=to, false).versions;
            return Some(StateChange { after_calls, apply: Box::new(apply) });
        }
        let mut apply = apply;
        self.worker.aws.with(&mut apply);
        self.known_configs.versions = self.plan.resources.known_configs(to..=to, false).versions;
        None
    }
}

/// The number of invalidations of each distribution.
pub(crate) fn invalidation_counts(state: &mut State) -> BTreeMap<String, usize> {
    state.distributions.iter().map(|(id, it)| (id.clone(), it.invalidations.len())).collect()
}

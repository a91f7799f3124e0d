//! What changes while a scenario runs: objects and distribution configs.

use std::collections::BTreeMap;

use s3_cloudfront_invalidator::local::State;

use crate::keys::key;
use crate::lane::Meanwhile;
use crate::play::Play;

impl<'a> Play<'a, '_> {
    /// Applies changes to the buckets before S3 reports them, and records how many invalidations each distribution has.
    pub(crate) fn tell(&mut self, changes: Vec<usize>) {
        let count = |state: &mut State| -> BTreeMap<_, _> {
            state.distributions.iter().map(|(id, it)| (id.clone(), it.invalidations.len())).collect()
        };
        let now = self.lane.aws.with(|state| {
            for change in
                changes.iter().map(|&change| &self.plan.changes[change]).filter(|_| self.plan.resources.stocked)
            {
                let name = &self.plan.resources.buckets[change.bucket].name;
                let Some(bucket) = state.buckets.get_mut(name) else { continue };
                if change.removed {
                    bucket.objects.remove(&change.key);
                } else {
                    bucket.objects.insert(change.key.clone());
                }
            }
            count(state)
        });
        self.since.extend(changes.into_iter().map(|change| (change, now.clone())));
    }

    /// Sometimes replaces the distribution configs, or objects of the buckets: at once, or during the deliveries if it
    /// returns the change.
    pub(crate) fn turn(&mut self) -> Option<Meanwhile<'a>> {
        let resources = &self.plan.resources;
        let turns = self.settings + 1 < resources.settings.len() && self.rng.u8(0..3) == 0;
        let (from, to) = (self.settings, self.settings + usize::from(turns));
        self.settings = to;
        let stirs = resources.stocked && self.rng.u8(0..4) == 0;
        let calls = self.rng.usize(0..12);
        let mut rng = self.rng.fork();
        let what = move |state: &mut State| {
            if turns {
                for (id, distribution) in &mut state.distributions {
                    distribution.config = resources.settings[to].get(id).cloned();
                }
            }
            for place in resources.buckets.iter().filter(|_| stirs) {
                let Some(bucket) = state.buckets.get_mut(&place.name) else { continue };
                for _ in 0..20 {
                    bucket.objects.remove(&place.objects[rng.usize(0..place.objects.len())]);
                    bucket.objects.insert(key(&mut rng, place.home));
                }
            }
        };
        let in_the_middle = (turns || stirs) && self.rng.bool();
        if in_the_middle {
            self.known.settings = self.plan.resources.known(from..=to, false).settings;
            return Some(Meanwhile { calls, what: Box::new(what) });
        }
        let mut what = what;
        self.lane.aws.with(&mut what);
        self.known.settings = self.plan.resources.known(to..=to, false).settings;
        None
    }
}

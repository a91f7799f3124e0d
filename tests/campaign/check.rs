//! Checks that each response is true, and that each failure has a cause.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::edge::Edge;
use crate::play::{Cause, End, Play, is_refusal};
use crate::queues::PendingDelivery;
use crate::resources::Fate;

impl Play<'_, '_> {
    /// The outcomes that a change may have.
    fn fates(&self, change: usize) -> BTreeSet<Fate> {
        let change = &self.plan.changes[change];
        self.plan.resources.fates(change.bucket, &change.key, &self.known)
    }

    pub(crate) fn name(&self, change: usize) -> String {
        let change = &self.plan.changes[change];
        format!("{:?} of {}", change.key, self.plan.resources.buckets[change.bucket].name)
    }

    /// Checks that what an event or a message reported as done is done, and records the outcome of its changes.
    pub(crate) fn succeed(&mut self, done: &PendingDelivery) {
        if done.poison {
            self.found.push(format!("{} cannot be read, and was taken", done.id));
        }
        for &change in &done.changes {
            let fates = self.fates(change);
            if fates == [Fate::Fails].into() {
                self.found.push(format!("said to be done, which cannot be: {}", self.name(change)));
            }
            self.check_covered(change);
            let ignored = fates.iter().all(|fate| matches!(fate, Fate::Ignored(_)));
            self.ends.insert(change, if ignored { End::Ignored } else { End::Covered });
        }
    }

    /// Checks that every cached copy of the object was evicted since the change happened, in each of its distributions:
    /// at all URLs under the current distribution config, or under one that the function may still have cached.
    fn check_covered(&mut self, change: usize) {
        let told = &self.plan.changes[change];
        for id in &self.plan.resources.buckets[told.bucket].ids {
            let since = self.since[&change][id];
            let held = self.known.settings.clone().map(|settings| {
                let urls = self.plan.resources.urls(told.bucket, &told.key, id, settings);
                let mut edge = Edge::new(urls.clone());
                self.lane.aws.with(|state| {
                    // Newest first, as a burst has thousands and the loop ends once all URLs are evicted.
                    for invalidation in state.distributions[id].invalidations[since..].iter().rev() {
                        if !urls.iter().any(|url| edge.holds(url)) {
                            break;
                        }
                        edge.invalidate(invalidation.paths.iter().map(String::as_str));
                    }
                });
                urls.into_iter().filter(|url| edge.holds(url)).collect::<Vec<_>>()
            });
            let held = held.min_by_key(Vec::len).unwrap_or_default();
            for url in held {
                self.found.push(format!("stale: {url} at {id}, said to be done: {}", self.name(change)));
            }
        }
    }

    /// Checks that a response counts every change, and gives the reason for each skipped one.
    pub(crate) fn check_report(&mut self, event: &PendingDelivery, body: &[u8]) {
        // Minimum and maximum. They differ only where more than one outcome is possible.
        let mut expected: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
        let mut covered = (0, 0);
        for &change in &event.changes {
            let fates = self.fates(change);
            let sure = usize::from(fates.len() == 1);
            let bucket = &self.plan.resources.buckets[self.plan.changes[change].bucket].name;
            for fate in fates {
                let counts = match fate {
                    Fate::Covered => &mut covered,
                    Fate::Ignored(reason) => expected.entry((reason.to_owned(), bucket.clone())).or_default(),
                    Fate::Fails => continue,
                };
                *counts = (counts.0 + sure, counts.1 + 1);
            }
        }
        if event.others > 0 {
            let others = ("not-a-content-change".to_owned(), "ObjectTagging:Put".to_owned());
            expected.insert(others, (event.others, event.others));
        }
        let report: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let count = |value: &Value| value.as_u64().and_then(|it| usize::try_from(it).ok()).unwrap_or_default();
        let mut ignored: BTreeMap<_, _> = report["ignored"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| ((text(&it["reason"]), text(&it["bucket"]) + &text(&it["eventName"])), count(&it["changes"])))
            .collect();
        let within = |(least, most): (usize, usize), number: usize| (least..=most).contains(&number);
        let told = count(&report["changes"]["covered"]);
        let all = told + ignored.values().sum::<usize>();
        let named = expected.iter().all(|(reason, &counts)| within(counts, ignored.remove(reason).unwrap_or_default()));
        if all != event.changes.len() + event.others
            || !within(covered, told)
            || count(&report["changes"]["failed"]) > 0
            || !named
            || !ignored.is_empty()
        {
            self.found.push(format!("{}: {covered:?} and {expected:?} expected, not {report}", event.id));
        }
    }

    /// Checks that a failure has a cause, and records one whose cause does not concern the failed changes.
    pub(crate) fn check_failure(&mut self, failed: &mut PendingDelivery, cause: Cause, reason: &str) {
        let fails = failed.poison || failed.changes.iter().any(|&change| self.fates(change).contains(&Fate::Fails));
        let provoked = cause.provoked || cause.disturbed;
        if !fails && !provoked && self.faults.is_none_or(|faults| !faults.lasting) {
            self.found.push(format!("{} failed without a cause: {reason}", failed.id));
        }
        if !fails && !cause.disturbed && !self.concerns(failed) {
            failed.unexplained = Some(reason.to_owned());
        }
    }

    /// Whether a fault or throttling occurred in this round on a resource that these changes, or this job, need.
    fn concerns(&self, failed: &PendingDelivery) -> bool {
        let mut names = BTreeSet::new();
        for &change in &failed.changes {
            let place = &self.plan.resources.buckets[self.plan.changes[change].bucket];
            names.insert(place.name.as_str());
            names.extend(place.ids.iter().map(String::as_str));
            names.extend(place.has_distribution_gone().then_some("EGONE"));
        }
        names.extend(failed.job.iter().flat_map(|&job| self.plan.jobs[job].names(&self.plan.resources)));
        names.extend(self.plan.resources.policies.keys().map(String::as_str));
        self.lane.aws.with(|state| {
            // The request rate is limited for the whole account, so `Throttling` concerns every change.
            let mut refused = state.calls.iter().skip(self.before.calls).filter(|call| is_refusal(call));
            let refused =
                refused.any(|call| call.code.as_deref() == Some("Throttling") || names.contains(&*call.target));
            refused || self.faults.is_some_and(|faults| faults.touched(&self.before.faults, state, &names))
        })
    }
}

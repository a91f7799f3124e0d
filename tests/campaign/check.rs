//! Whether an answer is true.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::edge::Edge;
use crate::places::{Fate, urls};
use crate::play::Play;
use crate::queues::Waiting;

impl Play<'_, '_> {
    /// Every copy of the object at every distribution was evicted since the change was told of.
    pub(crate) fn check_covered(&mut self, change: usize) {
        let told = &self.plan.changes[change];
        let place = &self.plan.places.buckets[told.bucket];
        let urls = urls(&told.key, place.folder);
        for id in &place.ids {
            let mut edge = Edge::new(urls.clone());
            let since = self.since[&change][id];
            self.lane.cloud.with(|world| {
                // The latest first: a burst has thousands.
                for invalidation in world.distributions[id].invalidations[since..].iter().rev() {
                    edge.invalidate(invalidation.paths.iter().map(String::as_str));
                    if !urls.iter().any(|url| edge.holds(url)) {
                        break;
                    }
                }
            });
            for url in urls.iter().filter(|url| edge.holds(url)) {
                self.found.push(format!("stale: {url} at {id}, said to be covered: {}", self.name(change)));
            }
        }
    }

    /// An answer counts every change, and names why it ignores what it ignores.
    pub(crate) fn check_report(&mut self, event: &Waiting, body: &[u8]) {
        let mut expected: BTreeMap<(String, String), usize> = BTreeMap::new();
        let mut covered = 0;
        for &change in &event.changes {
            match self.fate(change) {
                Fate::Covered => covered += 1,
                Fate::Ignored(reason) => {
                    let bucket = self.plan.places.buckets[self.plan.changes[change].bucket].name.clone();
                    *expected.entry((reason.to_owned(), bucket)).or_default() += 1;
                }
                Fate::Fails => {}
            }
        }
        if event.others > 0 {
            expected.insert(("not-a-content-change".to_owned(), "ObjectTagging:Put".to_owned()), event.others);
        }
        let report: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let count = |value: &Value| value.as_u64().and_then(|it| usize::try_from(it).ok()).unwrap_or_default();
        let ignored: BTreeMap<_, _> = report["ignored"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|it| ((text(&it["reason"]), text(&it["bucket"]) + &text(&it["eventName"])), count(&it["changes"])))
            .collect();
        if count(&report["changes"]["covered"]) != covered
            || count(&report["changes"]["failed"]) > 0
            || ignored != expected
        {
            self.found.push(format!("{}: {covered} and {expected:?} expected, not {report}", event.id));
        }
    }
}

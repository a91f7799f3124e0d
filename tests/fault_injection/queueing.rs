//! The changes that direct deliveries hand to the function's own queue.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::own_queue::{QUEUE, fake_queue};
use crate::queues::PendingDelivery;
use crate::run::ScenarioRun;

impl ScenarioRun<'_, '_> {
    /// Whether the function hands direct changes to a queue of its own.
    pub(crate) fn may_queue(&self) -> bool {
        self.plan.own_queue.as_ref().is_some_and(|it| !it.has_all_changes)
    }

    /// Finds the messages that the function has sent to its queue, and the changes in each. Records the changes that were
    /// found since the last call.
    pub(crate) fn find_queued_messages(&mut self) {
        self.queued_in_round = BTreeSet::new();
        if !self.may_queue() {
            return;
        }
        let messages = self.worker.aws.with(|state| {
            let queue = fake_queue(state, QUEUE);
            queue.ids().into_iter().zip(queue.bodies()).collect::<Vec<_>>()
        });
        for (id, body) in messages.into_iter().filter(|(id, _)| !self.messages.contains_key(id)).collect::<Vec<_>>() {
            let objects = objects_in(&body);
            let mut changes = BTreeSet::new();
            for object in &objects {
                let found = self.invalidations_before.keys().copied().filter(|&index| {
                    let change = &self.plan.changes[index];
                    (&self.plan.resources.buckets[change.bucket].name, &change.key) == (&object.0, &object.1)
                });
                let found: Vec<_> = found.collect();
                if found.is_empty() {
                    self.violations.push(format!("{object:?} was queued, but has not changed"));
                }
                changes.extend(found);
            }
            if objects.is_empty() {
                self.violations.push(format!("not in S3's form: {body}"));
            }
            self.queued_in_round.extend(&changes);
            self.messages.insert(id.clone(), PendingDelivery::new(id, body, changes.into_iter().collect()));
        }
    }

    /// Those of the event's changes that are in messages of this round.
    pub(crate) fn queued_changes(&self, event: &PendingDelivery) -> BTreeSet<usize> {
        event.changes.iter().copied().filter(|change| self.queued_in_round.contains(change)).collect()
    }
}

/// The objects of an event notification, as bucket and key; none if it is not in S3's form.
fn objects_in(body: &str) -> Vec<(String, String)> {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let records = json["Records"].as_array().into_iter().flatten();
    let objects = records.map(|record| {
        let bucket = record["s3"]["bucket"]["name"].as_str()?;
        let key = record["s3"]["object"]["key"].as_str()?.replace('+', " ");
        Some((bucket.to_owned(), percent_decode_str(&key).decode_utf8().ok()?.into_owned()))
    });
    objects.collect::<Option<_>>().unwrap_or_default()
}

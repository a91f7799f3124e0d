//! The plan of a scenario, generated completely before it runs.

use fastrand::Rng;
use s3_cloudfront_invalidator::local::events::{event_bridge, notification, record, sns, sns_notification, sqs};

use crate::jobs::PlannedJob;
use crate::keys::random_key;
use crate::own_queue::OwnQueue;
use crate::queues::{PendingDelivery, Queues};
use crate::resources::Resources;

/// One in this many scenarios is a small, or a large, burst of events that S3 sends directly to the function.
const SMALL_BURST_INTERVAL: u64 = 83;
const LARGE_BURST_INTERVAL: u64 = 2000;

/// The number of events in a small and in a large burst.
const SMALL_BURST_EVENTS: usize = 60;
const LARGE_BURST_EVENTS: usize = 5000;

/// The number of records in an event that makes listing the bucket worthwhile.
const RECORDS_WORTH_LISTING: std::ops::RangeInclusive<usize> = 10..=40;

/// A change of an object.
pub(crate) struct Change {
    /// The index of its bucket.
    pub(crate) bucket: usize,
    pub(crate) key: String,
    /// Whether the object was deleted.
    pub(crate) deleted: bool,
}

/// Events and messages that are sent at the same time.
#[derive(Default)]
pub(crate) struct EventGroup {
    /// Events for Lambda's asynchronous invocation queue.
    pub(crate) events: Vec<PendingDelivery>,
    /// Messages for the SQS queue.
    pub(crate) messages: Vec<PendingDelivery>,
}

/// Everything that a scenario consists of, except its faults.
pub(crate) struct Plan {
    pub(crate) resources: Resources,
    pub(crate) changes: Vec<Change>,
    pub(crate) jobs: Vec<PlannedJob>,
    pub(crate) event_groups: Vec<EventGroup>,
    /// The number of function processes, which is the function's reserved concurrency.
    pub(crate) reserved_concurrency: usize,
    pub(crate) max_receive_count: usize,
    pub(crate) max_batch_size: usize,
    pub(crate) is_burst: bool,
    /// The function's own queue, if it has one.
    pub(crate) own_queue: Option<OwnQueue>,
}

impl Plan {
    pub(crate) fn random(rng: &mut Rng, seed: u64) -> Self {
        let mut plan = Self {
            resources: Resources::random(rng, seed),
            changes: Vec::new(),
            jobs: Vec::new(),
            event_groups: Vec::new(),
            reserved_concurrency: rng.usize(1..=2),
            max_receive_count: rng.usize(3..=5),
            max_batch_size: *rng.choice(&[1, 3, 10, 100]).unwrap_or(&10),
            is_burst: true,
            own_queue: None,
        };
        let is_large_burst = seed % LARGE_BURST_INTERVAL == LARGE_BURST_INTERVAL - 1;
        if is_large_burst {
            plan.add_burst(rng, LARGE_BURST_EVENTS);
        } else if seed % SMALL_BURST_INTERVAL == SMALL_BURST_INTERVAL - 1 {
            plan.add_burst(rng, SMALL_BURST_EVENTS);
        } else {
            plan.is_burst = false;
            for _ in 0..rng.usize(1..=3) {
                plan.add_event_group(rng);
            }
            if plan.resources.has_jobs {
                plan.add_pipeline_jobs(rng, seed);
            }
        }
        plan.own_queue = OwnQueue::random(rng, plan.is_burst).filter(|_| !is_large_burst);
        plan
    }

    pub(crate) fn queues(&self) -> Queues {
        Queues::new(self.max_receive_count, self.max_batch_size)
    }

    /// Adds a deployment whose notifications invoke the function directly, one event for each object.
    fn add_burst(&mut self, rng: &mut Rng, events: usize) {
        self.reserved_concurrency = 2;
        let mut group = EventGroup::default();
        for number in 0..events {
            let (change, record) = self.random_change(rng);
            group.events.push(PendingDelivery::new(format!("burst-{number}"), notification(&[record]), vec![change]));
        }
        self.event_groups.push(group);
    }

    /// Adds a random group of events and messages, some of which cannot be read.
    fn add_event_group(&mut self, rng: &mut Rng) {
        let mut group = EventGroup::default();
        let number = self.event_groups.len();
        for event in 0..rng.usize(0..=4) {
            group.events.push(self.random_event(rng, format!("request-{number}-{event}")));
        }
        for message in 0..if rng.bool() { 0 } else { rng.usize(1..=20) } {
            let id = format!("message-{number}-{message}");
            let kind = rng.u8(0..60);
            if kind < 2 {
                let invalid_bodies =
                    ["", "hello", "{}", "[]", r#"{"Records":5}"#, r#"{"CodePipeline.job":{"id":"x"}}"#];
                let test_event = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"site"}"#;
                let body = if kind == 0 { invalid_bodies[rng.usize(0..invalid_bodies.len())] } else { test_event };
                let mut delivery = PendingDelivery::new(id, body.to_owned(), Vec::new());
                (delivery.unreadable, delivery.is_test_event) = (kind == 0, kind == 1);
                group.messages.push(delivery);
                continue;
            }
            let mut delivery = self.random_event(rng, id);
            match kind {
                2 => {
                    let length = delivery.body.floor_char_boundary(rng.usize(0..delivery.body.len()));
                    delivery.body.truncate(length);
                    delivery.unreadable = true;
                }
                3..20 if !delivery.body.contains("aws:sns") => delivery.body = sns_notification(&delivery.body),
                _ => {}
            }
            group.messages.push(delivery);
        }
        if group.events.is_empty() && group.messages.is_empty() {
            group.events.push(self.random_event(rng, format!("request-{number}-only")));
        }
        self.event_groups.push(group);
    }

    /// Adds jobs of pipelines that have an action that invalidates.
    fn add_pipeline_jobs(&mut self, rng: &mut Rng, seed: u64) {
        for number in 0..rng.usize(1..=4) {
            let job = PlannedJob::random(rng, &self.resources, seed, number);
            let group_index = rng.usize(0..self.event_groups.len());
            self.event_groups[group_index].events.push(job.event(
                format!("pipeline-{number}"),
                &self.resources,
                number,
            ));
            self.jobs.push(job);
        }
    }

    /// An event from one of the sources of changes.
    fn random_event(&mut self, rng: &mut Rng, id: String) -> PendingDelivery {
        let record_count = match rng.u8(0..8) {
            0..4 => 1,
            4..7 if self.resources.many_objects => rng.usize(RECORDS_WORTH_LISTING),
            _ => rng.usize(2..=12),
        };
        let mut changes = Vec::new();
        let mut records = Vec::new();
        let (mut other_records, mut unreadable) = (0, false);
        if rng.u8(0..4) == 0 {
            let (bucket, key) = self.random_object(rng);
            let deleted = rng.bool();
            let kind = if deleted { "Object Deleted" } else { "Object Created" };
            let body = event_bridge(kind, &self.resources.buckets[bucket].name, &key).to_string();
            return PendingDelivery::new(id, body, vec![self.add_change(Change { bucket, key, deleted })]);
        }
        for _ in 0..record_count {
            match rng.u16(0..200) {
                0..4 => {
                    let (bucket, key) = self.random_object(rng);
                    records.push(record("ObjectTagging:Put", &self.resources.buckets[bucket].name, &key));
                    other_records += 1;
                }
                4 => {
                    let mut record = self.creation_record(rng, "UNREADABLE");
                    record["s3"]["object"]["key"] = "%FF".into();
                    records.push(record);
                    unreadable = true;
                }
                _ => {
                    let (change, record) = self.random_change(rng);
                    changes.push(change);
                    records.push(record);
                }
            }
        }
        let body = notification(&records);
        let body = if rng.u8(0..4) == 0 { sns(&body) } else { body };
        let mut delivery = PendingDelivery::new(id, body, changes);
        (delivery.other_records, delivery.unreadable) = (other_records, unreadable);
        delivery
    }

    fn creation_record(&self, rng: &mut Rng, key: &str) -> serde_json::Value {
        record("ObjectCreated:Put", &self.resources.buckets[rng.usize(0..self.resources.buckets.len())].name, key)
    }

    fn random_change(&mut self, rng: &mut Rng) -> (usize, serde_json::Value) {
        let (bucket, key) = self.random_object(rng);
        let name = ["ObjectCreated:Put", "ObjectRemoved:Delete", "LifecycleExpiration:Delete"][rng.usize(0..3)];
        let record = record(name, &self.resources.buckets[bucket].name, &key);
        (self.add_change(Change { bucket, key, deleted: name != "ObjectCreated:Put" }), record)
    }

    fn add_change(&mut self, change: Change) -> usize {
        self.changes.push(change);
        self.changes.len() - 1
    }

    /// A random object as bucket index and key; one time in five one that has changed before.
    fn random_object(&self, rng: &mut Rng) -> (usize, String) {
        if rng.u8(0..5) == 0
            && let Some(earlier) = rng.choice(&self.changes)
        {
            return (earlier.bucket, earlier.key.clone());
        }
        let index = rng.usize(0..self.resources.buckets.len());
        let bucket = &self.resources.buckets[index];
        let existing = if self.resources.many_objects && rng.bool() { rng.choice(&bucket.objects) } else { None };
        (index, existing.cloned().unwrap_or_else(|| random_key(rng, bucket.key_prefix)))
    }
}

/// An SQS batch as Lambda delivers it.
pub(crate) fn batch(messages: &[PendingDelivery]) -> String {
    let messages: Vec<_> = messages.iter().map(|it| (it.id.as_str(), it.body.as_str())).collect();
    sqs(&messages)
}

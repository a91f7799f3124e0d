//! The plan of a scenario, drawn completely before it runs.

use fastrand::Rng;
use s3_cloudfront_invalidator::local::events::{event_bridge, notification, record, sns, sns_notification, sqs};

use crate::jobs::Task;
use crate::keys::key;
use crate::queues::{PendingDelivery, Queues};
use crate::resources::Resources;

/// One scenario in so many is a small or a large burst of direct events.
const SMALL_BURSTS: u64 = 83;
const LARGE_BURSTS: u64 = 2000;

/// The number of events in a small and in a large burst.
const SMALL_BURST: usize = 60;
const LARGE_BURST: usize = 5000;

/// The number of records in an event that makes listing the bucket worthwhile.
const MANY: std::ops::RangeInclusive<usize> = 10..=40;

/// A change of an object.
pub(crate) struct Change {
    pub(crate) bucket: usize,
    pub(crate) key: String,
    /// Whether the object was deleted.
    pub(crate) removed: bool,
}

/// The events and messages that S3 sends at one time.
#[derive(Default)]
pub(crate) struct Wave {
    pub(crate) events: Vec<PendingDelivery>,
    pub(crate) messages: Vec<PendingDelivery>,
}

pub(crate) struct Plan {
    pub(crate) resources: Resources,
    pub(crate) changes: Vec<Change>,
    pub(crate) jobs: Vec<Task>,
    pub(crate) waves: Vec<Wave>,
    /// The number of function processes, as limited by reserved concurrency.
    pub(crate) functions: usize,
    pub(crate) max_receive_count: usize,
    pub(crate) max_batch: usize,
    pub(crate) burst: bool,
}

impl Plan {
    pub(crate) fn draw(rng: &mut Rng, seed: u64) -> Self {
        let mut plan = Self {
            resources: Resources::draw(rng, seed),
            changes: Vec::new(),
            jobs: Vec::new(),
            waves: Vec::new(),
            functions: rng.usize(1..=2),
            max_receive_count: rng.usize(3..=5),
            max_batch: *rng.choice(&[1, 3, 10, 100]).unwrap_or(&10),
            burst: true,
        };
        if seed % LARGE_BURSTS == LARGE_BURSTS - 1 {
            plan.burst(rng, LARGE_BURST);
        } else if seed % SMALL_BURSTS == SMALL_BURSTS - 1 {
            plan.burst(rng, SMALL_BURST);
        } else {
            plan.burst = false;
            for _ in 0..rng.usize(1..=3) {
                plan.wave(rng);
            }
            if plan.resources.has_jobs {
                plan.pipelines(rng, seed);
            }
        }
        plan
    }

    pub(crate) fn queues(&self) -> Queues {
        Queues::new(self.max_receive_count, self.max_batch)
    }

    /// Adds a deploy whose notifications invoke the function directly, one event for each object.
    fn burst(&mut self, rng: &mut Rng, events: usize) {
        self.functions = 2;
        let mut wave = Wave::default();
        for number in 0..events {
            let (change, record) = self.change(rng);
            wave.events.push(PendingDelivery::new(format!("burst-{number}"), notification(&[record]), vec![change]));
        }
        self.waves.push(wave);
    }

    fn wave(&mut self, rng: &mut Rng) {
        let mut wave = Wave::default();
        let number = self.waves.len();
        for event in 0..rng.usize(0..=4) {
            wave.events.push(self.event(rng, format!("request-{number}-{event}")));
        }
        for message in 0..if rng.bool() { 0 } else { rng.usize(1..=20) } {
            let id = format!("message-{number}-{message}");
            let kind = rng.u8(0..60);
            if kind < 2 {
                let junk = ["", "hello", "{}", "[]", r#"{"Records":5}"#, r#"{"CodePipeline.job":{"id":"x"}}"#];
                let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"site"}"#;
                let body = if kind == 0 { junk[rng.usize(0..junk.len())] } else { test };
                let mut waiting = PendingDelivery::new(id, body.to_owned(), Vec::new());
                waiting.poison = kind == 0;
                wave.messages.push(waiting);
                continue;
            }
            let mut waiting = self.event(rng, id);
            match kind {
                2 => {
                    let cut = waiting.body.floor_char_boundary(rng.usize(0..waiting.body.len()));
                    waiting.body.truncate(cut);
                    waiting.poison = true;
                }
                3..20 if !waiting.body.contains("aws:sns") => waiting.body = sns_notification(&waiting.body),
                _ => {}
            }
            wave.messages.push(waiting);
        }
        if wave.events.is_empty() && wave.messages.is_empty() {
            wave.events.push(self.event(rng, format!("request-{number}-only")));
        }
        self.waves.push(wave);
    }

    /// Adds pipelines with an action that invalidates.
    fn pipelines(&mut self, rng: &mut Rng, seed: u64) {
        for number in 0..rng.usize(1..=4) {
            let job = Task::draw(rng, &self.resources, seed, number);
            let wave = rng.usize(0..self.waves.len());
            self.waves[wave].events.push(job.event(format!("pipeline-{number}"), &self.resources, number));
            self.jobs.push(job);
        }
    }

    /// An event from one of the sources of changes.
    fn event(&mut self, rng: &mut Rng, id: String) -> PendingDelivery {
        let records = match rng.u8(0..8) {
            0..4 => 1,
            4..7 if self.resources.stocked => rng.usize(MANY),
            _ => rng.usize(2..=12),
        };
        let mut changes = Vec::new();
        let mut told = Vec::new();
        let (mut others, mut poison) = (0, false);
        if rng.u8(0..4) == 0 {
            let (bucket, key) = self.object(rng);
            let removed = rng.bool();
            let kind = if removed { "Object Deleted" } else { "Object Created" };
            let body = event_bridge(kind, &self.resources.buckets[bucket].name, &key).to_string();
            return PendingDelivery::new(id, body, vec![self.remember(Change { bucket, key, removed })]);
        }
        for _ in 0..records {
            match rng.u16(0..200) {
                0..4 => {
                    let (bucket, key) = self.object(rng);
                    told.push(record("ObjectTagging:Put", &self.resources.buckets[bucket].name, &key));
                    others += 1;
                }
                4 => {
                    let mut record = self.change_record(rng, "UNREADABLE");
                    record["s3"]["object"]["key"] = "%FF".into();
                    told.push(record);
                    poison = true;
                }
                _ => {
                    let (change, record) = self.change(rng);
                    changes.push(change);
                    told.push(record);
                }
            }
        }
        let body = notification(&told);
        let body = if rng.u8(0..4) == 0 { sns(&body) } else { body };
        let mut waiting = PendingDelivery::new(id, body, changes);
        (waiting.others, waiting.poison) = (others, poison);
        waiting
    }

    fn change_record(&self, rng: &mut Rng, key: &str) -> serde_json::Value {
        record("ObjectCreated:Put", &self.resources.buckets[rng.usize(0..self.resources.buckets.len())].name, key)
    }

    fn change(&mut self, rng: &mut Rng) -> (usize, serde_json::Value) {
        let (bucket, key) = self.object(rng);
        let name = ["ObjectCreated:Put", "ObjectRemoved:Delete", "LifecycleExpiration:Delete"][rng.usize(0..3)];
        let record = record(name, &self.resources.buckets[bucket].name, &key);
        (self.remember(Change { bucket, key, removed: name != "ObjectCreated:Put" }), record)
    }

    fn remember(&mut self, change: Change) -> usize {
        self.changes.push(change);
        self.changes.len() - 1
    }

    /// A random object, one time in five one that has changed before.
    fn object(&self, rng: &mut Rng) -> (usize, String) {
        if rng.u8(0..5) == 0
            && let Some(again) = rng.choice(&self.changes)
        {
            return (again.bucket, again.key.clone());
        }
        let bucket = rng.usize(0..self.resources.buckets.len());
        let place = &self.resources.buckets[bucket];
        let known = if self.resources.stocked && rng.bool() { rng.choice(&place.objects) } else { None };
        (bucket, known.cloned().unwrap_or_else(|| key(rng, place.home)))
    }
}

/// An SQS batch as Lambda delivers it.
pub(crate) fn batch(messages: &[PendingDelivery]) -> String {
    let messages: Vec<_> = messages.iter().map(|it| (it.id.as_str(), it.body.as_str())).collect();
    sqs(&messages)
}

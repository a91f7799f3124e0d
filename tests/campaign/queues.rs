//! Lambda's asynchronous invocation queue and an SQS queue, in virtual time.
//!
//! Sources: Lambda developer guide, "How Lambda handles errors and retries with asynchronous invocation" and "Using
//! Lambda with Amazon SQS"; SQS developer guide, "Dead-letter queues".

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::Value;

/// The delays before Lambda's two retries, in seconds.
const RETRIES: [u64; 2] = [60, 120];

/// How long Lambda keeps an event that it cannot deliver, and the longest delay between two attempts, in seconds.
const MAX_AGE: u64 = 6 * 60 * 60;
const MAX_WAIT: u64 = 300;

/// How long a received message stays invisible, in seconds.
const VISIBILITY_TIMEOUT: u64 = 360;

/// An event or a message that waits for delivery.
#[derive(Clone)]
pub(crate) struct PendingDelivery {
    /// Lambda's request ID, or the message ID.
    pub(crate) id: String,
    pub(crate) body: String,
    /// Its changes, as indices into the scenario's.
    pub(crate) changes: Vec<usize>,
    /// The number of its records that are no change of content.
    pub(crate) others: usize,
    /// Whether part of it cannot be read, so that it can never succeed.
    pub(crate) poison: bool,
    /// Its job, as an index into the scenario's.
    pub(crate) job: Option<usize>,
    pub(crate) tries: usize,
    /// The reason of a failed delivery that no fault on its own resources explains.
    pub(crate) unexplained: Option<String>,
    throttled: u32,
    sent: u64,
    ready: u64,
}

impl PendingDelivery {
    pub(crate) fn new(id: String, body: String, changes: Vec<usize>) -> Self {
        Self {
            id,
            body,
            changes,
            others: 0,
            poison: false,
            job: None,
            tries: 0,
            unexplained: None,
            throttled: 0,
            sent: 0,
            ready: 0,
        }
    }
}

/// What one invocation delivers.
#[derive(Clone)]
pub(crate) enum Delivery {
    Event(PendingDelivery),
    Batch(Vec<PendingDelivery>),
}

#[derive(Default)]
pub(crate) struct Queues {
    now: u64,
    events: Vec<PendingDelivery>,
    messages: Vec<PendingDelivery>,
    max_receive_count: usize,
    max_batch: usize,
    /// The content of both dead-letter queues, with the reasons.
    pub(crate) dead: Vec<(PendingDelivery, String)>,
}

impl Queues {
    pub(crate) fn new(max_receive_count: usize, max_batch: usize) -> Self {
        Self { max_receive_count, max_batch, ..Self::default() }
    }

    pub(crate) fn send_event(&mut self, mut event: PendingDelivery) {
        (event.sent, event.ready) = (self.now, self.now);
        self.events.push(event);
    }

    pub(crate) fn send_message(&mut self, mut message: PendingDelivery) {
        message.ready = self.now;
        self.messages.push(message);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.messages.is_empty()
    }

    /// The next deliveries, at most one for each function process. Other events that are due are throttled.
    pub(crate) fn next(&mut self, rng: &mut Rng, functions: usize) -> Vec<Delivery> {
        let first = self.events.iter().chain(&self.messages).map(|it| it.ready).min();
        self.now = self.now.max(first.unwrap_or_default());
        let mut deliveries = Vec::new();
        while deliveries.len() < functions {
            let ready = |waiting: &[PendingDelivery], now| -> Vec<_> {
                waiting.iter().enumerate().filter(|(_, it)| it.ready <= now).map(|(place, _)| place).collect()
            };
            let (events, messages) = (ready(&self.events, self.now), ready(&self.messages, self.now));
            if !events.is_empty() && (messages.is_empty() || rng.bool()) {
                deliveries.push(Delivery::Event(self.events.swap_remove(events[rng.usize(0..events.len())])));
            } else if !messages.is_empty() {
                let size = rng.usize(1..=self.max_batch);
                let mut resources = rng.choose_multiple(messages, size);
                resources.sort_unstable_by(|a, b| b.cmp(a));
                let batch = resources.into_iter().map(|place| self.messages.swap_remove(place)).collect();
                deliveries.push(Delivery::Batch(batch));
            } else {
                break;
            }
        }
        self.throttle();
        self.now += rng.u64(1..=3);
        deliveries
    }

    /// Delays events that are due while the reserved concurrency is used up, and dead-letters those that are too old.
    fn throttle(&mut self) {
        for event in self.events.iter_mut().filter(|it| it.ready <= self.now) {
            event.throttled += 1;
            event.ready = self.now + MAX_WAIT.min(1 << event.throttled.min(9));
        }
        let too_old = |it: &mut PendingDelivery| it.ready - it.sent > MAX_AGE;
        let dead = self.events.extract_if(.., too_old).map(|it| (it, "EventAgeExceeded".to_owned()));
        self.dead.extend(dead);
    }

    /// Schedules the retry of a failed event, or dead-letters it.
    pub(crate) fn failed_event(&mut self, mut event: PendingDelivery, reason: String) {
        event.tries += 1;
        match RETRIES.get(event.tries - 1) {
            Some(wait) => {
                event.ready = self.now + wait;
                self.events.push(event);
            }
            None => self.dead.push((event, reason)),
        }
    }

    /// Makes a message visible again after its visibility timeout, or dead-letters it.
    pub(crate) fn failed_message(&mut self, mut message: PendingDelivery, reason: String) {
        message.tries += 1;
        if message.tries >= self.max_receive_count {
            self.dead.push((message, reason));
        } else {
            message.ready = self.now + VISIBILITY_TIMEOUT;
            self.messages.push(message);
        }
    }
}

/// The message IDs that a response reports as batch item failures. A malformed response, or one with an ID that is not
/// in the batch, would fail the whole batch, which this function must never cause.
pub(crate) fn failed(answer: &[u8], batch: &[PendingDelivery]) -> Result<BTreeSet<String>, String> {
    let malformed = || format!("malformed answer to a batch: {}", String::from_utf8_lossy(answer));
    let json: Value = serde_json::from_slice(answer).map_err(|_| malformed())?;
    let failures = json["batchItemFailures"].as_array().ok_or_else(malformed)?;
    let mut ids = BTreeSet::new();
    for failure in failures {
        let id = failure["itemIdentifier"].as_str().ok_or_else(malformed)?;
        if !batch.iter().any(|message| message.id == id) {
            return Err(malformed());
        }
        ids.insert(id.to_owned());
    }
    Ok(ids)
}

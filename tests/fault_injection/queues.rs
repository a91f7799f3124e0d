//! Lambda's asynchronous invocation queue and an SQS queue, in virtual time.
//!
//! Sources: Lambda developer guide, "How Lambda handles errors and retries with asynchronous invocation" and "Using
//! Lambda with Amazon SQS"; SQS developer guide, "Dead-letter queues".

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::Value;

/// The delays before Lambda's two retries, in seconds.
const RETRY_DELAYS: [u64; 2] = [60, 120];

/// How long Lambda keeps an event that it cannot deliver, and the longest delay between two attempts, in seconds.
const MAX_EVENT_AGE: u64 = 6 * 60 * 60;
const MAX_RETRY_DELAY: u64 = 300;

/// How long a received message stays invisible, in seconds.
const VISIBILITY_TIMEOUT: u64 = 360;

/// An event or a message that waits for delivery.
#[derive(Clone)]
pub(crate) struct PendingDelivery {
    /// Lambda's request ID, or the message ID.
    pub(crate) id: String,
    pub(crate) body: String,
    /// Its changes, as indices into the plan's.
    pub(crate) changes: Vec<usize>,
    /// The number of its records that are not content changes.
    pub(crate) other_records: usize,
    /// Whether it is S3's test event, which has no change.
    pub(crate) is_test_event: bool,
    /// Whether part of it cannot be read, so that it can never succeed.
    pub(crate) unreadable: bool,
    /// Its job, as an index into the plan's.
    pub(crate) job: Option<usize>,
    pub(crate) failed_attempts: usize,
    /// The reason of a failed delivery that no fault on its own resources explains.
    pub(crate) unexplained_failure: Option<String>,
    /// How often Lambda has throttled it.
    throttle_count: u32,
    /// When it was sent, in seconds of virtual time.
    sent_at: u64,
    /// When it is next due for delivery, in seconds of virtual time.
    ready_at: u64,
}

impl PendingDelivery {
    pub(crate) fn new(id: String, body: String, changes: Vec<usize>) -> Self {
        Self {
            id,
            body,
            changes,
            other_records: 0,
            is_test_event: false,
            unreadable: false,
            job: None,
            failed_attempts: 0,
            unexplained_failure: None,
            throttle_count: 0,
            sent_at: 0,
            ready_at: 0,
        }
    }
}

/// What one invocation delivers.
#[derive(Clone)]
pub(crate) enum Delivery {
    Event(PendingDelivery),
    Batch(Vec<PendingDelivery>),
}

/// Both queues with their dead-letter queues.
#[derive(Default)]
pub(crate) struct Queues {
    /// The virtual time in seconds.
    now: u64,
    events: Vec<PendingDelivery>,
    messages: Vec<PendingDelivery>,
    max_receive_count: usize,
    max_batch_size: usize,
    /// The content of both dead-letter queues, with the reasons.
    pub(crate) dead_letters: Vec<(PendingDelivery, String)>,
}

impl Queues {
    pub(crate) fn new(max_receive_count: usize, max_batch_size: usize) -> Self {
        Self { max_receive_count, max_batch_size, ..Self::default() }
    }

    pub(crate) fn send_event(&mut self, mut event: PendingDelivery) {
        (event.sent_at, event.ready_at) = (self.now, self.now);
        self.events.push(event);
    }

    pub(crate) fn send_message(&mut self, mut message: PendingDelivery) {
        message.ready_at = self.now;
        self.messages.push(message);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.messages.is_empty()
    }

    /// The next deliveries, at most one for each function process. Other events that are due are throttled.
    pub(crate) fn next_deliveries(&mut self, rng: &mut Rng, max_deliveries: usize) -> Vec<Delivery> {
        let earliest = self.events.iter().chain(&self.messages).map(|it| it.ready_at).min();
        self.now = self.now.max(earliest.unwrap_or_default());
        let mut deliveries = Vec::new();
        while deliveries.len() < max_deliveries {
            let due = |pending: &[PendingDelivery], now| -> Vec<_> {
                pending.iter().enumerate().filter(|(_, it)| it.ready_at <= now).map(|(index, _)| index).collect()
            };
            let (events, messages) = (due(&self.events, self.now), due(&self.messages, self.now));
            if !events.is_empty() && (messages.is_empty() || rng.bool()) {
                deliveries.push(Delivery::Event(self.events.swap_remove(events[rng.usize(0..events.len())])));
            } else if !messages.is_empty() {
                let size = rng.usize(1..=self.max_batch_size);
                let mut chosen = rng.choose_multiple(messages, size);
                chosen.sort_unstable_by(|a, b| b.cmp(a));
                let batch = chosen.into_iter().map(|index| self.messages.swap_remove(index)).collect();
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
        for event in self.events.iter_mut().filter(|it| it.ready_at <= self.now) {
            event.throttle_count += 1;
            event.ready_at = self.now + MAX_RETRY_DELAY.min(1 << event.throttle_count.min(9));
        }
        let too_old = |it: &mut PendingDelivery| it.ready_at - it.sent_at > MAX_EVENT_AGE;
        let expired = self.events.extract_if(.., too_old).map(|it| (it, "EventAgeExceeded".to_owned()));
        self.dead_letters.extend(expired);
    }

    /// Schedules the retry of a failed event, or dead-letters it.
    pub(crate) fn on_event_failure(&mut self, mut event: PendingDelivery, reason: String) {
        event.failed_attempts += 1;
        match RETRY_DELAYS.get(event.failed_attempts - 1) {
            Some(delay) => {
                event.ready_at = self.now + delay;
                self.events.push(event);
            }
            None => self.dead_letters.push((event, reason)),
        }
    }

    /// Makes a message visible again after its visibility timeout, or dead-letters it.
    pub(crate) fn on_message_failure(&mut self, mut message: PendingDelivery, reason: String) {
        message.failed_attempts += 1;
        if message.failed_attempts >= self.max_receive_count {
            self.dead_letters.push((message, reason));
        } else {
            message.ready_at = self.now + VISIBILITY_TIMEOUT;
            self.messages.push(message);
        }
    }
}

/// The message IDs that a response reports as batch item failures. A malformed response, or one with an ID that is not
/// in the batch, would fail the whole batch, which this function must never cause.
pub(crate) fn failed_message_ids(response: &[u8], batch: &[PendingDelivery]) -> Result<BTreeSet<String>, String> {
    let malformed = || format!("malformed response to a batch: {}", String::from_utf8_lossy(response));
    let json: Value = serde_json::from_slice(response).map_err(|_| malformed())?;
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

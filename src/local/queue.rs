//! A standard queue: its messages, which of them are visible, and the receipt handles that were issued.
//!
//! Sources: SQS developer guide, "Amazon SQS visibility timeout", "Amazon SQS short and long polling", "Using
//! dead-letter queues in Amazon SQS", "Amazon SQS at-least-once delivery" and the quotas; SQS API reference,
//! `ReceiveMessage` and `DeleteMessage`. Messages do not expire. They are received in about the order in which they
//! were sent, on which no consumer of a standard queue may depend.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime};

/// The largest message, and the largest total of the messages in a batch, in bytes: 1 MiB. It was 256 KiB until August
/// 2025. Source: SQS API reference, `SendMessageBatch`.
pub const MAX_MESSAGE_BYTES: usize = 1_048_576;

/// The most messages in flight of a standard queue. Source: SQS developer guide, "Amazon SQS standard queue quotas".
pub const MAX_IN_FLIGHT: usize = 120_000;

/// The longest wait of a long poll.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(20);

/// The longest visibility timeout: twelve hours.
pub(super) const MAX_VISIBILITY_TIMEOUT: Duration = Duration::from_hours(12);

/// A standard queue in the fake account and Region.
#[derive(Clone, Debug)]
pub struct FakeQueue {
    /// How long a received message stays invisible if the request does not say. The default is AWS's, 30 s.
    pub visibility_timeout: Duration,
    /// When messages are moved to a dead-letter queue; `None` for never.
    pub redrive_policy: Option<RedrivePolicy>,
    /// The most messages in flight. When there are as many, long polling returns none and short polling fails with
    /// `OverLimit`. The default is [`MAX_IN_FLIGHT`].
    pub max_in_flight: usize,
    /// The largest message, in bytes. The default is [`MAX_MESSAGE_BYTES`].
    pub max_message_bytes: usize,
    /// The longest wait of a long poll, whatever the request says. The default is AWS's, 20 s. A shorter one saves the time
    /// of a test whose client waits until a queue stays empty.
    pub max_wait: Duration,
    /// At-least-once delivery: every so many receives, the message stays visible although it is in flight, so that it
    /// is received once more, with another receipt handle. `None` for never; with 1, every message is received twice.
    /// The duplicate counts as a receive.
    pub duplicate_every: Option<usize>,
    messages: BTreeMap<u64, Message>,
    visible: BTreeSet<u64>,
    in_flight: BTreeSet<(Instant, u64)>,
    delayed: BTreeSet<(Instant, u64)>,
    /// The message of each receipt handle issued, deleted ones included.
    receipts: HashMap<String, u64>,
    next_number: u64,
    receives: usize,
    short_polls: u64,
}

/// When and where messages are moved that were received without being deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedrivePolicy {
    /// The name of the dead-letter queue. If there is no such queue, no message is moved.
    pub dead_letter_queue: String,
    /// How often a message is received. The receive after that moves it instead of returning it.
    pub max_receive_count: usize,
}

/// A message in a queue.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: String,
    pub(super) sent_at: SystemTime,
    pub(super) first_received_at: Option<SystemTime>,
    /// The receives in all queues that the message was in.
    pub(super) receive_count: usize,
    /// The queue from which it was moved.
    pub(super) source: Option<String>,
    /// The receipt handle of the latest receive from this queue.
    receipt: Option<String>,
    hidden_until: Option<Instant>,
    is_duplicate: bool,
}

/// The parameters of a receive.
pub(super) struct Receive {
    pub(super) max_messages: usize,
    /// `None` for that of the queue.
    pub(super) visibility_timeout: Option<Duration>,
    /// Short polling asks a part of the servers.
    pub(super) is_short: bool,
    /// Messages received so often are dead; `None` if there is no dead-letter queue.
    pub(super) max_receive_count: Option<usize>,
}

impl Default for FakeQueue {
    fn default() -> Self {
        Self {
            visibility_timeout: Duration::from_secs(30),
            redrive_policy: None,
            max_in_flight: MAX_IN_FLIGHT,
            max_message_bytes: MAX_MESSAGE_BYTES,
            max_wait: MAX_WAIT,
            duplicate_every: None,
            messages: BTreeMap::new(),
            visible: BTreeSet::new(),
            in_flight: BTreeSet::new(),
            delayed: BTreeSet::new(),
            receipts: HashMap::new(),
            next_number: 0,
            receives: 0,
            short_polls: 0,
        }
    }
}

impl FakeQueue {
    /// Adds a message with a random id, without the checks of `SendMessage`. Returns the id.
    pub fn send(&mut self, body: impl Into<String>) -> String {
        self.send_delayed(body.into(), Duration::ZERO)
    }

    /// Adds a message with an id of the caller's choice, for a test that must run the same way each time.
    pub fn send_with_id(&mut self, id: impl Into<String>, body: impl Into<String>) {
        self.add(Message::new(id.into(), body.into()), Duration::ZERO);
    }

    /// The number of messages that can be received.
    #[must_use]
    pub fn visible(&self) -> usize {
        self.len() - self.in_flight() - self.delayed()
    }

    /// The number of messages that were received and are invisible until their visibility timeout is over.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        hidden_at(&self.in_flight, Instant::now())
    }

    /// The number of messages that were sent with a delay that is not over.
    #[must_use]
    pub fn delayed(&self) -> usize {
        hidden_at(&self.delayed, Instant::now())
    }

    /// The number of messages, visible or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether the queue has no messages, visible or not.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The bodies of all messages, visible or not, in the order in which they were sent.
    #[must_use]
    pub fn bodies(&self) -> Vec<String> {
        self.messages.values().map(|message| message.body.clone()).collect()
    }

    /// The ids of all messages, in the order of [`Self::bodies`].
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.messages.values().map(|message| message.id.clone()).collect()
    }

    /// How often each message was received, in the order of [`Self::bodies`].
    #[must_use]
    pub fn receive_counts(&self) -> Vec<usize> {
        self.messages.values().map(|message| message.receive_count).collect()
    }

    /// Makes all messages visible, as if all visibility timeouts and delays were over.
    pub fn make_visible(&mut self) {
        self.in_flight.clear();
        self.delayed.clear();
        self.visible.extend(self.messages.keys());
    }

    /// Adds a message with a random id that becomes visible after `delay`. Returns the id.
    pub(super) fn send_delayed(&mut self, body: String, delay: Duration) -> String {
        let id = random_uuid();
        self.add(Message::new(id.clone(), body), delay);
        id
    }

    /// Adds a message from the queue `source`. It keeps its id, its receive count and the time at which it was sent.
    pub(super) fn accept_dead_letter(&mut self, message: Message, source: &str) {
        self.add(Message { source: Some(source.to_owned()), receipt: None, ..message }, Duration::ZERO);
    }

    fn add(&mut self, message: Message, delay: Duration) {
        let number = self.next_number;
        self.next_number += 1;
        let hidden_until = (!delay.is_zero()).then(|| Instant::now() + delay);
        match hidden_until {
            Some(until) => self.delayed.insert((until, number)),
            None => self.visible.insert(number),
        };
        self.messages.insert(number, Message { hidden_until, is_duplicate: false, ..message });
    }

    /// Makes messages visible whose visibility timeout or delay is over.
    pub(super) fn refresh(&mut self, now: Instant) {
        for hidden in [&mut self.in_flight, &mut self.delayed] {
            while let Some(&(until, number)) = hidden.first()
                && until <= now
            {
                hidden.pop_first();
                self.visible.insert(number);
            }
        }
    }

    /// Whether the quota of messages in flight is used up.
    pub(super) fn is_over_limit(&self) -> bool {
        self.in_flight.len() >= self.max_in_flight
    }

    /// Whether a long poll would return a message.
    pub(super) fn is_receivable(&self) -> bool {
        !self.visible.is_empty() && !self.is_over_limit()
    }

    /// When the next message becomes visible by itself.
    pub(super) fn next_visible_at(&self) -> Option<Instant> {
        [&self.in_flight, &self.delayed].into_iter().filter_map(BTreeSet::first).map(|&(until, _)| until).min()
    }

    /// Removes the dead messages before the first that is not. The others are found by [`Self::receive`].
    pub(super) fn take_dead(&mut self, max_receive_count: Option<usize>) -> Vec<Message> {
        let mut dead = Vec::new();
        while let Some(&number) = self.visible.first()
            && self.is_dead(number, max_receive_count)
        {
            dead.extend(self.remove(number));
        }
        dead
    }

    /// Receives messages, each with its receipt handle. Also returns the dead messages that it found instead, which it
    /// removes.
    ///
    /// Short polling asks one of two servers in turn, the second one first: it returns only every other message, and
    /// may return none although there are some.
    pub(super) fn receive(&mut self, receive: &Receive, now: Instant) -> (Vec<(String, Message)>, Vec<Message>) {
        self.refresh(now);
        if receive.is_short {
            self.short_polls += 1;
        }
        let server = receive.is_short.then_some(self.short_polls % 2);
        let max = self.max_in_flight.saturating_sub(self.in_flight.len()).min(receive.max_messages);
        let (mut received, mut dead) = (Vec::new(), Vec::new());
        for &number in self.visible.iter().filter(|&number| server.is_none_or(|server| number % 2 == server)) {
            if received.len() == max {
                break;
            }
            let list = if self.is_dead(number, receive.max_receive_count) { &mut dead } else { &mut received };
            list.push(number);
        }
        let timeout = receive.visibility_timeout.unwrap_or(self.visibility_timeout).min(MAX_VISIBILITY_TIMEOUT);
        let received = received.into_iter().filter_map(|number| self.deliver(number, now + timeout)).collect();
        (received, dead.into_iter().filter_map(|number| self.remove(number)).collect())
    }

    /// Issues a receipt handle for a message, and hides the message unless a duplicate is to follow.
    fn deliver(&mut self, number: u64, hidden_until: Instant) -> Option<(String, Message)> {
        let message = self.messages.get_mut(&number)?;
        let receipt = random_receipt_handle();
        self.receipts.insert(receipt.clone(), number);
        message.receipt = Some(receipt.clone());
        message.receive_count += 1;
        message.first_received_at.get_or_insert_with(SystemTime::now);
        let was_duplicate = std::mem::take(&mut message.is_duplicate);
        if !was_duplicate {
            self.receives += 1;
            message.is_duplicate = self.duplicate_every.is_some_and(|every| self.receives.is_multiple_of(every));
        }
        if !message.is_duplicate {
            message.hidden_until = Some(hidden_until);
            self.visible.remove(&number);
            self.in_flight.insert((hidden_until, number));
        }
        Some((receipt, message.clone()))
    }

    /// Deletes the message of a receipt handle. Returns whether this queue issued the handle.
    ///
    /// Only the handle of the latest receive deletes the message; with an older one, the call succeeds and the message
    /// stays, as the API reference says. (In practice AWS may delete it, or fail with "The receipt handle has
    /// expired".) The latest handle also deletes a message that is visible again, and it still succeeds when the message
    /// is gone.
    pub(super) fn delete(&mut self, receipt: &str) -> bool {
        let Some(&number) = self.receipts.get(receipt) else { return false };
        let latest = self.messages.get(&number).and_then(|message| message.receipt.as_deref());
        if latest == Some(receipt) {
            self.remove(number);
        }
        true
    }

    fn is_dead(&self, number: u64, max_receive_count: Option<usize>) -> bool {
        let Some(message) = self.messages.get(&number) else { return false };
        max_receive_count.is_some_and(|max| message.receive_count >= max)
    }

    fn remove(&mut self, number: u64) -> Option<Message> {
        let message = self.messages.remove(&number)?;
        self.visible.remove(&number);
        if let Some(until) = message.hidden_until {
            self.in_flight.remove(&(until, number));
            self.delayed.remove(&(until, number));
        }
        Some(message)
    }
}

impl Message {
    fn new(id: String, body: String) -> Self {
        Self {
            id,
            body,
            sent_at: SystemTime::now(),
            first_received_at: None,
            receive_count: 0,
            source: None,
            receipt: None,
            hidden_until: None,
            is_duplicate: false,
        }
    }
}

/// The number of messages that are hidden until after `now`.
fn hidden_at(hidden: &BTreeSet<(Instant, u64)>, now: Instant) -> usize {
    hidden.iter().rev().take_while(|(until, _)| *until > now).count()
}

fn random_uuid() -> String {
    let hex = format!("{:032x}", fastrand::u128(..));
    let part = |range: Range<usize>| hex.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

/// A random receipt handle of about AWS's length, with the characters of Base64.
fn random_receipt_handle() -> String {
    let random: Vec<_> = (0..6).map(|_| format!("{:032x}", fastrand::u128(..))).collect();
    format!("AQEB{}+/==", random.concat())
}

//! The function's own queue in a scenario, and CloudFront's quota beside it.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use s3_cloudfront_invalidator::local::{FakeQueue, Quota, QuotaError, Rates, RedrivePolicy, State, WildcardUnit};

/// The name of the function's own queue. It is the same in every scenario, because a process gets it as a setting.
pub(crate) const QUEUE: &str = "changes";
pub(crate) const DEAD_LETTER_QUEUE: &str = "changes-dead";

/// The environment variable of a function with a queue of its own. The SDK sends calls to its endpoint, not to this URL.
pub(crate) const QUEUE_VARIABLE: (&str, &str) =
    ("QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/changes");

/// The periods of the quota's rates, in milliseconds. AWS's is half of the function's default backoff, and the backoff
/// is 20 ms here; but the function keeps 60 ms between two parts then.
const RATE_PERIODS: std::ops::RangeInclusive<u64> = 10..=60;

/// How long a receive waits for messages. The function would wait for seconds, which adds nothing here.
const MAX_WAIT: Duration = Duration::from_millis(250);

/// How a scenario uses the function's own queue.
pub(crate) struct OwnQueue {
    /// Whether all changes arrive in the queue. Otherwise they arrive as in any other scenario, and the function hands
    /// those to the queue that CloudFront refuses.
    pub(crate) has_all_changes: bool,
    /// See [`FakeQueue::duplicate_every`].
    pub(crate) duplicate_every: Option<usize>,
    quota: Quota,
}

impl OwnQueue {
    /// In a third of the scenarios all changes arrive in the queue. In a tenth of the others, and in half of the bursts,
    /// the function hands it what CloudFront refuses.
    pub(crate) fn random(rng: &mut Rng, is_burst: bool) -> Option<Self> {
        let has_all_changes = rng.u8(0..3) == 0 && !is_burst;
        if !has_all_changes && rng.u8(0..if is_burst { 2 } else { 10 }) > 0 {
            return None;
        }
        let quota = match *rng.choice(&Quota::READINGS).unwrap_or(&Quota::InProgress) {
            Quota::InProgress => Quota::InProgress,
            Quota::Rates(rates) => Quota::Rates(Rates { per: Duration::from_millis(rng.u64(RATE_PERIODS)), ..rates }),
        };
        let duplicate_every = (rng.u8(0..4) == 0).then(|| rng.usize(1..=4));
        Some(Self { has_all_changes, duplicate_every, quota })
    }

    /// The name of the quota's reading, for the statistics.
    pub(crate) fn quota_name(&self) -> &'static str {
        match self.quota {
            Quota::InProgress => "in progress",
            Quota::Rates(Rates { wildcard_unit, error, .. }) => match (wildcard_unit, error) {
                (WildcardUnit::Path, QuotaError::Throttling) => "wildcards a second, Throttling",
                (WildcardUnit::Path, _) => "wildcards a second, TooManyInvalidationsInProgress",
                (WildcardUnit::Request, QuotaError::Throttling) => "requests a second, Throttling",
                (WildcardUnit::Request, _) => "requests a second, TooManyInvalidationsInProgress",
            },
        }
    }

    /// Adds the queue, its dead-letter queue and CloudFront's quota to the fake AWS.
    pub(crate) fn install(&self, state: &mut State, max_receive_count: usize) {
        state.quota = self.quota;
        let mut queue = FakeQueue::default();
        queue.duplicate_every = self.duplicate_every;
        queue.max_wait = MAX_WAIT;
        queue.redrive_policy =
            Some(RedrivePolicy { dead_letter_queue: DEAD_LETTER_QUEUE.to_owned(), max_receive_count });
        state.queues.insert(QUEUE.to_owned(), queue);
        state.queues.insert(DEAD_LETTER_QUEUE.to_owned(), FakeQueue::default());
    }
}

/// A queue of the scenario.
pub(crate) fn fake_queue<'s>(state: &'s mut State, name: &str) -> &'s mut FakeQueue {
    state.queues.get_mut(name).expect("a queue of the scenario")
}

/// How often each message in a queue was received, by message ID.
pub(crate) fn receive_counts(state: &mut State, name: &str) -> BTreeMap<String, usize> {
    let queue = fake_queue(state, name);
    queue.ids().into_iter().zip(queue.receive_counts()).collect()
}

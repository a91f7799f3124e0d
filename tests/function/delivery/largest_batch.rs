//! The largest batches of SQS messages: 40 buckets, 12 distributions, and several kinds of failure.

use std::collections::BTreeSet;

use s3_cloudfront_invalidator::local::events::{notification, record, sqs};
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeBucket, FakeDistribution, State};

pub(crate) const BUCKETS: usize = 40;
pub(crate) const DISTRIBUTIONS: usize = 12;

/// The distributions that reject every invalidation, and the bucket whose tags may not be read, by number.
const GONE: usize = 3;
const FORBIDDEN: usize = 7;
const DENIED: usize = 39;

/// One message in this many has a truncated body.
const JUNK: usize = 100;

pub(crate) struct Scenario {
    pub(crate) event: String,
    /// The ids of the messages that must be redelivered.
    pub(crate) failed: BTreeSet<String>,
    /// The distributions that work, each with the keys whose URLs must be invalidated.
    pub(crate) invalidated: Vec<(String, Vec<String>)>,
}

pub(crate) fn distribution(number: usize) -> String {
    format!("E{number}BATCH")
}

fn bucket(number: usize) -> String {
    format!("bucket-{number}")
}

pub(crate) fn state() -> State {
    let mut state = State::default();
    for number in 0..BUCKETS {
        let id = distribution(number % DISTRIBUTIONS);
        state.buckets.insert(bucket(number), FakeBucket::tagged(&[("distributionId", &id)]));
        state
            .distributions
            .insert(id, FakeDistribution { delay: std::time::Duration::ZERO, ..FakeDistribution::default() });
    }
    let gone = Effect::error(404, "NoSuchDistribution");
    state.faults.push(Fault::always("CreateInvalidation", &distribution(GONE), gone));
    let denied = || Effect::error(403, "AccessDenied");
    state.faults.push(Fault::always("CreateInvalidation", &distribution(FORBIDDEN), denied()));
    state.faults.push(Fault::always("GetBucketTagging", &bucket(DENIED), denied()));
    state
}

/// A batch of `messages` messages of about 1,200 bytes. `round` makes their ids and keys differ from those of other
/// rounds.
pub(crate) fn scenario(messages: usize, round: usize) -> Scenario {
    let mut failed = BTreeSet::new();
    let mut invalidated: Vec<Vec<String>> = vec![Vec::new(); DISTRIBUTIONS];
    let mut bodies = Vec::with_capacity(messages);
    for number in 0..messages {
        let id = format!("{round:08x}-0000-4000-8000-{number:012}");
        let bucket_number = number % BUCKETS;
        let key = format!("deploy {round}/section-{}/page+{number}.html", number % 60);
        let body = notification(&[record("ObjectCreated:Put", &bucket(bucket_number), &key)]);
        let works = ![GONE, FORBIDDEN].contains(&(bucket_number % DISTRIBUTIONS)) && bucket_number != DENIED;
        if number % JUNK == JUNK - 1 {
            failed.insert(id.clone());
            bodies.push((id, body.get(..body.len() / 2).unwrap_or_default().to_owned()));
            continue;
        }
        if works {
            invalidated[bucket_number % DISTRIBUTIONS].push(key);
        } else {
            failed.insert(id.clone());
        }
        bodies.push((id, body));
    }
    let bodies: Vec<_> = bodies.iter().map(|(id, body)| (id.as_str(), body.as_str())).collect();
    let invalidated = invalidated.into_iter().enumerate().map(|(number, keys)| (distribution(number), keys));
    Scenario { event: sqs(&bodies), failed, invalidated: invalidated.filter(|(_, keys)| !keys.is_empty()).collect() }
}

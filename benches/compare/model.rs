//! What would take hours, computed: deploys whose events come one by one, and the Python handler at CloudFront's throttle.
//!
//! Time is virtual, and nothing is measured. CloudFront takes an invalidation if the last one that it took is 2 s ago, as the
//! stand-in does. The files are uploaded in a minute. An event that S3 sent to a function is tried three times: at once, a
//! minute after its failure, and two minutes after the next (Lambda developer guide, "Asynchronous invocation"); no limit of
//! concurrency stands in its way. A queue's message is given out five times, to two sandboxes; a failed batch comes again after
//! the visibility timeout, six times the longest timeout a function can have. A call takes 100 ms.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use s3_cloudfront_invalidator::lookup::backoff::delay;

use super::deploy::{CHANGES, CONCURRENCY, Deploy, RECEIVES, THROTTLE};

/// A point in virtual time, in milliseconds.
type Time = u64;

const CALL: Time = 100;
const UPLOAD: Time = 60_000;
const LAMBDA_RETRIES: [Time; 2] = [60_000, 120_000];
const TIMEOUT: Time = 900_000;
const VISIBILITY: Time = 6 * TIMEOUT;
const BATCH: usize = 1000;
const RUNS: u32 = 20;

/// The function's defaults of `BACKOFF_MILLISECONDS` and `DIRECT_RETRY_SECONDS`, and how long before its end it begins a last
/// attempt.
const BACKOFF: Duration = Duration::from_secs(2);
const DIRECT_RETRY: Time = 10_000 - 50;

/// How long a client waits after it was throttled so often in one invocation, so long after that began; `None` if it gives up.
type Client = fn(throttled: u32, since: Time) -> Option<Time>;

/// botocore's standard mode: three attempts, pauses of any length up to 1 s and 2 s. Its quota of retries is left out, which
/// is in its favour. Source: `botocore/retries/standard.py`.
fn botocore(throttled: u32, _: Time) -> Option<Time> {
    (throttled < 3).then(|| milliseconds(Duration::from_secs(1 << (throttled - 1)).mul_f64(fastrand::f64())))
}

/// The function's own pauses, for as long as it tries again what S3 sent to it.
fn function(throttled: u32, since: Time) -> Option<Time> {
    let left = DIRECT_RETRY.checked_sub(since).filter(|left| *left > 0)?;
    Some(milliseconds(delay(BACKOFF, throttled - 1)).min(left))
}

fn milliseconds(time: Duration) -> Time {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What CloudFront took.
#[derive(Default)]
struct Edge {
    last: Option<Time>,
    requests: usize,
    paths: usize,
    covered: Vec<bool>,
}

impl Edge {
    fn new() -> Self {
        Self { covered: vec![false; CHANGES], ..Self::default() }
    }

    fn takes(&mut self, object: usize, now: Time) -> bool {
        self.requests += 1;
        let taken = self.last.is_none_or(|last| now - last >= milliseconds(THROTTLE));
        if taken {
            self.last = Some(now);
            self.paths += 1;
            self.covered[object] = true;
        }
        taken
    }
}

/// Each object an event of its own.
fn direct(client: Client) -> Edge {
    let mut edge = Edge::new();
    // When, whose, how often it was delivered before, when the invocation began, how often it was throttled.
    let arrival = |object: usize| object as Time * UPLOAD / CHANGES as Time;
    let mut events: BinaryHeap<_> = (0..CHANGES).map(|it| Reverse((arrival(it), it, 0, arrival(it), 0))).collect();
    while let Some(Reverse((now, object, delivery, begun, throttled))) = events.pop() {
        if edge.takes(object, now) {
            continue;
        }
        let answered = now + CALL;
        if let Some(wait) = client(throttled + 1, answered - begun) {
            events.push(Reverse((answered + wait, object, delivery, begun, throttled + 1)));
        } else if let Some(wait) = LAMBDA_RETRIES.get(delivery) {
            events.push(Reverse((answered + wait, object, delivery + 1, answered + wait, 0)));
        }
    }
    edge
}

/// A batch in the queue: when it can be received, which it is, and how often it was.
type Batch = (Time, usize, usize);

/// Batches of 1,000 messages, one record after the other. What fails ends the batch if it `raises`, or is passed over.
fn queued(client: Client, raises: bool) -> Edge {
    let mut edge = Edge::new();
    let mut queue: BinaryHeap<Reverse<Batch>> = (0..CHANGES / BATCH).map(|it| Reverse((0, it, 0))).collect();
    // When, which sandbox, the batch, when it was received, how many records are done, how often this one was throttled.
    let mut sandboxes = BinaryHeap::new();
    for sandbox in 0..CONCURRENCY {
        sandboxes.push(Reverse((0, sandbox, None::<Batch>, 0, 0)));
    }
    while let Some(Reverse((now, sandbox, batch, done, throttled))) = sandboxes.pop() {
        let Some((received, number, deliveries)) = batch else {
            if let Some(Reverse((available, number, deliveries))) = queue.pop() {
                let begin = now.max(available);
                sandboxes.push(Reverse((begin, sandbox, Some((begin, number, deliveries + 1)), 0, 0)));
            }
            continue;
        };
        let answered = now + CALL;
        let (mut done, mut throttled, mut wait, mut failed) = (done, throttled, 0, now - received > TIMEOUT);
        if !failed && edge.takes(number * BATCH + done, now) {
            (done, throttled) = (done + 1, 0);
        } else if !failed {
            throttled += 1;
            match client(throttled, answered - received) {
                Some(pause) => wait = pause,
                None if raises => failed = true,
                None => (done, throttled) = (done + 1, 0),
            }
        }
        if failed && deliveries < RECEIVES {
            queue.push(Reverse((received + VISIBILITY, number, deliveries)));
        }
        let over = failed || done == BATCH;
        sandboxes.push(Reverse((answered + wait, sandbox, batch.filter(|_| !over), done, throttled)));
    }
    edge
}

/// The mean of several runs.
fn mean(name: &'static str, rest: &'static str, run: impl Fn() -> Edge) -> Deploy {
    fastrand::seed(7);
    let mut sum = Deploy { name, measured: false, requests: 0.0, paths: 0.0, covered: 0.0, seconds: 0.0, rest };
    for _ in 0..RUNS {
        let edge = run();
        let part = |value: f64| value / f64::from(RUNS);
        sum.requests += part(edge.requests as f64);
        sum.paths += part(edge.paths as f64);
        sum.covered += part(edge.covered.iter().filter(|covered| **covered).count() as f64);
        sum.seconds += part(edge.last.unwrap_or_default() as f64 / 1000.0);
    }
    sum
}

pub(super) fn deploys() -> Vec<Deploy> {
    vec![
        mean("function, one event each", "named in the log, in the dead-letter queue", || direct(function)),
        mean("Python, one event each", "dropped by Lambda", || direct(botocore)),
        mean("Python, queued", "dead letters, if the queue has any", || queued(botocore, true)),
        mean("Python that swallows errors, queued", "lost, as if done", || queued(botocore, false)),
    ]
}

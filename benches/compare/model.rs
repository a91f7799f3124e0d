//! A deployment of 5,000 files that CloudFront throttles, with the Python handler: its requests, paths, price and time,
//! and the changes that are never invalidated. It would take hours to measure, so it is simulated. The deployments of
//! the function are measured by `scripts/bench delivery`.
//!
//! Time is virtual, and nothing is measured. CloudFront accepts an invalidation if it accepted the last one at least
//! two seconds ago, like the fake AWS. A call takes 100 ms.
//!
//! - One event each: the files are uploaded within a minute. An event is attempted three times: at once, a minute after
//!   its failure, and two minutes after the next (Lambda developer guide, "Asynchronous invocation"). There is no
//!   concurrency limit.
//! - Queued: all batches are available at once. A message is received at most five times, by one of two execution
//!   environments. A failed batch becomes available again after the visibility timeout, which is six times the longest
//!   timeout of a function.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write;
use std::time::Duration;

use s3_cloudfront_invalidator::local::CREATE_INVALIDATION_INTERVAL;
use s3_cloudfront_invalidator::plan::PATHS_PER_DOLLAR;
use serde_json::{Value, json};

const CHANGES: usize = 5000;

/// The number of batches handled at the same time, as is usual for an event source mapping with a limit.
const CONCURRENCY: usize = 2;

/// How often a message is received before it goes to the dead-letter queue.
const RECEIVES: usize = 5;

/// A point in virtual time, in milliseconds.
type Time = u64;

const CALL: Time = 100;
const UPLOAD: Time = 60_000;
const LAMBDA_RETRIES: [Time; 2] = [60_000, 120_000];
const TIMEOUT: Time = 900_000;
const VISIBILITY: Time = 6 * TIMEOUT;
const BATCH: usize = 1000;
const RUNS: u32 = 20;

/// The outcome of one deployment: the mean of several runs.
pub(super) struct Deploy {
    name: &'static str,
    /// The number of `CreateInvalidation` calls, throttled ones included.
    requests: f64,
    /// The number of accepted paths, which are billed.
    paths: f64,
    /// The number of changed objects that accepted invalidations match.
    invalidated: f64,
    /// The time from the first event until the last invalidation was accepted, in seconds.
    seconds: f64,
    /// What happens to the remaining objects.
    rest: &'static str,
}

impl Deploy {
    pub(super) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "requests": self.requests,
            "paths": self.paths,
            "dollars": self.dollars(),
            "invalidated": self.invalidated,
            "neverInvalidated": CHANGES as f64 - self.invalidated,
            "seconds": self.seconds,
        })
    }

    /// The price in US dollars, beyond the free paths of the month.
    fn dollars(&self) -> f64 {
        self.paths / PATHS_PER_DOLLAR
    }
}

pub(super) fn markdown(deploys: &[Deploy]) -> String {
    let mut text = String::from(
        "| 5,000 files | requests | paths | price | invalidated | never invalidated | time, s \
         | what happens to the rest |\n|---|--:|--:|--:|--:|--:|--:|---|\n",
    );
    for it in deploys {
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.0} | ${:.3} | {:.0} | {:.0} | {:.0} | {} |",
            it.name,
            it.requests,
            it.paths,
            it.dollars(),
            it.invalidated,
            CHANGES as f64 - it.invalidated,
            it.seconds,
            it.rest
        );
    }
    text
}

/// botocore's delay before its next attempt, after it was throttled `throttled` times for one record; `None` if it gives
/// up. In its standard mode it makes three attempts, with random delays of up to 1 s and 2 s. Its retry quota is not
/// modeled, which favors it. Source: `botocore/retries/standard.py`.
fn retry_delay(throttled: u32) -> Option<Time> {
    (throttled < 3).then(|| milliseconds(Duration::from_secs(1 << (throttled - 1)).mul_f64(fastrand::f64())))
}

fn milliseconds(time: Duration) -> Time {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The invalidations that CloudFront accepted.
#[derive(Default)]
struct Edge {
    last: Option<Time>,
    requests: usize,
    paths: usize,
    invalidated: Vec<bool>,
}

impl Edge {
    fn new() -> Self {
        Self { invalidated: vec![false; CHANGES], ..Self::default() }
    }

    fn accepts(&mut self, object: usize, now: Time) -> bool {
        self.requests += 1;
        let accepted = self.last.is_none_or(|last| now - last >= milliseconds(CREATE_INVALIDATION_INTERVAL));
        if accepted {
            self.last = Some(now);
            self.paths += 1;
            self.invalidated[object] = true;
        }
        accepted
    }
}

/// Every object has an event of its own.
fn direct() -> Edge {
    let mut edge = Edge::new();
    // Time of the attempt, object, earlier deliveries, throttled attempts in this one.
    let arrival = |object: usize| object as Time * UPLOAD / CHANGES as Time;
    let mut events: BinaryHeap<_> = (0..CHANGES).map(|it| Reverse((arrival(it), it, 0, 0))).collect();
    while let Some(Reverse((now, object, delivery, throttled))) = events.pop() {
        if edge.accepts(object, now) {
            continue;
        }
        let answered = now + CALL;
        if let Some(wait) = retry_delay(throttled + 1) {
            events.push(Reverse((answered + wait, object, delivery, throttled + 1)));
        } else if let Some(wait) = LAMBDA_RETRIES.get(delivery) {
            events.push(Reverse((answered + wait, object, delivery + 1, 0)));
        }
    }
    edge
}

/// A batch: when it can be received or was, its number, and how often it was received.
type Batch = (Time, usize, usize);

/// Batches of 1,000 messages, whose records are handled one after the other. A record that the client gives up on fails
/// the batch if the handler `raises`; otherwise it is skipped. A batch also fails at the function's timeout.
fn queued(raises: bool) -> Edge {
    let mut edge = Edge::new();
    let mut queue: BinaryHeap<Reverse<Batch>> = (0..CHANGES / BATCH).map(|it| Reverse((0, it, 0))).collect();
    // Time, execution environment, batch, records done, throttled attempts for the current record.
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
        if !failed && edge.accepts(number * BATCH + done, now) {
            (done, throttled) = (done + 1, 0);
        } else if !failed {
            throttled += 1;
            match retry_delay(throttled) {
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
    let mut sum = Deploy { name, requests: 0.0, paths: 0.0, invalidated: 0.0, seconds: 0.0, rest };
    for _ in 0..RUNS {
        let edge = run();
        let part = |value: f64| value / f64::from(RUNS);
        sum.requests += part(edge.requests as f64);
        sum.paths += part(edge.paths as f64);
        sum.invalidated += part(edge.invalidated.iter().filter(|invalidated| **invalidated).count() as f64);
        sum.seconds += part(edge.last.unwrap_or_default() as f64 / 1000.0);
    }
    sum
}

pub(super) fn deploys() -> Vec<Deploy> {
    vec![
        mean("Python, one event each", "discarded by Lambda", direct),
        mean("Python, queued", "dead-letter queue, if there is one", || queued(true)),
        mean("Python that ignores errors, queued", "lost, reported as done", || queued(false)),
    ]
}

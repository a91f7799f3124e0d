//! Simulates direct events at a concurrency that no machine here can run as processes.
//!
//! Time is virtual, and nothing is measured. Lambda's queue, CloudFront's rate, the schedule and the response times are
//! those of the measured deploys, but computing takes no time. The function does what it is documented to do: an
//! environment asks CloudFront once, and for a minute after a refusal sends its events to the queue; a poll receives
//! until the queue is quiet, and sends one invalidation. That one counts with the most paths that it can have.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use s3_cloudfront_invalidator::config::Config;
use s3_cloudfront_invalidator::local::CREATE_INVALIDATION_INTERVAL;

use super::lambda::throttled_wait;
use super::scenario::POLL_INTERVAL;
use super::site::{CREATE_TIME, LOOKUP_TIME, QUEUE_TIME};
use super::table::Row;

/// A point in virtual time, since the poll of the empty queue became due.
type Time = Duration;

/// A cold start, on Lambda with a full processor.
const START_TIME: Duration = Duration::from_millis(100);
/// The function's own constants: `src/handler/deadline.rs` and `src/send/throttle.rs`.
const QUEUE_ONLY_TIME: Duration = Duration::from_mins(1);
const FIRST_RECEIVE_WAIT: Duration = Duration::from_secs(1);
const RECEIVE_WAIT: Duration = Duration::from_secs(3);
const MAX_RECEIVE_TIME: Duration = Duration::from_secs(25);
const MESSAGES_PER_ROUND: usize = 40;
const DELETED_PER_ROUND: usize = 80;
const MAX_PROBE_DELAY: Duration = Duration::from_secs(1);

/// An execution environment.
#[derive(Clone, Copy, Default)]
struct Environment {
    is_warm: bool,
    queue_only_until: Time,
}

/// An event: an object that changed, or a poll that became due at this time.
#[derive(Clone, Copy)]
enum Event {
    Change(usize),
    Poll(Time),
}

enum Step {
    /// An event is due in Lambda's queue, throttled so often.
    Due(Event, u32),
    /// An environment asks CloudFront for a change.
    Create(Environment, usize),
    /// Its message is in the queue.
    Queued(Environment, usize),
    /// A poll receives again. It has these changes, and the last ones since the first time; it began at the second.
    Receive(Environment, Vec<usize>, Time, Time),
    /// A poll asks CloudFront, which refused it so often.
    CreatePlan(Environment, Vec<usize>, u32),
    /// An environment is free.
    Free(Environment),
}

#[derive(Default)]
struct Simulation {
    steps: BinaryHeap<Reverse<(Time, u64)>>,
    contents: HashMap<u64, Step>,
    next_id: u64,
    idle: Vec<Environment>,
    environments: usize,
    messages: VecDeque<usize>,
    last_accepted: Option<Time>,
    fresh_at: HashMap<usize, Time>,
    plans: usize,
    requests: usize,
    accepted: usize,
    paths: usize,
    queued: usize,
    function_time: Duration,
}

/// Simulates direct events of objects that are uploaded over this time, right after a poll found the queue empty.
pub(super) fn direct(files: usize, upload_time: Duration, concurrency: usize, label: &str) -> Row {
    fastrand::seed(7);
    let start = FIRST_RECEIVE_WAIT + QUEUE_TIME;
    let mut simulation = Simulation::default();
    for file in 0..files {
        simulation.at(start + upload_time.mul_f64(file as f64 / files as f64), Step::Due(Event::Change(file), 0));
    }
    let mut tick = POLL_INTERVAL;
    simulation.at(tick, Step::Due(Event::Poll(tick), 0));
    while simulation.fresh_at.len() < files
        && let Some(Reverse((now, id))) = simulation.steps.pop()
    {
        if now >= tick {
            tick += POLL_INTERVAL;
            simulation.at(tick, Step::Due(Event::Poll(tick), 0));
        }
        if let Some(step) = simulation.contents.remove(&id) {
            simulation.step(now, step, concurrency);
        }
    }
    let last_upload = start + upload_time.mul_f64((files - 1) as f64 / files as f64);
    let last_fresh = simulation.fresh_at.values().max().copied().unwrap_or_default();
    Row {
        label: label.to_owned(),
        is_measured: false,
        plans: simulation.plans,
        requests: simulation.requests,
        accepted: simulation.accepted,
        paths: simulation.paths,
        wildcards: None,
        invalidated: simulation.fresh_at.len(),
        queued: simulation.queued,
        never: files - simulation.fresh_at.len(),
        evicted: None,
        seconds: last_fresh.saturating_sub(last_upload).as_secs_f64(),
        function_seconds: simulation.function_time.as_secs_f64(),
        memory: None,
    }
}

impl Simulation {
    fn at(&mut self, time: Time, step: Step) {
        self.steps.push(Reverse((time, self.next_id)));
        self.contents.insert(self.next_id, step);
        self.next_id += 1;
    }

    /// Adds a step of an environment that is busy until then.
    fn busy(&mut self, now: Time, took: Duration, step: Step) {
        self.function_time += took;
        self.at(now + took, step);
    }

    fn step(&mut self, now: Time, step: Step, concurrency: usize) {
        match step {
            Step::Due(event, throttles) => {
                let environment = self.idle.pop();
                if environment.is_none() && self.environments == concurrency {
                    self.at(now + throttled_wait(throttles + 1), Step::Due(event, throttles + 1));
                    return;
                }
                self.environments += usize::from(environment.is_none());
                let environment = environment.unwrap_or_default();
                let start = if environment.is_warm { Duration::ZERO } else { START_TIME + LOOKUP_TIME };
                let environment = Environment { is_warm: true, ..environment };
                match event {
                    Event::Change(file) if now < environment.queue_only_until => {
                        self.busy(now, start + QUEUE_TIME, Step::Queued(environment, file));
                    }
                    Event::Change(file) => self.busy(now, start + CREATE_TIME, Step::Create(environment, file)),
                    Event::Poll(due) if now >= due + POLL_INTERVAL => self.busy(now, start, Step::Free(environment)),
                    Event::Poll(_) => {
                        let first = Step::Receive(environment, Vec::new(), now + start, now + start);
                        self.busy(now, start + QUEUE_TIME, first);
                    }
                }
            }
            Step::Create(environment, file) => {
                if self.is_accepted(now) {
                    self.paths += 1;
                    self.fresh_at.insert(file, now);
                    self.at(now, Step::Free(environment));
                } else {
                    let environment = Environment { queue_only_until: now + QUEUE_ONLY_TIME, ..environment };
                    self.busy(now, QUEUE_TIME, Step::Queued(environment, file));
                }
            }
            Step::Queued(environment, file) => {
                self.queued += 1;
                self.messages.push_back(file);
                self.at(now, Step::Free(environment));
            }
            Step::Receive(environment, mut files, quiet_since, began) => {
                let received = self.messages.len().min(MESSAGES_PER_ROUND);
                files.extend(self.messages.drain(..received));
                let quiet_since = if received > 0 { now } else { quiet_since };
                let wait = if files.is_empty() { FIRST_RECEIVE_WAIT } else { RECEIVE_WAIT };
                if now < quiet_since + wait && now < began + MAX_RECEIVE_TIME {
                    self.busy(now, QUEUE_TIME, Step::Receive(environment, files, quiet_since, began));
                } else if files.is_empty() {
                    self.at(now, Step::Free(environment));
                } else {
                    self.plans += 1;
                    self.busy(now, LOOKUP_TIME + CREATE_TIME, Step::CreatePlan(environment, files, 0));
                }
            }
            Step::CreatePlan(environment, files, refusals) => {
                if self.is_accepted(now) {
                    self.paths += files.len().min(Config::DEFAULT_MAX_PATHS.get());
                    let deletion = QUEUE_TIME * u32::try_from(files.len().div_ceil(DELETED_PER_ROUND)).unwrap_or(1);
                    self.fresh_at.extend(files.into_iter().map(|file| (file, now)));
                    self.busy(now, deletion, Step::Free(environment));
                } else {
                    let most = Duration::from_millis(200 << refusals.min(3)).min(MAX_PROBE_DELAY);
                    let delay = most.mul_f64(fastrand::f64()) + CREATE_TIME;
                    self.busy(now, delay, Step::CreatePlan(environment, files, refusals + 1));
                }
            }
            Step::Free(environment) => self.idle.push(environment),
        }
    }

    /// Whether CloudFront accepts a request now.
    fn is_accepted(&mut self, now: Time) -> bool {
        self.requests += 1;
        let is_accepted = self.last_accepted.is_none_or(|last| now >= last + CREATE_INVALIDATION_INTERVAL);
        if is_accepted {
            self.accepted += 1;
            self.last_accepted = Some(now);
        }
        is_accepted
    }
}

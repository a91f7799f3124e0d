//! Lambda's asynchronous invocation: events wait until an execution environment is free, and failed ones are retried.
//!
//! Source: Lambda developer guide, "How Lambda handles errors and retries with asynchronous invocation": an event that
//! is throttled returns to the queue and is retried, after 1 s at first and then after intervals that grow up to five
//! minutes, for up to six hours. An event whose invocation fails is retried after one minute and after two more.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use s3_cloudfront_invalidator::local::{FakeAws, FunctionProcess, InvocationOutcome, Invoke, Lambda};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant, sleep_until};

use super::Result;
use super::site::QUEUE;

/// The function's timeout, as in the templates.
pub(super) const TIMEOUT: Duration = Duration::from_mins(1);

/// The waits before the attempts after the first.
const RETRIES: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];

/// The wait of an event that was throttled so often, this time included.
pub(super) fn throttled_wait(times: u32) -> Duration {
    Duration::from_secs(1 << (times - 1).min(9)).min(Duration::from_mins(5))
}

/// An event in Lambda's own queue.
struct QueuedEvent {
    id: u64,
    body: String,
    /// How often an invocation for it failed.
    failures: usize,
    /// How often it was throttled since then.
    throttles: u32,
}

/// An execution environment: a process of the function, and its Runtime API.
struct Environment {
    lambda: Lambda,
    function: FunctionProcess,
}

/// What the invocations did.
#[derive(Default)]
pub(super) struct Figures {
    /// The sum of their durations, cold starts included.
    pub(super) function_time: Duration,
    /// The changes that the function handed to its queue.
    pub(super) queued: u64,
    /// The polls in which anything was invalidated.
    pub(super) plans: usize,
    /// The events whose last attempt failed.
    pub(super) dead: usize,
    /// An environment that could not be started.
    error: Option<String>,
}

#[derive(Default)]
struct Events {
    /// The events in the order in which they are due, those due together in the order in which they came.
    waiting: BinaryHeap<Reverse<(Instant, u64)>>,
    queued: HashMap<u64, QueuedEvent>,
    next_id: u64,
    idle: Vec<Environment>,
    /// The environments that exist, and how many of them are in use.
    environments: usize,
    running: usize,
    figures: Figures,
}

struct Shared {
    program: PathBuf,
    aws: Arc<FakeAws>,
    concurrency: usize,
    events: Mutex<Events>,
    changed: Notify,
}

/// The function, as services invoke it asynchronously.
pub(super) struct Function {
    shared: Arc<Shared>,
    dispatcher: tokio::task::JoinHandle<()>,
}

impl Function {
    /// A function with this concurrency. Its environments start when events need them.
    pub(super) fn new(program: &Path, aws: &Arc<FakeAws>, concurrency: usize) -> Self {
        let shared = Arc::new(Shared {
            program: program.to_owned(),
            aws: Arc::clone(aws),
            concurrency,
            events: Mutex::default(),
            changed: Notify::new(),
        });
        let dispatcher = tokio::spawn(Arc::clone(&shared).dispatch());
        Self { shared, dispatcher }
    }

    /// Adds an event.
    pub(super) fn send(&self, body: String) {
        let mut events = self.shared.events();
        let id = events.next_id;
        events.next_id += 1;
        events.put(Instant::now(), QueuedEvent { id, body, failures: 0, throttles: 0 });
        drop(events);
        self.shared.changed.notify_one();
    }

    /// Whether all events are done.
    pub(super) fn is_idle(&self) -> bool {
        let events = self.shared.events();
        events.waiting.is_empty() && events.running == 0
    }

    /// The figures since the last call.
    pub(super) fn take_figures(&self) -> Result<Figures> {
        let figures = std::mem::take(&mut self.shared.events().figures);
        match figures.error {
            Some(error) => Err(error.into()),
            None => Ok(figures),
        }
    }

    /// The number of execution environments.
    pub(super) fn environments(&self) -> usize {
        self.shared.events().environments
    }

    /// The largest peak memory of an idle environment, in MB.
    pub(super) fn peak_memory(&self) -> Result<f64> {
        let events = self.shared.events();
        let peaks: Result<Vec<_>> = events.idle.iter().map(|it| peak_memory(&it.function)).collect();
        Ok(peaks?.into_iter().fold(0.0, f64::max))
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.dispatcher.abort();
        self.shared.events().idle.clear();
    }
}

impl Events {
    fn put(&mut self, due: Instant, event: QueuedEvent) {
        self.waiting.push(Reverse((due, event.id)));
        self.queued.insert(event.id, event);
    }

    /// Takes the first event that is due.
    fn take_due(&mut self, now: Instant) -> Option<QueuedEvent> {
        let &Reverse((due, id)) = self.waiting.peek()?;
        if due > now {
            return None;
        }
        self.waiting.pop();
        self.queued.remove(&id)
    }
}

impl Shared {
    fn events(&self) -> MutexGuard<'_, Events> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives each event that is due to an environment, or throttles it.
    async fn dispatch(self: Arc<Self>) {
        loop {
            let next = {
                let mut events = self.events();
                let now = Instant::now();
                while let Some(event) = events.take_due(now) {
                    let environment = events.idle.pop();
                    if environment.is_none() && events.environments == self.concurrency {
                        let throttles = event.throttles + 1;
                        events.put(now + throttled_wait(throttles), QueuedEvent { throttles, ..event });
                        continue;
                    }
                    if environment.is_none() {
                        events.environments += 1;
                    }
                    events.running += 1;
                    tokio::spawn(Arc::clone(&self).run(environment, event));
                }
                events.waiting.peek().map(|Reverse((due, _))| *due)
            };
            match next {
                Some(next) => tokio::select! { () = sleep_until(next) => {} () = self.changed.notified() => {} },
                None => self.changed.notified().await,
            }
        }
    }

    /// Invokes the function, in a new environment if it is given none.
    async fn run(self: Arc<Self>, environment: Option<Environment>, event: QueuedEvent) {
        let began = Instant::now();
        let environment = match environment {
            Some(environment) => Ok(environment),
            None => self.start().await,
        };
        let (environment, outcome) = match environment {
            Ok(environment) => {
                let invoke = Invoke { timeout: TIMEOUT, ..Invoke::new(format!("request-{}", event.id)) };
                let outcome = environment.lambda.invoke(event.body.clone(), invoke).await;
                (Ok(environment), outcome)
            }
            Err(error) => (Err(error), InvocationOutcome::TimedOut),
        };
        let now = Instant::now();
        let mut events = self.events();
        events.figures.function_time += now - began;
        events.running -= 1;
        match environment {
            Ok(environment) if outcome != InvocationOutcome::TimedOut => events.idle.push(environment),
            // Lambda ends the environment of an invocation that timed out.
            Ok(_) => events.environments -= 1,
            Err(error) => {
                events.environments -= 1;
                events.figures.error = Some(error);
            }
        }
        if let InvocationOutcome::Response(report) = outcome {
            let report: Value = serde_json::from_slice(&report).unwrap_or_default();
            let number = |pointer| report.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
            events.figures.queued += number("/changes/queued");
            let is_plan = report.pointer("/queue").is_some() && number("/changes/invalidated") > 0;
            events.figures.plans += usize::from(is_plan);
        } else if let Some(wait) = RETRIES.get(event.failures) {
            events.put(now + *wait, QueuedEvent { failures: event.failures + 1, throttles: 0, ..event });
        } else {
            events.figures.dead += 1;
        }
        drop(events);
        self.changed.notify_one();
    }

    async fn start(&self) -> std::result::Result<Environment, String> {
        let lambda = Lambda::start().await.map_err(|error| error.to_string())?;
        let url = self.aws.queue_url(QUEUE);
        let function = FunctionProcess::start(&self.program, &lambda, &self.aws, &[("QUEUE_URL", &url)])
            .map_err(|error| format!("{}: {error}", self.program.display()))?;
        lambda.ready().await.map_err(|outcome| format!("the function did not start: {outcome:?}"))?;
        Ok(Environment { lambda, function })
    }
}

/// The peak resident memory of a process, in MB.
fn peak_memory(function: &FunctionProcess) -> Result<f64> {
    let process = function.id().ok_or("the function has ended")?;
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(peak.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

//! One fake AWS account with its function processes, on which scenarios run one after another.

use std::path::Path;
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use s3_cloudfront_invalidator::local::{FakeAws, FunctionProcess, InvocationOutcome, Invoke, Lambda, State};

use crate::modes::Mode;
use crate::stats::Stats;

/// The number of invocations after which a process is replaced, and its log checked.
const INVOCATIONS_OF_A_PROCESS: usize = 2000;

/// The credentials that the function runs with, which must never be logged.
const SECRETS: [&str; 3] = ["AKIDLOCAL", "local-secret-key", "local-session-token"];

/// The function's timeout, and the shorter one under a permanent fault, where a delivery is retried until shortly
/// before its timeout.
const TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT_IN_VAIN: Duration = Duration::from_secs(2);

/// The function's configuration in every mode, for speed: a shorter backoff than CloudFront's throttling calls for, and
/// one second of retries for events that S3 sends directly.
const HURRY: [(&str, &str); 2] = [("BACKOFF_MILLISECONDS", "20"), ("DIRECT_RETRY_SECONDS", "1")];

/// How long to wait for the call at which a process is to be killed or stopped.
const PATIENCE: Duration = Duration::from_millis(200);

/// What is done to the process during a delivery, or which timeout or deadline it gets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Disturbance {
    None,
    /// Killed once this many calls have started.
    Kill(usize),
    /// Stopped once this many calls have started, until the invocation times out. Then it continues beside its
    /// replacement.
    Stop(usize),
    /// Stopped once this many calls have started, for this long, which is within the function's timeout.
    Pause(usize, Duration),
    /// Given this shorter timeout.
    Hurry(Duration),
    /// Given this false deadline, which has passed.
    Deadline(SystemTime),
}

impl Disturbance {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let calls = rng.usize(0..4);
        match rng.u8(0..40) {
            0 => Self::Kill(calls),
            1 => Self::Stop(calls),
            2 => Self::Pause(calls, Duration::from_millis(rng.u64(20..120))),
            3 => Self::Deadline(SystemTime::UNIX_EPOCH),
            4 => Self::Deadline(SystemTime::now()),
            5 | 6 => Self::Hurry(Duration::from_millis(rng.u64(1000..3000))),
            _ => Self::None,
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Kill(_) => "function killed",
            Self::Stop(_) => "function stopped past its time",
            Self::Pause(..) => "function stopped within its time",
            Self::Hurry(_) => "short timeout",
            Self::Deadline(SystemTime::UNIX_EPOCH) => "deadline in 1970",
            Self::Deadline(_) => "deadline now",
        }
    }
}

/// How a delivery ended.
pub(crate) struct Ended {
    pub(crate) outcome: InvocationOutcome,
    /// Whether the process was killed, stopped, or given a short timeout or a false deadline.
    pub(crate) disturbed: bool,
    /// Whether the process was prevented from answering.
    pub(crate) silenced: bool,
}

struct Instance {
    lambda: Lambda,
    function: FunctionProcess,
    mode: Mode,
    invocations: usize,
}

/// A change of the fake AWS's state during deliveries, once this many calls have started.
pub(crate) struct Meanwhile<'m> {
    pub(crate) calls: usize,
    pub(crate) what: Box<dyn FnOnce(&mut State) + 'm>,
}

pub(crate) struct Lane<'p> {
    program: &'p Path,
    pub(crate) aws: FakeAws,
    instances: Vec<Instance>,
    /// Processes whose invocation timed out, and that still run.
    stray: Vec<Instance>,
    timeout: Duration,
    mode: Mode,
    pub(crate) stats: Stats,
    /// Log lines that must not occur.
    pub(crate) found: Vec<String>,
}

impl<'p> Lane<'p> {
    pub(crate) async fn start(program: &'p Path) -> Self {
        let aws = FakeAws::start(State::default()).await.expect("a port");
        let (stats, found) = (Stats::default(), Vec::new());
        let (instances, stray) = (Vec::new(), Vec::new());
        Self { program, aws, instances, stray, timeout: TIMEOUT, mode: Mode::default(), stats, found }
    }

    /// Shortens the function's timeout if a fault is permanent, or resets it.
    pub(crate) fn expect_failures(&mut self, lasting: bool) {
        self.timeout = if lasting { TIMEOUT_IN_VAIN } else { TIMEOUT };
    }

    /// Sets the mode of the processes for the following deliveries.
    pub(crate) fn set(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// Starts processes until there are this many, and replaces those of another mode or with too many invocations.
    pub(crate) async fn provide(&mut self, instances: usize) {
        while self.instances.len() < instances {
            let instance = self.new_instance().await;
            self.instances.push(instance);
        }
        for place in 0..self.instances.len() {
            let instance = &self.instances[place];
            if instance.mode != self.mode || instance.invocations >= INVOCATIONS_OF_A_PROCESS {
                let next = self.new_instance().await;
                let old = std::mem::replace(&mut self.instances[place], next);
                self.retire(old).await;
            }
        }
    }

    /// Replaces the first process by a new one, which has nothing cached.
    pub(crate) async fn renew(&mut self) {
        if !self.instances.is_empty() {
            let old = self.instances.remove(0);
            self.retire(old).await;
            let next = self.new_instance().await;
            self.instances.insert(0, next);
        }
    }

    async fn new_instance(&mut self) -> Instance {
        self.stats.processes += 1;
        let lambda = Lambda::start().await.expect("a port");
        let variables = [&HURRY, self.mode.variables()].concat();
        let function = FunctionProcess::start(self.program, &lambda, &self.aws, &variables).expect("the function");
        assert_eq!(tokio::time::timeout(Duration::from_mins(1), lambda.ready()).await, Ok(Ok(())), "it starts");
        Instance { lambda, function, mode: self.mode, invocations: 0 }
    }

    /// Kills a process and checks its log: every line is a JSON object, without a panic or credentials.
    async fn retire(&mut self, instance: Instance) {
        for line in instance.function.stop().await.expect("its end") {
            let forged = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&line).is_err();
            if forged || line.contains("panicked") || SECRETS.iter().any(|secret| line.contains(secret)) {
                self.found.push(format!("in the log: {}", line.escape_default()));
            }
        }
    }

    /// Kills the processes that continued after their invocation timed out.
    pub(crate) async fn end_stray(&mut self) {
        for instance in std::mem::take(&mut self.stray) {
            self.retire(instance).await;
        }
    }

    pub(crate) async fn end(&mut self) {
        self.end_stray().await;
        for instance in std::mem::take(&mut self.instances) {
            self.retire(instance).await;
        }
    }

    /// Makes these deliveries concurrently, each to a process of its own.
    pub(crate) async fn deliver(
        &mut self,
        deliveries: Vec<(String, String, Disturbance)>,
        meanwhile: Option<Meanwhile<'_>>,
    ) -> Vec<Ended> {
        self.stats.invocations += deliveries.len();
        let disturbances: Vec<_> = deliveries.iter().map(|(_, _, disturbance)| *disturbance).collect();
        let (aws, timeout) = (&self.aws, self.timeout);
        let begun = aws.with(|state| state.started_calls);
        let change = async {
            if let Some(Meanwhile { calls, what }) = meanwhile {
                reached(aws, begun + calls).await;
                aws.with(what);
            }
        };
        let under_way = self
            .instances
            .iter_mut()
            .zip(deliveries)
            .map(|(instance, (id, event, disturbance))| instance.invoke(aws, id, event, disturbance, timeout));
        let (ended, ()) = tokio::join!(futures_util::future::join_all(under_way), change);
        for (place, (ended, disturbance)) in ended.iter().zip(disturbances).enumerate() {
            if ended.disturbed {
                *self.stats.faults.entry((disturbance.kind(), "")).or_default() += 1;
            }
            if ended.outcome != InvocationOutcome::TimedOut {
                continue;
            }
            // Lambda replaces a process that did not answer in time.
            let next = self.new_instance().await;
            let old = std::mem::replace(&mut self.instances[place], next);
            if let Disturbance::Stop(_) = disturbance {
                // This fails if the process has ended already, which is no defect.
                let _ = old.function.signal("CONT").await;
                self.stray.push(old);
            } else {
                self.retire(old).await;
            }
        }
        ended
    }
}

impl Instance {
    async fn invoke(
        &mut self,
        aws: &FakeAws,
        request_id: String,
        event: String,
        disturbance: Disturbance,
        timeout: Duration,
    ) -> Ended {
        self.invocations += 1;
        let begun = aws.with(|state| state.started_calls);
        let mut invoke = Invoke { timeout, ..Invoke::new(request_id) };
        let mut disturbed = false;
        match disturbance {
            Disturbance::Stop(_) => invoke.timeout = Duration::from_millis(700),
            Disturbance::Hurry(timeout) => {
                invoke.timeout = timeout;
                disturbed = true;
            }
            Disturbance::Deadline(deadline) => {
                // With a deadline in the past the function assumes Lambda's default timeout of 3 s.
                invoke.timeout = TIMEOUT;
                invoke.deadline = Some(deadline);
                disturbed = true;
            }
            _ => {}
        }
        let invocation = self.lambda.invoke(event, invoke);
        tokio::pin!(invocation);
        if let Disturbance::Kill(calls) | Disturbance::Stop(calls) | Disturbance::Pause(calls, _) = disturbance {
            tokio::select! {
                biased;
                outcome = &mut invocation => {
                    // On a busy machine the short timeout can pass before the call at which to stop the process.
                    let silenced = outcome == InvocationOutcome::TimedOut && matches!(disturbance, Disturbance::Stop(_));
                    return Ended { outcome, disturbed: silenced, silenced };
                }
                () = reached(aws, begun + calls) => disturbed = true,
            }
            if let Disturbance::Kill(_) = disturbance {
                // The caller kills the process again, awaits its end and replaces it. Until then it must do nothing
                // more.
                let _ = self.function.signal("KILL").await;
                return Ended { outcome: InvocationOutcome::TimedOut, disturbed, silenced: true };
            }
            let _ = self.function.signal("STOP").await;
            if let Disturbance::Pause(_, time) = disturbance {
                tokio::time::sleep(time).await;
                let _ = self.function.signal("CONT").await;
            }
        }
        let outcome = invocation.await;
        if let (Disturbance::Stop(_), true) = (disturbance, outcome != InvocationOutcome::TimedOut) {
            // The process had answered before it was stopped, so it goes on.
            let _ = self.function.signal("CONT").await;
        }
        let silenced = matches!(disturbance, Disturbance::Stop(_)) && disturbed;
        Ended { outcome, disturbed, silenced }
    }
}

/// Waits until this many calls have started, or until `PATIENCE` has passed.
async fn reached(aws: &FakeAws, calls: usize) {
    let wait = async {
        while aws.with(|state| state.started_calls) < calls {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, wait).await;
}

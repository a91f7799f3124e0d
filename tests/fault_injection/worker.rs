//! A worker runs scenarios one after another. It has a fake AWS account and function processes of its own.

use std::path::Path;
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use s3_cloudfront_invalidator::local::{FakeAws, FunctionProcess, InvocationOutcome, Invoke, Lambda, State};

use crate::function_config::FunctionConfig;
use crate::own_queue::QUEUE_VARIABLE;
use crate::stats::Stats;

/// The number of invocations after which a process is replaced and its log checked.
const MAX_INVOCATIONS_PER_PROCESS: usize = 2000;

/// The credentials that the function runs with, which must never be logged.
const CREDENTIALS: [&str; 3] = ["AKIDLOCAL", "local-secret-key", "local-session-token"];

/// The function's timeout, and the shorter one under a permanent fault, where a delivery is retried until shortly
/// before its timeout.
const TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT_UNDER_PERMANENT_FAULT: Duration = Duration::from_secs(2);

/// Environment variables that every process gets, so that scenarios run faster: a shorter backoff than CloudFront's
/// throttling calls for, and one second of retries for events that S3 sends directly.
const FAST_RETRY_VARIABLES: [(&str, &str); 2] = [("RETRY_BASE_DELAY_MS", "20"), ("DIRECT_RETRY_SECONDS", "1")];

/// How long to wait for the call at which a process is to be killed or stopped.
const MAX_WAIT_FOR_CALL: Duration = Duration::from_millis(200);

/// The timeout of an invocation whose process is stopped past it.
const STOPPED_TIMEOUT: Duration = Duration::from_millis(700);

/// The same for a poll, which first receives messages.
const STOPPED_POLL_TIMEOUT: Duration = Duration::from_millis(1500);

/// The function's timeout for polls: as above, and one with the time to send all invalidations in parts.
const POLL_TIMEOUT: Duration = Duration::from_secs(8);
const POLL_TIMEOUT_UNDER_PERMANENT_FAULT: Duration = Duration::from_secs(4);
const LONG_POLL_TIMEOUT: Duration = Duration::from_secs(15);

/// A fault of the function process during a delivery: a signal, a short timeout or a wrong deadline.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ProcessFault {
    None,
    /// Killed once this many calls have started.
    Kill(usize),
    /// Stopped once this many calls have started, until the invocation times out. Then it continues, concurrently
    /// with its replacement.
    StopPastTimeout(usize),
    /// Stopped once this many calls have started, for this long, which is within the function's timeout.
    Pause(usize, Duration),
    /// The invocation has this shorter timeout.
    ShortTimeout(Duration),
    /// The invocation has this deadline, which has already passed.
    PastDeadline(SystemTime),
}

impl ProcessFault {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        Self::random_at_call(rng, 4)
    }

    /// A random fault during a poll, which makes at least five calls to receive messages.
    pub(crate) fn random_of_poll(rng: &mut Rng) -> Self {
        Self::random_at_call(rng, 20)
    }

    fn random_at_call(rng: &mut Rng, max_calls: usize) -> Self {
        let calls = rng.usize(0..max_calls);
        match rng.u8(0..40) {
            0 => Self::Kill(calls),
            1 => Self::StopPastTimeout(calls),
            2 => Self::Pause(calls, Duration::from_millis(rng.u64(20..120))),
            3 => Self::PastDeadline(SystemTime::UNIX_EPOCH),
            4 => Self::PastDeadline(SystemTime::now()),
            5 | 6 => Self::ShortTimeout(Duration::from_millis(rng.u64(1000..3000))),
            _ => Self::None,
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Kill(_) => "function killed",
            Self::StopPastTimeout(_) => "function stopped past its timeout",
            Self::Pause(..) => "function stopped within its timeout",
            Self::ShortTimeout(_) => "short timeout",
            Self::PastDeadline(SystemTime::UNIX_EPOCH) => "deadline in 1970",
            Self::PastDeadline(_) => "deadline now",
        }
    }
}

/// How much time a poll has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollTime {
    /// Little, because a fault is permanent.
    Short,
    /// Enough unless there are many invalidations or faults.
    Usual,
    /// Enough to send every invalidation in parts.
    Ample,
}

/// The times of deliveries.
#[derive(Clone, Copy)]
struct Timing {
    /// The function's timeout.
    timeout: Duration,
    /// The timeout of an invocation whose process is stopped past it.
    stopped_timeout: Duration,
    /// How long to wait for the call at which a process is to be killed or stopped.
    max_wait_for_call: Duration,
}

/// How a delivery ended.
pub(crate) struct DeliveryResult {
    pub(crate) outcome: InvocationOutcome,
    /// Whether the process was killed, stopped, or given a short timeout or a wrong deadline.
    pub(crate) process_fault_applied: bool,
    /// Whether the process was prevented from responding.
    pub(crate) response_prevented: bool,
}

/// A function process and the Lambda Runtime API that it uses.
struct FunctionInstance {
    lambda: Lambda,
    process: FunctionProcess,
    function_config: FunctionConfig,
    has_queue: bool,
    invocations: usize,
}

/// A change of the fake AWS's state during deliveries, applied once `after_calls` calls have started.
pub(crate) struct StateChange<'m> {
    pub(crate) after_calls: usize,
    pub(crate) apply: Box<dyn FnOnce(&mut State) + 'm>,
}

pub(crate) struct Worker<'p> {
    program: &'p Path,
    pub(crate) aws: FakeAws,
    instances: Vec<FunctionInstance>,
    /// Processes whose invocation timed out and that still run.
    timed_out: Vec<FunctionInstance>,
    timing: Timing,
    function_config: FunctionConfig,
    /// Whether the function has a queue of its own.
    has_queue: bool,
    /// Whether CloudFront may have refused an invalidation of a process that still runs and has a queue.
    pub(crate) was_refused: bool,
    pub(crate) stats: Stats,
    /// Log lines that must not occur.
    pub(crate) violations: Vec<String>,
}

impl<'p> Worker<'p> {
    pub(crate) async fn start(program: &'p Path) -> Self {
        let aws = FakeAws::start(State::default()).await.expect("a port");
        let (stats, violations) = (Stats::default(), Vec::new());
        let (instances, timed_out) = (Vec::new(), Vec::new());
        Self {
            program,
            aws,
            instances,
            timed_out,
            timing: Timing::of_deliveries(TIMEOUT),
            function_config: FunctionConfig::default(),
            has_queue: false,
            was_refused: false,
            stats,
            violations,
        }
    }

    /// Shortens the function's timeout if a fault is permanent, or resets it.
    pub(crate) fn set_timeout(&mut self, permanent_fault: bool) {
        self.timing = Timing::of_deliveries(if permanent_fault { TIMEOUT_UNDER_PERMANENT_FAULT } else { TIMEOUT });
    }

    /// Sets the function's timeout for polls. A process can be stopped at any time of a poll, which mostly waits.
    pub(crate) fn set_poll_time(&mut self, time: PollTime) {
        let timeout = match time {
            PollTime::Short => POLL_TIMEOUT_UNDER_PERMANENT_FAULT,
            PollTime::Usual => POLL_TIMEOUT,
            PollTime::Ample => LONG_POLL_TIMEOUT,
        };
        self.timing = Timing { timeout, stopped_timeout: STOPPED_POLL_TIMEOUT, max_wait_for_call: timeout };
    }

    /// Sets the configuration of the processes for the following deliveries.
    pub(crate) fn set_function_config(&mut self, function_config: FunctionConfig, has_queue: bool) {
        self.was_refused &= self.has_queue == has_queue;
        (self.function_config, self.has_queue) = (function_config, has_queue);
    }

    /// Whether a process still runs whose invocation timed out.
    pub(crate) fn has_timed_out(&self) -> bool {
        !self.timed_out.is_empty()
    }

    /// Starts processes until there are this many, and replaces those with another configuration or with
    /// too many invocations.
    pub(crate) async fn ensure_instances(&mut self, count: usize) {
        while self.instances.len() < count {
            let instance = self.new_instance().await;
            self.instances.push(instance);
        }
        for index in 0..self.instances.len() {
            let instance = &self.instances[index];
            let is_configured =
                (instance.function_config, instance.has_queue) == (self.function_config, self.has_queue);
            if !is_configured || instance.invocations >= MAX_INVOCATIONS_PER_PROCESS {
                let next = self.new_instance().await;
                let old = std::mem::replace(&mut self.instances[index], next);
                self.stop_and_check_log(old).await;
            }
        }
    }

    /// Replaces the first process by a new one, whose cache is empty.
    pub(crate) async fn replace_first_instance(&mut self) {
        if !self.instances.is_empty() {
            let old = self.instances.remove(0);
            self.stop_and_check_log(old).await;
            let next = self.new_instance().await;
            self.instances.insert(0, next);
        }
    }

    async fn new_instance(&mut self) -> FunctionInstance {
        self.stats.processes += 1;
        let lambda = Lambda::start().await.expect("a port");
        let mut variables = [&FAST_RETRY_VARIABLES, self.function_config.variables()].concat();
        variables.extend(self.has_queue.then_some(QUEUE_VARIABLE));
        let process = FunctionProcess::start(self.program, &lambda, &self.aws, &variables).expect("the function");
        assert_eq!(tokio::time::timeout(Duration::from_mins(1), lambda.ready()).await, Ok(Ok(())), "it starts");
        let (function_config, has_queue) = (self.function_config, self.has_queue);
        FunctionInstance { lambda, process, function_config, has_queue, invocations: 0 }
    }

    /// Kills a process and checks its log: every line is a JSON object, without a panic or credentials.
    async fn stop_and_check_log(&mut self, instance: FunctionInstance) {
        for line in instance.process.stop().await.expect("its end") {
            let not_json = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&line).is_err();
            if not_json || line.contains("panicked") || CREDENTIALS.iter().any(|credential| line.contains(credential)) {
                self.violations.push(format!("invalid log line: {}", line.escape_default()));
            }
        }
    }

    /// Kills the processes that continued after their invocation timed out.
    pub(crate) async fn stop_timed_out(&mut self) {
        for instance in std::mem::take(&mut self.timed_out) {
            self.stop_and_check_log(instance).await;
        }
    }

    pub(crate) async fn stop(&mut self) {
        self.stop_timed_out().await;
        for instance in std::mem::take(&mut self.instances) {
            self.stop_and_check_log(instance).await;
        }
    }

    /// Makes these deliveries concurrently, each to a process of its own.
    pub(crate) async fn deliver(
        &mut self,
        deliveries: Vec<(String, String, ProcessFault)>,
        state_change: Option<StateChange<'_>>,
    ) -> Vec<DeliveryResult> {
        self.stats.invocations += deliveries.len();
        let process_faults: Vec<_> = deliveries.iter().map(|(_, _, process_fault)| *process_fault).collect();
        let (aws, timing) = (&self.aws, self.timing);
        let calls_before = aws.with(|state| state.started_calls);
        let invocations_in_progress = self
            .instances
            .iter_mut()
            .zip(deliveries)
            .map(|(instance, (id, event, process_fault))| instance.invoke(aws, id, event, process_fault, timing));
        let deliver = futures_util::future::join_all(invocations_in_progress);
        let results = with_state_change(aws, calls_before, timing.max_wait_for_call, state_change, deliver).await;
        for (index, (result, process_fault)) in results.iter().zip(process_faults).enumerate() {
            if result.process_fault_applied {
                *self.stats.faults.entry((process_fault.kind(), "")).or_default() += 1;
            }
            if result.outcome != InvocationOutcome::TimedOut {
                continue;
            }
            // Lambda replaces a process that did not respond in time.
            let next = self.new_instance().await;
            let old = std::mem::replace(&mut self.instances[index], next);
            if let ProcessFault::StopPastTimeout(_) = process_fault {
                // This fails if the process has ended already, which is not an error.
                let _ = old.process.signal("CONT").await;
                self.timed_out.push(old);
            } else {
                self.stop_and_check_log(old).await;
            }
        }
        results
    }
}

impl Timing {
    /// The times of all deliveries but polls.
    fn of_deliveries(timeout: Duration) -> Self {
        Self { timeout, stopped_timeout: STOPPED_TIMEOUT, max_wait_for_call: MAX_WAIT_FOR_CALL }
    }
}

impl FunctionInstance {
    async fn invoke(
        &mut self,
        aws: &FakeAws,
        request_id: String,
        event: String,
        process_fault: ProcessFault,
        timing: Timing,
    ) -> DeliveryResult {
        self.invocations += 1;
        let calls_before = aws.with(|state| state.started_calls);
        let mut invoke = Invoke { timeout: timing.timeout, ..Invoke::new(request_id) };
        let mut process_fault_applied = false;
        match process_fault {
            ProcessFault::StopPastTimeout(_) => invoke.timeout = timing.stopped_timeout,
            ProcessFault::ShortTimeout(timeout) => {
                invoke.timeout = timeout;
                process_fault_applied = true;
            }
            ProcessFault::PastDeadline(deadline) => {
                // With a deadline in the past the function assumes Lambda's default timeout of 3 s.
                invoke.timeout = TIMEOUT;
                invoke.deadline = Some(deadline);
                process_fault_applied = true;
            }
            _ => {}
        }
        let invocation = self.lambda.invoke(event, invoke);
        tokio::pin!(invocation);
        if let ProcessFault::Kill(calls) | ProcessFault::StopPastTimeout(calls) | ProcessFault::Pause(calls, _) =
            process_fault
        {
            tokio::select! {
                biased;
                outcome = &mut invocation => {
                    // On a busy machine the short timeout can pass before the call at which to stop the process.
                    let response_prevented = outcome == InvocationOutcome::TimedOut
                        && matches!(process_fault, ProcessFault::StopPastTimeout(_));
                    return DeliveryResult { outcome, process_fault_applied: response_prevented, response_prevented };
                }
                () = wait_for_calls(aws, calls_before + calls, timing.max_wait_for_call) => process_fault_applied = true,
            }
            if let ProcessFault::Kill(_) = process_fault {
                // The caller kills the process again, awaits its end and replaces it. Until then it must not
                // make another call.
                let _ = self.process.signal("KILL").await;
                return DeliveryResult {
                    outcome: InvocationOutcome::TimedOut,
                    process_fault_applied,
                    response_prevented: true,
                };
            }
            let _ = self.process.signal("STOP").await;
            if let ProcessFault::Pause(_, duration) = process_fault {
                tokio::time::sleep(duration).await;
                let _ = self.process.signal("CONT").await;
            }
        }
        let outcome = invocation.await;
        if let (ProcessFault::StopPastTimeout(_), true) = (process_fault, outcome != InvocationOutcome::TimedOut) {
            // The process had answered before it was stopped, so it continues.
            let _ = self.process.signal("CONT").await;
        }
        let response_prevented = matches!(process_fault, ProcessFault::StopPastTimeout(_)) && process_fault_applied;
        DeliveryResult { outcome, process_fault_applied, response_prevented }
    }
}

/// Waits until this many calls have started, or until `max_wait` has passed.
async fn wait_for_calls(aws: &FakeAws, calls: usize, max_wait: Duration) {
    let wait_until_reached = async {
        while aws.read(|state| state.started_calls) < calls {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let _ = tokio::time::timeout(max_wait, wait_until_reached).await;
}

/// Awaits deliveries, and applies a change of the state during them, or once they have ended.
async fn with_state_change<R>(
    aws: &FakeAws,
    calls_before: usize,
    max_wait: Duration,
    state_change: Option<StateChange<'_>>,
    deliveries: impl Future<Output = R>,
) -> R {
    let Some(StateChange { after_calls, apply }) = state_change else { return deliveries.await };
    tokio::pin!(deliveries);
    tokio::select! {
        results = &mut deliveries => {
            aws.with(apply);
            results
        }
        () = wait_for_calls(aws, calls_before + after_calls, max_wait) => {
            aws.with(apply);
            deliveries.await
        }
    }
}

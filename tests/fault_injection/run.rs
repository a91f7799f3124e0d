//! Runs a scenario to its end, with or without faults, and checks every response.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use s3_cloudfront_invalidator::local::{Call, InvocationOutcome, State};

use crate::faults::Faults;
use crate::own_queue::QUEUE;
use crate::plan::{EventGroup, Plan, batch};
use crate::queues::{Delivery, PendingDelivery, Queues, failed_message_ids};
use crate::resources::KnownConfigs;
use crate::worker::{DeliveryResult, ProcessFault, Worker};

/// The final outcome of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FinalOutcome {
    Invalidated,
    Skipped,
    DeadLettered,
}

/// One run of a scenario, with or without its faults.
pub(crate) struct ScenarioRun<'a, 'p> {
    pub(crate) plan: &'a Plan,
    pub(crate) worker: &'a mut Worker<'p>,
    pub(crate) faults: Option<&'a Faults>,
    pub(crate) rng: Rng,
    pub(crate) queues: Queues,
    /// The index of the distribution configs in effect.
    pub(crate) config_version: usize,
    /// The distribution configs that the function may have read or cached in this round.
    pub(crate) known_configs: KnownConfigs,
    /// The counters at the start of this round.
    pub(crate) at_round_start: Counters,
    /// How many invalidations each distribution had when a change happened, by the change's index.
    pub(crate) invalidations_before: BTreeMap<usize, BTreeMap<String, usize>>,
    pub(crate) outcomes: BTreeMap<usize, FinalOutcome>,
    /// The ID and the body of the last delivery that succeeded completely.
    last_success: Option<(String, String)>,
    /// The number of batches delivered so far.
    batches: usize,
    /// The messages in the function's own queue, by ID.
    pub(crate) messages: BTreeMap<String, PendingDelivery>,
    /// The messages that polls have deleted.
    pub(crate) done: Vec<PendingDelivery>,
    /// The changes that the function has handed to its own queue in this round.
    pub(crate) queued_in_round: BTreeSet<usize>,
    /// Whether it may have handed changes to its queue in this round.
    pub(crate) may_have_queued: bool,
    /// The number of polls so far.
    pub(crate) polls: usize,
    /// The violations found.
    pub(crate) violations: Vec<String>,
}

/// What may have caused a delivery to fail.
#[derive(Clone, Copy)]
pub(crate) struct FailureCauses {
    /// Whether any call had a fault or was throttled in the round.
    pub(crate) call_fault_occurred: bool,
    /// Whether a fault was applied to the delivery's process.
    pub(crate) process_fault_applied: bool,
}

/// The counters at some point in time.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) calls: usize,
    pub(crate) fault_occurrences: Vec<usize>,
    /// The faults that may fail changes.
    faults: usize,
    throttled_calls: usize,
}

impl<'a, 'p> ScenarioRun<'a, 'p> {
    /// A run of `plan`. `cached_faults` are the faults during which a process may have cached a response: those of
    /// this run, or of the previous one.
    pub(crate) fn new(
        plan: &'a Plan,
        worker: &'a mut Worker<'p>,
        (faults, cached_faults): (Option<&'a Faults>, &Faults),
        rng: Rng,
    ) -> Self {
        Self {
            plan,
            worker,
            faults,
            rng,
            queues: plan.queues(),
            config_version: 0,
            known_configs: plan.resources.known_configs(0..=0, cached_faults.may_deny_config_reads),
            at_round_start: Counters::default(),
            invalidations_before: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            last_success: None,
            batches: 0,
            messages: BTreeMap::new(),
            done: Vec::new(),
            queued_in_round: BTreeSet::new(),
            may_have_queued: false,
            polls: 0,
            violations: Vec::new(),
        }
    }

    pub(crate) async fn execute(&mut self) {
        self.worker.aws.with(|state| {
            *state = self.plan.resources.initial_state();
            self.plan.jobs.iter().for_each(|job| job.register(state));
            if let Some(own_queue) = &self.plan.own_queue {
                own_queue.install(state, self.plan.max_receive_count);
            }
            if let Some(faults) = self.faults {
                faults.install(state);
            }
        });
        self.worker.set_function_config(self.plan.resources.function_config, self.plan.own_queue.is_some());
        self.worker.set_timeout(self.faults.is_some_and(|faults| faults.has_permanent_fault));
        let mut event_groups = self.plan.event_groups.iter();
        loop {
            if self.queues.is_empty() || self.rng.u8(0..4) == 0 {
                match event_groups.next() {
                    Some(group) => {
                        self.send(group);
                        if self.is_polled() {
                            self.poll_after_group().await;
                        }
                    }
                    None if self.queues.is_empty() => break,
                    None => {}
                }
            }
            if !self.queues.is_empty() {
                self.deliver_round().await;
            }
            if self.may_queue() && !self.messages.is_empty() && self.rng.u8(0..4) == 0 {
                self.poll_with_faults().await;
            }
        }
        if self.plan.own_queue.is_some() {
            self.poll_to_the_end().await;
        } else {
            self.check_redelivery().await;
        }
        self.worker.stop_timed_out().await;
        self.end_faults();
        self.record_dead_letters();
    }

    /// Applies the changes of a group, and sends its events and messages.
    fn send(&mut self, group: &EventGroup) {
        let changes = group.events.iter().chain(&group.messages).flat_map(|it| &it.changes).copied();
        self.apply_changes(changes.collect());
        if self.is_polled() {
            for delivery in group.events.iter().chain(&group.messages) {
                match delivery.job {
                    Some(_) => self.queues.send_event(self.with_run_id(delivery)),
                    None => self.send_to_own_queue(delivery),
                }
            }
        } else {
            group.events.iter().for_each(|it| self.queues.send_event(self.with_run_id(it)));
            group.messages.iter().for_each(|it| self.queues.send_message(self.with_run_id(it)));
        }
    }

    /// Ends the faults of calls, and counts them.
    pub(crate) fn end_faults(&mut self) {
        if let Some(faults) = self.faults.take() {
            let fault_counts = self.worker.aws.with(|state| {
                let fault_counts = faults.fault_counts(state);
                state.faults.clear();
                state.throttle = None;
                fault_counts
            });
            self.worker.stats.add_faults(&fault_counts);
        }
    }

    /// Checks what is in the dead-letter queues, and that every change has an outcome.
    fn record_dead_letters(&mut self) {
        for (delivery, reason) in std::mem::take(&mut self.queues.dead_letters) {
            if reason.is_empty() {
                self.violations.push(format!("{} is in the dead-letter queue without a reason", delivery.id));
            }
            if let Some(reason) = delivery.unexplained_failure {
                self.violations.push(format!(
                    "in the dead-letter queue without a fault of its own resources: {}: {reason}",
                    delivery.id
                ));
            }
            self.outcomes.extend(delivery.changes.into_iter().map(|change| (change, FinalOutcome::DeadLettered)));
        }
        for change in (0..self.plan.changes.len()).filter(|change| !self.outcomes.contains_key(change)) {
            self.violations.push(format!("lost: {}", self.describe_change(change)));
        }
    }

    /// A copy of the event or message with an ID of this run only. Processes serve several runs and treat a known ID as
    /// a redelivery, but in this run the fake AWS has none of the earlier invalidations.
    pub(crate) fn with_run_id(&self, delivery: &PendingDelivery) -> PendingDelivery {
        let run_kind = if self.faults.is_some() { "faults" } else { "plain" };
        let mut copy = delivery.clone();
        copy.id = format!("{}-{run_kind}", copy.id);
        if let Some(job) = copy.job.filter(|_| self.faults.is_some()) {
            copy.body = self.plan.jobs[job].body_with_faults(&copy.body);
        }
        copy
    }

    /// Makes some deliveries concurrently, and checks their responses.
    async fn deliver_round(&mut self) {
        let deliveries = self.queues.next_deliveries(&mut self.rng, self.plan.reserved_concurrency);
        self.worker.ensure_instances(self.plan.reserved_concurrency).await;
        let requests: Vec<_> = deliveries
            .iter()
            .map(|delivery| {
                let process_fault = match self.faults {
                    Some(_) => ProcessFault::random(&mut self.rng),
                    None => ProcessFault::None,
                };
                let (id, body) = match delivery {
                    Delivery::Event(event) => (event.id.clone(), event.body.clone()),
                    Delivery::Batch(messages) => {
                        self.batches += 1;
                        (format!("batch-{}", self.batches), batch(messages))
                    }
                };
                (id, body, process_fault)
            })
            .collect();
        let state_change = self.maybe_change_state();
        self.at_round_start = self.counters();
        let results = self.worker.deliver(requests.clone(), state_change).await;
        self.find_queued_messages();
        let call_fault_occurred = self.has_call_fault();
        // Once refused, a process hands all direct changes to the queue for a minute.
        self.may_have_queued =
            self.worker.was_refused || call_fault_occurred || results.iter().any(|it| it.process_fault_applied);
        for ((delivery, result), (id, body, _)) in deliveries.into_iter().zip(results).zip(requests) {
            if result.outcome == InvocationOutcome::TimedOut && !result.response_prevented {
                self.worker.stats.late += 1;
                self.violations.push(format!("{id}: no response in time"));
            }
            let causes = FailureCauses { call_fault_occurred, process_fault_applied: result.process_fault_applied };
            let succeeded = match delivery {
                Delivery::Event(event) => self.record_event_outcome(event, result, causes),
                Delivery::Batch(messages) => self.record_batch_outcome(messages, result, causes),
            };
            if succeeded {
                self.last_success = Some((id, body));
            }
        }
    }

    /// Whether any call had a fault or was throttled in this round.
    pub(crate) fn has_call_fault(&mut self) -> bool {
        let counters = self.counters();
        self.worker.was_refused |= counters.throttled_calls > self.at_round_start.throttled_calls;
        let before = &self.at_round_start;
        counters.faults + counters.throttled_calls > before.faults + before.throttled_calls
    }

    pub(crate) fn counters(&self) -> Counters {
        self.worker.aws.with(|state| Counters {
            calls: state.calls.len(),
            fault_occurrences: self.faults.map(|faults| faults.occurrences(state)).unwrap_or_default(),
            faults: self.faults.map_or(0, |faults| faults.count_that_may_fail_changes(state)),
            throttled_calls: state.calls.iter().filter(|call| is_throttled(call)).count(),
        })
    }

    /// Checks the result of an event's delivery, and schedules its retry if it failed. Returns whether it succeeded
    /// completely.
    fn record_event_outcome(
        &mut self,
        mut event: PendingDelivery,
        DeliveryResult { outcome, .. }: DeliveryResult,
        causes: FailureCauses,
    ) -> bool {
        let reason = match outcome {
            InvocationOutcome::Response(body) => {
                let job_succeeded = if let Some(job_index) = event.job {
                    self.check_job(&event, job_index, causes)
                } else {
                    self.check_report(&event, &body);
                    true
                };
                let queued = self.queued_changes(&event);
                event.changes.retain(|change| !queued.contains(change));
                self.record_success(&event);
                return job_succeeded;
            }
            InvocationOutcome::Error { error_type, message } => format!("{error_type}: {message}"),
            InvocationOutcome::TimedOut => "the function did not respond".to_owned(),
        };
        self.check_failure(&mut event, causes, &reason);
        self.queues.on_event_failure(event, reason);
        false
    }

    /// Checks the result of a batch, and returns its failed messages to the queue. Returns whether all succeeded.
    fn record_batch_outcome(
        &mut self,
        messages: Vec<PendingDelivery>,
        DeliveryResult { outcome, process_fault_applied, .. }: DeliveryResult,
        causes: FailureCauses,
    ) -> bool {
        let (failed_ids, reason) = match outcome {
            InvocationOutcome::Response(response) => match failed_message_ids(&response, &messages) {
                Ok(ids) => (Some(ids), "reported as failed".to_owned()),
                Err(reason) => {
                    self.violations.push(reason.clone());
                    (None, reason)
                }
            },
            InvocationOutcome::Error { error_type, message } => {
                if !process_fault_applied {
                    self.violations.push(format!("a batch failed as a whole: {error_type}: {message}"));
                }
                (None, error_type)
            }
            InvocationOutcome::TimedOut => (None, "the function did not respond".to_owned()),
        };
        let mut all_succeeded = true;
        for mut message in messages {
            if failed_ids.as_ref().is_none_or(|ids| ids.contains(&message.id)) {
                all_succeeded = false;
                self.check_failure(&mut message, causes, &reason);
                self.queues.on_message_failure(message, reason.clone());
            } else {
                self.record_success(&message);
            }
        }
        all_succeeded
    }

    /// Redelivers the last delivery that succeeded completely, and checks that it is not billed again. Skipped where it
    /// may lead to different paths.
    async fn check_redelivery(&mut self) {
        let other_paths_on_retry =
            self.plan.resources.invalidations_overlap() || self.faults.is_some_and(|faults| faults.may_change_paths);
        let paths_may_differ = other_paths_on_retry || self.paths_may_differ();
        let Some((id, body)) = self.last_success.take().filter(|_| !paths_may_differ) else {
            return;
        };
        self.worker.stop_timed_out().await;
        self.end_faults();
        let invalidations = |state: &mut State| -> BTreeSet<_> {
            let distributions = state.distributions.iter();
            distributions
                .flat_map(|(id, it)| it.invalidations.iter().map(move |it| (id.clone(), it.id.clone())))
                .collect()
        };
        // Usually the process has cached the invalidations that it sent. One time in eight the first process is
        // replaced by a new one, for which only the caller reference prevents a second invalidation.
        if self.rng.u8(0..8) == 0 {
            self.worker.replace_first_instance().await;
        }
        let before = self.worker.aws.with(invalidations);
        self.worker.deliver(vec![(id.clone(), body, ProcessFault::None)], None).await;
        let after = self.worker.aws.with(invalidations);
        // The fake AWS records a call when it is answered, so a listing that was still in flight is known only now.
        if before != after && !self.has_listed_bucket() {
            self.violations.push(format!("{id} was redelivered after it had succeeded, and was billed again"));
        }
    }

    /// Whether another attempt may lead to different paths: with another distribution config, or another listing of the
    /// bucket.
    pub(crate) fn paths_may_differ(&self) -> bool {
        self.plan.resources.config_versions.len() > 1 || self.known_configs.maybe_denied || self.has_listed_bucket()
    }

    /// Whether the function has listed a bucket in this run.
    pub(crate) fn has_listed_bucket(&self) -> bool {
        self.worker.aws.with(|state| state.calls.iter().any(|call| call.operation == "ListObjectsV2"))
    }
}

/// Whether CloudFront throttled a call: for the request rate, or for too many invalidations in progress.
pub(crate) fn is_throttled(call: &Call) -> bool {
    call.target != QUEUE && matches!(call.code.as_deref(), Some("Throttling" | "TooManyInvalidationsInProgress"))
}

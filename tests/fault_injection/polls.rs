//! Polls of the function's own queue, and the checks of what they delete.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use s3_cloudfront_invalidator::local::InvocationOutcome;
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use serde_json::Value;

use crate::own_queue::{DEAD_LETTER_QUEUE, QUEUE, fake_queue, receive_counts};
use crate::queues::PendingDelivery;
use crate::run::{FailureCauses, ScenarioRun};
use crate::state_changes::invalidation_counts;
use crate::worker::{DeliveryResult, PollTime, ProcessFault};

/// The request to poll the queue.
const POLL: &str = r#"{"pollQueue":true}"#;

/// The most rounds of polls after a group of changes.
const MAX_ROUNDS: usize = 2;

/// The most messages that one call receives. The first receive of a poll is the only one that the function makes alone.
const MAX_RECEIVED: usize = 10;

/// The state of the queue before a round of polls, and what may cause failures in it.
struct Round {
    /// The number of receives of each message.
    receives: BTreeMap<String, usize>,
    time: PollTime,
    causes: FailureCauses,
}

/// What a poll reports.
struct PollReport {
    report: Value,
    /// Whether a fault was applied to its process.
    process_fault_applied: bool,
}

/// What became of the messages in a round of polls.
struct RoundResult {
    /// What was handled, as one delivery.
    handled: PendingDelivery,
    received: usize,
    deleted: usize,
    /// Whether any message of the round may fail.
    any_may_fail: bool,
    /// Whether any message was received more than once, or found dead after it had been received.
    any_received_twice: bool,
}

impl ScenarioRun<'_, '_> {
    /// Whether all changes arrive in the function's own queue.
    pub(crate) fn is_polled(&self) -> bool {
        self.plan.own_queue.as_ref().is_some_and(|it| it.has_all_changes)
    }

    /// Puts a change's event or message into the function's own queue.
    pub(crate) fn send_to_own_queue(&mut self, delivery: &PendingDelivery) {
        let message = self.with_run_id(delivery);
        // SQS has no empty messages.
        let body = if message.body.is_empty() { " " } else { &message.body };
        self.worker.aws.with(|state| fake_queue(state, QUEUE).send_with_id(&message.id, body));
        self.messages.insert(message.id.clone(), message);
    }

    /// Polls after a group of changes was sent, while calls may have faults.
    pub(crate) async fn poll_after_group(&mut self) {
        let rounds = if self.faults.is_some() { self.rng.usize(1..=MAX_ROUNDS) } else { 1 };
        for _ in 0..rounds {
            self.poll_with_faults().await;
        }
    }

    /// Polls while calls may have faults.
    pub(crate) async fn poll_with_faults(&mut self) {
        let has_permanent_fault = self.faults.is_some_and(|faults| faults.has_permanent_fault);
        self.poll(if has_permanent_fault { PollTime::Short } else { PollTime::Usual }).await;
    }

    /// Polls without faults until every message is done or dead.
    pub(crate) async fn poll_to_the_end(&mut self) {
        self.worker.stop_timed_out().await;
        self.wait_for_lost_receives().await;
        self.end_faults();
        self.find_queued_messages();
        let mut time = PollTime::Ample;
        // A message that cannot succeed is received as often as allowed, and found dead by the poll after that.
        for _ in 0..=self.plan.max_receive_count {
            if self.messages.is_empty() {
                break;
            }
            self.poll(time).await;
            time = PollTime::Usual;
        }
        let (left, dead) = self.worker.aws.with(|state| {
            (fake_queue(state, QUEUE).ids(), receive_counts(state, DEAD_LETTER_QUEUE).into_keys().collect::<Vec<_>>())
        });
        if !left.is_empty() {
            self.violations.push(format!("in the queue at the end: {left:?}"));
        }
        let dead_letters: BTreeSet<_> = self.queues.dead_letters.iter().map(|(message, _)| &message.id).collect();
        let unknown: Vec<_> = dead.iter().filter(|id| !dead_letters.contains(id)).collect();
        if !unknown.is_empty() {
            self.violations.push(format!("unknown messages in the dead-letter queue: {unknown:?}"));
        }
        if self.is_polled() {
            self.check_poll_after_lost_deletions().await;
        }
    }

    /// Makes all messages visible, polls the queue once or twice at the same time, and checks what was deleted.
    pub(crate) async fn poll(&mut self, time: PollTime) {
        let polls = self.rng.usize(1..=self.plan.reserved_concurrency);
        self.worker.ensure_instances(self.plan.reserved_concurrency).await;
        let requests = (0..polls).map(|_| {
            let process_fault = match self.faults {
                Some(_) => ProcessFault::random_of_poll(&mut self.rng),
                None => ProcessFault::None,
            };
            (self.next_poll_id(), POLL.to_owned(), process_fault)
        });
        let requests: Vec<_> = requests.collect();
        // A poll of an earlier round whose process was stopped past its timeout still receives and deletes messages.
        let is_overlapping = self.worker.has_timed_out();
        let state_change = self.maybe_change_state();
        if is_overlapping {
            self.known_configs.versions = 0..=*self.known_configs.versions.end();
        }
        let receives = self.worker.aws.with(|state| {
            fake_queue(state, QUEUE).make_visible();
            receive_counts(state, QUEUE)
        });
        self.at_round_start = self.counters();
        self.worker.set_poll_time(time);
        let results = self.worker.deliver(requests, state_change).await;
        self.worker.set_timeout(self.faults.is_some_and(|faults| faults.has_permanent_fault));
        self.worker.stats.polls += polls;
        self.wait_for_lost_receives().await;
        self.find_queued_messages();
        let causes = FailureCauses {
            // A poll with ample time is right under every reading of the quota, so a throttled call is no excuse.
            call_fault_occurred: self.has_call_fault() && time != PollTime::Ample,
            process_fault_applied: is_overlapping || results.iter().any(|it| it.process_fault_applied),
        };
        let reports = self.check_poll_results(results);
        self.check_round(&Round { receives, time, causes }, &reports);
        if is_overlapping {
            self.worker.stop_timed_out().await;
            self.wait_for_lost_receives().await;
        }
    }

    fn next_poll_id(&mut self) -> String {
        self.polls += 1;
        format!("poll-{}", self.polls)
    }

    /// Checks that each poll responded unless it was prevented from it, and returns the reports.
    fn check_poll_results(&mut self, results: Vec<DeliveryResult>) -> Vec<PollReport> {
        let mut reports = Vec::new();
        for DeliveryResult { outcome, response_prevented, process_fault_applied } in results {
            match outcome {
                InvocationOutcome::Response(body) => {
                    let mut report = serde_json::from_slice(&body).unwrap_or_default();
                    discount_queue_failures(&mut report);
                    reports.push(PollReport { report, process_fault_applied });
                }
                InvocationOutcome::Error { error_type, message } => {
                    self.violations.push(format!("a poll failed: {error_type}: {message}"));
                }
                InvocationOutcome::TimedOut if response_prevented => {}
                InvocationOutcome::TimedOut => {
                    self.worker.stats.late += 1;
                    self.violations.push("a poll did not respond in time".to_owned());
                }
            }
        }
        reports
    }

    /// Checks the messages after a round of polls, and the reports.
    fn check_round(&mut self, round: &Round, reports: &[PollReport]) {
        let any_may_fail = self.messages.values().any(|message| self.may_fail(message));
        let without_faults = reports.iter().filter(|it| !it.process_fault_applied && !round.causes.call_fault_occurred);
        for PollReport { report, .. } in without_faults.filter(|_| !any_may_fail) {
            let queue = &report["queue"];
            if report["changes"]["failed"] != 0 || queue["messagesReceived"] != queue["messagesDeleted"] {
                self.violations.push(format!("a poll without a fault has not done all that it received: {report}"));
            }
        }
        let result = self.record_messages(round);
        let (received, deleted) = (result.received as u64, result.deleted as u64);
        let counts = || {
            let sum = |name| reports.iter().filter_map(|it| it.report["queue"][name].as_u64()).sum::<u64>();
            (sum("messagesReceived"), sum("messagesDeleted"))
        };
        let is_without_faults = !round.causes.call_fault_occurred && !round.causes.process_fault_applied;
        // A deletion with an older receipt handle succeeds without an effect, and the response to a deletion can be lost.
        let counts_match = result.any_received_twice
            || round.causes.process_fault_applied
            || if is_without_faults { counts() == (received, deleted) } else { counts().1 <= deleted };
        if !counts_match {
            let counts = counts();
            self.violations.push(format!("{received} messages were received, {deleted} deleted; reported: {counts:?}"));
        }
        if let ([PollReport { report, .. }], true) = (reports, is_without_faults && self.is_polled())
            && !result.any_may_fail
            && !(result.any_received_twice && result.received > MAX_RECEIVED)
        {
            self.check_report(&result.handled, report.to_string().as_bytes());
        }
    }

    /// Checks the messages after a round of polls: what was deleted must be done, and what was received and not deleted
    /// must have a cause.
    fn record_messages(&mut self, round: &Round) -> RoundResult {
        let (left, dead) =
            self.worker.aws.with(|state| (receive_counts(state, QUEUE), receive_counts(state, DEAD_LETTER_QUEUE)));
        let mut result = RoundResult {
            handled: PendingDelivery::new("poll".to_owned(), String::new(), Vec::new()),
            received: 0,
            deleted: 0,
            any_may_fail: false,
            any_received_twice: false,
        };
        for (id, mut message) in std::mem::take(&mut self.messages) {
            let before = round.receives.get(&id).copied().unwrap_or_default();
            let receives = left.get(&id).or(dead.get(&id)).map(|count| count - before);
            result.any_received_twice |= receives.is_some_and(|receives| receives > 1);
            if dead.contains_key(&id) {
                // Received as often as allowed in this round, and then a duplicate of it was found dead.
                let was_in_flight = receives.is_some_and(|receives| receives > 0);
                result.any_received_twice |= was_in_flight;
                result.any_may_fail |= was_in_flight;
                if was_in_flight && self.plan.own_queue.as_ref().is_none_or(|it| it.duplicate_every.is_none()) {
                    self.violations.push(format!("{id} was moved to the dead-letter queue while it was in flight"));
                }
                self.queues.dead_letters.push((message, "received too often".to_owned()));
                continue;
            }
            if receives == Some(0) {
                if round.time == PollTime::Ample {
                    self.violations.push(format!("{id} was not received"));
                }
                self.messages.insert(id, message);
                continue;
            }
            result.received += 1;
            result.any_may_fail |= self.may_fail(&message);
            result.handled.changes.extend(&message.changes);
            result.handled.other_records += message.other_records;
            result.handled.is_test_event |= message.is_test_event;
            if receives.is_none() {
                result.deleted += 1;
                result.any_received_twice |= self.may_have_duplicates();
                self.record_success(&message);
                self.done.push(message);
                continue;
            }
            // If two receives of a poll overlap, it may end with the older receipt handle of a message.
            let may_have_old_handle = receives > Some(1) && round.receives.len() > MAX_RECEIVED;
            if !may_have_old_handle {
                self.check_failure(&mut message, round.causes, "received, but not deleted");
            }
            self.messages.insert(id, message);
        }
        result
    }

    fn may_have_duplicates(&self) -> bool {
        self.plan.own_queue.as_ref().is_some_and(|it| it.duplicate_every.is_some())
    }

    /// Waits until no receive is in flight: one whose client was killed still takes messages (see the fake AWS). A poll
    /// that continues past its timeout is not awaited.
    async fn wait_for_lost_receives(&self) {
        while !self.worker.has_timed_out() && self.worker.aws.read(|state| state.in_flight("ReceiveMessage")) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends messages again whose deletions are then all lost, and checks that the next poll, which receives the same
    /// messages together, bills nothing. Skipped where the paths may differ.
    async fn check_poll_after_lost_deletions(&mut self) {
        let messages: Vec<_> = std::mem::take(&mut self.done);
        let messages: Vec<_> = messages.into_iter().filter(|it| !self.may_fail(it) && !it.changes.is_empty()).collect();
        if messages.is_empty() || self.paths_may_differ() {
            return;
        }
        let effects = [
            Effect::error(500, "InternalFailure"),
            Effect::error(403, "AccessDenied"),
            Effect::Disconnect,
            Effect::Raw { status: 200, body: "{}".to_owned() },
        ];
        let effect = effects[self.rng.usize(0..effects.len())].clone();
        let billed_before = self.worker.aws.with(|state| {
            let queue = fake_queue(state, QUEUE);
            queue.redrive_policy = None;
            for message in &messages {
                queue.send_with_id(format!("{}-again", message.id), &message.body);
            }
            state.faults.push(Fault::always("DeleteMessageBatch", QUEUE, effect));
            invalidation_counts(state)
        });
        let (report, billed) = self.poll_once().await;
        // Without the time for all invalidations, the next poll sends the others.
        let is_done = report["queue"]["messagesReceived"] == messages.len() && report["changes"]["failed"] == 0;
        if is_done && !self.has_listed_bucket() {
            // As with a redelivery: a process has cached the invalidations that it sent, and a new one has not.
            if self.rng.bool() {
                self.worker.replace_first_instance().await;
            }
            self.worker.aws.with(|state| {
                state.faults.clear();
                fake_queue(state, QUEUE).make_visible();
            });
            let (report, billed_again) = self.poll_once().await;
            let left = self.worker.aws.with(|state| fake_queue(state, QUEUE).len());
            if billed_again != billed {
                self.violations.push(format!("messages were polled again, and billed again: {report}"));
            }
            if left > 0 && !(self.may_have_duplicates() && messages.len() > MAX_RECEIVED) {
                self.violations.push(format!("{left} messages were polled again, but not deleted: {report}"));
            }
            self.worker.stats.repeated_polls += 1;
        }
        // The costs of the scenario are those before this check.
        self.worker.aws.with(|state| {
            for (id, distribution) in &mut state.distributions {
                distribution.invalidations.truncate(billed_before[id]);
            }
        });
    }

    /// Makes one poll without faults. Returns its report, and the number of invalidations of each distribution.
    async fn poll_once(&mut self) -> (Value, BTreeMap<String, usize>) {
        self.worker.set_poll_time(PollTime::Ample);
        let request = (self.next_poll_id(), POLL.to_owned(), ProcessFault::None);
        let results = self.worker.deliver(vec![request], None).await;
        let report = self.check_poll_results(results).pop().map(|it| it.report).unwrap_or_default();
        (report, self.worker.aws.with(invalidation_counts))
    }
}

/// Subtracts the failed calls to the queue, each of which the report counts as a failed change.
fn discount_queue_failures(report: &mut Value) {
    let failures = report["failures"].as_array().into_iter().flatten();
    let of_queue = failures.filter(|it| it["code"].as_str().is_some_and(|code| code.starts_with("queue-")));
    let count: u64 = of_queue.filter_map(|it| it["changes"].as_u64()).sum();
    if let Some(failed) = report["changes"]["failed"].as_u64() {
        report["changes"]["failed"] = (failed - count).into();
    }
}

//! Runs one scenario to its end, and checks what must hold on the way.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use s3_cloudfront_invalidator::local::{Call, InvocationOutcome, State};

use crate::faults::Faults;
use crate::lane::{Disturbance, Ended, Lane};
use crate::plan::{Plan, batch};
use crate::queues::{Delivery, PendingDelivery, Queues, failed};
use crate::resources::Known;

/// The final outcome of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Covered,
    Ignored,
    Dead,
}

pub(crate) struct Play<'a, 'p> {
    pub(crate) plan: &'a Plan,
    pub(crate) lane: &'a mut Lane<'p>,
    pub(crate) faults: Option<&'a Faults>,
    pub(crate) rng: Rng,
    pub(crate) queues: Queues,
    /// The index of the distribution configs in effect.
    pub(crate) settings: usize,
    /// What the function may know of the distribution configs in this round.
    pub(crate) known: Known,
    /// The counters at the start of this round.
    pub(crate) before: Before,
    /// How many invalidations each distribution had when a change happened, by the change's index.
    pub(crate) since: BTreeMap<usize, BTreeMap<String, usize>>,
    pub(crate) ends: BTreeMap<usize, End>,
    /// The ID and the body of the last delivery that succeeded completely.
    done: Option<(String, String)>,
    requests: usize,
    /// The violations found.
    pub(crate) found: Vec<String>,
}

/// What may have caused a delivery to fail.
#[derive(Clone, Copy)]
pub(crate) struct Cause {
    /// Whether any fault or throttling occurred in the round.
    pub(crate) provoked: bool,
    /// Whether the delivery's process was disturbed.
    pub(crate) disturbed: bool,
}

/// The counters at some point in time.
#[derive(Default)]
pub(crate) struct Before {
    pub(crate) calls: usize,
    pub(crate) faults: Vec<usize>,
    trouble: usize,
}

impl<'a, 'p> Play<'a, 'p> {
    /// A run of `plan`. `earlier` are the faults that processes may have cached responses under: those of this run, or
    /// of the one before.
    pub(crate) fn new(
        plan: &'a Plan,
        lane: &'a mut Lane<'p>,
        (faults, earlier): (Option<&'a Faults>, &Faults),
        rng: Rng,
    ) -> Self {
        Self {
            plan,
            lane,
            faults,
            rng,
            queues: plan.queues(),
            settings: 0,
            known: plan.resources.known(0..=0, earlier.denying),
            before: Before::default(),
            since: BTreeMap::new(),
            ends: BTreeMap::new(),
            done: None,
            requests: 0,
            found: Vec::new(),
        }
    }

    pub(crate) async fn play(&mut self) {
        self.lane.aws.with(|state| {
            *state = self.plan.resources.state();
            self.plan.jobs.iter().for_each(|job| job.begin(state));
            if let Some(faults) = self.faults {
                faults.set(state);
            }
        });
        self.lane.set(self.plan.resources.mode);
        self.lane.expect_failures(self.faults.is_some_and(|faults| faults.lasting));
        let mut waves = self.plan.waves.iter();
        loop {
            if self.queues.is_empty() || self.rng.u8(0..4) == 0 {
                match waves.next() {
                    Some(wave) => {
                        let told = wave.events.iter().chain(&wave.messages).flat_map(|it| &it.changes).copied();
                        self.tell(told.collect());
                        wave.events.iter().for_each(|it| self.queues.send_event(self.own(it)));
                        wave.messages.iter().for_each(|it| self.queues.send_message(self.own(it)));
                    }
                    None if self.queues.is_empty() => break,
                    None => {}
                }
            }
            self.round().await;
        }
        self.again().await;
        self.lane.end_stray().await;
        if let Some(faults) = self.faults {
            let played = self.lane.aws.with(|state| faults.played(state));
            self.lane.stats.count(&played);
        }
        for (waiting, reason) in std::mem::take(&mut self.queues.dead) {
            if reason.is_empty() {
                self.found.push(format!("{} is in the dead-letter queue without a reason", waiting.id));
            }
            if let Some(reason) = waiting.unexplained {
                self.found.push(format!("lost for what does not concern it: {}: {reason}", waiting.id));
            }
            self.ends.extend(waiting.changes.into_iter().map(|change| (change, End::Dead)));
        }
        for change in (0..self.plan.changes.len()).filter(|change| !self.ends.contains_key(change)) {
            self.found.push(format!("lost: {}", self.name(change)));
        }
    }

    /// The same event or message under an ID of this run only. Processes outlive a run and rightly take a known ID for
    /// a redelivery, but the state of this run's fake AWS has none of the earlier invalidations.
    fn own(&self, waiting: &PendingDelivery) -> PendingDelivery {
        let playing = if self.faults.is_some() { "faults" } else { "plain" };
        let mut own = waiting.clone();
        own.id = format!("{}-{playing}", own.id);
        if let Some(job) = own.job.filter(|_| self.faults.is_some()) {
            own.body = self.plan.jobs[job].with_faults(&own.body);
        }
        own
    }

    /// Makes some deliveries concurrently, and checks their responses.
    async fn round(&mut self) {
        let deliveries = self.queues.next(&mut self.rng, self.plan.functions);
        self.lane.provide(self.plan.functions).await;
        let made: Vec<_> = deliveries
            .iter()
            .map(|delivery| {
                let disturbance = match self.faults {
                    Some(_) => Disturbance::draw(&mut self.rng),
                    None => Disturbance::None,
                };
                let (id, body) = match delivery {
                    Delivery::Event(event) => (event.id.clone(), event.body.clone()),
                    Delivery::Batch(messages) => {
                        self.requests += 1;
                        (format!("batch-{}", self.requests), batch(messages))
                    }
                };
                (id, body, disturbance)
            })
            .collect();
        let meanwhile = self.turn();
        self.before = self.so_far();
        let ended = self.lane.deliver(made.clone(), meanwhile).await;
        let provoked = self.so_far().trouble > self.before.trouble;
        for ((delivery, ended), (id, body, _)) in deliveries.into_iter().zip(ended).zip(made) {
            if ended.outcome == InvocationOutcome::TimedOut && !ended.silenced {
                self.lane.stats.late += 1;
                self.found.push(format!("{id}: no answer in time"));
            }
            let cause = Cause { provoked, disturbed: ended.disturbed };
            let succeeded = match delivery {
                Delivery::Event(event) => self.settle_event(event, ended, cause),
                Delivery::Batch(messages) => self.settle_batch(messages, ended, cause),
            };
            if succeeded {
                self.done = Some((id, body));
            }
        }
    }

    fn so_far(&self) -> Before {
        self.lane.aws.with(|state| {
            let faults: usize = self.faults.map_or(0, |faults| faults.played(state).values().sum());
            Before {
                calls: state.calls.len(),
                faults: self.faults.map(|faults| faults.times(state)).unwrap_or_default(),
                trouble: faults + state.calls.iter().filter(|call| is_refusal(call)).count(),
            }
        })
    }

    fn settle_event(&mut self, mut event: PendingDelivery, Ended { outcome, .. }: Ended, cause: Cause) -> bool {
        let reason = match outcome {
            InvocationOutcome::Response(body) => {
                let is_done = if let Some(number) = event.job {
                    self.check_job(&event, number, cause)
                } else {
                    self.check_report(&event, &body);
                    true
                };
                self.succeed(&event);
                return is_done;
            }
            InvocationOutcome::Error { error_type, message } => format!("{error_type}: {message}"),
            InvocationOutcome::TimedOut => "the function did not answer".to_owned(),
        };
        self.check_failure(&mut event, cause, &reason);
        self.queues.failed_event(event, reason);
        false
    }

    fn settle_batch(
        &mut self,
        messages: Vec<PendingDelivery>,
        Ended { outcome, disturbed, .. }: Ended,
        cause: Cause,
    ) -> bool {
        let (failed, reason) = match outcome {
            InvocationOutcome::Response(answer) => match failed(&answer, &messages) {
                Ok(ids) => (Some(ids), "reported as failed".to_owned()),
                Err(reason) => {
                    self.found.push(reason.clone());
                    (None, reason)
                }
            },
            InvocationOutcome::Error { error_type, message } => {
                if !disturbed {
                    self.found.push(format!("a batch failed as a whole: {error_type}: {message}"));
                }
                (None, error_type)
            }
            InvocationOutcome::TimedOut => (None, "the function did not answer".to_owned()),
        };
        let mut all = true;
        for mut message in messages {
            if failed.as_ref().is_none_or(|ids| ids.contains(&message.id)) {
                all = false;
                self.check_failure(&mut message, cause, &reason);
                self.queues.failed_message(message, reason.clone());
            } else {
                self.succeed(&message);
            }
        }
        all
    }

    /// Redelivers the last delivery that succeeded completely, and checks that it is not billed again. Skipped where it
    /// may lead to different paths.
    async fn again(&mut self) {
        let resources = &self.plan.resources;
        let widened = resources.crowded() || self.faults.is_some_and(|faults| faults.widening);
        // With another distribution config, or another listing of the bucket, the paths may differ.
        let differs = resources.settings.len() > 1 || self.known.perhaps_denied || self.lists();
        let Some((id, body)) = self.done.take().filter(|_| !widened && !differs) else { return };
        self.lane.end_stray().await;
        if let Some(faults) = self.faults {
            let played = self.lane.aws.with(|state| faults.played(state));
            self.lane.stats.count(&played);
            self.faults = None;
        }
        let invalidations = |state: &mut State| -> BTreeSet<_> {
            let all = state.distributions.iter();
            all.flat_map(|(id, it)| it.invalidations.iter().map(move |it| (id.clone(), it.id.clone()))).collect()
        };
        // Usually a process that has cached what was sent. One time in eight the first process is replaced by a new
        // one, for which only the caller reference prevents a second invalidation.
        if self.rng.u8(0..8) == 0 {
            self.lane.renew().await;
        }
        let before = self.lane.aws.with(|state| {
            state.faults.clear();
            state.throttle = None;
            invalidations(state)
        });
        self.lane.deliver(vec![(id.clone(), body, Disturbance::None)], None).await;
        let after = self.lane.aws.with(invalidations);
        // The fake AWS records a call when it is answered, so a listing that was still in flight is known only now.
        if before != after && !self.lists() {
            self.found.push(format!("{id} came again after it was done, and is billed again"));
        }
    }

    /// Whether the function has listed a bucket in this run.
    fn lists(&self) -> bool {
        self.lane.aws.with(|state| state.calls.iter().any(|call| call.operation == "ListObjectsV2"))
    }
}

/// Whether CloudFront refused a call for its rate, or for what is in progress.
pub(crate) fn is_refusal(call: &Call) -> bool {
    matches!(call.code.as_deref(), Some("Throttling" | "TooManyInvalidationsInProgress"))
}

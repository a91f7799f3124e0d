//! One scenario, played to its end, and all that must hold on the way.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use s3_cloudfront_invalidator::local::{Outcome, World};

use crate::faults::Faults;
use crate::lane::{Disturbance, Ended, Lane};
use crate::places::Fate;
use crate::plan::{Plan, batch};
use crate::queues::{Delivery, Queues, Waiting, failed};

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Covered,
    Ignored,
    Dead,
}

pub(crate) struct Play<'a, 'p> {
    pub(crate) plan: &'a Plan,
    pub(crate) lane: &'a mut Lane<'p>,
    faults: Option<&'a Faults>,
    rng: Rng,
    queues: Queues,
    /// How many invalidations each distribution had when a change was told of, by the change's place.
    pub(crate) since: BTreeMap<usize, BTreeMap<String, usize>>,
    pub(crate) ends: BTreeMap<usize, End>,
    /// What was done completely, as it was delivered.
    done: Option<(String, String)>,
    requests: usize,
    /// What does not hold.
    pub(crate) found: Vec<String>,
}

impl<'a, 'p> Play<'a, 'p> {
    pub(crate) fn new(plan: &'a Plan, lane: &'a mut Lane<'p>, faults: Option<&'a Faults>, rng: Rng) -> Self {
        let (since, ends) = (BTreeMap::new(), BTreeMap::new());
        Self { plan, lane, faults, rng, queues: plan.queues(), since, ends, done: None, requests: 0, found: Vec::new() }
    }

    pub(crate) async fn play(&mut self) {
        self.lane.cloud.with(|world| {
            *world = self.plan.places.world();
            if let Some(faults) = self.faults {
                faults.set(world);
            }
        });
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
            let played = self.lane.cloud.with(|world| faults.played(world));
            self.lane.tally.count(&played);
        }
        for (waiting, reason) in std::mem::take(&mut self.queues.dead) {
            if reason.is_empty() {
                self.found.push(format!("{} is in the dead-letter queue without a reason", waiting.id));
            }
            self.ends.extend(waiting.changes.into_iter().map(|change| (change, End::Dead)));
        }
        for change in (0..self.plan.changes.len()).filter(|change| !self.ends.contains_key(change)) {
            self.found.push(format!("lost: {}", self.name(change)));
        }
    }

    /// The same under an id of this playing alone: a function rightly takes what it knows the id of for the same delivery,
    /// and this world knows nothing of what was done in another.
    fn own(&self, waiting: &Waiting) -> Waiting {
        let playing = if self.faults.is_some() { "faults" } else { "plain" };
        let mut own = waiting.clone();
        own.id = format!("{}-{playing}", own.id);
        own
    }

    fn tell(&mut self, changes: Vec<usize>) {
        let count = |world: &mut World| -> BTreeMap<_, _> {
            world.distributions.iter().map(|(id, it)| (id.clone(), it.invalidations.len())).collect()
        };
        let now = self.lane.cloud.with(count);
        self.since.extend(changes.into_iter().map(|change| (change, now.clone())));
    }

    /// Some deliveries at the same time.
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
        let before = self.trouble();
        let ended = self.lane.deliver(made.clone()).await;
        let provoked = self.trouble() > before;
        for ((delivery, ended), (id, body, _)) in deliveries.into_iter().zip(ended).zip(made) {
            let provoked = provoked || ended.disturbed;
            if ended.outcome == Outcome::TimedOut && !ended.silenced {
                self.lane.tally.late += 1;
                self.found.push(format!("{id}: no answer in time"));
            }
            let succeeded = match delivery {
                Delivery::Event(event) => self.settle_event(event, ended, provoked),
                Delivery::Batch(messages) => self.settle_batch(messages, ended, provoked),
            };
            if succeeded {
                self.done = Some((id, body));
            }
        }
    }

    /// How much has gone wrong so far.
    fn trouble(&self) -> usize {
        let refused = |code: Option<&str>| matches!(code, Some("Throttling" | "TooManyInvalidationsInProgress"));
        self.lane.cloud.with(|world| {
            let faults = self.faults.map_or(0, |faults| faults.played(world).values().sum());
            faults + world.calls.iter().filter(|call| refused(call.code.as_deref())).count()
        })
    }

    fn settle_event(&mut self, event: Waiting, Ended { outcome, .. }: Ended, provoked: bool) -> bool {
        let reason = match outcome {
            Outcome::Response(body) => {
                self.check_report(&event, &body);
                self.succeed(&event);
                return true;
            }
            Outcome::Error { error_type, message } => format!("{error_type}: {message}"),
            Outcome::TimedOut => "the function did not answer".to_owned(),
        };
        self.check_failure(&event, provoked, &reason);
        self.queues.failed_event(event, reason);
        false
    }

    fn settle_batch(
        &mut self,
        messages: Vec<Waiting>,
        Ended { outcome, disturbed, .. }: Ended,
        provoked: bool,
    ) -> bool {
        let (failed, reason) = match outcome {
            Outcome::Response(answer) => match failed(&answer, &messages) {
                Ok(ids) => (Some(ids), "reported as failed".to_owned()),
                Err(reason) => {
                    self.found.push(reason.clone());
                    (None, reason)
                }
            },
            Outcome::Error { error_type, message } => {
                if !disturbed {
                    self.found.push(format!("a batch failed as a whole: {error_type}: {message}"));
                }
                (None, error_type)
            }
            Outcome::TimedOut => (None, "the function did not answer".to_owned()),
        };
        let mut all = true;
        for message in messages {
            if failed.as_ref().is_none_or(|ids| ids.contains(&message.id)) {
                all = false;
                self.check_failure(&message, provoked, &reason);
                self.queues.failed_message(message, reason.clone());
            } else {
                self.succeed(&message);
            }
        }
        all
    }

    pub(crate) fn fate(&self, change: usize) -> Fate {
        let change = &self.plan.changes[change];
        self.plan.places.buckets[change.bucket].fate(&change.key)
    }

    pub(crate) fn name(&self, change: usize) -> String {
        let change = &self.plan.changes[change];
        format!("{:?} of {}", change.key, self.plan.places.buckets[change.bucket].name)
    }

    /// Nothing fails without a cause.
    fn check_failure(&mut self, failed: &Waiting, provoked: bool, reason: &str) {
        let fails = failed.poison || failed.changes.iter().any(|&change| self.fate(change) == Fate::Fails);
        if !fails && !provoked && self.faults.is_none_or(|faults| !faults.lasting) {
            self.found.push(format!("{} failed without a cause: {reason}", failed.id));
        }
    }

    /// What is said to be done is done.
    fn succeed(&mut self, done: &Waiting) {
        if done.poison {
            self.found.push(format!("{} cannot be read, and was taken", done.id));
        }
        for &change in &done.changes {
            let end = match self.fate(change) {
                Fate::Ignored(_) => End::Ignored,
                Fate::Covered => {
                    self.check_covered(change);
                    End::Covered
                }
                Fate::Fails => {
                    self.found.push(format!("said to be done, which cannot be: {}", self.name(change)));
                    End::Covered
                }
            };
            self.ends.insert(change, end);
        }
    }

    /// What was done completely and comes again is not billed again, as long as it comes to the same paths.
    async fn again(&mut self) {
        let widened = self.plan.places.crowded() || self.faults.is_some_and(|faults| faults.widening);
        let Some((id, body)) = self.done.take().filter(|_| !widened) else { return };
        self.lane.end_stray().await;
        if let Some(faults) = self.faults {
            let played = self.lane.cloud.with(|world| faults.played(world));
            self.lane.tally.count(&played);
            self.faults = None;
        }
        let invalidations = |world: &mut World| -> BTreeSet<_> {
            let all = world.distributions.iter();
            all.flat_map(|(id, it)| it.invalidations.iter().map(move |it| (id.clone(), it.id.clone()))).collect()
        };
        // Mostly a process that remembers it, sometimes one for which CloudFront must.
        if self.rng.u8(0..8) == 0 {
            self.lane.renew().await;
        }
        let before = self.lane.cloud.with(|world| {
            world.faults.clear();
            world.throttle = None;
            invalidations(world)
        });
        self.lane.deliver(vec![(id.clone(), body, Disturbance::None)]).await;
        let after = self.lane.cloud.with(invalidations);
        if before != after {
            self.found.push(format!("{id} came again after it was done, and is billed again"));
        }
    }
}

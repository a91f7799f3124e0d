//! The whole way of an event, over the ports: decode, look up, plan, send, report.

mod changes;
mod job;
mod request;
pub mod runtime;

use tokio::time::{Duration, Instant};

use crate::aws::{BucketQuery, BucketTags, CallError, Invalidations, Jobs, Objects, Settings};
use crate::change::{AccountId, Bucket, DistributionId, Moment, Source};
use crate::collapse::Objective;
use crate::config::{Config, ExpectedOwner, Retries};
use crate::event::{self, EventError, Trigger};
use crate::lookup::{Clock, Lister, Router, Surveyor, stats};
use crate::report::{Answer, InvocationError, Report, Summary};

use crate::plan::PlannedInvalidation;
use crate::send::{Memory, Patience, SendOptions, SentInvalidation, send_all};

pub use crate::send::CONCURRENT_SENDS;

/// How much of an invocation's time is kept for its answer: so much, or this part of what is left if that is less.
const KEPT_FOR_ANSWER: Duration = Duration::from_secs(2);
const KEPT_SHARE: u32 = 4;

/// How much is kept for the answer to the last attempt, in the same way.
const KEPT_FOR_LAST_ATTEMPT: Duration = Duration::from_secs(1);

/// What the function knows of one invocation besides the event.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Lambda's id of the request: the same on each of Lambda's own retries, so it is the identity of a direct event.
    pub request_id: String,
    /// The ARN by which the function was invoked.
    pub function_arn: String,
    /// When Lambda stops waiting for an answer.
    pub deadline: Instant,
}

impl Invocation {
    /// How long sending may take if `retries` bounds the time in which what failed is tried again.
    fn patience(&self, retries: Option<Duration>) -> Patience {
        let answers = self.deadline.checked_sub(KEPT_FOR_ANSWER.min(self.time_left() / KEPT_SHARE));
        let answers = answers.unwrap_or_else(Instant::now);
        let latest = answers.checked_sub(KEPT_FOR_LAST_ATTEMPT.min(self.time_left() / KEPT_SHARE)).unwrap_or(answers);
        let retries = retries.map_or(latest, |retries| latest.min(Instant::now() + retries));
        Patience { retries, attempts: latest, answers }
    }

    /// How much time is left to answer.
    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// An event, decoded, and when it came. What it was decoded from is not kept: it can have 6 MB.
pub struct Received {
    trigger: Result<Trigger, EventError>,
    at: Instant,
}

impl Received {
    /// Decodes an event.
    #[must_use]
    pub fn read(event: &[u8]) -> Self {
        let at = Instant::now();
        Self { trigger: event::decode(event), at }
    }
}

/// The function, with what it needs of the world.
pub struct App<T, I, J> {
    router: Router<T>,
    invalidations: I,
    jobs: J,
    clock: Clock,
    objective: Objective,
    surveyor: Surveyor,
    lister: Lister,
    memory: Memory,
    default_distribution: Option<DistributionId>,
    retries: Retries,
    expected_owner: ExpectedOwner,
    dry_run: bool,
}

impl<T: BucketTags + Objects, I: Invalidations + Settings, J: Jobs> App<T, I, J> {
    /// The function as `config` wants it. `clock` tells the age of remembered answers, and how long a job has waited.
    pub fn new(config: Config, tags: T, invalidations: I, jobs: J, clock: Clock) -> Self {
        Self {
            surveyor: Surveyor::new(config.distribution_settings, config.lives, config.retries.backoff, &clock),
            lister: Lister::new(
                config.inventory_pages,
                config.lives.tagged,
                config.retries.backoff,
                Clock::clone(&clock),
            ),
            router: Router::new(tags, config.route, config.lives, config.retries.backoff, Clock::clone(&clock)),
            memory: Memory::new(Clock::clone(&clock)),
            invalidations,
            jobs,
            clock,
            objective: config.objective,
            default_distribution: config.default_distribution,
            retries: config.retries,
            expected_owner: config.expected_owner,
            dry_run: config.dry_run,
        }
    }

    /// Handles one event, given as raw bytes. Every change in it ends as covered, as ignored for a named reason, or as
    /// failed; one that fails keeps no other from being handled. What was done comes with the answer.
    ///
    /// The answer is an [`InvocationError`] if the event cannot be read, or anything failed that no message and no job
    /// answers for: the invocation must fail, so that the event is delivered again.
    pub async fn handle(&self, event: &[u8], invocation: &Invocation) -> (Result<Answer, InvocationError>, Summary) {
        self.handle_received(Received::read(event), invocation).await
    }

    /// The same of an event that was decoded before.
    pub async fn handle_received(
        &self,
        event: Received,
        invocation: &Invocation,
    ) -> (Result<Answer, InvocationError>, Summary) {
        let mut summary = Summary::default();
        let (answer, tally) = stats::during(self.answer(event.trigger, invocation, &mut summary)).await;
        if let Err(error) = &answer {
            summary.fail(error);
        }
        summary.conclude(tally, event.at.elapsed(), self.now());
        (answer, summary)
    }

    async fn answer(
        &self,
        trigger: Result<Trigger, EventError>,
        invocation: &Invocation,
        summary: &mut Summary,
    ) -> Result<Answer, InvocationError> {
        let trigger = trigger.map_err(|error| {
            summary.changes.failed = 1;
            InvocationError::Event(error)
        })?;
        summary.source = match &trigger {
            Trigger::Changes(batch) => batch.source,
            Trigger::Request(_) => Source::Direct,
            Trigger::Job(_) => Source::CodePipeline,
        };
        // Boxed, so that the types of what is waited for stay within the compiler's limit of nesting.
        match trigger {
            Trigger::Changes(batch) => Box::pin(self.changes(batch, invocation, summary)).await,
            Trigger::Request(request) => Box::pin(self.request(&request, invocation, summary)).await,
            Trigger::Job(job) => Box::pin(self.job(job, invocation, summary)).await,
        }
    }

    /// Now, by the clock that all machines share; `None` where that stands before 1970.
    pub fn now(&self) -> Option<Moment> {
        Moment::of((self.clock)())
    }

    async fn send(
        &self,
        planned: &[PlannedInvalidation],
        patience: Patience,
    ) -> Vec<Result<SentInvalidation, CallError>> {
        let options = SendOptions { backoff: self.retries.backoff, dry_run: self.dry_run };
        send_all(&self.invalidations, planned, &self.memory, options, patience).await
    }

    /// The questions to ask about buckets.
    fn queries(
        &self,
        buckets: impl IntoIterator<Item = Bucket>,
        invocation: &Invocation,
    ) -> Result<Vec<BucketQuery>, InvocationError> {
        let mut buckets = buckets.into_iter().peekable();
        if buckets.peek().is_none() {
            return Ok(Vec::new());
        }
        let expected_owner = match &self.expected_owner {
            ExpectedOwner::Any => None,
            ExpectedOwner::Account(id) => Some(id.clone()),
            ExpectedOwner::FunctionAccount => {
                Some(AccountId::of_function(&invocation.function_arn).ok_or(InvocationError::UnknownAccount)?)
            }
        };
        let query = |bucket| BucketQuery { bucket, expected_owner: expected_owner.clone() };
        Ok(buckets.map(query).collect())
    }
}

/// A line for each distribution that was told something, for one who looks closely.
fn log_each(report: &Report) {
    for sent in &report.invalidations {
        tracing::debug!(
            summary = serde_json::to_string(sent).unwrap_or_default(),
            "invalidation of {}",
            sent.distribution_id
        );
    }
}

//! The whole way of an event, over the ports: decode, look up, plan, send, report.

mod changes;
mod job;
mod queue;
mod request;
pub mod runtime;

use tokio::time::{Duration, Instant};

use crate::aws::{BucketKeys, BucketQuery, BucketTags, CallError, DistributionConfigs, Invalidations, Jobs};
use crate::change::{AccountId, Bucket, DistributionId, EventSource, Timestamp};
use crate::collapse::Objective;
use crate::config::{Config, ExpectedOwner, Retries};
use crate::event::{self, Event, EventError};
use crate::lookup::{Clock, ConfigLookup, KeyLookup, TagLookup, stats};
use crate::report::{Answer, InvocationError, LogLine, Report};

use crate::plan::Invalidation;
use crate::send::{SendDeadlines, SendOptions, SentCache, SentInvalidation, send_all};

pub use crate::send::CONCURRENT_SENDS;

/// How much of an invocation's time is kept for its answer: so much, or this part of what is left if that is less.
const ANSWER_RESERVE: Duration = Duration::from_secs(2);
const ANSWER_RESERVE_SHARE: u32 = 4;

/// How much is kept for the answer to the last attempt, in the same way.
const LAST_ATTEMPT_RESERVE: Duration = Duration::from_secs(1);

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
    fn deadlines(&self, retries: Option<Duration>) -> SendDeadlines {
        let answers = self.deadline.checked_sub(ANSWER_RESERVE.min(self.time_left() / ANSWER_RESERVE_SHARE));
        let answers = answers.unwrap_or_else(Instant::now);
        let latest =
            answers.checked_sub(LAST_ATTEMPT_RESERVE.min(self.time_left() / ANSWER_RESERVE_SHARE)).unwrap_or(answers);
        let retries = retries.map_or(latest, |retries| latest.min(Instant::now() + retries));
        SendDeadlines { retries, attempts: latest, answers }
    }

    /// How much time is left to answer.
    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// An event, decoded, and when it came. What it was decoded from is not kept: it can have 6 MB.
pub struct DecodedEvent {
    event: Result<Event, EventError>,
    at: Instant,
}

impl DecodedEvent {
    /// Decodes an event.
    #[must_use]
    pub fn read(event: &[u8]) -> Self {
        let at = Instant::now();
        Self { event: event::decode(event), at }
    }
}

/// The function, with what it needs of the world.
pub struct App<T, I, J> {
    tag_lookup: TagLookup<T>,
    invalidations: I,
    jobs: J,
    clock: Clock,
    objective: Objective,
    config_lookup: ConfigLookup,
    key_lookup: KeyLookup,
    sent_cache: SentCache,
    default_distribution: Option<DistributionId>,
    retries: Retries,
    expected_owner: ExpectedOwner,
    dry_run: bool,
}

impl<T: BucketTags + BucketKeys, I: Invalidations + DistributionConfigs, J: Jobs> App<T, I, J> {
    /// The function as `config` wants it. `clock` tells the age of remembered answers, and how long a job has waited.
    pub fn new(config: Config, tags: T, invalidations: I, jobs: J, clock: Clock) -> Self {
        Self {
            config_lookup: ConfigLookup::new(
                config.read_distribution_configs,
                config.cache_ttl,
                config.retries.backoff,
                &clock,
            ),
            key_lookup: KeyLookup::new(
                config.listing_max_requests,
                config.cache_ttl.positive,
                config.retries.backoff,
                Clock::clone(&clock),
            ),
            tag_lookup: TagLookup::new(
                tags,
                config.bucket_defaults,
                config.cache_ttl,
                config.retries.backoff,
                Clock::clone(&clock),
            ),
            sent_cache: SentCache::new(Clock::clone(&clock)),
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
    pub async fn handle(&self, event: &[u8], invocation: &Invocation) -> (Result<Answer, InvocationError>, LogLine) {
        self.handle_decoded(DecodedEvent::read(event), invocation).await
    }

    /// The same of an event that was decoded before.
    pub async fn handle_decoded(
        &self,
        decoded: DecodedEvent,
        invocation: &Invocation,
    ) -> (Result<Answer, InvocationError>, LogLine) {
        let mut summary = LogLine::default();
        let (answer, stats) = stats::collect(self.answer(decoded.event, invocation, &mut summary)).await;
        if let Err(error) = &answer {
            summary.record_error(error);
        }
        summary.finish(stats, decoded.at.elapsed(), self.now());
        (answer, summary)
    }

    async fn answer(
        &self,
        event: Result<Event, EventError>,
        invocation: &Invocation,
        summary: &mut LogLine,
    ) -> Result<Answer, InvocationError> {
        let event = event.map_err(|error| {
            summary.changes.failed = 1;
            InvocationError::Event(error)
        })?;
        summary.source = match &event {
            Event::Changes(batch) => batch.source,
            Event::Request(_) => EventSource::Direct,
            Event::Job(_) => EventSource::CodePipeline,
        };
        // Boxed, so that the types of what is waited for stay within the compiler's limit of nesting.
        match event {
            Event::Changes(batch) => Box::pin(self.changes(batch, invocation, summary)).await,
            Event::Request(request) => Box::pin(self.request(&request, invocation, summary)).await,
            Event::Job(job) => Box::pin(self.job(job, invocation, summary)).await,
        }
    }

    /// Now, by the clock that all machines share; `None` where that stands before 1970.
    pub fn now(&self) -> Option<Timestamp> {
        Timestamp::of((self.clock)())
    }

    async fn send(
        &self,
        invalidation: &[Invalidation],
        deadlines: SendDeadlines,
    ) -> Vec<Result<SentInvalidation, CallError>> {
        let options = SendOptions { backoff: self.retries.backoff, dry_run: self.dry_run };
        send_all(&self.invalidations, invalidation, &self.sent_cache, options, deadlines).await
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

//! One invocation from event to answer: decode, look up, plan, send, report. AWS is called only through
//! [`crate::aws`].

mod changes;
mod job;
mod queue;
mod request;
pub mod runtime;

use tokio::time::{Duration, Instant};

use crate::aws::{BucketQuery, CallError, CloudFront, CodePipeline, S3, SdkConfig};
use crate::change::{AccountId, Bucket, DistributionId, EventSource, Timestamp};
use crate::collapse::Objective;
use crate::config::{Config, ExpectedOwner, RetryConfig};
use crate::event::{self, Event, EventError};
use crate::lookup::{Clock, ConfigLookup, KeyLookup, TagLookup, stats};
use crate::plan::Invalidation;
use crate::report::{Answer, InvocationError, LogLine, Report};
use crate::send::{SendDeadlines, SendOptions, SentCache, SentInvalidation, send_all};

pub use crate::send::CONCURRENT_SENDS;

/// The time reserved at the end of the invocation for its answer.
const ANSWER_RESERVE: Duration = Duration::from_secs(2);
/// Each reserve is at most the remaining time divided by this.
const RESERVE_DIVISOR: u32 = 4;

/// The time reserved before that for the response to the last attempt to send.
const LAST_ATTEMPT_RESERVE: Duration = Duration::from_secs(1);

/// What is known of an invocation besides its event.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The request ID. It is the same on each of Lambda's own retries, so it identifies the delivery of a direct event.
    pub request_id: String,
    /// The ARN by which the function was invoked.
    pub function_arn: String,
    /// When the invocation times out.
    pub deadline: Instant,
}

impl Invocation {
    /// The deadlines for sending. `retries` limits how long failed requests are retried; `None` sets no limit of its
    /// own.
    fn deadlines(&self, retries: Option<Duration>) -> SendDeadlines {
        let answers = self.deadline.checked_sub(ANSWER_RESERVE.min(self.time_left() / RESERVE_DIVISOR));
        let answers = answers.unwrap_or_else(Instant::now);
        let latest =
            answers.checked_sub(LAST_ATTEMPT_RESERVE.min(self.time_left() / RESERVE_DIVISOR)).unwrap_or(answers);
        let retries = retries.map_or(latest, |retries| latest.min(Instant::now() + retries));
        SendDeadlines { retries, attempts: latest, answers }
    }

    /// The time until the deadline.
    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// A decoded event, and when decoding began. The raw event is not kept: it can be 6 MB.
pub struct DecodedEvent {
    event: Result<Event, EventError>,
    started_at: Instant,
}

impl DecodedEvent {
    /// Decodes an event.
    #[must_use]
    pub fn decode(event: &[u8]) -> Self {
        let started_at = Instant::now();
        Self { event: event::decode(event), started_at }
    }
}

/// An event that was not received as bytes.
impl From<Event> for DecodedEvent {
    fn from(event: Event) -> Self {
        Self { event: Ok(event), started_at: Instant::now() }
    }
}

/// The function: its configuration, AWS clients and caches.
pub struct App {
    s3: S3,
    cloudfront: CloudFront,
    codepipeline: CodePipeline,
    tag_lookup: TagLookup,
    clock: Clock,
    objective: Objective,
    config_lookup: ConfigLookup,
    key_lookup: KeyLookup,
    sent_cache: SentCache,
    default_distribution: Option<DistributionId>,
    retries: RetryConfig,
    expected_owner: ExpectedOwner,
    dry_run: bool,
}

impl App {
    /// Creates the function, with clients from `sdk`. `clock` is the wall clock for the age of cache entries, the age of changes, and the time
    /// that a job has waited.
    pub fn new(config: Config, sdk: &SdkConfig, clock: Clock) -> Self {
        Self {
            s3: S3::new(sdk),
            cloudfront: CloudFront::new(sdk),
            codepipeline: CodePipeline::new(sdk),
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
                config.bucket_defaults,
                config.distribution_override,
                config.cache_ttl,
                config.retries.backoff,
                Clock::clone(&clock),
            ),
            sent_cache: SentCache::new(Clock::clone(&clock)),
            clock,
            objective: config.objective,
            default_distribution: config.default_distribution,
            retries: config.retries,
            expected_owner: config.expected_owner,
            dry_run: config.dry_run,
        }
    }

    /// Handles one event, given as raw bytes. Every change in it is invalidated, skipped for a named reason, or failed;
    /// a failed change does not stop the others. The log line describes what was done, also after an error.
    ///
    /// The answer is an [`InvocationError`] if the event cannot be decoded, or if anything failed that is reported
    /// neither as a batch item failure nor as the result of a job. The invocation then fails, so that an asynchronous
    /// event is redelivered.
    pub async fn handle(&self, event: &[u8], invocation: &Invocation) -> (Result<Answer, InvocationError>, LogLine) {
        self.handle_decoded(DecodedEvent::decode(event), invocation).await
    }

    /// As [`Self::handle`], for an event that is already decoded.
    pub async fn handle_decoded(
        &self,
        decoded: DecodedEvent,
        invocation: &Invocation,
    ) -> (Result<Answer, InvocationError>, LogLine) {
        let mut log_line = LogLine::default();
        let (answer, stats) = stats::collect(self.answer(decoded.event, invocation, &mut log_line)).await;
        if let Err(error) = &answer {
            log_line.record_error(error);
        }
        log_line.finish(stats, decoded.started_at.elapsed(), self.now());
        (answer, log_line)
    }

    async fn answer(
        &self,
        event: Result<Event, EventError>,
        invocation: &Invocation,
        log_line: &mut LogLine,
    ) -> Result<Answer, InvocationError> {
        let event = event.map_err(|error| {
            log_line.report.changes.failed = 1;
            InvocationError::Event(error)
        })?;
        log_line.source = match &event {
            Event::Changes(batch) => batch.source,
            Event::Request(_) => EventSource::Direct,
            Event::Job(_) => EventSource::CodePipeline,
        };
        // Boxed, because the nested future types would exceed the compiler's limit on nesting.
        match event {
            Event::Changes(batch) => Box::pin(self.answer_changes(batch, invocation, log_line)).await,
            Event::Request(request) => Box::pin(self.answer_request(&request, invocation, log_line)).await,
            Event::Job(job) => Box::pin(self.answer_job(job, invocation, log_line)).await,
        }
    }

    /// The current wall-clock time; `None` if the clock is before 1970.
    pub fn now(&self) -> Option<Timestamp> {
        Timestamp::from_system_time((self.clock)())
    }

    async fn send(
        &self,
        invalidations: &[Invalidation],
        deadlines: SendDeadlines,
    ) -> Vec<Result<SentInvalidation, CallError>> {
        let options = SendOptions { backoff: self.retries.backoff, dry_run: self.dry_run };
        send_all(&self.cloudfront, invalidations, &self.sent_cache, options, deadlines).await
    }

    /// The queries for these buckets, with the expected bucket owner. Fails if that is to be the function's account and
    /// the ARN does not contain it.
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
                Some(AccountId::from_function_arn(&invocation.function_arn).ok_or(InvocationError::UnknownAccount)?)
            }
        };
        let query = |bucket| BucketQuery { bucket, expected_owner: expected_owner.clone() };
        Ok(buckets.map(query).collect())
    }
}

/// Logs each invalidation of the report at DEBUG.
fn log_invalidations(report: &Report) {
    for sent in &report.invalidations {
        tracing::debug!(
            summary = serde_json::to_string(sent).unwrap_or_default(),
            "invalidation of {}",
            sent.distribution_id
        );
    }
}

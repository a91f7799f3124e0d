//! One invocation from event to answer: decode, look up, plan, send, report. AWS is called only through
//! [`crate::aws`].

mod changes;
pub mod deadline;
mod job;
mod request;
pub mod runtime;

use std::collections::BTreeSet;

use tokio::time::Instant;

use self::deadline::{ONE_WILDCARD_DIVISOR, listing_limits, lookup_limits, send_limits};
use crate::aws::{BucketQuery, CallError, CloudFront, CodePipeline, S3, SdkConfig};
use crate::change::{AccountId, Bucket, EventSource, Timestamp};
use crate::config::{Config, ExpectedOwner};
use crate::event::{Event, EventError};
use crate::lookup::{Clock, ConfigLookup, KeyLookup, TagLookup, stats};
use crate::plan::Invalidation;
use crate::report::{Answer, InvocationError, LogLine, RESPONSE_LIMITS};
use crate::send::{SendDeadlines, SendOptions, SentCache, SentInvalidation, send_all};

pub use self::deadline::Invocation;

/// The function: its configuration, AWS clients and caches.
pub struct App {
    s3: S3,
    cloudfront: CloudFront,
    codepipeline: CodePipeline,
    config: Config,
    clock: Clock,
    tag_lookup: TagLookup,
    config_lookup: ConfigLookup,
    key_lookup: KeyLookup,
    sent_cache: SentCache,
}

impl App {
    /// Creates the function, with clients from `sdk`. `clock` is the wall clock for the age of cache entries, the age
    /// of changes, and the time that a job has waited.
    pub fn new(config: Config, sdk: &SdkConfig, clock: Clock) -> Self {
        let shared = || Clock::clone(&clock);
        let (ttl, limits) = (config.cache_ttl, lookup_limits(config.retries.backoff));
        let (defaults, replacement) = (config.bucket_defaults.clone(), config.distribution_override.clone());
        let listing_limits = listing_limits(config.retries.backoff);
        Self {
            s3: S3::new(sdk),
            cloudfront: CloudFront::new(sdk),
            codepipeline: CodePipeline::new(sdk),
            tag_lookup: TagLookup::new(defaults, replacement, ttl, limits, shared()),
            config_lookup: ConfigLookup::new(config.read_distribution_configs, ttl, limits, &clock),
            key_lookup: KeyLookup::new(config.listing_max_requests, ttl.positive, listing_limits, shared()),
            sent_cache: SentCache::new(shared()),
            config,
            clock,
        }
    }

    /// Handles one event, whose decoding began at `started_at`. Every change in it is invalidated, skipped for a named
    /// reason, or failed; a failed change does not stop the others. The log line describes what was done, also after an
    /// error.
    ///
    /// The answer is an [`InvocationError`] if the event cannot be decoded, or if anything failed that is reported
    /// neither as a batch item failure nor as the result of a job. The invocation then fails, so that an asynchronous
    /// event is redelivered.
    pub async fn handle(
        &self,
        event: Result<Event, EventError>,
        started_at: Instant,
        invocation: &Invocation,
    ) -> (Result<Answer, InvocationError>, LogLine) {
        let source = match &event {
            Ok(Event::Changes(batch)) => batch.source,
            Ok(Event::Request(_)) => EventSource::Direct,
            Ok(Event::Job(_)) => EventSource::CodePipeline,
            Err(_) => EventSource::Unknown,
        };
        // Boxed, because the nested future types would exceed the compiler's limit on nesting.
        let answer = async {
            match event {
                Ok(Event::Changes(batch)) => Box::pin(self.answer_changes(batch, invocation)).await,
                Ok(Event::Request(request)) => Box::pin(self.answer_request(&request, invocation)).await,
                Ok(Event::Job(job)) => Box::pin(self.answer_job(job, invocation)).await,
                // An event that cannot be decoded counts as one change.
                Err(error) => Err(InvocationError::event(&error, 1)),
            }
        };
        let (mut answer, stats) = stats::collect(answer).await;
        let report = match &mut answer {
            Ok(answer) => &mut answer.report,
            Err(error) => &mut *error.report,
        };
        let log_line = LogLine::new(source, report, stats, started_at.elapsed(), self.now());
        report.limit(&RESPONSE_LIMITS);
        for sent in &report.invalidations {
            let summary = serde_json::to_string(sent).unwrap_or_default();
            tracing::debug!(summary, "invalidation of {}", sent.distribution_id);
        }
        (answer, log_line)
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
        let calls = send_limits(self.config.retries.backoff);
        let options = SendOptions { calls, one_wildcard_divisor: ONE_WILDCARD_DIVISOR, dry_run: self.config.dry_run };
        send_all(&self.cloudfront, invalidations, &self.sent_cache, options, deadlines).await
    }

    /// The queries for these buckets, with the expected bucket owner. `None` if that is to be the function's account
    /// and the ARN does not contain it.
    fn queries(&self, buckets: BTreeSet<&Bucket>, invocation: &Invocation) -> Option<Vec<BucketQuery>> {
        let expected_owner = match &self.config.expected_owner {
            ExpectedOwner::FunctionAccount if !buckets.is_empty() => {
                Some(AccountId::from_function_arn(&invocation.function_arn)?)
            }
            ExpectedOwner::Account(id) => Some(id.clone()),
            ExpectedOwner::FunctionAccount | ExpectedOwner::Any => None,
        };
        let query = |bucket: &Bucket| BucketQuery { bucket: bucket.clone(), expected_owner: expected_owner.clone() };
        Some(buckets.into_iter().map(query).collect())
    }
}

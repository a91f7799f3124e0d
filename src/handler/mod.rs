//! One invocation from event to answer: decode, look up, plan, send, report. AWS is called only through [`crate::aws`].
//! The steps are in `changes` for changes, `request` for requests and `job` for CodePipeline jobs. Here is the adapter
//! to `lambda_runtime`: it converts events, deadlines and errors, and writes the log line and the metrics of each
//! invocation.

mod changes;
pub mod deadline;
mod job;
mod request;

use std::collections::BTreeSet;
use std::io;
use std::time::SystemTime;

use lambda_runtime::{Diagnostic, LambdaEvent};
use lambda_runtime_api_client::PooledClient;
use lambda_runtime_api_client::body::Body;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tokio::time::Instant;

use self::deadline::{ONE_WILDCARD_DIVISOR, UNKNOWN_TIME_LEFT, listing_limits, lookup_limits, send_limits};
use crate::aws::{BucketQuery, CallError, CloudFront, CodePipeline, S3, SdkConfig};
use crate::change::{AccountId, Bucket, EventSource, Timestamp};
use crate::config::{Config, ExpectedOwner};
use crate::event::{self, Event, EventError};
use crate::lookup::{Clock, ConfigLookup, KeyLookup, TagLookup, calls};
use crate::plan::Invalidation;
use crate::report::{Answer, InvocationError, LogLine, Metrics, RESPONSE_LIMITS, logging};
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
        let (mut answer, stats) = calls::collect(answer).await;
        let report = match &mut answer {
            Ok(answer) => &mut answer.report,
            Err(error) => &mut *error.report,
        };
        report.limit(&RESPONSE_LIMITS);
        let log_line = LogLine::new(source, report, stats, started_at.elapsed(), self.now());
        for sent in &report.invalidations {
            tracing::debug!(
                summary = serde_json::to_string(sent).unwrap_or_default(),
                "invalidation of {}",
                sent.distribution_id
            );
        }
        (answer, log_line)
    }

    /// The current wall-clock time; `None` if the clock is before 1970.
    pub fn now(&self) -> Option<Timestamp> {
        logging::timestamp((self.clock)())
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

/// The error type that Lambda reports for a function that cannot start.
pub const CONFIGURATION_ERROR: &str = "ConfigurationError";

/// An event as the runtime delivers it. It is decoded from the text that the runtime has read, which is neither copied
/// nor parsed into a tree, and is not kept: it can have 6 MB.
pub struct IncomingEvent {
    event: Result<Event, EventError>,
    started_at: Instant,
}

impl<'de> Deserialize<'de> for IncomingEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (started_at, text) = (Instant::now(), <&RawValue>::deserialize(deserializer)?);
        Ok(Self { event: event::decode(text.get().as_bytes()), started_at })
    }
}

/// Handles one invocation, then writes its log line and, if enabled, its `metrics`.
///
/// # Errors
/// Those of [`App::handle`].
pub async fn handle(
    app: &App,
    metrics: Option<&Metrics>,
    event: LambdaEvent<IncomingEvent>,
) -> Result<Answer, InvocationError> {
    let deadline = event.context.deadline();
    let function = event.context.env_config.clone();
    let invocation = Invocation {
        request_id: event.context.request_id,
        function_arn: event.context.invoked_function_arn,
        deadline: Instant::now() + deadline.duration_since(SystemTime::now()).unwrap_or(UNKNOWN_TIME_LEFT),
    };
    let IncomingEvent { event, started_at } = event.payload;
    let (answer, log_line) = app.handle(event, started_at, &invocation).await;
    log_line.log();
    if let Some(metrics) = metrics
        && let Some(now) = app.now()
        && let Err(error) =
            metrics.write(&mut io::stdout(), &log_line, &function.function_name, &invocation.request_id, now)
    {
        tracing::warn!(error = error.to_string(), "the metrics could not be written");
    }
    answer
}

impl From<InvocationError> for Diagnostic {
    fn from(error: InvocationError) -> Self {
        Self { error_type: error.error_type.to_owned(), error_message: error.to_string() }
    }
}

/// Reports to Lambda why the function cannot start. Source: Lambda developer guide, "Runtime API", initialization
/// error.
///
/// # Errors
/// If the call fails, or `AWS_LAMBDA_RUNTIME_API` is not a valid address.
pub async fn report_init_error(error_type: &str, message: &str) -> anyhow::Result<()> {
    let body = serde_json::json!({ "errorType": error_type, "errorMessage": message, "stackTrace": [] });
    let request = http::Request::post("/2018-06-01/runtime/init/error")
        .header("Content-Type", "application/json")
        .header("Lambda-Runtime-Function-Error-Type", error_type)
        .body(Body::from(body.to_string()))?;
    PooledClient::builder().build().call(request).await.map_err(anyhow::Error::from_boxed)?;
    Ok(())
}

//! One invocation from event to answer: decode, look up, plan, send, report. AWS is called only through [`crate::aws`].
//! The steps are in `changes` for changes, `queue` for the function's own queue, `request` for requests and `job` for
//! CodePipeline jobs, all of them on the [`App`] of `app`. Here is the adapter to `lambda_runtime`: it converts events,
//! deadlines and errors, and writes the log line and the metrics of each invocation.

mod app;
mod changes;
pub mod deadline;
mod enqueue;
mod job;
mod queue;
mod request;

use std::io;
use std::time::SystemTime;

use lambda_runtime::{Diagnostic, LambdaEvent};
use lambda_runtime_api_client::PooledClient;
use lambda_runtime_api_client::body::Body;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use tokio::time::Instant;

use self::deadline::UNKNOWN_TIME_LEFT;
use crate::change::EventSource;
use crate::event::{self, Event, EventError, Request};
use crate::lookup::calls;
use crate::report::{Answer, InvocationError, LogLine, Metrics, RESPONSE_LIMITS};

pub use self::app::App;
pub use self::deadline::Invocation;

impl App {
    /// Handles one event, whose decoding began at `started_at`. Every change in it is invalidated, skipped for a named
    /// reason, queued or failed; a failed change does not stop the others. The log line describes what was done, also
    /// after an error.
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
            Ok(Event::Poll(_)) => EventSource::Sqs,
            Ok(Event::Request(_) | Event::Schedule) => EventSource::Direct,
            Ok(Event::Job(_)) => EventSource::CodePipeline,
            Err(_) => EventSource::Unknown,
        };
        // Boxed, because the nested future types would exceed the compiler's limit on nesting.
        let answer = async {
            match event {
                Ok(Event::Changes(batch)) => Box::pin(self.answer_changes(batch, invocation)).await,
                Ok(Event::Request(request)) => Box::pin(self.answer_request(&request, invocation)).await,
                Ok(Event::Poll(poll)) => Ok(Box::pin(self.answer_poll(&poll, invocation)).await),
                Ok(Event::Schedule) if self.queue.is_some() => Err(EventError::ScheduleWithoutInput.into()),
                Ok(Event::Schedule) => Box::pin(self.answer_request(&Request::default(), invocation)).await,
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
        && !log_line.is_idle_poll()
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

//! What one invocation writes to CloudWatch Logs: log lines, as JSON if Lambda's log format is JSON and otherwise as
//! text; among them the line of the invocation, and its metrics in embedded metric format, which need no API call and
//! no permission.
//!
//! Lambda's own settings apply (`AWS_LAMBDA_LOG_FORMAT`, `AWS_LAMBDA_LOG_LEVEL`). For debugging, `RUST_LOG` overrides
//! the level. At TRACE the Lambda runtime logs whole events, which can hold credentials, and the SDK whole requests
//! with their headers; at DEBUG the SDK still logs what it signs, access key included. So the SDK is capped at INFO and
//! every other crate but this one at DEBUG, whatever level is set.
//!
//! In the line of the invocation counts come first, since CloudWatch turns only the first few hundred values of a line
//! into fields; lists follow. The lists are short, as every byte is billed and the size of a log event is limited. The
//! only text from an event is bucket names, event names, paths and the excerpts in messages, each restricted by its
//! grammar or escaped.
//!
//! The metrics' JSON is written here, since the format is one small object: `metrics_cloudwatch_embedded` (0.10)
//! collects into a recorder that is global to the process, and `metrique` (0.1) adds about thirty crates. With JSON log
//! format, Lambda drops lines below the application log level, and treats a line without valid `level` and `timestamp`
//! as INFO (Lambda developer guide, "Log-level filtering"). So the line carries the configured level, from
//! `AWS_LAMBDA_LOG_LEVEL`, and passes whatever it is. With text format nothing is dropped.

use std::fmt::{Debug, Write as _};
use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::{ChangeCounts, ListLimits, MESSAGE_LENGTH, QueueCounts, Report, Totals};
use crate::change::text::{counted, one_line, shortened};
use crate::change::{EventSource, Timestamp};
use crate::lookup::Stats;

/// The target prefix of this crate, the only one that may log at TRACE.
const CRATE_TARGET: &str = "s3_cloudfront_invalidator";

/// The field of this crate's events that holds a JSON object. In JSON format its members become members of the line.
const SUMMARY_FIELD: &str = "summary";

/// The maximum number of invalidations, failures or skip reasons, and buckets and paths of one invalidation in a line,
/// and of bytes of paths altogether.
const LOGGED_INVALIDATIONS: usize = 30;
const LOGGED_CODES: usize = 30;
const LOGGED_BUCKETS: usize = 3;
const LOGGED_PATHS: usize = 5;
const LOGGED_BYTES: usize = 16 * 1024;
const LOG_LIMITS: ListLimits = ListLimits {
    invalidations: LOGGED_INVALIDATIONS,
    codes: LOGGED_CODES,
    buckets: LOGGED_BUCKETS,
    paths: LOGGED_PATHS,
    bytes: LOGGED_BYTES,
};

/// The log line of one invocation.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// The version of the function.
    version: &'static str,
    /// The event source.
    pub source: EventSource,
    /// The time from the oldest change that was invalidated to the answer, in milliseconds; absent if the time of the
    /// change is unknown.
    #[serde(rename = "invalidationLagMs", skip_serializing_if = "Option::is_none")]
    pub invalidation_lag: Option<u64>,
    /// Cache hits and misses, list requests and retries.
    #[serde(flatten)]
    pub stats: Stats,
    /// How long the invocation took, in milliseconds.
    #[serde(rename = "durationMs")]
    duration: u64,
    /// The type of the error that the invocation or the job failed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'static str>,
    /// The outcome, with shorter lists than the answer has. An event that cannot be decoded counts as one failed
    /// change.
    #[serde(flatten)]
    pub report: Report,
}

impl LogLine {
    /// The line of an invocation with this report, whose lists it shortens.
    #[must_use]
    pub fn new(source: EventSource, report: &Report, stats: Stats, took: Duration, now: Option<Timestamp>) -> Self {
        let mut report = report.clone();
        report.limit(&LOG_LIMITS);
        if let Some(job) = &mut report.job {
            job.message = shortened(&job.message, MESSAGE_LENGTH);
        }
        Self {
            version: env!("CARGO_PKG_VERSION"),
            source,
            invalidation_lag: report.oldest_invalidated.and_then(|oldest| Some(now?.since(oldest))),
            stats,
            duration: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            error_type: report.error_type,
            report,
        }
    }

    /// Returns whether this is a poll of an empty queue. An idle month has some 40,000 of them, of which nothing is
    /// worth its price in the log.
    #[must_use]
    pub fn is_idle_poll(&self) -> bool {
        self.report.queue == Some(QueueCounts::default()) && !self.report.has_failed
    }

    /// Writes the line to the log: at WARN if anything failed, at DEBUG after a poll of an empty queue, otherwise at
    /// INFO.
    pub fn log(&self) {
        let ChangeCounts { invalidated, skipped, queued, failed } = self.report.changes;
        let Totals { invalidations, paths, .. } = self.report.totals;
        let queued = if queued > 0 { format!(", {queued} queued") } else { String::new() };
        let message = format!(
            "{}: {invalidated} invalidated, {skipped} skipped{queued}, {failed} failed; {} with {}",
            counted(self.report.changes.total(), "change"),
            counted(invalidations, "invalidation"),
            counted(paths, "path"),
        );
        let failure = self.report.failures.first().map_or_else(String::new, |it| format!("; {}", it.code));
        let summary = serde_json::to_string(self).unwrap_or_default();
        if self.report.has_failed {
            tracing::warn!(summary, "{message}{failure}");
        } else if self.is_idle_poll() {
            tracing::debug!(summary, "{message}");
        } else {
            tracing::info!(summary, "{message}");
        }
    }
}

/// The namespace of the metrics.
pub const NAMESPACE: &str = "S3CloudFrontInvalidator";

/// The only dimension of the metrics, the same as of Lambda's own. Each combination of dimension values is billed as a
/// metric of its own.
pub const DIMENSION: &str = "FunctionName";

/// Reads the value of a metric from a log line; `None` if it is unknown, in which case the metric is omitted.
type MetricValue = fn(&LogLine) -> Option<i64>;

/// Every metric with its name, unit and value. An account's first ten custom metrics are free.
pub const METRICS: [(&str, &str, MetricValue); 10] = [
    ("ChangesInvalidated", "Count", |it| number(it.report.changes.invalidated)),
    ("ChangesSkipped", "Count", |it| number(it.report.changes.skipped)),
    ("ChangesQueued", "Count", |it| number(it.report.changes.queued)),
    ("ChangesFailed", "Count", |it| number(it.report.changes.failed)),
    ("Invalidations", "Count", |it| number(it.report.totals.invalidations)),
    ("Paths", "Count", |it| number(it.report.totals.paths)),
    ("PathsSaved", "Count", |it| it.report.totals.paths_saved),
    ("UnchangedEvicted", "Count", |it| number(it.report.totals.unchanged_evicted?)),
    ("Retries", "Count", |it| number(it.stats.retries)),
    ("InvalidationLag", "Milliseconds", |it| number(it.invalidation_lag?)),
];

fn number(value: impl TryInto<i64>) -> Option<i64> {
    value.try_into().ok()
}

/// The log levels of Lambda. Source: Lambda developer guide, "Log-level filtering".
const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// Writes the metrics of each invocation.
#[derive(Clone, Debug)]
pub struct Metrics {
    level: &'static str,
}

impl Metrics {
    /// Creates a writer whose lines have the level of `AWS_LAMBDA_LOG_LEVEL`, read through `lookup`, so that Lambda
    /// does not drop them. The level is INFO if that is absent or invalid.
    pub fn new(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let configured = lookup("AWS_LAMBDA_LOG_LEVEL").unwrap_or_default();
        let level = LEVELS.into_iter().find(|level| level.eq_ignore_ascii_case(configured.trim()));
        Self { level: level.unwrap_or("INFO") }
    }

    /// Writes the metrics of one invocation as one line, in one write.
    ///
    /// # Errors
    /// Those of `writer`.
    pub fn write(
        &self,
        writer: &mut impl Write,
        log_line: &LogLine,
        function_name: &str,
        request_id: &str,
        now: Timestamp,
    ) -> io::Result<()> {
        let values: Vec<_> =
            METRICS.iter().filter_map(|(name, unit, value)| Some((*name, *unit, value(log_line)?))).collect();
        let level = self.level;
        let mut line = serde_json::to_vec(&MetricsLine { level, function_name, request_id, values, now })?;
        line.push(b'\n');
        writer.write_all(&line)
    }
}

/// A line in embedded metric format. Source: CloudWatch user guide, "Specification: Embedded metric format". It is not
/// built as a [`serde_json::Value`], which would allocate every name and value.
struct MetricsLine<'a> {
    level: &'static str,
    function_name: &'a str,
    request_id: &'a str,
    values: Vec<(&'static str, &'static str, i64)>,
    now: Timestamp,
}

impl Serialize for MetricsLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let metrics = self.values.iter().map(|&(name, unit, _)| MetricDefinition { name, unit }).collect();
        let directive = MetricDirective { namespace: NAMESPACE, dimensions: [[DIMENSION]], metrics };
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("level", self.level)?;
        line.serialize_entry("timestamp", &format_args!("{}", self.now))?;
        let metadata = MetricsMetadata { timestamp: self.now.milliseconds(), cloud_watch_metrics: [directive] };
        line.serialize_entry("_aws", &metadata)?;
        line.serialize_entry(DIMENSION, self.function_name)?;
        line.serialize_entry("requestId", self.request_id)?;
        for (name, _, value) in &self.values {
            line.serialize_entry(name, value)?;
        }
        line.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetricsMetadata {
    timestamp: u64,
    cloud_watch_metrics: [MetricDirective; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetricDirective {
    namespace: &'static str,
    dimensions: [[&'static str; 1]; 1],
    metrics: Vec<MetricDefinition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetricDefinition {
    name: &'static str,
    unit: &'static str,
}

/// A layer that writes each event as one line of JSON or text.
struct LineWriter<W> {
    json: bool,
    writer: W,
}

impl<S, W, O> Layer<S> for LineWriter<W>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: Fn() -> O + 'static,
    O: Write,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut ids = InvocationIds::default();
            attributes.record(&mut ids);
            span.extensions_mut().insert(ids);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields =
            LogFields { is_this_crate: event.metadata().target().starts_with(CRATE_TARGET), ..LogFields::default() };
        event.record(&mut fields);
        let ids = context.event_scope(event).into_iter().flatten().find_map(|span| {
            let ids = span.extensions().get::<InvocationIds>().cloned()?;
            ids.request.is_some().then_some(ids)
        });
        let ids = ids.unwrap_or_default();
        let line = if self.json { fields.json(event, &ids) } else { fields.text(event, &ids) };
        // There is nowhere to report that the log cannot be written.
        let _ = (self.writer)().write_all(line.as_bytes());
    }
}

/// The IDs of the invocation that a line belongs to, from the runtime's span.
#[derive(Clone, Default)]
struct InvocationIds {
    request: Option<String>,
    /// The X-Ray trace ID, by which the X-Ray console finds the trace: `Root` in the tracing header.
    trace: Option<String>,
}

impl Visit for InvocationIds {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "requestId" => self.request = Some(value.to_owned()),
            "xrayTraceId" => {
                self.trace = value.split(';').find_map(|part| part.trim().strip_prefix("Root=")).map(str::to_owned);
            }
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

/// The message and the fields of an event.
#[derive(Default)]
struct LogFields {
    is_this_crate: bool,
    message: String,
    fields: Vec<(&'static str, serde_json::Value)>,
    /// The members of the summary's JSON object, without its braces.
    summary: Option<String>,
}

impl LogFields {
    fn text(&self, event: &Event<'_>, ids: &InvocationIds) -> String {
        let mut line = event.metadata().level().to_string();
        let mut record = |name: &str, separator: char, value: &str| {
            // Writing to a String cannot fail.
            let _ = write!(line, " {name}{separator}{value}");
        };
        for (name, id) in [("requestId", &ids.request), ("xrayTraceId", &ids.trace)] {
            if let Some(id) = id {
                record(name, '=', &one_line(id));
            }
        }
        record(if self.is_this_crate { "" } else { logged_target(event.metadata()) }, ' ', &one_line(&self.message));
        for (name, value) in &self.fields {
            match value {
                serde_json::Value::String(text) => record(name, '=', &format!("{text:?}")),
                value => record(name, '=', &value.to_string()),
            }
        }
        if let Some(members) = &self.summary {
            record(SUMMARY_FIELD, '=', &format!("{{{}}}", one_line(members)));
        }
        line.push('\n');
        line
    }

    fn json(&self, event: &Event<'_>, ids: &InvocationIds) -> String {
        let mut line = JsonMembers(String::with_capacity(512));
        line.add("timestamp", &timestamp(SystemTime::now()).map(|now| now.to_string()));
        line.add("level", event.metadata().level().as_str());
        line.add("message", &self.message);
        for (name, id) in [("requestId", &ids.request), ("xrayTraceId", &ids.trace)] {
            if let Some(id) = id {
                line.add(name, id);
            }
        }
        if !self.is_this_crate {
            line.add("target", logged_target(event.metadata()));
        }
        for (name, value) in &self.fields {
            line.add(name, value);
        }
        line.append(self.summary.as_deref().unwrap_or_default());
        format!("{{{}}}\n", line.0)
    }

    fn add(&mut self, field: &Field, value: impl Into<serde_json::Value>) {
        self.fields.push((field.name(), value.into()));
    }
}

impl Visit for LogFields {
    fn record_str(&mut self, field: &Field, value: &str) {
        let members = || value.strip_prefix('{')?.strip_suffix('}');
        match (field.name(), members()) {
            ("message", _) => value.clone_into(&mut self.message),
            (SUMMARY_FIELD, Some(members)) if self.is_this_crate => self.summary = Some(members.to_owned()),
            _ => self.add(field, value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.add(field, format!("{value:?}"));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }
}

/// The members of a JSON object under construction.
struct JsonMembers(String);

impl JsonMembers {
    fn add(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        if let Ok(value) = serde_json::to_string(value) {
            // Names come from fields in the source code, so they need no escaping.
            self.append(&format!("\"{name}\":{value}"));
        }
    }

    fn append(&mut self, members: &str) {
        if !self.0.is_empty() && !members.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(members);
    }
}

/// Returns a subscriber that writes to the writer that `writer` returns. Format and level come from the environment,
/// read through `lookup`. The crates in `silent` are not logged at all.
pub fn subscriber<O: Write + 'static>(
    lookup: impl Fn(&str) -> Option<String>,
    writer: impl Fn() -> O + Send + Sync + 'static,
    silent: &'static [&'static str],
) -> impl Subscriber + Send + Sync {
    let json = lookup("AWS_LAMBDA_LOG_FORMAT").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    let levels = levels(lookup);
    let filter =
        filter_fn(move |it| if it.is_span() { is_invocation_span(it) } else { may_be_logged(it, &levels, silent) });
    tracing_subscriber::registry().with(LineWriter { json, writer }.with_filter(filter))
}

/// The levels by target; INFO if no variable has a valid one. `RUST_LOG` applies if it is a level or sets one for a
/// target. Otherwise `AWS_LAMBDA_LOG_LEVEL` applies, whose `FATAL` becomes ERROR, since `tracing` has no such level.
fn levels(lookup: impl Fn(&str) -> Option<String>) -> Targets {
    let value = |name| lookup(name).map(|value| value.trim().to_ascii_lowercase());
    let level = |text: &str| if text == "fatal" { Some(LevelFilter::ERROR) } else { text.parse().ok() };
    let everywhere = |level: LevelFilter| Targets::new().with_default(level);
    let targets = |text: &str| text.contains('=').then(|| text.parse::<Targets>().ok())?;
    value("RUST_LOG")
        .and_then(|text| level(&text).map(everywhere).or_else(|| targets(&text)))
        .or_else(|| value("AWS_LAMBDA_LOG_LEVEL").and_then(|text| level(&text)).map(everywhere))
        .unwrap_or_else(|| everywhere(LevelFilter::INFO))
}

/// Whether this is the runtime's span around an invocation. It is enabled at every level, because each line carries its
/// IDs. The spans of the SDK hold parts of requests.
fn is_invocation_span(span: &Metadata<'_>) -> bool {
    span.target().starts_with("lambda_runtime")
}

fn may_be_logged(event: &Metadata<'_>, levels: &Targets, silent: &[&str]) -> bool {
    let most = match crate_of(event) {
        CRATE_TARGET => LevelFilter::TRACE,
        name if silent.contains(&name) => LevelFilter::OFF,
        name if name.starts_with("aws_") => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    *event.level() <= most && levels.would_enable(event.target(), event.level())
}

/// The target of an event, as it is logged: without the module for the runtime, which logs every error of the function
/// from its module `panic`, also where nothing panicked.
fn logged_target<'a>(event: &Metadata<'a>) -> &'a str {
    if crate_of(event) == "lambda_runtime" { crate_of(event) } else { event.target() }
}

/// The crate that logs an event.
fn crate_of<'a>(event: &Metadata<'a>) -> &'a str {
    let target = event.target();
    target.split_once("::").map_or(target, |(name, _)| name)
}

/// Converts a system time. Returns `None` before 1970 and for a time that [`Timestamp::new`] rejects.
#[must_use]
pub fn timestamp(time: SystemTime) -> Option<Timestamp> {
    let passed = time.duration_since(UNIX_EPOCH).ok()?;
    Timestamp::new(u64::try_from(passed.as_millis()).ok()?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::change::EventSource;
    use crate::lookup::Stats;
    use crate::report::Report;

    #[test]
    fn lines_carry_the_configured_level() {
        let level = |set: Option<&str>| Metrics::new(|_| set.map(str::to_owned)).level;
        for (set, expected) in [
            (None, "INFO"),
            (Some("warn"), "WARN"),
            (Some(" FATAL "), "FATAL"),
            (Some("loud"), "INFO"),
            (Some(""), "INFO"),
        ] {
            assert_eq!(level(set), expected, "{set:?}");
        }
    }

    #[test]
    fn a_line_is_one_write() {
        struct Writes(Vec<Vec<u8>>);
        impl Write for Writes {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(bytes.to_vec());
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writes = Writes(Vec::new());
        let now = Timestamp::parse("2026-01-02T03:04:05.006Z").unwrap();
        let metrics = Metrics::new(|_| None);
        let line = LogLine::new(EventSource::Unknown, &Report::default(), Stats::default(), Duration::ZERO, None);
        metrics.write(&mut writes, &line, "a \"name\"\n", "r1", now).unwrap();
        let [line] = &writes.0[..] else { panic!("one call") };
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        assert!(line.len() < 1024, "{}", line.len());
        let line: serde_json::Value = serde_json::from_slice(line).unwrap();
        assert_eq!(line["FunctionName"], "a \"name\"\n");
        assert_eq!(line["timestamp"], "2026-01-02T03:04:05.006Z");
        assert!(line.get("PathsSaved").is_none() && line.get("InvalidationLag").is_none(), "not known: {line}");
    }
}

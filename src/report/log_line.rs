//! What one invocation writes to the log: its log line, and the function's metrics in CloudWatch's embedded metric
//! format, which need no API call and no permission.
//!
//! Counts come first, since CloudWatch turns only the first few hundred values of a line into fields; lists follow. The
//! lists are short, as every byte is billed and the size of a log event is limited. The only text from an event is
//! bucket names, event names, paths and the excerpts in messages, each restricted by its grammar or escaped.
//!
//! The metrics' JSON is written here, since the format is one small object: `metrics_cloudwatch_embedded` (0.10)
//! collects into a recorder that is global to the process, and `metrique` (0.1) adds about thirty crates. With JSON log
//! format, Lambda drops lines below the application log level, and treats a line without valid `level` and `timestamp`
//! as INFO (Lambda developer guide, "Log-level filtering"). So the line carries the configured level, from
//! `AWS_LAMBDA_LOG_LEVEL`, and passes whatever it is. With text format nothing is dropped.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::{ChangeCounts, ListLimits, MESSAGE_LENGTH, Report, Totals};
use crate::change::text::{counted, shortened};
use crate::change::{EventSource, Timestamp};
use crate::lookup::Stats;

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
            source,
            invalidation_lag: report.oldest_invalidated.and_then(|oldest| Some(now?.since(oldest))),
            stats,
            duration: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            error_type: report.error_type,
            report,
        }
    }

    /// Writes the line to the log: at WARN if anything failed, otherwise at INFO.
    pub fn log(&self) {
        let ChangeCounts { invalidated, skipped, failed, .. } = self.report.changes;
        let Totals { invalidations, paths, .. } = self.report.totals;
        let message = format!(
            "{}: {invalidated} invalidated, {skipped} skipped, {failed} failed; {} with {}",
            counted(self.report.changes.total(), "change"),
            counted(invalidations, "invalidation"),
            counted(paths, "path"),
        );
        let failure = self.report.failures.first().map_or_else(String::new, |it| format!("; {}", it.code));
        let summary = serde_json::to_string(self).unwrap_or_default();
        if self.report.has_failed {
            tracing::warn!(summary, "{message}{failure}");
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

/// The log levels of Lambda. Source: Lambda developer guide, "Log-level filtering".
const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/// Reads the value of a metric from a log line; `None` if it is unknown, in which case the metric is omitted.
type MetricValue = fn(&LogLine) -> Option<i64>;

/// Every metric with its name, unit and value. An account's first ten custom metrics are free: these nine and the
/// template's `StaleCacheUsed`.
pub const METRICS: [(&str, &str, MetricValue); 9] = [
    ("ChangesInvalidated", "Count", |it| number(it.report.changes.invalidated)),
    ("ChangesSkipped", "Count", |it| number(it.report.changes.skipped)),
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
            METRICS.iter().filter_map(|(name, unit, value)| Some((name, unit, value(log_line)?))).collect();
        let metrics: Vec<_> = values.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit })).collect();
        // Source: CloudWatch user guide, "Specification: Embedded metric format".
        let mut line = json!({
            "level": self.level,
            "timestamp": now.to_string(),
            "_aws": {
                "Timestamp": now.milliseconds(),
                "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": metrics }],
            },
            DIMENSION: function_name,
            "requestId": request_id,
        });
        if let Some(members) = line.as_object_mut() {
            members.extend(values.iter().map(|(name, _, value)| ((**name).to_owned(), json!(value))));
        }
        writer.write_all(format!("{line}\n").as_bytes())
    }
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

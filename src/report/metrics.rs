//! The function's metrics, as log lines in CloudWatch's embedded metric format: no API call, no permission.
//!
//! The JSON is written here, since the format is one small object: `metrics_cloudwatch_embedded` (0.10) collects into a
//! recorder that is global to the process, and `metrique` (0.1) adds about thirty crates.
//!
//! With JSON log format, Lambda drops lines below the application log level, and treats a line without valid `level`
//! and `timestamp` as INFO (Lambda developer guide, "Log-level filtering"). So the line carries the configured level,
//! from `AWS_LAMBDA_LOG_LEVEL`, and passes whatever it is. With text format nothing is dropped.

use std::io::{self, Write};

use serde_json::json;

use super::LogLine;
use crate::change::Timestamp;

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
        (function_name, request_id): (&str, &str),
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
        metrics.write(&mut writes, &line, ("a \"name\"\n", "r1"), now).unwrap();
        let [line] = &writes.0[..] else { panic!("one call") };
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
        assert!(line.len() < 1024, "{}", line.len());
        let line: serde_json::Value = serde_json::from_slice(line).unwrap();
        assert_eq!(line["FunctionName"], "a \"name\"\n");
        assert_eq!(line["timestamp"], "2026-01-02T03:04:05.006Z");
        assert!(line.get("PathsSaved").is_none() && line.get("InvalidationLag").is_none(), "not known: {line}");
    }
}

//! Sends the function events with the changes, one after another.

use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;

use crate::change::ObjectKey;
use crate::local::events::{notification, record};
use crate::local::{InvocationOutcome, Invoke, Lambda};

/// One event and the function's response to it.
pub(super) struct Delivery<'k> {
    pub(super) keys: &'k [ObjectKey],
    pub(super) report: DeliveryReport,
    pub(super) took: Duration,
}

/// The parts of the function's report that the demo prints.
#[derive(Deserialize)]
pub(super) struct DeliveryReport {
    pub(super) changes: ChangeCounts,
    pub(super) invalidations: Vec<ReportedInvalidation>,
}

#[derive(Deserialize)]
pub(super) struct ChangeCounts {
    pub(super) invalidated: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReportedInvalidation {
    pub(super) invalidation_id: Option<String>,
    pub(super) paths: Vec<String>,
}

/// Invokes the function with `ObjectCreated:Put` records for all keys of `bucket`, `batch` records an event, one event
/// after another.
pub(super) async fn deliver<'k>(
    lambda: &Lambda,
    bucket: &str,
    keys: &'k [ObjectKey],
    batch: usize,
) -> anyhow::Result<Vec<Delivery<'k>>> {
    let style = ProgressStyle::with_template("  {bar:40} {pos} of {len} changes sent to the function")?;
    let progress = ProgressBar::new(keys.len() as u64).with_style(style);
    let mut deliveries = Vec::new();
    for (number, keys) in keys.chunks(batch).enumerate() {
        let records: Vec<_> = keys.iter().map(|key| record("ObjectCreated:Put", bucket, key.as_str())).collect();
        let started = Instant::now();
        let invoke = Invoke::new(format!("00000000-0000-4000-8000-{number:012}"));
        let report = match lambda.invoke(notification(&records), invoke).await {
            InvocationOutcome::Response(body) => serde_json::from_slice(&body)?,
            InvocationOutcome::Error { error_type, message } => {
                bail!("the function failed with {error_type}: {message}")
            }
            InvocationOutcome::TimedOut => bail!("the function timed out"),
        };
        deliveries.push(Delivery { keys, report, took: started.elapsed() });
        progress.inc(keys.len() as u64);
    }
    progress.finish_and_clear();
    Ok(deliveries)
}

//! When a queue was polled last, by its metrics in CloudWatch.

use std::time::SystemTime;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat};

use super::OperatorClients;
use crate::aws::CallError;
use crate::aws::response::call_error;
use crate::change::Timestamp;
use crate::cli::link::LAST_POLL_WINDOW;

/// The metrics that count receives, each with an ID for the query. A poll ends with an empty receive, unless one of its
/// bounds ends it; then it has received messages. Source: SQS developer guide, "Available CloudWatch metrics for Amazon
/// SQS".
const RECEIVES: [(&str, &str); 2] = [("empty", "NumberOfEmptyReceives"), ("messages", "NumberOfMessagesReceived")];

/// The period of SQS's metrics, in seconds.
const PERIOD: i32 = 60;

impl OperatorClients {
    /// Returns the last minute in which a queue was read; `None` if that was before [`LAST_POLL_WINDOW`].
    pub(super) async fn last_receive(&self, queue: &str) -> Result<Option<Timestamp>, CallError> {
        let now = SystemTime::now();
        let start = now.checked_sub(LAST_POLL_WINDOW).unwrap_or(now);
        let queries = RECEIVES.iter().map(|&(id, metric)| query(id, metric, queue)).collect();
        let call = self.cloud_watch.get_metric_data().set_metric_data_queries(Some(queries));
        let mut pages = call.start_time(DateTime::from(start)).end_time(DateTime::from(now)).into_paginator().send();
        let mut last = None;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| call_error("GetMetricData", &error))?;
            last = last.max(page.metric_data_results().iter().filter_map(last_minute).max());
        }
        Ok(last)
    }
}

fn query(id: &str, metric: &str, queue: &str) -> MetricDataQuery {
    let queue = Dimension::builder().name("QueueName").value(queue).build();
    let metric = Metric::builder().namespace("AWS/SQS").metric_name(metric).dimensions(queue).build();
    let sum = MetricStat::builder().metric(metric).period(PERIOD).stat("Sum").build();
    MetricDataQuery::builder().id(id).metric_stat(sum).build()
}

/// The start of the last period in which something was counted. SQS also reports zeros.
fn last_minute(result: &MetricDataResult) -> Option<Timestamp> {
    let counted = result.timestamps().iter().zip(result.values()).filter(|(_, value)| **value > 0.0);
    counted.filter_map(|(time, _)| Timestamp::new(u64::try_from(time.to_millis().ok()?).ok()?)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_minute_is_the_last_in_which_something_was_counted() {
        let result = |counts: &[(i64, f64)]| {
            let add = |it: aws_sdk_cloudwatch::types::builders::MetricDataResultBuilder,
                       &(seconds, count): &(i64, f64)| {
                it.timestamps(DateTime::from_secs(seconds)).values(count)
            };
            counts.iter().fold(MetricDataResult::builder(), add).build()
        };
        for (counts, seconds) in [
            (&[][..], None),
            (&[(60, 0.0)], None),
            (&[(180, 0.0), (120, 1.0), (60, 2.0)], Some(120)),
            (&[(60, 2.0), (120, 1.0)], Some(120)),
            (&[(-60, 1.0)], None),
        ] {
            let expected = seconds.and_then(|seconds: u64| Timestamp::new(seconds * 1000));
            assert_eq!(last_minute(&result(counts)), expected, "{counts:?}");
        }
    }
}

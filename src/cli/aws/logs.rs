//! Reads failed invocations from the function's log.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::OperatorClients;
use crate::aws::CallError;
use crate::aws::response::call_error;
use crate::change::Timestamp;
use crate::cli::link::{FailedInvocation, FailedInvocations};

/// Selects the lines of invocations in which something failed. Source: CloudWatch Logs user guide, "Filter pattern syntax".
const FAILED: &str = "{ $.ok IS FALSE }";

/// The source of direct invocations, such as the dry runs of `status`.
const DIRECT: &str = "direct";

/// The fields of a line that are read.
#[derive(Deserialize)]
struct Line {
    ok: bool,
    /// Only this function's lines have it; a log group can have those of others.
    source: String,
    #[serde(default)]
    failures: Vec<LoggedFailure>,
    #[serde(default)]
    queue: LoggedQueue,
}

#[derive(Deserialize)]
struct LoggedFailure {
    code: String,
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LoggedQueue {
    messages_received: u64,
    messages_deleted: u64,
    attempt: Option<u64>,
}

impl OperatorClients {
    /// Returns the invocations in this last time in which something failed.
    pub(super) async fn failed_log_lines(
        &self,
        log_group: &str,
        window: Duration,
    ) -> Result<Option<FailedInvocations>, CallError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = i64::try_from(now.saturating_sub(window).as_millis()).unwrap_or_default();
        let call = self.logs.filter_log_events().log_group_name(log_group).filter_pattern(FAILED);
        let mut pages = call.start_time(start).into_paginator().send();
        let mut failed: Option<FailedInvocations> = None;
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| call_error("FilterLogEvents", &error))?;
            let read = page.events.unwrap_or_default().into_iter().filter_map(|event| {
                let time = Timestamp::new(u64::try_from(event.timestamp?).ok()?)?;
                failed_invocation(time, event.message.as_deref()?)
            });
            for it in read {
                failed = Some(match failed {
                    None => FailedInvocations { count: 1, last: it },
                    Some(FailedInvocations { count, last }) => {
                        let last = if it.time.milliseconds() >= last.time.milliseconds() { it } else { last };
                        FailedInvocations { count: count + 1, last }
                    }
                });
            }
        }
        Ok(failed)
    }
}

/// Reads a log line; `None` if it is not that of an invocation in which something failed.
fn failed_invocation(time: Timestamp, line: &str) -> Option<FailedInvocation> {
    let Line { ok: false, source, failures, queue } = serde_json::from_str(line).ok()? else { return None };
    if source == DIRECT {
        return None;
    }
    Some(FailedInvocation {
        time,
        failure: failures.into_iter().next().map(|it| (it.code, it.message)),
        messages_left: queue.messages_received.saturating_sub(queue.messages_deleted),
        attempt: queue.attempt,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_failed_invocations_are_read() {
        let time = Timestamp::new(1_000_000).unwrap();
        for line in [
            "START RequestId: 1",
            "",
            r#"{"level":"WARN","message":"no"}"#,
            r#"{"source":"sqs","ok":true,"failures":[]}"#,
            r#"{"source":"direct","ok":false}"#,
            r#"{"ok":false,"message":"of another function"}"#,
        ] {
            assert_eq!(failed_invocation(time, line), None, "{line}");
        }
        let line = r#"{"level":"WARN","source":"sqs","ok":false,"failures":[{"code":"tags-access-denied","message":"GetBucketTagging: AccessDenied",
            "changes":2}],"queue":{"messagesReceived":3,"messagesDeleted":1,"attempt":2}}"#;
        let failed = failed_invocation(time, line).unwrap();
        assert_eq!((failed.messages_left, failed.attempt), (2, Some(2)));
        assert_eq!(failed.failure.unwrap().0, "tags-access-denied");
        let without_lists = failed_invocation(time, r#"{"source":"s3","ok":false}"#).unwrap();
        assert_eq!((without_lists.failure, without_lists.messages_left), (None, 0));
    }
}

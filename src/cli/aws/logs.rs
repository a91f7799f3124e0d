//! Reads failed invocations from the function's log.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::OperatorClients;
use crate::aws::CallError;
use crate::aws::response::call_error;
use crate::change::Timestamp;
use crate::cli::link::{FAILURE_WINDOW, FailedInvocation};

/// Selects the lines of invocations in which something failed. Source: CloudWatch Logs user guide, "Filter pattern syntax".
const FAILED: &str = "{ $.ok IS FALSE }";

/// The most lines that are read.
const MAX_LINES: usize = 1000;

/// The fields of a line that are read.
#[derive(Deserialize)]
struct Line {
    #[serde(default = "yes")]
    ok: bool,
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

fn yes() -> bool {
    true
}

impl OperatorClients {
    /// Returns the invocations of the last [`FAILURE_WINDOW`] in which something failed, oldest first.
    pub(super) async fn failed_log_lines(&self, log_group: &str) -> Result<Vec<FailedInvocation>, CallError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start = i64::try_from(now.saturating_sub(FAILURE_WINDOW).as_millis()).unwrap_or_default();
        let call = self.logs.filter_log_events().log_group_name(log_group).filter_pattern(FAILED);
        let mut pages = call.start_time(start).into_paginator().send();
        let mut failed = Vec::new();
        while failed.len() < MAX_LINES
            && let Some(page) = pages.next().await
        {
            let page = page.map_err(|error| call_error("FilterLogEvents", &error))?;
            failed.extend(page.events.unwrap_or_default().into_iter().filter_map(|event| {
                let time = Timestamp::new(u64::try_from(event.timestamp?).ok()?)?;
                failed_invocation(time, event.message.as_deref()?)
            }));
        }
        failed.sort_by_key(|it| it.time.milliseconds());
        Ok(failed)
    }
}

/// Reads a log line; `None` if it is not that of an invocation in which something failed.
fn failed_invocation(time: Timestamp, line: &str) -> Option<FailedInvocation> {
    let Line { ok: false, failures, queue } = serde_json::from_str(line).ok()? else { return None };
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
        for line in ["START RequestId: 1", r#"{"ok":true,"failures":[]}"#, r#"{"level":"WARN","message":"no"}"#, ""] {
            assert_eq!(failed_invocation(time, line), None, "{line}");
        }
        let line = r#"{"level":"WARN","ok":false,"failures":[{"code":"tags-access-denied","message":"GetBucketTagging: AccessDenied",
            "changes":2}],"queue":{"messagesReceived":3,"messagesDeleted":1,"attempt":2}}"#;
        let failed = failed_invocation(time, line).unwrap();
        assert_eq!((failed.messages_left, failed.attempt), (2, Some(2)));
        assert_eq!(failed.failure.unwrap().0, "tags-access-denied");
        let without_lists = failed_invocation(time, r#"{"ok":false}"#).unwrap();
        assert_eq!((without_lists.failure, without_lists.messages_left), (None, 0));
    }
}

//! Checks the function's last invocations, by its log.

use std::time::Duration;

use super::Check;
use super::schedule::to_the_minute;
use crate::change::Timestamp;
use crate::change::text::{counted, one_line};
use crate::cli::link::api::{FailedInvocation, FailedInvocations, OperatorApi, Queue, failure_window, remedy};
use crate::cli::link::deployment::Deployment;

/// Checks whether something failed in the function's last invocations. `queue` is the one that it polls at this interval.
pub(super) async fn check_invocations(
    api: &impl OperatorApi,
    deployment: &Deployment,
    queue: Option<&Queue>,
    interval: Duration,
) -> Check {
    let Some(log_group) = &deployment.function.log_group else {
        return Check::ok("unknown: the function's log is not JSON, or its level drops failures");
    };
    let visibility_timeout = Duration::from_secs(queue.map_or(0, |it| it.visibility_timeout));
    let window = failure_window(interval, visibility_timeout);
    let minutes = window.as_secs() / 60;
    match api.failed_invocations(log_group, window).await {
        // That this cannot be known is no failure.
        Err(error) => Check::ok(format!("unknown: {error}{}", remedy(&error))),
        Ok(None) => Check::ok(format!("no failures in the last {minutes} minutes")),
        Ok(Some(FailedInvocations { count, last })) => {
            let message = format!(
                "something failed in {} of the last {minutes} minutes, the last time at {}: {}{}; correct the cause",
                counted(count, "invocation"),
                to_the_minute(last.time),
                last.failure.as_ref().map_or_else(
                    || "see the log".to_owned(),
                    |(code, message)| format!("{code}: {}", one_line(message))
                ),
                messages_left(&last, queue),
            );
            Check::problem("failures", "invocations-failed", message)
        }
    }
}

/// What becomes of the messages that the invocation received and did not delete.
fn messages_left(last: &FailedInvocation, queue: Option<&Queue>) -> String {
    let (Some(queue), Some(attempt)) = (queue, last.attempt) else { return String::new() };
    let messages = counted(usize::try_from(last.messages_left).unwrap_or(usize::MAX), "message");
    let last_attempt = queue.max_receive_count.map_or_else(String::new, |most| format!(" of {most}"));
    if queue.max_receive_count.is_some_and(|most| attempt >= most) {
        return format!(
            "; {messages} not done, the oldest after attempt {attempt}{last_attempt}, the last before the dead-letter queue"
        );
    }
    let back = Timestamp::new(last.time.milliseconds().saturating_add(queue.visibility_timeout.saturating_mul(1000)));
    let back = back
        .map_or_else(String::new, |time| format!(", received again by the first poll after {}", to_the_minute(time)));
    format!("; {messages} not done, the oldest after attempt {attempt}{last_attempt}{back}")
}

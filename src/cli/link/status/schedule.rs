//! Checks that the function reads a queue: a schedule invokes it to poll the queue, or an event source mapping is active.
//!
//! EventBridge Scheduler's API does not contain when a schedule ran last. So what makes it run is checked: its state, its
//! target and its input. Whether it did run is seen in the queue's metrics.

use std::time::Duration;

use super::Check;
use crate::aws::CallError;
use crate::change::Timestamp;
use crate::cli::link::api::{LAST_POLL_WINDOW, OperatorApi, Schedule, remedy};
use crate::cli::link::deployment::Deployment;
use crate::cli::link::notification::Destination;
use crate::event::{Event, Poll, decode};

/// The state of a queue that the function reads.
const ENABLED: &str = "enabled";

/// The input of the schedule, as the templates have it for an interval of one minute.
const POLL_INPUT: &str = r#"{"pollQueue":true,"scheduledTime":"<aws.scheduler.scheduled-time>","intervalMinutes":1}"#;

/// How late a poll may be before it counts as missing, besides the schedule's interval: a poll may be skipped, and for a
/// queue that was inactive CloudWatch has metrics after 15 minutes. Source: SQS developer guide, "Monitoring Amazon SQS
/// queues using CloudWatch".
const MAX_DELAY: Duration = Duration::from_mins(30);

/// A schedule that makes the function poll its queue.
pub(super) struct ActiveSchedule {
    name: String,
    pub(super) interval: Duration,
    modified_at: Option<Timestamp>,
}

/// Checks that the function reads this queue.
pub(in crate::cli::link) async fn check_reader(api: &impl OperatorApi, deployment: &Deployment, queue: &str) -> Check {
    find_reader(api, deployment, queue).await.0
}

/// Checks that the function reads this queue, and returns the schedule that makes it poll the queue, if there is one.
pub(super) async fn find_reader(
    api: &impl OperatorApi,
    deployment: &Deployment,
    queue: &str,
) -> (Check, Option<ActiveSchedule>) {
    if deployment.polled_queue.as_deref() == Some(queue) {
        return check_schedule(api, deployment).await.unwrap_or_else(|error| (Check::failed_call(&error), None));
    }
    let check = match deployment.source(queue) {
        Some(source) if source.is_active() => Check::ok(ENABLED),
        source => Check::problem(
            source.map(|it| it.state.to_lowercase()).unwrap_or_default(),
            "event-source-disabled",
            "the function does not receive the queue's messages; enable its event source mapping",
        ),
    };
    (check, None)
}

/// Checks when the queue was polled last. It is a problem if that was longer ago than `schedule` explains. If it cannot
/// be read, this is none: the metrics are no part of the deployment.
pub(super) async fn check_last_poll(
    api: &impl OperatorApi,
    queue: &str,
    schedule: Option<&ActiveSchedule>,
    now: Option<Timestamp>,
) -> Check {
    let last = match api.last_poll(queue).await {
        Ok(last) => last,
        Err(error) => return Check::ok(format!("unknown: {error}{}", remedy(&error))),
    };
    let state = last.map_or_else(not_in_window, to_the_minute);
    let Some(ActiveSchedule { name, interval, modified_at }) = schedule else { return Check::ok(state) };
    // The polls of a schedule begin when it is created, enabled or corrected. Before the window nothing is known.
    let age = last.max(*modified_at).zip(now).map(|(last, now)| Duration::from_millis(now.since(last)));
    if age.is_some_and(|age| age.min(LAST_POLL_WINDOW) > *interval + MAX_DELAY) {
        let when = if last.is_some() { format!("since {state}") } else { state.clone() };
        let message = format!(
            "schedule \"{name}\" is enabled, but the queue was not polled {when}; find the reason as in step 2 of \
             QueueAgeAlarm in docs/operations.md"
        );
        return Check::problem(state, "not-polled", message);
    }
    if last.is_none() && age.is_some_and(|age| age < LAST_POLL_WINDOW) {
        return Check::ok("unknown: CloudWatch has no metrics of the queue yet");
    }
    Check::ok(state)
}

fn not_in_window() -> String {
    format!("not in the last {} hours", LAST_POLL_WINDOW.as_secs() / 3600)
}

/// A time such as `2026-01-02 03:04 UTC`.
pub(super) fn to_the_minute(time: Timestamp) -> String {
    // RFC 3339 has the minute before its 17th character.
    let time = time.to_string();
    format!("{} UTC", time.get(..16).unwrap_or(&time).replace('T', " "))
}

/// Checks the schedule that the stack names. Without such a schedule, checks those that invoke the function: one of them
/// must poll the queue.
async fn check_schedule(
    api: &impl OperatorApi,
    deployment: &Deployment,
) -> Result<(Check, Option<ActiveSchedule>), CallError> {
    let named = match &deployment.schedule {
        Some(name) => api.schedule(name).await?,
        None => None,
    };
    let schedules = match named {
        Some(schedule) => vec![schedule],
        None => api.schedules(&deployment.function.arn).await?,
    };
    let polls = schedules.into_iter().map(|it| (poll_of(deployment, &it), it));
    // One that polls, or else one that would if it was enabled, or else any.
    let best = polls.min_by_key(|(poll, schedule)| (poll.is_err(), !schedule.is_enabled));
    let check = match best {
        None => Check::problem(
            "no schedule",
            "schedule-missing",
            "no schedule invokes the function to poll the queue; create it as in step 5 of docs/manual-setup.md",
        ),
        Some((Err(problem), _)) => problem,
        Some((Ok(_), schedule)) if !schedule.is_enabled => Check::problem(
            "disabled",
            "schedule-disabled",
            format!("schedule \"{}\", which polls the queue, is disabled; enable it", schedule.name),
        ),
        Some((Ok(poll), Schedule { name, modified_at, .. })) => {
            let interval = Duration::from_mins(poll.interval_minutes());
            return Ok((Check::ok(ENABLED), Some(ActiveSchedule { name, interval, modified_at })));
        }
    };
    Ok((check, None))
}

/// The poll that a schedule requests if it is enabled; the problem if it does not make the function poll its queue.
fn poll_of(deployment: &Deployment, schedule: &Schedule) -> Result<Poll, Check> {
    let Schedule { name, target, input, .. } = schedule;
    if !deployment.is_reached_by(&Destination::Function(target.clone())) {
        let function = &deployment.function.arn;
        let message = format!("schedule \"{name}\" invokes {target}; set its target to the function, {function}");
        return Err(Check::problem("other target", "schedule-target", message));
    }
    let reason = match decode(input.as_deref().unwrap_or_default().as_bytes()) {
        Ok(Event::Poll(poll)) => return Ok(poll),
        Ok(_) => "its input is another event".to_owned(),
        Err(error) => format!("its input: {}", error.reason()),
    };
    let message = format!(
        "schedule \"{name}\" does not poll the queue ({reason}); set its input to {POLL_INPUT}, with its own interval"
    );
    Err(Check::problem("other input", "schedule-input", message))
}

//! Checks that the function reads a queue: a schedule invokes it to poll the queue, or an event source mapping is active.
//!
//! EventBridge Scheduler's API does not contain when a schedule ran last. So what makes it run is checked: its state, its
//! target and its input.

use super::Check;
use crate::aws::CallError;
use crate::cli::link::api::{OperatorApi, Schedule};
use crate::cli::link::deployment::Deployment;
use crate::cli::link::notification::Destination;
use crate::event::{Event, decode};

/// The state of a queue that the function reads.
const ENABLED: &str = "enabled";

/// The input of the schedule, as the templates have it for an interval of one minute.
const POLL_INPUT: &str = r#"{"pollQueue":true,"scheduledTime":"<aws.scheduler.scheduled-time>","intervalMinutes":1}"#;

/// Checks that the function reads this queue.
pub(in crate::cli::link) async fn check_reader(api: &impl OperatorApi, deployment: &Deployment, queue: &str) -> Check {
    if deployment.polled_queue.as_deref() == Some(queue) {
        return check_schedule(api, deployment).await.unwrap_or_else(|error| Check::failed_call(&error));
    }
    match deployment.source(queue) {
        Some(source) if source.is_active() => Check::ok(ENABLED),
        source => Check::problem(
            source.map(|it| it.state.to_lowercase()).unwrap_or_default(),
            "event-source-disabled",
            "the function does not receive the queue's messages; enable its event source mapping",
        ),
    }
}

/// Checks the schedule that the stack names. Without such a schedule, checks those that invoke the function: one of them
/// must poll the queue.
async fn check_schedule(api: &impl OperatorApi, deployment: &Deployment) -> Result<Check, CallError> {
    let named = match &deployment.schedule {
        Some(name) => api.schedule(name).await?,
        None => None,
    };
    let schedules = match named {
        Some(schedule) => vec![schedule],
        None => api.schedules(&deployment.function.arn).await?,
    };
    let polling = schedules.iter().map(|it| (poll_problem(deployment, it), it));
    // One that polls, or else one that would if it was enabled, or else any.
    let best = polling.min_by_key(|(problem, schedule)| (problem.is_some(), !schedule.is_enabled));
    Ok(match best {
        None => Check::problem(
            "no schedule",
            "schedule-missing",
            "no schedule invokes the function to poll the queue; create it as in step 5 of docs/manual-setup.md",
        ),
        Some((Some(problem), _)) => problem,
        Some((None, schedule)) if !schedule.is_enabled => Check::problem(
            "disabled",
            "schedule-disabled",
            format!("schedule \"{}\", which polls the queue, is disabled; enable it", schedule.name),
        ),
        Some(_) => Check::ok(ENABLED),
    })
}

/// Why a schedule does not make the function poll its queue, even if it is enabled.
fn poll_problem(deployment: &Deployment, schedule: &Schedule) -> Option<Check> {
    let Schedule { name, target, input, .. } = schedule;
    if !deployment.is_reached_by(&Destination::Function(target.clone())) {
        let function = &deployment.function.arn;
        let message = format!("schedule \"{name}\" invokes {target}; set its target to the function, {function}");
        return Some(Check::problem("other target", "schedule-target", message));
    }
    let reason = match decode(input.as_deref().unwrap_or_default().as_bytes()) {
        Ok(Event::Poll(_)) => return None,
        Ok(_) => "its input is another event".to_owned(),
        Err(error) => format!("its input: {}", error.reason()),
    };
    let message = format!(
        "schedule \"{name}\" does not poll the queue ({reason}); set its input to {POLL_INPUT}, with its own interval"
    );
    Some(Check::problem("other input", "schedule-input", message))
}

//! Checks the function and its queues.

use std::collections::BTreeMap;
use std::time::Duration;

use super::failures::check_invocations;
use super::schedule::{check_last_poll, find_reader};
use super::{Check, DeploymentStatus, Problem, QueueStatus};
use crate::aws::{CallError, ErrorClass};
use crate::change::Timestamp;
use crate::cli::link::api::{OperatorApi, Queue};
use crate::cli::link::deployment::{Deployment, is_queue};
use crate::cli::link::error::LinkError;
use crate::cli::link::notification::name_of_arn;

/// Checks the function, the queues that it reads, and the dead-letter queues of both. `now` is the time of the check.
pub async fn check_deployment(
    api: &impl OperatorApi,
    deployment: &Deployment,
    now: Option<Timestamp>,
) -> DeploymentStatus {
    // Each with a queue whose dead-letter queue it is, if that is known.
    let mut dead: BTreeMap<String, Option<&str>> =
        deployment.function.dead_letter_queue.iter().map(|arn| (arn.clone(), None)).collect();
    let mut queues = Vec::new();
    let (mut polled, mut interval) = (None, Duration::ZERO);
    for arn in deployment.queues() {
        let result = api.queue(arn).await;
        if deployment.polled_queue.as_deref() == Some(arn) {
            polled = result.clone().ok();
        }
        dead.extend(result.iter().filter_map(|queue| Some((queue.dead_letter_queue.clone()?, Some(arn)))));
        queues.push(match result {
            Ok(queue) => {
                let (reader, schedule) = find_reader(api, deployment, arn).await;
                let state = queue_state(deployment, arn, reader, queue.dead_letter_queue.is_some());
                let is_polled = deployment.polled_queue.as_deref() == Some(arn);
                if let Some(schedule) = schedule.as_ref().filter(|_| is_polled) {
                    interval = schedule.interval;
                }
                let last_poll =
                    if is_polled { Some(check_last_poll(api, arn, schedule.as_ref(), now).await) } else { None };
                QueueStatus { last_poll, ..queue_status(arn, &queue, state) }
            }
            Err(error) => queue_status(arn, &Queue::default(), unreadable(arn, &error)),
        });
    }
    let mut dead_letter_queues = Vec::new();
    for (arn, source) in dead.iter().filter(|(arn, _)| is_queue(arn)) {
        dead_letter_queues.push(match api.queue(arn).await {
            Ok(queue) => {
                let state = match queue.available {
                    0 => Check::ok("empty"),
                    available => {
                        let message = redrive_hint(deployment, available, arn, *source);
                        Check::problem("not empty", "dead-letter-queue-not-empty", message)
                    }
                };
                queue_status(arn, &queue, state)
            }
            Err(error) => queue_status(arn, &Queue::default(), unreadable(arn, &error)),
        });
    }
    let mut own_problems = Vec::new();
    if deployment.function.is_dry_run {
        let message = "the function sends no invalidations (DRY_RUN); deploy it with DryRun=false".to_owned();
        own_problems.push(Problem { code: "dry-run", message });
    }
    if dead.is_empty() && receives_events(api, deployment).await {
        let message = "events that fail permanently are lost; give the function and its queue a dead-letter queue";
        own_problems.push(Problem { code: "dead-letter-queue-missing", message: message.to_owned() });
    }
    let (arn, version) = (deployment.function.arn.clone(), deployment.function.version.clone());
    let invocations = check_invocations(api, deployment, polled.as_ref(), interval).await;
    DeploymentStatus { arn, version, invocations, queues, dead_letter_queues, own_problems }
}

/// Why the attributes of a queue cannot be read.
fn unreadable(arn: &str, error: &CallError) -> Check {
    if error.class != ErrorClass::NotFound {
        return Check::failed_call(error);
    }
    Check::problem("deleted", "queue-not-found", LinkError::QueueNotFound(arn.to_owned()).to_string())
}

/// Whether events are sent to the function: to a queue that it reads, or by a service that its policy allows to invoke it. A
/// function without either is only invoked by a pipeline or a person, who sees each failure.
async fn receives_events(api: &impl OperatorApi, deployment: &Deployment) -> bool {
    deployment.queues().next().is_some() || !matches!(api.function_policy(&deployment.function.arn).await, Ok(None))
}

/// The remedy for messages in a dead-letter queue. SQS moves messages only from the dead-letter queue of another queue,
/// `source`, not from one that only Lambda sends to; and from a FIFO queue only to another FIFO queue, which the function
/// does not read. The command names the destination, since SQS does not know the source of messages that Lambda sent.
/// Sources: SQS API reference, `StartMessageMoveTask`; SQS developer guide, "Troubleshooting dead-letter queue redrive".
fn redrive_hint(deployment: &Deployment, available: u64, arn: &str, source: Option<&str>) -> String {
    let messages = if available == 1 { "1 message".to_owned() } else { format!("{available} messages") };
    let given = &deployment.given;
    let remedy = match source.filter(|_| arn.strip_suffix(".fifo").is_none()) {
        Some(queue) => {
            let words = ["--source-arn", arn, "--destination-arn", queue];
            format!("run {}", given.aws("sqs start-message-move-task", &words))
        }
        None => format!(
            "handle the body of each message with {}, and delete the message",
            given.invalidator_for(&["invalidate", "--event", "FILE"])
        ),
    };
    format!("the dead-letter queue has {messages}; correct the cause of the failures, then {remedy}")
}

fn queue_status(arn: &str, queue: &Queue, state: Check) -> QueueStatus {
    QueueStatus {
        name: name_of_arn(arn).into(),
        arn: arn.into(),
        state,
        last_poll: None,
        available: queue.available,
        in_flight: queue.in_flight,
    }
}

/// Checks that the function reads the queue in one way, and that no message is lost. `reader` is what reads it.
fn queue_state(deployment: &Deployment, arn: &str, reader: Check, has_dead_letter_queue: bool) -> Check {
    if !reader.is_ok() {
        return reader;
    }
    let is_polled = deployment.polled_queue.as_deref() == Some(arn);
    match deployment.source(arn).filter(|source| source.is_active()) {
        Some(_) if is_polled => Check::problem(
            reader.state,
            "two-pollers",
            "a schedule and an event source mapping both make the function read the queue, so one deploy becomes \
             several invalidations; delete the event source mapping",
        ),
        Some(source) if !source.reports_batch_item_failures => Check::problem(
            reader.state,
            "batch-item-failures-off",
            "messages that fail are lost; set ReportBatchItemFailures in the event source mapping",
        ),
        _ if !has_dead_letter_queue => Check::problem(
            reader.state,
            "dead-letter-queue-missing",
            "messages that keep failing are lost when the queue's retention period ends; add a redrive policy with a \
             dead-letter queue",
        ),
        _ => reader,
    }
}

//! Checks the function and its queues.

use std::collections::BTreeSet;

use super::{Check, DeploymentStatus, QueueStatus};
use crate::aws::CallError;
use crate::cli::link::api::{EventSourceMapping, OperatorApi};
use crate::cli::link::deployment::{Deployment, is_queue};
use crate::cli::link::notification::name_of_arn;

/// Checks the function, the queues that it reads, and the dead-letter queues of both.
pub async fn check_deployment(api: &impl OperatorApi, deployment: &Deployment) -> DeploymentStatus {
    let mut dead: BTreeSet<_> = deployment.function.dead_letters.iter().cloned().collect();
    let mut queues = Vec::new();
    for source in deployment.sources.iter().filter(|it| deployment.queues().any(|arn| arn == it.arn)) {
        let result = api.queue(&source.arn).await;
        dead.extend(result.iter().filter_map(|queue| queue.dead_letters.clone()));
        queues.push(match result {
            Ok(queue) => {
                let state = source_state(source, queue.dead_letters.is_some());
                QueueStatus {
                    name: name_of_arn(&source.arn).into(),
                    waiting: queue.waiting,
                    in_flight: queue.in_flight,
                    state,
                }
            }
            Err(error) => unknown_queue(&source.arn, &error),
        });
    }
    let mut dead_letters = Vec::new();
    for arn in dead.iter().filter(|arn| is_queue(arn)) {
        dead_letters.push(match api.queue(arn).await {
            Ok(queue) => {
                let state = match queue.waiting {
                    0 => Check::ok("empty"),
                    waiting => Check::problem("failures", redrive_hint(waiting, arn, deployment.queues().next())),
                };
                QueueStatus { name: name_of_arn(arn).into(), waiting: queue.waiting, in_flight: queue.in_flight, state }
            }
            Err(error) => unknown_queue(arn, &error),
        });
    }
    let mut remedies = Vec::new();
    if deployment.function.is_dry_run {
        remedies.push("the function sends nothing (DRY_RUN); deploy it with DryRun=false".to_owned());
    }
    if dead.is_empty() {
        remedies.push("what fails for good is lost: give the function and its queue a dead-letter queue".to_owned());
    }
    DeploymentStatus { function: deployment.function.arn.clone(), queues, dead_letters, remedies }
}

/// The remedy for messages in a dead-letter queue. The command names the destination, since SQS does not know the
/// source of messages that Lambda sent there. Source: SQS developer guide, "Troubleshooting dead-letter queue redrive".
fn redrive_hint(waiting: u64, arn: &str, queue: Option<&str>) -> String {
    let how = match queue {
        Some(queue) => format!("`aws sqs start-message-move-task --source-arn {arn} --destination-arn {queue}`"),
        None => "invoke the function with their bodies".to_owned(),
    };
    format!("messages that failed for good: {waiting}; when the cause is gone, send them again: {how}")
}

fn unknown_queue(arn: &str, error: &CallError) -> QueueStatus {
    QueueStatus { name: name_of_arn(arn).into(), waiting: 0, in_flight: 0, state: Check::unknown(error) }
}

fn source_state(source: &EventSourceMapping, has_dead_letters: bool) -> Check {
    match (source.is_active(), source.reports_batch_item_failures, has_dead_letters) {
        (false, ..) => Check::problem(&source.state, "the function does not read it: enable its event source mapping"),
        (_, false, _) => Check::problem(
            "on",
            "messages that failed would be lost: set ReportBatchItemFailures in the event source mapping",
        ),
        (.., false) => Check::problem("on", "what is received too often is lost: give it a dead-letter queue"),
        _ => Check::ok("on"),
    }
}

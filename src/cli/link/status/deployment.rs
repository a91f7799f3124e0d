//! Checks the function and its queues.

use std::collections::BTreeSet;

use super::{Check, DeploymentStatus, Problem, QueueStatus};
use crate::cli::link::api::{EventSourceMapping, OperatorApi, Queue};
use crate::cli::link::deployment::{Deployment, is_queue};
use crate::cli::link::notification::name_of_arn;

/// The state of a queue that the function reads.
const ENABLED: &str = "enabled";

/// Checks the function, the queues that it reads, and the dead-letter queues of both.
pub async fn check_deployment(api: &impl OperatorApi, deployment: &Deployment) -> DeploymentStatus {
    let mut dead: BTreeSet<_> = deployment.function.dead_letter_queue.iter().cloned().collect();
    let mut queues = Vec::new();
    for source in deployment.sources.iter().filter(|it| deployment.queues().any(|arn| arn == it.arn)) {
        let result = api.queue(&source.arn).await;
        dead.extend(result.iter().filter_map(|queue| queue.dead_letter_queue.clone()));
        queues.push(match result {
            Ok(queue) => queue_status(&source.arn, &queue, source_state(source, queue.dead_letter_queue.is_some())),
            Err(error) => queue_status(&source.arn, &Queue::default(), Check::failed_call(&error)),
        });
    }
    let mut dead_letter_queues = Vec::new();
    for arn in dead.iter().filter(|arn| is_queue(arn)) {
        dead_letter_queues.push(match api.queue(arn).await {
            Ok(queue) => {
                let state = match queue.available {
                    0 => Check::ok("empty"),
                    available => {
                        let message = redrive_hint(available, arn, deployment.queues().next());
                        Check::problem("not empty", "dead-letter-queue-not-empty", message)
                    }
                };
                queue_status(arn, &queue, state)
            }
            Err(error) => queue_status(arn, &Queue::default(), Check::failed_call(&error)),
        });
    }
    let mut own_problems = Vec::new();
    if deployment.function.is_dry_run {
        let message = "the function sends no invalidations (DRY_RUN); deploy it with DryRun=false".to_owned();
        own_problems.push(Problem { code: "dry-run", message });
    }
    if dead.is_empty() {
        let message = "events that fail permanently are lost; give the function and its queue a dead-letter queue";
        own_problems.push(Problem { code: "dead-letter-queue-missing", message: message.to_owned() });
    }
    DeploymentStatus { arn: deployment.function.arn.clone(), queues, dead_letter_queues, own_problems }
}

/// The remedy for messages in a dead-letter queue. The command names the destination, since SQS does not know the
/// source of messages that Lambda sent there. Source: SQS developer guide, "Troubleshooting dead-letter queue redrive".
fn redrive_hint(available: u64, arn: &str, queue: Option<&str>) -> String {
    let messages = if available == 1 { "1 message".to_owned() } else { format!("{available} messages") };
    let remedy = match queue {
        Some(queue) => format!("run `aws sqs start-message-move-task --source-arn {arn} --destination-arn {queue}`"),
        None => "invoke the function with the body of each message".to_owned(),
    };
    format!("the dead-letter queue has {messages}; correct the cause of the failures, then {remedy}")
}

fn queue_status(arn: &str, queue: &Queue, state: Check) -> QueueStatus {
    QueueStatus {
        name: name_of_arn(arn).into(),
        arn: arn.into(),
        state,
        available: queue.available,
        in_flight: queue.in_flight,
    }
}

fn source_state(source: &EventSourceMapping, has_dead_letter_queue: bool) -> Check {
    match (source.is_active(), source.reports_batch_item_failures, has_dead_letter_queue) {
        (false, ..) => Check::problem(
            source.state.to_lowercase(),
            "event-source-disabled",
            "the function does not receive the queue's messages; enable its event source mapping",
        ),
        (_, false, _) => Check::problem(
            ENABLED,
            "batch-item-failures-off",
            "messages that fail are lost; set ReportBatchItemFailures in the event source mapping",
        ),
        (.., false) => Check::problem(
            ENABLED,
            "dead-letter-queue-missing",
            "messages that keep failing are lost when the queue's retention period ends; add a redrive policy with a \
             dead-letter queue",
        ),
        _ => Check::ok(ENABLED),
    }
}

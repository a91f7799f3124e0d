//! Polls the function's own queue: receives all messages, handles them as one batch, and deletes what is done.

use std::collections::HashMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::app::App;
use super::changes::{Retries, log_failures};
use super::deadline::{
    CONCURRENT_DELETES, FIRST_RECEIVE_WAIT, Invocation, RECEIVERS, delete_reserve, queue_limits, receive_wait,
};
use crate::aws::{CallError, MAX_BATCH, Queue, ReceivedMessage};
use crate::change::Batch;
use crate::event::{Poll, decode_message};
use crate::lookup::calls::{retry, run};
use crate::plan::DeliveryId;
use crate::report::{Answer, Failure, QueueCounts, Report};

/// The most messages of one poll. Lambda's own limit for a batch is 10,000. At one poll a minute and a visibility
/// timeout of three minutes, 60,000 messages are in flight at most; SQS's quota is 120,000.
const MAX_MESSAGES: usize = 20_000;

/// The most bytes of message bodies of one poll, which fit the smallest memory, 128 MB, together with the changes that
/// are decoded from them. It is exceeded by at most four receives, of ten messages of 1 MiB each, SQS's limit, if they
/// are longer than all before. These fit too: such a poll takes 57 MB (`scripts/bench delivery --case largest`).
const MAX_BYTES: usize = 20 * 1024 * 1024;

/// The messages that a poll has received.
#[derive(Default)]
struct Received {
    batch: Batch,
    /// The last receipt handle of each message and how often it was received, by message ID.
    receipts: HashMap<Box<str>, (Box<str>, u64)>,
    /// The bytes of all bodies.
    bytes: usize,
    /// The bytes of the longest body.
    longest: usize,
    /// An error of the last receives.
    error: Option<CallError>,
}

impl Received {
    /// Decodes the messages of a receive. A message that was received before only gets its new receipt handle. Returns
    /// whether there was any message.
    fn extend(&mut self, receive: Result<Vec<ReceivedMessage>, CallError>) -> bool {
        let messages = receive.unwrap_or_else(|error| {
            self.error = Some(error);
            Vec::new()
        });
        let any = !messages.is_empty();
        for ReceivedMessage { id, receipt_handle, receive_count, body } in messages {
            if self.receipts.insert(id.clone(), (receipt_handle, receive_count)).is_none() {
                self.bytes += body.len();
                self.longest = self.longest.max(body.len());
                decode_message(id, receive_count > 1, &body, &mut self.batch);
            }
        }
        any
    }

    /// Returns how many messages each of the next receives may return, so that the bounds are kept if no body is longer
    /// than those before.
    fn room(&self) -> usize {
        let messages = MAX_MESSAGES.saturating_sub(self.receipts.len());
        let bytes = MAX_BYTES.saturating_sub(self.bytes);
        (messages.min(bytes / self.longest.max(1)) / RECEIVERS).min(MAX_BATCH)
    }
}

impl App {
    /// Polls the queue until it is empty, and handles all messages as one batch. Those of which nothing failed are
    /// deleted; the others are received again after their visibility timeout, and are at last moved to the dead-letter
    /// queue. So a failure is reported and logged, but does not fail the invocation, which Lambda would retry.
    pub(super) async fn answer_poll(&self, poll: &Poll, invocation: &Invocation) -> Answer {
        let mut report = Report { queue: Some(QueueCounts::default()), ..Report::default() };
        let Some(queue) = &self.queue else {
            let failure = Failure::no_queue();
            tracing::error!(failure = failure.message, "the queue was not polled");
            report.set_failures(&[failure], 0);
            return report.into();
        };
        if poll.is_outdated(self.now()) {
            tracing::info!("the poll is late and the next is due, so it is skipped");
            return report.into();
        }
        let Received { mut batch, receipts, error, .. } = receive_all(queue, invocation).await;
        let mut failures = Vec::new();
        // Counted as one change, so that the alarm on failures reports it.
        let queue_failure = |error: &CallError| Failure { changes: 1, ..Failure::queue(error) };
        let mut queue_failures: Vec<_> = error.iter().map(queue_failure).collect();
        let messages = batch.messages.get_or_insert_default().len();
        let mut deleted = 0;
        let mut attempt = None;
        let any_attempt = || receipts.values().map(|(_, receive_count)| *receive_count).max();
        if messages > 0 {
            let reserve = delete_reserve(messages, invocation);
            let deadline = invocation.deadline.checked_sub(reserve).unwrap_or(invocation.deadline);
            let handling = Invocation { deadline, ..invocation.clone() };
            let delivery_id = DeliveryId::Invocation(&invocation.request_id);
            match self
                .handle_changes(&batch, &delivery_id, &handling, Retries::UntilDeadline, self.config.dry_run)
                .await
            {
                Ok(handled) => {
                    let mut done = Vec::new();
                    for message in batch.messages.iter().flatten() {
                        let Some((receipt_handle, receive_count)) = receipts.get(&message.id) else { continue };
                        if handled.has_failed(message) {
                            attempt = attempt.max(Some(*receive_count));
                        } else {
                            done.push(receipt_handle.clone());
                        }
                    }
                    let to_delete = done.len();
                    let (count, error) = delete_all(queue, done, invocation).await;
                    deleted = count;
                    if deleted < to_delete {
                        attempt = any_attempt();
                    }
                    queue_failures.extend(error.iter().map(queue_failure));
                    failures.extend(handled.failures);
                    report = handled.report;
                }
                Err(error) => {
                    attempt = any_attempt();
                    report = *error.report;
                    failures.extend(error.failures);
                }
            }
        }
        report.queue = Some(QueueCounts { received: messages, deleted, attempt });
        log_failures(&failures, 0, batch.unlisted_failures);
        for failure in &queue_failures {
            tracing::error!(failure = failure.message, "the queue was not read completely");
            report.changes.failed += failure.changes;
        }
        failures.extend(queue_failures);
        report.set_failures(&failures, batch.unlisted_failures);
        report.into()
    }
}

/// Receives the messages of the queue until it is empty, or until a bound of the poll is reached.
async fn receive_all(queue: &Queue, invocation: &Invocation) -> Received {
    let start = Instant::now();
    let mut received = Received::default();
    let mut first = queue.receive(MAX_BATCH, FIRST_RECEIVE_WAIT).await;
    // A connection that was kept since the last poll may have been closed.
    if first.as_ref().is_err_and(|error| error.class.is_transient()) {
        first = queue.receive(MAX_BATCH, FIRST_RECEIVE_WAIT).await;
    }
    let mut any = received.extend(first);
    while any
        && let room @ 1.. = received.room()
        && let Some(wait) = receive_wait(start, invocation)
    {
        // A long poll asks all servers of the queue. So if none of these has a message, the queue is empty.
        let mut calls: FuturesUnordered<_> = (0..RECEIVERS).map(|_| queue.receive(room, wait)).collect();
        // A later receive returns what a failed one did not.
        (any, received.error) = (false, None);
        // In the order in which they end, so that of two receives of a message the later one counts.
        while let Some(receive) = calls.next().await {
            any |= received.extend(receive);
        }
    }
    received
}

/// Deletes the messages with these receipt handles. Returns how many were deleted, and an error of those that were not:
/// they are received again, and their invalidations are then accepted as already existing.
async fn delete_all(
    queue: &Queue,
    receipt_handles: Vec<Box<str>>,
    invocation: &Invocation,
) -> (usize, Option<CallError>) {
    let (limits, deadline) = (queue_limits(), invocation.queue_deadline());
    let batches: Vec<_> = receipt_handles.chunks(MAX_BATCH).collect();
    let delete = async |batch: &[_]| {
        let delete = async || queue.delete(batch).await;
        retry("DeleteMessageBatch", &limits, deadline, delete).await
    };
    let max_hold = limits.hold(Instant::now(), deadline);
    let answers: Vec<Result<_, CallError>> = run(batches, CONCURRENT_DELETES, max_hold, delete).await;
    let (mut deleted, mut last_error) = (0, None);
    for answer in answers {
        let (count, error) = answer.unwrap_or_else(|error| (0, Some(error)));
        deleted += count;
        last_error = error.or(last_error);
    }
    (deleted, last_error)
}

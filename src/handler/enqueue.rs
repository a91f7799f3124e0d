//! Hands changes that S3 sent directly, and that CloudFront refused for its rate, to the function's own queue, which the
//! next poll handles as one batch.

use tokio::time::Instant;

use super::deadline::queue_limits;
use crate::aws::Queue;
use crate::change::{Batch, Change};
use crate::event::notification;
use crate::lookup::calls::retry;
use crate::plan::{Outcome, Outcomes};
use crate::report::Failure;

/// The most bytes of a message that is sent. SQS accepts 1 MiB, and bills each 64 KiB as a request.
const MAX_SENT_BYTES: usize = 60 * 1024;

/// Hands changes to the queue, and records for each whether it is queued or failed.
pub(super) async fn send_to_queue(
    queue: &Queue,
    batch: &Batch,
    changes: &[usize],
    outcomes: &mut Outcomes,
    deadline: Instant,
) -> Option<Failure> {
    let (mut failed, mut last_error) = (0, None);
    for (indices, body) in messages_of(batch, changes) {
        let send = async || queue.send(&body).await;
        match retry("SendMessage", &queue_limits(), deadline, send).await {
            Ok(()) => outcomes.join(indices, Outcome::Queued),
            Err(error) => {
                outcomes.join(indices, Outcome::Failed);
                failed += indices.len();
                last_error = Some(error);
            }
        }
    }
    last_error.map(|error| Failure { changes: failed, ..Failure::queue(&error) })
}

/// Writes these changes as messages: each the body, and the indices of its changes.
fn messages_of<'c>(batch: &Batch, changes: &'c [usize]) -> Vec<(&'c [usize], String)> {
    let mut messages = Vec::new();
    let mut rest = changes;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take_while(|&&index| {
            bytes += batch.changes.get(index).map_or(0, max_record_bytes);
            bytes <= MAX_SENT_BYTES
        });
        let (indices, others) = rest.split_at(fits.count().max(1));
        let records = indices.iter().filter_map(|&index| {
            let time = batch.times.get(index).copied().flatten();
            batch.changes.get(index).map(|change| (change, time))
        });
        messages.push((indices, notification(records)));
        rest = others;
    }
    messages
}

/// The most bytes of a change's record: three for each byte of the key, and its other fields.
fn max_record_bytes(change: &Change) -> usize {
    3 * change.key.as_str().len() + change.bucket.name.as_str().len() + 256
}

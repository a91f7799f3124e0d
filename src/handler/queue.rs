//! The response to a batch of SQS messages: which of them failed, so that only those are redelivered.

use std::collections::BTreeSet;

use aws_lambda_events::event::sqs::SqsBatchResponse;

use super::changes::HandledChanges;
use crate::change::{Batch, Message};

impl HandledChanges {
    /// The batch item failures: every message of which anything failed. Returns `None` if a record failed that belongs
    /// to no message with an ID; then the invocation must fail, so that the whole batch is redelivered.
    pub(super) fn batch_response(&self, messages: &[Message], batch: &Batch) -> Option<SqsBatchResponse> {
        let attributed: usize = messages.iter().map(|message| message.failed.len()).sum();
        if attributed < batch.failed.len() {
            return None;
        }
        let has_failed =
            |message: &&Message| self.outcomes.any_failed(message.changes.clone()) || !message.failed.is_empty();
        let ids: BTreeSet<_> = messages.iter().filter(has_failed).map(|message| &*message.id).collect();
        let mut response = SqsBatchResponse::default();
        for id in ids {
            response.add_failure(id);
        }
        Some(response)
    }
}

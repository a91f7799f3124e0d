//! The function's own queue: receives, deletes and sends messages.

use std::sync::LazyLock;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use tokio::time::Duration;

use super::CallError;
use super::response::{SizeLimit, call_error, invalid_request, invalid_response};

/// The most messages of a call. Source: SQS API reference, `ReceiveMessage` and `DeleteMessageBatch`.
pub const MAX_BATCH: usize = 10;

/// The longest response that is read, in bytes: ten messages of 1 MiB, the longest that SQS accepts, with their quotes
/// escaped.
const MAX_RESPONSE_BYTES: usize = 2 * MAX_BATCH * 1024 * 1024;

/// The attribute with the number of receives so far.
const RECEIVE_COUNT: MessageSystemAttributeName = MessageSystemAttributeName::ApproximateReceiveCount;

/// A message as it was received.
#[derive(Debug)]
pub struct ReceivedMessage {
    /// The message ID, the same on every receive.
    pub id: Box<str>,
    /// What deletes the message. Each receive has another one; the last one is valid.
    pub receipt_handle: Box<str>,
    /// How often it was received, this time included.
    pub receive_count: u64,
    /// The body.
    pub body: String,
}

/// An SQS client for one queue.
pub struct Queue {
    url: String,
    /// Built for the first call: a function whose events come directly polls an empty queue at most.
    client: LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>,
}

impl Queue {
    /// Keeps the configuration for a client of the queue at `url`. An attempt may take `attempt` and, for a receive,
    /// its wait. The SDK's retries are disabled: the caller knows how much time is left.
    #[must_use]
    pub fn new(config: &SdkConfig, url: String, attempt: Duration) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).build();
        let config = Builder::from(config).retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        let config = config.interceptor(SizeLimit(MAX_RESPONSE_BYTES));
        Self { url, client: LazyLock::new(Box::new(|| Client::from_conf(config.build()))) }
    }

    /// Returns up to `most` messages, at most [`MAX_BATCH`], as soon as there is one, or none after `wait`, of whole
    /// seconds (`ReceiveMessage`). A receive must not be dropped: its messages would stay invisible until their visibility
    /// timeout.
    ///
    /// # Errors
    /// The error of the call.
    pub async fn receive(&self, most: usize, wait: Duration) -> Result<Vec<ReceivedMessage>, CallError> {
        let wait = i32::try_from(wait.as_secs()).unwrap_or(i32::MAX);
        let most = i32::try_from(most).unwrap_or(i32::MAX);
        let call = self.client.receive_message().queue_url(&self.url).wait_time_seconds(wait);
        let call = call.message_system_attribute_names(RECEIVE_COUNT);
        let answer = call.max_number_of_messages(most).send().await;
        let messages = answer.map_err(|error| call_error("ReceiveMessage", &error))?.messages.unwrap_or_default();
        Ok(messages.into_iter().filter_map(received).collect())
    }

    /// Deletes up to [`MAX_BATCH`] messages by their receipt handles (`DeleteMessageBatch`). Returns how many were
    /// deleted, and an error if SQS did not delete the others.
    ///
    /// # Errors
    /// The error of the call. It can be repeated: deleting a message again succeeds.
    pub async fn delete(&self, receipt_handles: &[Box<str>]) -> Result<(usize, Option<CallError>), CallError> {
        const OPERATION: &str = "DeleteMessageBatch";
        let entry = |(index, handle): (usize, &str)| {
            DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(handle).build()
        };
        let entries: Result<Vec<_>, _> = receipt_handles.iter().map(|it| &**it).enumerate().map(entry).collect();
        let entries = entries.map_err(|error| invalid_request(OPERATION, &error))?;
        let call = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let answer = call.send().await.map_err(|error| call_error(OPERATION, &error))?;
        if answer.successful.is_empty() && answer.failed.is_empty() {
            return Err(invalid_response(OPERATION, "no message is in the response"));
        }
        let deleted = answer.successful.len().min(receipt_handles.len());
        let code = answer.failed.first().map_or("not all messages were deleted", |error| &error.code);
        Ok((deleted, (deleted < receipt_handles.len()).then(|| invalid_response(OPERATION, code))))
    }

    /// Sends a message (`SendMessage`).
    ///
    /// # Errors
    /// The error of the call. A response without a message ID, for example from a proxy, does not prove that SQS
    /// accepted the message.
    pub async fn send(&self, body: &str) -> Result<(), CallError> {
        const OPERATION: &str = "SendMessage";
        let answer = self.client.send_message().queue_url(&self.url).message_body(body).send().await;
        match answer.map_err(|error| call_error(OPERATION, &error))?.message_id {
            Some(_) => Ok(()),
            None => Err(invalid_response(OPERATION, "the message ID is missing")),
        }
    }
}

/// A message without an ID or a receipt handle could not be deleted, so it is left in the queue.
fn received(message: Message) -> Option<ReceivedMessage> {
    let (id, receipt_handle) = (message.message_id?.into(), message.receipt_handle?.into());
    let receive_count = message.attributes.unwrap_or_default().remove(&RECEIVE_COUNT);
    let receive_count = receive_count.and_then(|count| count.parse().ok()).unwrap_or(1);
    Some(ReceivedMessage { id, receipt_handle, receive_count, body: message.body.unwrap_or_default() })
}

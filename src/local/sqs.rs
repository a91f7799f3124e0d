//! The subset of SQS that sends, receives and deletes the messages of standard queues, over the AWS JSON 1.0 protocol.
//!
//! Sources: SQS API reference, `ReceiveMessage`, `DeleteMessageBatch`, `SendMessage` and `SendMessageBatch`; SQS
//! developer guide, "Amazon SQS message quotas". Message attributes are not supported: a request that sends some is
//! rejected. Sizes are bytes of UTF-8.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use md5::{Digest, Md5};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::queue::{FakeQueue, MAX_MESSAGE_BYTES, MAX_VISIBILITY_TIMEOUT, MAX_WAIT, Message, Receive, RedrivePolicy};
use super::request::Service::Sqs;
use super::request::{ApiRequest, ApiResponse};
use super::state::State;
use super::{ACCOUNT, REGION};

/// The most messages in a batch, and the most that one call receives.
const MAX_BATCH: usize = 10;

/// The longest delay of a message, in seconds.
const MAX_DELAY_SECONDS: u64 = 900;

/// The system attributes of messages. Source: SQS API reference, `ReceiveMessage`.
const ATTRIBUTES: [&str; 10] = [
    "All",
    "AWSTraceHeader",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "DeadLetterQueueSourceArn",
    "MessageDeduplicationId",
    "MessageGroupId",
    "SenderId",
    "SentTimestamp",
    "SequenceNumber",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ReceiveMessage {
    queue_url: String,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default, rename = "MessageAttributeNames")]
    _message_attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeleteMessageBatch {
    queue_url: String,
    entries: Vec<DeleteEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeleteEntry {
    id: String,
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SendMessage {
    queue_url: String,
    message_body: String,
    delay_seconds: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SendMessageBatch {
    queue_url: String,
    entries: Vec<SendEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SendEntry {
    id: String,
    message_body: String,
    delay_seconds: Option<i64>,
}

/// The error code and message of a rejected request or batch entry.
struct Rejection(&'static str, String);

/// A valid `ReceiveMessage` request.
struct ReceiveRequest {
    receive: Receive,
    wait: Duration,
    attributes: BTreeSet<String>,
}

/// `ReceiveMessage`, once it need not wait any longer.
pub(super) fn receive_message(state: &mut State, request: &ApiRequest) -> ApiResponse {
    respond(receive(state, request))
}

/// `DeleteMessageBatch`.
pub(super) fn delete_message_batch(state: &mut State, request: &ApiRequest) -> ApiResponse {
    respond(delete_batch(state, request))
}

/// `SendMessage`.
pub(super) fn send_message(state: &mut State, request: &ApiRequest) -> ApiResponse {
    respond(send(state, request))
}

/// `SendMessageBatch`.
pub(super) fn send_message_batch(state: &mut State, request: &ApiRequest) -> ApiResponse {
    respond(send_batch(state, request))
}

/// How long a long poll that began at `began` waits for now: until its wait is over or the next message becomes visible
/// by itself. `None` if it can be answered.
pub(super) fn waits_until(state: &mut State, request: &ApiRequest, began: Instant) -> Option<Instant> {
    let request_wait = ReceiveRequest::read(request).ok()?.wait;
    let policy = redrive_policy(state, &request.target);
    let queue = state.queues.get_mut(&request.target)?;
    let (now, wait_ends) = (Instant::now(), began + request_wait.min(queue.max_wait));
    if now >= wait_ends {
        return None;
    }
    queue.refresh(now);
    let dead = queue.take_dead(policy.as_ref().map(|policy| policy.max_receive_count));
    let until = (!queue.is_receivable()).then(|| queue.next_visible_at().map_or(wait_ends, |at| at.min(wait_ends)));
    move_dead(state, request, policy.as_ref(), dead);
    until
}

fn receive(state: &mut State, request: &ApiRequest) -> Result<Value, Rejection> {
    let mut input = ReceiveRequest::read(request)?;
    state.receive_waits.push(input.wait);
    let now = Instant::now();
    let policy = redrive_policy(state, &request.target);
    input.receive.max_receive_count = policy.as_ref().map(|policy| policy.max_receive_count);
    let queue = queue(state, request)?;
    queue.refresh(now);
    if input.receive.is_short && queue.is_over_limit() {
        return Err(Rejection("OverLimit", format!("Too many messages in flight: {}", queue.max_in_flight)));
    }
    let (received, dead) = queue.receive(&input.receive, now);
    let messages: Vec<_> = received.iter().map(|(receipt, message)| input.document(receipt, message)).collect();
    move_dead(state, request, policy.as_ref(), dead);
    Ok(if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) })
}

fn delete_batch(state: &mut State, request: &ApiRequest) -> Result<Value, Rejection> {
    let input: DeleteMessageBatch = parse(request)?;
    check_address(request, &input.queue_url)?;
    let queue = queue(state, request)?;
    check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
    let results = input.entries.into_iter().map(|DeleteEntry { id, receipt_handle }| {
        if queue.delete(&receipt_handle) {
            Ok(json!({ "Id": id }))
        } else {
            let message = format!("The input receipt handle \"{receipt_handle}\" is not a valid receipt handle.");
            Err((id, Rejection("ReceiptHandleIsInvalid", message)))
        }
    });
    Ok(batch_results(results))
}

fn send(state: &mut State, request: &ApiRequest) -> Result<Value, Rejection> {
    let input: SendMessage = parse(request)?;
    check_address(request, &input.queue_url)?;
    add(queue(state, request)?, input.message_body, input.delay_seconds)
}

fn send_batch(state: &mut State, request: &ApiRequest) -> Result<Value, Rejection> {
    let input: SendMessageBatch = parse(request)?;
    check_address(request, &input.queue_url)?;
    let queue = queue(state, request)?;
    check_ids(input.entries.iter().map(|entry| entry.id.as_str()))?;
    let bytes: usize = input.entries.iter().map(|entry| entry.message_body.len()).sum();
    if bytes > MAX_MESSAGE_BYTES {
        let message =
            format!("Batch requests cannot be longer than {MAX_MESSAGE_BYTES} bytes. You have sent {bytes} bytes.");
        return Err(Rejection("BatchRequestTooLong", message));
    }
    let results = input.entries.into_iter().map(|SendEntry { id, message_body, delay_seconds }| {
        match add(queue, message_body, delay_seconds) {
            Ok(mut result) => {
                if let Some(result) = result.as_object_mut() {
                    result.insert("Id".to_owned(), id.into());
                }
                Ok(result)
            }
            Err(rejection) => Err((id, rejection)),
        }
    });
    Ok(batch_results(results))
}

/// Adds a message to a queue. Returns the result document.
fn add(queue: &mut FakeQueue, body: String, delay_seconds: Option<i64>) -> Result<Value, Rejection> {
    if body.is_empty() {
        return Err(Rejection("MissingParameter", "The request must contain the parameter MessageBody.".to_owned()));
    }
    if body.len() > queue.max_message_bytes {
        return Err(invalid(format!("Message must be shorter than {} bytes.", queue.max_message_bytes)));
    }
    // XML 1.0, section 2.2, "Char".
    let is_allowed = |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    if !body.chars().all(is_allowed) {
        let message = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | \
                       #xE000 to #xFFFD | #x10000 to #x10FFFF";
        return Err(Rejection("InvalidMessageContents", message.to_owned()));
    }
    let delay = within("DelaySeconds", delay_seconds, 0..=MAX_DELAY_SECONDS)?.unwrap_or_default();
    let digest = md5_hex(&body);
    let id = queue.send_delayed(body, Duration::from_secs(delay));
    Ok(json!({ "MessageId": id, "MD5OfMessageBody": digest }))
}

impl ReceiveRequest {
    fn read(request: &ApiRequest) -> Result<Self, Rejection> {
        let input: ReceiveMessage = parse(request)?;
        check_address(request, &input.queue_url)?;
        let max = within("MaxNumberOfMessages", input.max_number_of_messages, 1..=MAX_BATCH as u64)?;
        let longest = MAX_VISIBILITY_TIMEOUT.as_secs();
        let visibility_timeout = within("VisibilityTimeout", input.visibility_timeout, 0..=longest)?;
        let wait = within("WaitTimeSeconds", input.wait_time_seconds, 0..=MAX_WAIT.as_secs())?.unwrap_or_default();
        let attributes: BTreeSet<_> =
            input.attribute_names.into_iter().chain(input.message_system_attribute_names).collect();
        if let Some(unknown) = attributes.iter().find(|name| !ATTRIBUTES.contains(&name.as_str())) {
            return Err(Rejection("InvalidAttributeName", format!("Unknown Attribute {unknown}.")));
        }
        let receive = Receive {
            max_messages: max.and_then(|max| usize::try_from(max).ok()).unwrap_or(1),
            visibility_timeout: visibility_timeout.map(Duration::from_secs),
            is_short: wait == 0,
            max_receive_count: None,
        };
        Ok(Self { receive, wait: Duration::from_secs(wait), attributes })
    }

    /// A message as the response contains it, with those of its attributes that were asked for.
    fn document(&self, receipt: &str, message: &Message) -> Value {
        let attributes = [
            ("ApproximateFirstReceiveTimestamp", message.first_received_at.map(milliseconds)),
            ("ApproximateReceiveCount", Some(message.receive_count.to_string())),
            ("DeadLetterQueueSourceArn", message.source.as_deref().map(arn)),
            ("SenderId", Some("AROAEXAMPLE:sender".to_owned())),
            ("SentTimestamp", Some(milliseconds(message.sent_at))),
        ];
        let is_requested = |name: &str| self.attributes.contains("All") || self.attributes.contains(name);
        let attributes: Map<String, Value> = attributes
            .into_iter()
            .filter(|(name, _)| is_requested(name))
            .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
            .collect();
        let mut document = json!({
            "MessageId": message.id,
            "ReceiptHandle": receipt,
            "MD5OfBody": md5_hex(&message.body),
            "Body": message.body,
        });
        if let Some(document) = document.as_object_mut().filter(|_| !attributes.is_empty()) {
            document.insert("Attributes".to_owned(), attributes.into());
        }
        document
    }
}

fn respond(result: Result<Value, Rejection>) -> ApiResponse {
    match result {
        Ok(body) => ApiResponse { status: 200, code: None, headers: Vec::new(), body: body.to_string() },
        Err(Rejection(code, message)) => Sqs.error(if code == "OverLimit" { 403 } else { 400 }, code, &message),
    }
}

/// The response to a batch, which reports each entry on its own.
fn batch_results(results: impl Iterator<Item = Result<Value, (String, Rejection)>>) -> Value {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(entry) => successful.push(entry),
            Err((id, Rejection(code, message))) => {
                failed.push(json!({ "Id": id, "SenderFault": true, "Code": code, "Message": message }));
            }
        }
    }
    json!({ "Successful": successful, "Failed": failed })
}

fn parse<T: DeserializeOwned>(request: &ApiRequest) -> Result<T, Rejection> {
    serde_json::from_slice(&request.body).map_err(|error| Rejection("SerializationException", error.to_string()))
}

/// The queue of a request.
fn queue<'s>(state: &'s mut State, request: &ApiRequest) -> Result<&'s mut FakeQueue, Rejection> {
    let missing = || Rejection("QueueDoesNotExist", "The specified queue does not exist.".to_owned());
    state.queues.get_mut(&request.target).ok_or_else(missing)
}

/// The redrive policy of a queue, if it has one with an existing dead-letter queue.
fn redrive_policy(state: &State, name: &str) -> Option<RedrivePolicy> {
    let policy = state.queues.get(name)?.redrive_policy.clone()?;
    state.queues.contains_key(&policy.dead_letter_queue).then_some(policy)
}

/// Moves dead messages of a request's queue to its dead-letter queue.
fn move_dead(state: &mut State, request: &ApiRequest, policy: Option<&RedrivePolicy>, dead: Vec<Message>) {
    if let Some(queue) = policy.and_then(|policy| state.queues.get_mut(&policy.dead_letter_queue)) {
        for message in dead {
            queue.accept_dead_letter(message, &request.target);
        }
    }
}

/// Checks that a URL is that of a queue in the fake account, and that the request is signed for the queue's Region. The
/// host is not checked, because a client may call the fake AWS through a proxy.
fn check_address(request: &ApiRequest, url: &str) -> Result<(), Rejection> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or_default();
    let parts: Vec<_> = rest.split('/').collect();
    let is_address = matches!(parts[..], [host, ACCOUNT, name] if !host.is_empty() && !name.is_empty());
    if is_address && request.region == REGION {
        Ok(())
    } else {
        Err(Rejection("InvalidAddress", format!("The address {url} is not valid for this endpoint.")))
    }
}

/// Checks the ids of a batch's entries: there are one to ten, they are distinct, and each has up to 80 letters, digits,
/// hyphens and underscores.
fn check_ids<'e>(mut ids: impl ExactSizeIterator<Item = &'e str> + Clone) -> Result<(), Rejection> {
    let count = ids.len();
    if count == 0 {
        let message = "There should be at least one entry in the request.";
        return Err(Rejection("EmptyBatchRequest", message.to_owned()));
    }
    if count > MAX_BATCH {
        let message = format!("Maximum number of entries per request are {MAX_BATCH}. You have sent {count}.");
        return Err(Rejection("TooManyEntriesInBatchRequest", message));
    }
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    if ids.clone().any(|id| !(1..=80).contains(&id.len()) || !id.bytes().all(is_allowed)) {
        let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be \
                       at most 80 letters long.";
        return Err(Rejection("InvalidBatchEntryId", message.to_owned()));
    }
    let mut seen = BTreeSet::new();
    match ids.find(|id| !seen.insert(*id)) {
        Some(id) => Err(Rejection("BatchEntryIdsNotDistinct", format!("Id {id} repeated."))),
        None => Ok(()),
    }
}

/// Checks a number against the range of its parameter.
fn within(parameter: &str, value: Option<i64>, range: RangeInclusive<u64>) -> Result<Option<u64>, Rejection> {
    let Some(value) = value else { return Ok(None) };
    match u64::try_from(value) {
        Ok(number) if range.contains(&number) => Ok(Some(number)),
        _ => {
            let (least, most) = (range.start(), range.end());
            let reason = format!("Must be between {least} and {most}, if provided.");
            Err(invalid(format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}")))
        }
    }
}

fn invalid(message: String) -> Rejection {
    Rejection("InvalidParameterValue", message)
}

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

fn milliseconds(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string()
}

fn md5_hex(text: &str) -> String {
    let mut hex = String::new();
    for byte in Md5::digest(text.as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

//! The wire format of SQS in the fake AWS, and the rules for its requests.

use std::time::Instant;

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::operation::receive_message::builders::ReceiveMessageFluentBuilder;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, Message, MessageAttributeValue, MessageSystemAttributeName,
    SendMessageBatchRequestEntry,
};
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeAws, FakeQueue, MAX_MESSAGE_BYTES, REGION, State, UNKNOWN_OPERATION};
use serde_json::json;

use crate::fake_aws::rules::exchange;
use crate::fake_aws::sdk::{calls, sqs};

/// A fake AWS with the empty queue `q`.
pub(crate) async fn with_queue(queue: FakeQueue) -> FakeAws {
    let mut state = State::default();
    state.queues.insert("q".into(), queue);
    FakeAws::start(state).await.unwrap()
}

/// A request to receive from `q`.
pub(crate) fn receive(aws: &FakeAws) -> ReceiveMessageFluentBuilder {
    sqs(aws).receive_message().queue_url(aws.queue_url("q"))
}

/// Receives up to ten messages from `q`, waiting for one for a second.
pub(crate) async fn poll(aws: &FakeAws) -> Vec<Message> {
    receive(aws).max_number_of_messages(10).wait_time_seconds(1).send().await.unwrap().messages.unwrap_or_default()
}

/// Deletes messages from `q` by their receipt handles. Returns the code of each failed entry.
pub(crate) async fn delete(aws: &FakeAws, handles: &[&str]) -> Vec<String> {
    let entries = handles.iter().enumerate().map(|(index, handle)| delete_entry(&index.to_string(), handle)).collect();
    let call = sqs(aws).delete_message_batch().queue_url(aws.queue_url("q")).set_entries(Some(entries));
    let answer = call.send().await.unwrap();
    assert_eq!(answer.successful().len() + answer.failed().len(), handles.len());
    answer.failed().iter().map(|entry| entry.code().to_owned()).collect()
}

fn delete_entry(id: &str, handle: &str) -> DeleteMessageBatchRequestEntry {
    DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(handle).build().unwrap()
}

/// Sends a message to `q`. Returns the error code, or an empty string.
async fn send(aws: &FakeAws, body: &str) -> String {
    let answer = sqs(aws).send_message().queue_url(aws.queue_url("q")).message_body(body).send().await;
    answer.err().map(|error| error.code().unwrap().to_owned()).unwrap_or_default()
}

/// Sends messages, given as entry id and body, to `q`. Returns the error code, or the entries that were accepted and
/// those that failed, with their codes.
async fn send_batch(aws: &FakeAws, entries: &[(&str, &str)]) -> Result<(Vec<String>, Vec<String>), String> {
    let entry =
        |&(id, body): &(&str, &str)| SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap();
    let entries = Some(entries.iter().map(entry).collect());
    let answer = sqs(aws).send_message_batch().queue_url(aws.queue_url("q")).set_entries(entries).send().await;
    match answer {
        Ok(answer) => Ok((
            answer.successful().iter().map(|entry| entry.id().to_owned()).collect(),
            answer.failed().iter().map(|entry| format!("{} {}", entry.id(), entry.code())).collect(),
        )),
        Err(error) => Err(error.code().unwrap().to_owned()),
    }
}

/// Calls SQS with a body, signed for a Region. Returns status, head in lower case, and body.
async fn call(aws: &FakeAws, operation: &str, region: &str, body: &str) -> (u16, String, String) {
    let head = format!(
        "POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.{operation}\r\nContent-Type: application/x-amz-json-1.0\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKID/20260102/{region}/sqs/aws4_request, SignedHeaders=host"
    );
    exchange(aws.url().strip_prefix("http://").unwrap(), &head, body).await
}

/// The error code that SDKs read from a response: that of the header, not of the body.
fn code(head: &str) -> &str {
    let header = head.split("\r\nx-amzn-query-error: ").nth(1).unwrap_or_default();
    header.split("\r\n").next().unwrap()
}

#[tokio::test]
async fn a_message_is_sent_received_and_deleted() {
    let aws = with_queue(FakeQueue::default()).await;
    let url = aws.queue_url("q");
    assert_eq!(url, format!("{}/123456789012/q", aws.url()));
    let sent = sqs(&aws).send_message().queue_url(&url).message_body("hello").send().await.unwrap();
    let digest = Some("5d41402abc4b2a76b9719d911017c592");
    assert_eq!(sent.md5_of_message_body(), digest);
    let received = poll(&aws).await;
    assert_eq!(received.len(), 1);
    assert_eq!((received[0].body(), received[0].md5_of_body()), (Some("hello"), digest));
    assert_eq!(received[0].message_id(), sent.message_id());
    assert_eq!(received[0].attributes(), None, "none was asked for");
    assert_eq!(delete(&aws, &[received[0].receipt_handle().unwrap()]).await, Vec::<String>::new());
    assert!(aws.with(|state| state.queues["q"].is_empty()));
    for operation in ["SendMessage", "ReceiveMessage", "DeleteMessageBatch"] {
        assert_eq!(calls(&aws, operation), [("q".into(), 200)], "{operation}");
    }
}

#[tokio::test]
async fn a_batch_is_sent() {
    let aws = with_queue(FakeQueue::default()).await;
    let accepted = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(send_batch(&aws, &[("a", "1"), ("b", "2")]).await, Ok((accepted, vec![])));
    assert_eq!(aws.with(|state| state.queues["q"].bodies()), ["1", "2"]);
    assert_eq!(calls(&aws, "SendMessageBatch"), [("q".into(), 200)]);
}

#[tokio::test]
async fn a_missing_queue_has_two_error_names() {
    let aws = with_queue(FakeQueue::default()).await;
    let missing = sqs(&aws).receive_message().queue_url(aws.queue_url("other")).send().await.unwrap_err();
    assert_eq!(missing.code(), Some("AWS.SimpleQueueService.NonExistentQueue"));
    assert!(missing.into_service_error().is_queue_does_not_exist());
    assert_eq!(calls(&aws, "ReceiveMessage"), [("other".into(), 400)]);
    let body = json!({ "QueueUrl": aws.queue_url("other") }).to_string();
    let (status, head, body) = call(&aws, "ReceiveMessage", REGION, &body).await;
    assert_eq!((status, code(&head)), (400, "aws.simplequeueservice.nonexistentqueue;sender"));
    assert!(head.contains("\r\ncontent-type: application/x-amz-json-1.0\r\n"), "{head}");
    assert!(body.contains("\"__type\":\"com.amazonaws.sqs#QueueDoesNotExist\""), "{body}");
}

#[tokio::test]
async fn an_empty_response_is_an_empty_object() {
    let aws = with_queue(FakeQueue::default()).await;
    let body = json!({ "QueueUrl": aws.queue_url("q") }).to_string();
    let (status, _, body) = call(&aws, "ReceiveMessage", REGION, &body).await;
    assert_eq!((status, body.as_str()), (200, "{}"));
}

#[tokio::test]
async fn a_queue_is_addressed_by_its_url_in_its_region() {
    let aws = with_queue(FakeQueue::default()).await;
    let receive = async |url: &str, region: &str| {
        let (status, head, _) = call(&aws, "ReceiveMessage", region, &json!({ "QueueUrl": url }).to_string()).await;
        (status, code(&head).to_owned())
    };
    let host = aws.url();
    assert_eq!(receive("https://sqs.example/123456789012/q", REGION).await.0, 200, "any host");
    let refused = (400, "invalidaddress;sender".to_owned());
    for url in ["q", "", &format!("{host}/q"), &format!("{host}/210987654321/q"), &format!("{host}/123456789012/q/")] {
        assert_eq!(receive(url, REGION).await, refused, "{url}");
    }
    assert_eq!(receive(&aws.queue_url("q"), "us-east-1").await, refused);
}

#[tokio::test]
async fn numbers_have_ranges() {
    let aws = with_queue(FakeQueue::default()).await;
    let code = async |call: ReceiveMessageFluentBuilder| {
        let answer = call.send().await;
        answer.err().map(|error| error.code().unwrap().to_owned()).unwrap_or_default()
    };
    aws.with(|state| state.queues.get_mut("q").unwrap().send("a"));
    for (max, wait, visibility) in [(1, 0, 0), (10, 20, 43_200)] {
        let call = receive(&aws).max_number_of_messages(max).wait_time_seconds(wait).visibility_timeout(visibility);
        assert_eq!(code(call).await, "", "{max} {wait} {visibility}");
    }
    for (max, wait, visibility) in [(0, 0, 0), (11, 0, 0), (1, -1, 0), (1, 21, 0), (1, 0, -1), (1, 0, 43_201)] {
        let call = receive(&aws).max_number_of_messages(max).wait_time_seconds(wait).visibility_timeout(visibility);
        assert_eq!(code(call).await, "InvalidParameterValue", "{max} {wait} {visibility}");
    }
    for delay in [-1, 901] {
        let call = sqs(&aws).send_message().queue_url(aws.queue_url("q")).message_body("a").delay_seconds(delay);
        assert_eq!(call.send().await.unwrap_err().code(), Some("InvalidParameterValue"), "{delay}");
    }
}

#[tokio::test]
async fn attributes_are_returned_only_if_asked_for() {
    let aws = with_queue(FakeQueue::default()).await;
    aws.with(|state| state.queues.get_mut("q").unwrap().send("a"));
    let ask = async |name: &str| {
        aws.with(|state| state.queues.get_mut("q").unwrap().make_visible());
        let call = receive(&aws).wait_time_seconds(1).message_system_attribute_names(name.into()).send().await;
        let message = call.map_err(|error| error.code().unwrap().to_owned())?.messages.unwrap().remove(0);
        let mut attributes: Vec<_> = message.attributes.unwrap().into_iter().collect();
        attributes.sort_unstable_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
        Ok::<_, String>(attributes)
    };
    let count = (MessageSystemAttributeName::ApproximateReceiveCount, "1".to_owned());
    assert_eq!(ask("ApproximateReceiveCount").await, Ok(vec![count]));
    let sent_at = ask("SentTimestamp").await.unwrap();
    assert_eq!((sent_at.len(), sent_at[0].1.len()), (1, "1795930651000".len()), "{sent_at:?}");
    let all = ask("All").await.unwrap();
    let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["ApproximateFirstReceiveTimestamp", "ApproximateReceiveCount", "SenderId", "SentTimestamp"];
    assert_eq!(names, expected);
    assert_eq!(all[1].1, "3");
    assert_eq!(ask("ReceiveCount").await, Err("InvalidAttributeName".into()));
}

#[tokio::test]
async fn a_batch_has_one_to_ten_entries_with_distinct_ids() {
    let aws = with_queue(FakeQueue::default()).await;
    let long = "a".repeat(81);
    let eleven: Vec<_> = (0..11).map(|n| n.to_string()).collect();
    let batches: [(Vec<&str>, &str); 6] = [
        (vec![], "AWS.SimpleQueueService.EmptyBatchRequest"),
        (eleven.iter().map(String::as_str).collect(), "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
        (vec!["a", "b", "a"], "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
        (vec!["a", ""], "AWS.SimpleQueueService.InvalidBatchEntryId"),
        (vec!["a", "b.c"], "AWS.SimpleQueueService.InvalidBatchEntryId"),
        (vec!["a", &long], "AWS.SimpleQueueService.InvalidBatchEntryId"),
    ];
    for (ids, code) in batches {
        let entries: Vec<_> = ids.iter().map(|id| (*id, "body")).collect();
        assert_eq!(send_batch(&aws, &entries).await, Err(code.into()), "{ids:?}");
        let entries = Some(ids.iter().map(|id| delete_entry(id, "handle")).collect());
        let call = sqs(&aws).delete_message_batch().queue_url(aws.queue_url("q")).set_entries(entries);
        assert_eq!(call.send().await.unwrap_err().code(), Some(code), "{ids:?}");
    }
    assert!(aws.with(|state| state.queues["q"].is_empty()));
    let ten: Vec<_> = eleven[1..].iter().map(|id| (id.as_str(), "body")).collect();
    assert_eq!(send_batch(&aws, &ten).await.unwrap().0.len(), 10);
    assert_eq!(send_batch(&aws, &[(&long[1..], "body"), ("A-z_9", "body")]).await.unwrap().0.len(), 2);
}

#[tokio::test]
async fn a_handle_that_was_never_issued_fails_alone() {
    let aws = with_queue(FakeQueue::default()).await;
    aws.with(|state| state.queues.get_mut("q").unwrap().send("a"));
    let received = poll(&aws).await;
    let failed = delete(&aws, &["AQEBinvented", received[0].receipt_handle().unwrap()]).await;
    assert_eq!(failed, ["ReceiptHandleIsInvalid"]);
    assert!(aws.with(|state| state.queues["q"].is_empty()));
}

#[tokio::test]
async fn a_message_and_a_batch_have_at_most_1_mib() {
    let aws = with_queue(FakeQueue::default()).await;
    let largest = "a".repeat(MAX_MESSAGE_BYTES);
    assert_eq!(MAX_MESSAGE_BYTES, 1024 * 1024);
    assert_eq!(send(&aws, &largest).await, "");
    assert_eq!(send(&aws, &format!("{largest}a")).await, "InvalidParameterValue");
    assert_eq!(send(&aws, &"é".repeat(MAX_MESSAGE_BYTES / 2 + 1)).await, "InvalidParameterValue", "it counts bytes");
    let half = &largest[..MAX_MESSAGE_BYTES / 2];
    assert_eq!(send_batch(&aws, &[("a", half), ("b", half)]).await.unwrap().0.len(), 2);
    let too_long = Err("AWS.SimpleQueueService.BatchRequestTooLong".to_owned());
    assert_eq!(send_batch(&aws, &[("a", half), ("b", half), ("c", "c")]).await, too_long);
    assert_eq!(aws.with(|state| state.queues["q"].len()), 3);
    aws.with(|state| state.queues.get_mut("q").unwrap().max_message_bytes = 1024);
    let result = send_batch(&aws, &[("a", &largest[..1024]), ("b", &largest[..1025])]).await;
    assert_eq!(result, Ok((vec!["a".into()], vec!["b InvalidParameterValue".into()])));
}

#[tokio::test]
async fn a_message_has_only_characters_that_xml_allows() {
    let aws = with_queue(FakeQueue::default()).await;
    assert_eq!(send(&aws, "\t\n\r \u{7f}\u{85}é\u{d7ff}\u{e000}\u{fffd}\u{10000}\u{10ffff}").await, "");
    assert_eq!(send(&aws, "").await, "MissingParameter");
    for character in ["\0", "\u{8}", "\u{b}", "\u{1f}", "\u{fffe}", "\u{ffff}"] {
        assert_eq!(send(&aws, &format!("a{character}")).await, "InvalidMessageContents", "{character:?}");
    }
    let result = send_batch(&aws, &[("a", "\0"), ("b", "b")]).await;
    assert_eq!(result, Ok((vec!["b".into()], vec!["a InvalidMessageContents".into()])));
    assert_eq!(aws.with(|state| state.queues["q"].len()), 2);
}

#[tokio::test]
async fn what_is_not_supported_is_rejected() {
    let aws = with_queue(FakeQueue::default()).await;
    let attribute = MessageAttributeValue::builder().data_type("String").string_value("v").build().unwrap();
    let send = sqs(&aws).send_message().queue_url(aws.queue_url("q")).message_body("a");
    let error = send.message_attributes("name", attribute).send().await.unwrap_err();
    assert_eq!(error.code(), Some("SerializationException"));
    for body in ["", "{", "[]", "{}", r#"{"QueueUrl":1}"#] {
        let (status, head, _) = call(&aws, "ReceiveMessage", REGION, body).await;
        assert_eq!((status, code(&head)), (400, "serializationexception;sender"), "{body}");
    }
    let (status, ..) = call(&aws, "PurgeQueue", REGION, &json!({ "QueueUrl": aws.queue_url("q") }).to_string()).await;
    assert_eq!(status, 403);
    assert!(aws.calls(UNKNOWN_OPERATION)[0].target.ends_with("AmazonSQS.PurgeQueue"));
}

#[tokio::test]
async fn a_fault_is_one_of_sqs() {
    let aws = with_queue(FakeQueue::default()).await;
    for (name, code) in [
        ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
        ("AWS.SimpleQueueService.NonExistentQueue", "AWS.SimpleQueueService.NonExistentQueue"),
        ("RequestThrottled", "RequestThrottled"),
    ] {
        aws.with(|state| state.faults.push(Fault::once("ReceiveMessage", "q", Effect::error(400, name))));
        assert_eq!(receive(&aws).send().await.unwrap_err().code(), Some(code));
        assert_eq!(aws.with(|state| state.calls.pop().unwrap().code), Some(code.to_owned()));
    }
}

#[tokio::test]
async fn a_call_whose_response_is_lost_takes_effect() {
    for effect in [Effect::SucceedThenDisconnect, Effect::TruncatedBody(1)] {
        let aws = with_queue(FakeQueue::default()).await;
        for operation in ["SendMessage", "ReceiveMessage", "DeleteMessageBatch"] {
            aws.with(|state| state.faults.push(Fault::once(operation, "q", effect.clone())));
        }
        let call = sqs(&aws).send_message().queue_url(aws.queue_url("q")).message_body("a");
        assert!(call.send().await.is_err());
        assert!(receive(&aws).wait_time_seconds(20).send().await.is_err());
        assert_eq!(aws.with(|state| (state.queues["q"].len(), state.queues["q"].in_flight())), (1, 1));
        aws.with(|state| state.queues.get_mut("q").unwrap().make_visible());
        let handle = poll(&aws).await.remove(0).receipt_handle.unwrap();
        let entries = Some(vec![delete_entry("a", &handle)]);
        let call = sqs(&aws).delete_message_batch().queue_url(aws.queue_url("q")).set_entries(entries);
        assert!(call.send().await.is_err());
        assert!(aws.with(|state| state.queues["q"].is_empty()));
    }
}

#[tokio::test]
async fn a_call_that_fails_by_a_fault_has_no_effect_and_does_not_wait() {
    let aws = with_queue(FakeQueue::default()).await;
    for effect in [Effect::Disconnect, Effect::error(500, "InternalError")] {
        aws.with(|state| {
            state.faults.push(Fault::once("ReceiveMessage", "q", effect.clone()));
            state.faults.push(Fault::once("SendMessage", "q", effect));
        });
        let call = sqs(&aws).send_message().queue_url(aws.queue_url("q")).message_body("a");
        assert!(call.send().await.is_err());
        let began = Instant::now();
        assert!(receive(&aws).wait_time_seconds(20).send().await.is_err());
        assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());
    }
    assert!(aws.with(|state| state.queues["q"].is_empty()));
    aws.with(|state| state.denied.insert("ReceiveMessage".into()));
    let began = Instant::now();
    assert_eq!(receive(&aws).wait_time_seconds(20).send().await.unwrap_err().code(), Some("AccessDenied"));
    assert!(began.elapsed().as_secs() < 15, "{:?}", began.elapsed());
}

//! The queues of the fake AWS: what is visible to whom and for how long, and where messages end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use futures_util::future::join_all;
use s3_cloudfront_invalidator::local::{FakeAws, FakeQueue, MAX_IN_FLIGHT, RedrivePolicy};

use crate::fake_aws::sdk::sqs;
use crate::fake_aws::sqs::{delete, poll, receive, with_queue};
use crate::harness::within;

/// A queue with these messages.
fn queue(bodies: &[&str]) -> FakeQueue {
    let mut queue = FakeQueue::default();
    for body in bodies {
        queue.send(*body);
    }
    queue
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.body().unwrap()).collect()
}

fn handle(message: &Message) -> &str {
    message.receipt_handle().unwrap()
}

/// Receives up to ten messages without waiting.
async fn short_poll(aws: &FakeAws) -> Vec<Message> {
    receive(aws).max_number_of_messages(10).send().await.unwrap().messages.unwrap_or_default()
}

/// Looks at the queue `q` or changes it.
fn with_q<R>(aws: &FakeAws, look: impl FnOnce(&mut FakeQueue) -> R) -> R {
    aws.with(|state| look(state.queues.get_mut("q").unwrap()))
}

#[tokio::test]
async fn a_received_message_is_invisible_until_its_visibility_timeout() {
    let aws = with_queue(queue(&["a"])).await;
    let call = receive(&aws).wait_time_seconds(1).visibility_timeout(3);
    let began = Instant::now();
    assert_eq!(call.send().await.unwrap().messages().len(), 1);
    assert_eq!(with_q(&aws, |queue| (queue.visible(), queue.in_flight(), queue.len())), (0, 1, 1));
    let again = receive(&aws).wait_time_seconds(20).send().await.unwrap();
    assert_eq!(bodies(again.messages()), ["a"]);
    let elapsed = began.elapsed();
    assert!(elapsed >= Duration::from_secs(3) && elapsed < Duration::from_secs(20), "{elapsed:?}");
}

#[tokio::test]
async fn the_queue_has_a_visibility_timeout_of_its_own() {
    assert_eq!(FakeQueue::default().visibility_timeout, Duration::from_secs(30));
    let mut queue = queue(&["a"]);
    queue.visibility_timeout = Duration::from_millis(300);
    let aws = with_queue(queue).await;
    let began = Instant::now();
    for _ in 0..3 {
        assert_eq!(bodies(&poll(&aws).await), ["a"]);
    }
    assert!(began.elapsed() >= Duration::from_millis(600), "{:?}", began.elapsed());
    assert_eq!(with_q(&aws, |queue| queue.receive_counts()), [3]);
}

#[tokio::test]
async fn only_the_latest_receipt_handle_deletes() {
    let aws = with_queue(queue(&["a"])).await;
    let first = poll(&aws).await;
    with_q(&aws, FakeQueue::make_visible);
    let second = poll(&aws).await;
    assert_eq!(first[0].message_id(), second[0].message_id());
    assert_ne!(handle(&first[0]), handle(&second[0]));
    assert!(delete(&aws, &[handle(&first[0])]).await.is_empty(), "it succeeds");
    assert_eq!(with_q(&aws, |queue| queue.len()), 1, "but the message stays");
    with_q(&aws, FakeQueue::make_visible);
    assert!(delete(&aws, &[handle(&second[0])]).await.is_empty());
    assert!(with_q(&aws, |queue| queue.is_empty()), "it was visible again, but not received");
    assert!(delete(&aws, &[handle(&second[0]), handle(&first[0])]).await.is_empty(), "deleted already");
}

#[tokio::test]
async fn a_long_poll_waits_for_a_message_and_blocks_no_other_call() {
    let aws = with_queue(FakeQueue::default()).await;
    let began = Instant::now();
    let waiting = receive(&aws).wait_time_seconds(20).send();
    let sending = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let call = sqs(&aws).send_message().queue_url(aws.queue_url("q")).message_body("a");
        call.send().await.unwrap();
    };
    let (received, ()) = tokio::join!(waiting, sending);
    assert_eq!(bodies(received.unwrap().messages()), ["a"]);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(aws.with(|state| state.calls[0].operation), "SendMessage", "answered meanwhile");
}

#[tokio::test]
async fn a_long_poll_notices_a_message_that_the_test_sends() {
    let aws = with_queue(FakeQueue::default()).await;
    let began = Instant::now();
    let waiting = receive(&aws).wait_time_seconds(20).send();
    let sending = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        with_q(&aws, |queue| queue.send_with_id("m1", "a"));
    };
    let (received, ()) = tokio::join!(waiting, sending);
    assert_eq!(received.unwrap().messages()[0].message_id(), Some("m1"));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_long_poll_of_an_empty_queue_ends_with_its_wait() {
    let aws = with_queue(FakeQueue::default()).await;
    let began = Instant::now();
    assert!(poll(&aws).await.is_empty());
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_short_poll_returns_every_other_message() {
    let aws = with_queue(queue(&["0", "1", "2", "3", "4"])).await;
    assert_eq!(bodies(&short_poll(&aws).await), ["1", "3"]);
    assert_eq!(bodies(&short_poll(&aws).await), ["0", "2", "4"]);
    let aws = with_queue(queue(&["0"])).await;
    assert!(short_poll(&aws).await.is_empty(), "although there is one");
    assert_eq!(bodies(&short_poll(&aws).await), ["0"]);
}

#[tokio::test]
async fn a_receive_returns_at_most_what_it_asks_for() {
    let aws = with_queue(queue(&["message"; 12])).await;
    assert_eq!(receive(&aws).wait_time_seconds(1).send().await.unwrap().messages().len(), 1, "the default");
    assert_eq!(poll(&aws).await.len(), 10);
    assert_eq!(poll(&aws).await.len(), 1);
}

#[tokio::test]
async fn concurrent_receivers_share_the_messages() {
    let aws = with_queue(queue(&["message"; 40])).await;
    let received = join_all((0..4).map(|_| poll(&aws))).await.concat();
    let ids: BTreeSet<_> = received.iter().map(|message| message.message_id().unwrap()).collect();
    assert_eq!((received.len(), ids.len()), (40, 40));
    let expected = with_q(&aws, |queue| queue.ids());
    assert_eq!(ids, expected.iter().map(String::as_str).collect());
}

/// A queue with these messages, each received at most twice, and the queue `dead`, if it exists.
async fn with_dead_letters(bodies: &[&str], exists: bool) -> FakeAws {
    let policy = RedrivePolicy { dead_letter_queue: "dead".into(), max_receive_count: 2 };
    let mut queue = queue(bodies);
    queue.redrive_policy = Some(policy);
    let aws = with_queue(queue).await;
    if exists {
        aws.with(|state| state.queues.insert("dead".into(), FakeQueue::default()));
    }
    aws
}

#[tokio::test]
async fn a_message_received_too_often_moves_to_the_dead_letter_queue() {
    let aws = with_dead_letters(&["a", "b"], true).await;
    let ids = with_q(&aws, |queue| queue.ids());
    for _ in 0..2 {
        let received = poll(&aws).await;
        assert_eq!(bodies(&received), ["a", "b"]);
        with_q(&aws, FakeQueue::make_visible);
    }
    with_q(&aws, |queue| queue.send("c"));
    assert_eq!(aws.with(|state| state.queues["dead"].len()), 0, "it moves when it would be received");
    assert_eq!(bodies(&poll(&aws).await), ["c"]);
    assert_eq!(with_q(&aws, |queue| queue.bodies()), ["c"]);
    let dead = aws.with(|state| (state.queues["dead"].ids(), state.queues["dead"].receive_counts()));
    assert_eq!(dead, (ids, vec![2, 2]));
    let call = sqs(&aws).receive_message().queue_url(aws.queue_url("dead")).wait_time_seconds(1);
    let call = call.message_system_attribute_names(MessageSystemAttributeName::All);
    let message = call.send().await.unwrap().messages.unwrap().remove(0);
    let attributes = message.attributes.unwrap();
    assert_eq!(
        attributes[&MessageSystemAttributeName::DeadLetterQueueSourceArn],
        "arn:aws:sqs:eu-central-1:123456789012:q"
    );
    assert_eq!(attributes[&MessageSystemAttributeName::ApproximateReceiveCount], "3");
}

#[tokio::test]
async fn a_long_poll_does_not_end_for_a_dead_message() {
    let aws = with_dead_letters(&["a"], true).await;
    for _ in 0..2 {
        poll(&aws).await;
        with_q(&aws, FakeQueue::make_visible);
    }
    let began = Instant::now();
    assert!(poll(&aws).await.is_empty());
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(aws.with(|state| state.queues["dead"].bodies()), ["a"]);
}

#[tokio::test]
async fn without_its_dead_letter_queue_a_message_stays() {
    let aws = with_dead_letters(&["a"], false).await;
    for _ in 0..4 {
        assert_eq!(bodies(&poll(&aws).await), ["a"]);
        with_q(&aws, FakeQueue::make_visible);
    }
}

#[tokio::test]
async fn messages_in_flight_are_limited() {
    assert_eq!((FakeQueue::default().max_in_flight, MAX_IN_FLIGHT), (120_000, 120_000));
    let mut queue = queue(&["a", "b", "c", "d"]);
    queue.max_in_flight = 2;
    let aws = with_queue(queue).await;
    let received = poll(&aws).await;
    assert_eq!(bodies(&received), ["a", "b"], "up to the limit");
    assert!(poll(&aws).await.is_empty(), "a long poll has no error");
    let error = receive(&aws).send().await.unwrap_err();
    assert_eq!(error.code(), Some("OverLimit"));
    assert!(error.into_service_error().is_over_limit());
    let began = Instant::now();
    let waiting = receive(&aws).wait_time_seconds(20).send();
    let deleting = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        delete(&aws, &[handle(&received[0])]).await
    };
    let (next, failed) = tokio::join!(waiting, deleting);
    assert_eq!((bodies(next.unwrap().messages()), failed.len()), (vec!["c"], 0));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_message_can_be_received_twice_although_it_is_in_flight() {
    let mut queue = queue(&["a", "b", "c"]);
    queue.duplicate_every = Some(2);
    let aws = with_queue(queue).await;
    let first = poll(&aws).await;
    assert_eq!(bodies(&first), ["a", "b", "c"]);
    let second = poll(&aws).await;
    assert_eq!(bodies(&second), ["b"], "every second receive is one of two");
    assert_eq!(with_q(&aws, |queue| (queue.visible(), queue.receive_counts())), (0, vec![1, 2, 1]));
    delete(&aws, &[handle(&first[0]), handle(&first[1]), handle(&first[2])]).await;
    assert_eq!(with_q(&aws, |queue| queue.bodies()), ["b"], "its latest handle is that of the duplicate");
    delete(&aws, &[handle(&second[0])]).await;
    assert!(with_q(&aws, |queue| queue.is_empty()));
}

#[tokio::test]
async fn a_delayed_message_becomes_visible_after_its_delay() {
    let aws = with_queue(FakeQueue::default()).await;
    let began = Instant::now();
    let call = sqs(&aws).send_message().queue_url(aws.queue_url("q")).message_body("a").delay_seconds(2);
    call.send().await.unwrap();
    assert_eq!(with_q(&aws, |queue| (queue.visible(), queue.delayed(), queue.in_flight())), (0, 1, 0));
    assert_eq!(receive(&aws).wait_time_seconds(20).send().await.unwrap().messages().len(), 1);
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_long_poll_that_its_client_gives_up_still_receives() {
    let aws = with_queue(FakeQueue::default()).await;
    let waiting = tokio::spawn(receive(&aws).wait_time_seconds(20).send());
    let begun = async {
        while aws.with(|state| state.started_calls) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(begun).await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    // Long enough for the fake AWS to notice that the connection is closed.
    tokio::time::sleep(Duration::from_millis(500)).await;
    with_q(&aws, |queue| queue.send("a"));
    let received = async {
        while with_q(&aws, |queue| queue.in_flight()) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(received).await;
    assert_eq!(aws.calls("ReceiveMessage").len(), 1);
}

#[tokio::test]
async fn long_polls_wait_at_the_same_time() {
    let aws = with_queue(FakeQueue::default()).await;
    let poll = async || receive(&aws).wait_time_seconds(3).send().await.unwrap();
    for answer in join_all((0..4).map(|_| poll())).await {
        assert!(answer.messages().is_empty());
    }
    assert_eq!(aws.with(|state| state.most_in_flight["ReceiveMessage"]), 4);
}

//! Polls of the function's own queue: everything in it becomes one batch, and what is done is deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use s3_cloudfront_invalidator::local::events::{notification, record};
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeQueue, InvocationOutcome, State};
use serde_json::{Value, json};

use crate::harness::{Harness, POLL, QUEUE, created, state, with_queue};

/// A harness with this state, and a queue with these messages.
async fn start(mut state: State, messages: impl IntoIterator<Item = String>) -> Harness {
    let mut queue = FakeQueue::default();
    queue.visibility_timeout = Duration::from_mins(3);
    for body in messages {
        queue.send(body);
    }
    state.queues.insert(QUEUE.into(), queue);
    Harness::start(state, &with_queue(&[])).await
}

fn left(harness: &Harness) -> Vec<String> {
    harness.aws.with(|state| state.queues[QUEUE].bodies())
}

/// Makes the messages that were received and not deleted visible again.
fn make_visible(harness: &Harness) {
    harness.aws.with(|state| state.queues.get_mut(QUEUE).unwrap().make_visible());
}

fn queue_counts(report: &Value) -> [u64; 2] {
    ["messagesReceived", "messagesDeleted"].map(|name| report["queue"][name].as_u64().unwrap())
}

#[tokio::test]
async fn all_messages_are_one_invalidation_per_distribution() {
    let messages = (0..120).map(|n| created(&[("one", &format!("a/{n}")), ("two", &format!("b/{n}"))]));
    let harness = start(state(&[("one", "E1"), ("two", "E2")]), messages).await;
    let report = harness.report("r1", POLL).await;
    assert_eq!(report["changes"], json!({ "invalidated": 240, "skipped": 0, "failed": 0 }), "{report}");
    assert_eq!(queue_counts(&report), [120, 120]);
    for (distribution, start) in [("E1", "/a/"), ("E2", "/b/")] {
        let [paths] = &harness.invalidations(distribution)[..] else { panic!("one invalidation") };
        assert!(paths.len() <= 30, "{paths:?}");
        for url in (0..120).map(|n| format!("{start}{n}")) {
            let covers = |path: &String| path.strip_suffix('*').map_or(*path == url, |prefix| url.starts_with(prefix));
            assert!(paths.iter().any(covers), "{url} of {paths:?}");
        }
    }
    assert_eq!(left(&harness), [""; 0]);
}

#[tokio::test]
async fn an_empty_queue_is_one_receive_of_a_second_and_nothing_in_the_log() {
    let harness = start(state(&[("one", "E1")]), []).await;
    let report = harness.report("r1", POLL).await;
    assert_eq!((report["ok"].clone(), queue_counts(&report)), (json!(true), [0, 0]));
    let calls = harness.aws.with(|state| state.calls.iter().map(|call| call.operation).collect::<Vec<_>>());
    assert_eq!(calls, ["ReceiveMessage"]);
    assert_eq!(harness.aws.with(|state| state.receive_waits.clone()), [Duration::from_secs(1)]);
    assert_eq!(harness.function.stop().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_failed_message_stays_in_the_queue_and_no_other_for_it() {
    let messages = ["junk".to_owned(), created(&[("one", "a")]), created(&[("gone", "b")])];
    let harness = start(state(&[("one", "E1")]), messages).await;
    let report = harness.report("r1", POLL).await;
    assert_eq!((report["ok"].clone(), queue_counts(&report)), (json!(false), [3, 1]));
    assert_eq!(report["changes"], json!({ "invalidated": 1, "skipped": 0, "failed": 2 }), "{report}");
    assert_eq!(left(&harness), ["junk".to_owned(), created(&[("gone", "b")])]);
    assert_eq!(harness.invalidations("E1"), [["/a"]]);
    let lines = harness.function.stop().await.unwrap();
    for part in ["body: not JSON", "bucket \\\"gone\\\" (1 change)"] {
        assert!(lines.iter().any(|line| line.contains("ERROR") && line.contains(part)), "{part}: {lines:#?}");
    }
    assert!(lines.iter().any(|line| line.contains("\"ChangesFailed\":2")), "{lines:#?}");
}

#[tokio::test]
async fn a_message_that_is_received_twice_is_handled_once_and_deleted() {
    let harness = start(state(&[("one", "E1")]), (0..30).map(|n| created(&[("one", &format!("{n}"))]))).await;
    harness.aws.with(|state| state.queues.get_mut(QUEUE).unwrap().duplicate_every = Some(1));
    let report = harness.report("r1", POLL).await;
    assert_eq!(report["changes"]["invalidated"], 30, "{report}");
    assert_eq!(queue_counts(&report), [30, 30]);
    assert_eq!(left(&harness), [""; 0]);
}

/// SQS accepts messages of 1 MiB. No poll takes more of them than fit the smallest memory.
#[tokio::test]
async fn long_messages_are_received_in_several_polls() {
    let longest = |n: usize| {
        let body = created(&[("one", &n.to_string())]);
        let spaces = " ".repeat(1024 * 1024 - body.len());
        body + &spaces
    };
    let harness = start(state(&[("one", "E1")]), (0..60).map(longest)).await;
    let mut polls = 0;
    while !left(&harness).is_empty() {
        polls += 1;
        let [received, deleted] = queue_counts(&harness.report(&format!("r{polls}"), POLL).await);
        assert!(received <= 20 && deleted == received, "{received} messages of 1 MiB, {deleted} deleted");
        assert!(polls < 30, "{} left", left(&harness).len());
    }
}

#[tokio::test]
async fn a_poll_in_the_queue_is_skipped_by_name() {
    let harness = start(state(&[]), [POLL.to_owned(), created(&[])]).await;
    let report = harness.report("r1", POLL).await;
    assert_eq!(
        report["skipped"],
        json!([{ "code": "not-a-content-change", "eventName": "pollQueue", "changes": 1 }]),
        "{report}"
    );
    assert_eq!(left(&harness), [""; 0]);
}

#[tokio::test]
async fn an_outdated_poll_ends_at_once() {
    let harness = start(state(&[("one", "E1")]), [created(&[("one", "a")])]).await;
    let report = harness.report("r1", r#"{"pollQueue":true,"scheduledTime":"2026-01-02T03:04:00Z"}"#).await;
    assert_eq!((report["ok"].clone(), queue_counts(&report)), (json!(true), [0, 0]));
    assert_eq!(harness.aws.with(|state| state.calls.len()), 0);
}

#[tokio::test]
async fn the_first_receive_is_repeated_after_a_transient_error() {
    for effect in [Effect::error(503, "ServiceUnavailable"), Effect::Disconnect, Effect::SucceedThenDisconnect] {
        let harness = start(state(&[("one", "E1")]), (0..20).map(|n| created(&[("one", &n.to_string())]))).await;
        harness.aws.with(|state| state.faults.push(Fault::once("ReceiveMessage", QUEUE, effect)));
        let report = harness.report("r1", POLL).await;
        let [received, deleted] = queue_counts(&report);
        assert!(received >= 10 && deleted == received && report["ok"] == json!(true), "{report}");
    }
}

#[tokio::test]
async fn a_dry_run_deletes_what_it_would_have_invalidated() {
    let mut state = state(&[("one", "E1")]);
    let mut queue = FakeQueue::default();
    queue.send(created(&[("one", "a")]));
    state.queues.insert(QUEUE.into(), queue);
    let harness = Harness::start(state, &with_queue(&[("DRY_RUN", "true")])).await;
    let report = harness.report("r1", POLL).await;
    assert_eq!(report["skipped"][0]["code"], "dry-run", "{report}");
    assert_eq!((queue_counts(&report), harness.invalidations("E1").len(), left(&harness).len()), ([1, 1], 0, 0));
}

#[tokio::test]
async fn without_a_queue_a_poll_reports_the_missing_setting() {
    let harness = Harness::start(state(&[]), &[]).await;
    let report = harness.report("r1", POLL).await;
    assert_eq!(report["failures"][0]["code"], "queue-not-configured", "{report}");
    assert!(report["failures"][0]["message"].as_str().unwrap().contains("QUEUE_URL"), "{report}");
}

/// It would invalidate everything every minute.
#[tokio::test]
async fn the_event_of_a_schedule_without_input_is_an_error_that_shows_the_input() {
    let variables = with_queue(&[("DISTRIBUTION_ID", "E1")]);
    let harness = Harness::start(state(&[("one", "E1")]), &variables).await;
    for source in ["aws.events", "aws.scheduler"] {
        let event = json!({ "source": source, "detail-type": "Scheduled Event", "detail": {} }).to_string();
        let (error_type, message) = harness.error(source, event).await;
        assert_eq!(error_type, "UnrecognizedEvent");
        assert!(message.contains(r#"{"pollQueue": true}"#), "{message}");
    }
    assert_eq!(harness.invalidations("E1").len(), 0);
}

#[tokio::test]
async fn what_fails_at_the_queue_is_reported_and_does_not_fail_the_invocation() {
    let harness = start(state(&[("one", "E1")]), [created(&[("one", "a")])]).await;
    for (operation, permission) in
        [("ReceiveMessage", "sqs:ReceiveMessage"), ("DeleteMessageBatch", "sqs:DeleteMessage")]
    {
        harness.aws.with(|state| state.denied = [operation.to_owned()].into());
        let report = harness.report(operation, POLL).await;
        assert_eq!(report["failures"][0]["code"], "queue-access-denied", "{report}");
        let message = report["failures"][0]["message"].as_str().unwrap();
        assert!(message.contains(operation) && message.contains(permission), "{message}");
        assert_eq!(left(&harness).len(), 1);
    }
    // The invalidation was accepted before its message could not be deleted.
    assert_eq!(harness.invalidations("E1"), [["/a"]]);
    harness.aws.with(|state| state.denied.clear());
    make_visible(&harness);
    let report = harness.report("again", POLL).await;
    assert_eq!((report["totals"]["paths"].clone(), left(&harness).len()), (json!(0), 0), "{report}");
    harness.aws.with(|state| state.queues.clear());
    let report = harness.report("gone", POLL).await;
    assert_eq!(report["failures"][0]["code"], "queue-not-found", "{report}");
}

/// Every fault of every call of a poll: what it leaves is done by the next polls, and what was accepted is not billed
/// again.
#[tokio::test]
async fn lost_answers_lose_no_message_and_bill_nothing_twice() {
    let calls = [
        ("ReceiveMessage", QUEUE),
        ("GetBucketTagging", "one"),
        ("CreateInvalidation", "E1"),
        ("DeleteMessageBatch", QUEUE),
    ];
    let effects = [
        Effect::Disconnect,
        Effect::SucceedThenDisconnect,
        Effect::error(500, "InternalError"),
        Effect::Raw { status: 200, body: "<html></html>".into() },
        Effect::TruncatedBody(40),
    ];
    let faults = calls.iter().flat_map(|call| effects.iter().map(move |effect| (call, effect)));
    join_all(faults.map(async |((operation, target), effect)| {
        let harness = start(state(&[("one", "E1")]), [created(&[("one", "a")]), created(&[("one", "b")])]).await;
        harness.aws.with(|state| state.faults.push(Fault::once(operation, target, effect.clone())));
        for poll in 0..3 {
            harness.report(&format!("r{poll}"), POLL).await;
            make_visible(&harness);
        }
        assert_eq!(left(&harness), [""; 0], "{operation} {effect:?}");
        assert_eq!(harness.invalidations("E1"), [["/a", "/b"]], "{operation} {effect:?}");
    }))
    .await;
}

#[tokio::test]
async fn a_kill_at_any_call_loses_nothing() {
    let messages = || (0..25).map(|n| created(&[("one", &format!("{n}"))]));
    let harness = start(state(&[("one", "E1")]), messages()).await;
    harness.report("r1", POLL).await;
    let calls: Vec<_> = harness.aws.with(|state| state.calls.iter().map(|call| call.operation).collect());
    let first_deletion = calls.iter().position(|it| *it == "DeleteMessageBatch").unwrap();
    // A call that fails, as that for the config that the distribution does not have, takes no effect.
    let fails: Vec<_> = harness.aws.with(|state| state.calls.iter().map(|call| call.status >= 300).collect());
    let cases = (0..calls.len()).flat_map(|kill_at| [(kill_at, false), (kill_at, true)]);
    let cases = cases.filter(|(kill_at, takes_effect)| !takes_effect || !fails[*kill_at]);
    join_all(cases.map(async |(kill_at, takes_effect)| {
        let harness = start(state(&[("one", "E1")]), messages()).await;
        // The call at which the process is killed is not answered, nor are further ones.
        let mut stalled = Effect::Delay(Duration::from_hours(1));
        if takes_effect {
            stalled = Effect::After(Box::new(stalled));
        }
        let operation = calls[kill_at];
        let answered = calls[..kill_at].iter().filter(|it| **it == operation).count();
        let faults = [(answered, Effect::Delay(Duration::ZERO)), (usize::MAX, stalled)];
        let faults = faults.map(|(times, effect)| Fault { operation, target: None, effect, times });
        harness.aws.with(|state| state.faults.extend(faults));
        let has_stalled = || harness.aws.with(|state| state.faults[1].times < usize::MAX);
        let killed = async {
            while !has_stalled() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // A call takes effect at once if it does.
            tokio::time::sleep(Duration::from_millis(50)).await;
            harness.function.signal("KILL").await.unwrap();
        };
        tokio::select! {
            // On a slow machine there may be fewer receives.
            outcome = harness.invoke("r1", POLL) => assert!(!has_stalled(), "{kill_at} of {calls:?}: {outcome:?}"),
            () = killed => {}
        }
        let harness = harness.in_a_new_sandbox(&with_queue(&[])).await;
        harness.aws.with(|state| state.faults.clear());
        // A long poll whose client is gone still receives messages, which stay invisible.
        tokio::time::sleep(Duration::from_secs(4)).await;
        make_visible(&harness);
        let undeleted = left(&harness).len();
        harness.report("r2", POLL).await;
        assert_eq!(left(&harness).len(), 0, "{kill_at} of {calls:?}");
        let invalidations = harness.invalidations("E1");
        let billed: usize = invalidations.iter().map(Vec::len).sum();
        let paths: BTreeSet<_> = invalidations.into_iter().flatten().collect();
        assert_eq!(paths, (0..25).map(|n| format!("/{n}")).collect(), "{kill_at} of {calls:?}");
        if kill_at < first_deletion {
            assert_eq!(billed, 25, "{kill_at} of {calls:?}");
        }
        assert!(billed <= 25 + undeleted, "{kill_at} of {calls:?}: {billed}, {undeleted} undeleted");
    }))
    .await;
}

#[tokio::test]
async fn two_polls_at_the_same_time_share_the_messages() {
    let harness = start(state(&[("one", "E1")]), (0..200).map(|n| created(&[("one", &format!("{n}"))]))).await;
    let variables = with_queue(&[]);
    let (one, two) = tokio::join!(harness.report("r1", POLL), harness.in_another_sandbox(&variables, "r2", POLL));
    let InvocationOutcome::Response(two) = two else { panic!("{two:?}") };
    let two: Value = serde_json::from_slice(&two).unwrap();
    assert_eq!(queue_counts(&one)[1] + queue_counts(&two)[1], 200, "{one} {two}");
    assert_eq!(left(&harness), [""; 0]);
    let paths = harness.invalidations("E1").concat();
    for url in (0..200).map(|n| format!("/{n}")) {
        let covers = |path: &String| path.strip_suffix('*').map_or(*path == url, |prefix| url.starts_with(prefix));
        assert!(paths.iter().any(covers), "{url} of {paths:?}");
    }
}

/// SQS may delete some messages of a batch and not others.
#[tokio::test]
async fn a_message_that_is_not_deleted_is_reported() {
    let harness = start(state(&[("one", "E1")]), [created(&[("one", "a")]), created(&[("one", "b")])]).await;
    let partly = r#"{"Successful":[{"Id":"0"}],"Failed":[{"Id":"1","SenderFault":false,"Code":"InternalError"}]}"#;
    let effect = Effect::Raw { status: 200, body: partly.into() };
    harness.aws.with(|state| state.faults.push(Fault::always("DeleteMessageBatch", QUEUE, effect)));
    let report = harness.report("r1", POLL).await;
    assert_eq!((report["ok"].clone(), queue_counts(&report)), (json!(false), [2, 1]), "{report}");
    assert_eq!(report["changes"]["failed"], 1, "for the alarm: {report}");
    assert!(report["failures"][0]["message"].as_str().unwrap().contains("InternalError"), "{report}");
    assert_eq!(left(&harness).len(), 2);
}

#[tokio::test]
async fn skipped_records_are_deleted_too() {
    let harness = start(state(&[]), [notification(&[record("ObjectTagging:Put", "one", "a")])]).await;
    let report = harness.report("r1", POLL).await;
    assert_eq!((report["changes"]["skipped"].clone(), left(&harness).len()), (json!(1), 0), "{report}");
}

//! However events are nested and written as JSON, each message of a batch has exactly its own changes and failures.

mod events;
mod odd_json;
mod writer;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use s3_cloudfront_invalidator::change::Batch;
use s3_cloudfront_invalidator::event::{Event, EventError, decode};

use crate::sources;
use events::{Body, ENVELOPES, Envelope, Expected, MOST_ENVELOPES, NestedEvent, batch, bodies, event};
use writer::Writer;

fn decoded(event: &str) -> Batch {
    match decode(event.as_bytes()) {
        Ok(Event::Changes(batch)) => batch,
        other => panic!("{event}: {other:?}"),
    }
}

/// Each message's ID, keys and number of failures, in order. Panics unless every change and every failure belongs to
/// exactly one message.
fn by_message(batch: &Batch) -> Vec<(&str, Vec<&str>, usize)> {
    let messages = batch.messages.as_deref().unwrap();
    let (mut changes, mut failed) = (0, 0);
    for (index, message) in messages.iter().enumerate() {
        assert_eq!((message.changes.start, message.failed.start), (changes, failed), "{batch:?}");
        for error in &batch.failed[message.failed.clone()] {
            assert!(error.at.starts_with(&format!("Records[{index}]")), "{error}");
        }
        for change in message.changes.clone() {
            assert_eq!(batch.message_of(change), Some(message));
        }
        (changes, failed) = (message.changes.end, message.failed.end);
    }
    assert_eq!((changes, failed), (batch.changes.len(), batch.failed.len()), "{batch:?}");
    let keys = |range: std::ops::Range<usize>| batch.changes[range].iter().map(|it| it.key.as_str()).collect();
    messages.iter().map(|it| (&*it.id, keys(it.changes.clone()), it.failed.len())).collect()
}

/// Checks that a batch decodes to what its messages were made of.
fn check(event: &str, expected: &[Expected]) {
    let batch = decoded(event);
    let messages = by_message(&batch);
    assert_eq!(messages.len(), expected.len(), "no message is lost");
    for (index, (message, expected)) in messages.into_iter().zip(expected).enumerate() {
        let keys = expected.keys.iter().map(String::as_str).collect();
        assert_eq!(message, (format!("m{index}").as_str(), keys, expected.failed), "{event}");
    }
    assert_eq!(batch.skipped.len(), expected.iter().map(|it| it.skipped).sum::<usize>());
    assert_eq!(batch.test_events, expected.iter().map(|it| it.test_events).sum::<usize>());
}

/// A batch with `body` between two valid messages.
fn between(body: &str) -> String {
    let good = r#"{"source":"aws.s3","detail-type":"Object Created","detail":{"bucket":{"name":"site"},"object":{"key":"k"}}}"#;
    batch(&[good.to_owned(), body.to_owned(), good.to_owned()], "m", &mut Writer::plain())
}

/// Checks that the messages around the middle one are unaffected; returns whether the middle one failed.
fn fails_between(body: &str) -> bool {
    let event = between(body);
    let batch = decoded(&event);
    let messages = by_message(&batch);
    assert_eq!((&messages[0], &messages[2]), (&("m0", vec!["k"], 0), &("m2", vec!["k"], 0)), "{event}");
    assert_eq!(messages.len(), 3);
    messages[1].2 > 0
}

/// The fields that identify each kind of event, and no others.
fn kinds() -> Vec<Vec<(&'static str, String)>> {
    let fields =
        |fields: &[(&'static str, &str)]| fields.iter().map(|&(name, value)| (name, value.to_owned())).collect();
    vec![
        fields(&[("Records", "[]")]),
        fields(&[("Event", "\"s3:TestEvent\"")]),
        fields(&[("Type", "\"Notification\""), ("Message", "\"{}\"")]),
        fields(&[("source", "\"aws.s3\""), ("detail-type", "\"Object Created\""), ("detail", "{}")]),
        fields(&[("source", "\"aws.events\""), ("detail-type", "\"Scheduled Event\""), ("detail", "{}")]),
        fields(&[
            ("source", "\"lambda\""),
            ("detail-type", "\"Lambda Function Invocation Result - Failure\""),
            ("detail", "{\"Records\":[]}"),
        ]),
        fields(&[("requestContext", "{}"), ("requestPayload", "{\"Records\":[]}")]),
        fields(&[("CodePipeline.job", "{\"id\":\"1\",\"data\":{}}")]),
    ]
}

#[test]
fn an_object_with_the_fields_of_two_kinds_is_of_unknown_kind() {
    let kinds = kinds();
    for (index, kind) in kinds.iter().enumerate() {
        assert!(decode(Writer::plain().object(kind).as_bytes()).is_ok(), "{kind:?}");
        for other in &kinds[index..] {
            let both = [kind.as_slice(), other.as_slice()].concat();
            for seed in 0..20 {
                let event = Writer::by_chance(seed).object(&both);
                assert_eq!(decode(event.as_bytes()), Err(EventError::UnknownKind), "{event}");
                assert!(fails_between(&event));
            }
        }
    }
}

#[test]
fn envelopes_are_opened_to_their_bound_and_no_deeper() {
    for envelope in ENVELOPES {
        let mut event = NestedEvent::Bridge("k".into());
        for _ in 0..=MOST_ENVELOPES {
            let fits = event.envelopes() <= MOST_ENVELOPES;
            assert_eq!(fails_between(&event.write(&mut Writer::plain())), !fits, "{event:?}");
            event = NestedEvent::In(envelope, vec![event]);
        }
    }
}

#[test]
fn the_last_field_can_decide_the_kind() {
    let new: Vec<_> = (0..200).map(|index| format!("\"new{index}\":{index},")).collect();
    let event = NestedEvent::Bridge("k".into()).write(&mut Writer::plain());
    let longer = event.replacen('{', &format!("{{{}", new.concat()), 1);
    assert_eq!(decoded(&longer), decoded(&event));
    let of_two_kinds = format!("{},\"Records\":[]}}", longer.strip_suffix('}').unwrap());
    assert_eq!(decode(of_two_kinds.as_bytes()), Err(EventError::UnknownKind));
}

/// A mistyped field must not turn a request into another one, such as the invalidation of everything.
#[test]
fn a_direct_invocation_with_an_unknown_field_is_an_error() {
    let request = r#"{"distributionId":"E1","paths":["/a"],"item":"/b"}"#;
    assert!(matches!(decode(request.as_bytes()), Err(EventError::Request(_))));
    let hello_world = r#""key1":"a","key2":"b","key3":"c""#;
    assert!(matches!(decode(format!("{{{hello_world}}}").as_bytes()), Ok(Event::Request(_))));
    for times in [1, 30, 100] {
        let event = format!("{{{},\"distribution\":\"E1\"}}", vec![hello_world; times].join(","));
        let decoded = decode(event.as_bytes());
        assert!(matches!(decoded, Err(EventError::Request(_) | EventError::UnknownKind)), "{times}: {decoded:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn each_message_decodes_to_its_own_changes_and_failures(bodies in bodies(), seed in any::<u64>()) {
        let mut writer = Writer::by_chance(seed);
        let texts: Vec<_> = bodies.iter().map(|body| body.write(&mut writer)).collect();
        let expected: Vec<_> = bodies.iter().map(Body::expected).collect();
        check(&batch(&texts, "m", &mut writer), &expected);
    }

    #[test]
    fn a_truncated_message_fails_alone(
        bodies in vec(event().prop_map(Body::Event), 1..5),
        which in any::<Index>(),
        cut in any::<Index>(),
        seed in any::<u64>(),
    ) {
        let mut writer = Writer::by_chance(seed);
        let mut texts: Vec<_> = bodies.iter().map(|body| body.write(&mut writer)).collect();
        let mut expected: Vec<_> = bodies.iter().map(Body::expected).collect();
        let which = which.index(texts.len());
        let text = &mut texts[which];
        let ends: Vec<_> = text.char_indices().map(|(at, _)| at).collect();
        text.truncate(ends[cut.index(ends.len())]);
        expected[which] = Expected { failed: 1, ..Expected::default() };
        check(&batch(&texts, "m", &mut writer), &expected);
    }

    #[test]
    fn the_layout_of_the_json_makes_no_difference(event in event(), seed in any::<u64>()) {
        let (plain, written) = (event.write(&mut Writer::plain()), event.write(&mut Writer::by_chance(seed)));
        let (decoded_plain, is_batch) = (decode(plain.as_bytes()), matches!(event, NestedEvent::In(Envelope::Queue, _)));
        if let Ok(Event::Changes(batch)) = &decoded_plain {
            // Only a batch that is not wrapped has messages: nobody reads the batch item failures of another.
            prop_assert_eq!(batch.messages.is_some(), is_batch);
        }
        prop_assert_eq!(decode(written.as_bytes()), decoded_plain, "{}", written);
        prop_assert_eq!(decoded(&between(&written)), decoded(&between(&plain)), "{}", written);
    }

    #[test]
    fn a_truncated_event_is_not_json(which in any::<Index>(), cut in any::<Index>()) {
        let names: Vec<_> = sources::names().collect();
        let event = sources::read(&names[which.index(names.len())]);
        let event = event.trim_ascii();
        let cut = &event[..cut.index(event.len())];
        prop_assert!(matches!(decode(cut), Err(EventError::NotJson(_))), "{}", String::from_utf8_lossy(cut));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = decode(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = decode(text.as_bytes());
        fails_between(&text);
    }

    #[test]
    fn json_never_panics_and_affects_no_other_message(json in odd_json::json()) {
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok();
        prop_assert!(is_json || decode(json.as_bytes()).is_err(), "{}", json);
        let failed = fails_between(&json);
        prop_assert!(is_json || failed, "{}", json);
    }
}

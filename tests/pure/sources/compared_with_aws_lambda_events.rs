//! Compares what `decode` reads from the event files with what `aws_lambda_events`, an independent decoder, reads.

use aws_lambda_events::event::codepipeline_job::CodePipelineJobEvent;
use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_lambda_events::event::s3::S3Event;
use aws_lambda_events::event::sns::{SnsEvent, SnsMessage};
use aws_lambda_events::event::sqs::SqsEvent;
use s3_cloudfront_invalidator::change::{Batch, Region};
use s3_cloudfront_invalidator::event::{Event, EventError, Request, decode};
use serde_json::Value;

use super::{queue, read, requests, services};

fn batch(event: &[u8]) -> Batch {
    match decode(event) {
        Ok(Event::Changes(batch)) => batch,
        other => panic!("{other:?}"),
    }
}

/// Bucket, Region and key of each change in a text, as `aws_lambda_events` reads it.
fn changes(text: &str) -> Vec<(String, String, String)> {
    if let Ok(event) = serde_json::from_str::<S3Event>(text) {
        let records = event.records.into_iter();
        let content = records.filter(|it| !it.event_name.as_deref().unwrap().starts_with("ObjectTagging"));
        return content
            .filter_map(|record| {
                let form = format!("key={}", record.s3.object.key.unwrap());
                let (_, key) = form_urlencoded::parse(form.as_bytes()).next().unwrap();
                // `form_urlencoded` writes U+FFFD into keys that `decode` refuses.
                let key = (!key.contains('\u{fffd}')).then(|| key.into_owned())?;
                Some((record.s3.bucket.name.unwrap(), record.aws_region.unwrap(), key))
            })
            .collect();
    }
    if let Ok(envelope) = serde_json::from_str::<SnsMessage>(text) {
        return changes(&envelope.message);
    }
    match serde_json::from_str::<EventBridgeEvent>(text) {
        Ok(event) if event.source == "aws.s3" => vec![literal(event)],
        _ => Vec::new(),
    }
}

fn literal(event: EventBridgeEvent) -> (String, String, String) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&event.detail["bucket"]["name"]), event.region.unwrap(), text(&event.detail["object"]["key"]))
}

/// The same, as `decode` reads it.
fn ours(batch: &Batch) -> Vec<(String, String, String)> {
    let region = |region: &Option<Region>| region.as_ref().unwrap().as_str().to_owned();
    let changes = batch.changes.iter();
    changes.map(|it| (it.bucket.name.to_string(), region(&it.bucket.region), it.key.as_str().to_owned())).collect()
}

#[test]
fn sqs_messages_decode_to_the_same_ids_and_objects() {
    for (name, _) in queue::SQS {
        let event = read(&format!("sqs/{name}"));
        let theirs: SqsEvent = serde_json::from_slice(&event).unwrap();
        let batch = batch(&event);
        let ids: Vec<_> = theirs.records.iter().filter_map(|message| message.message_id.as_deref()).collect();
        assert_eq!(batch.messages.iter().flatten().map(|it| &*it.id).collect::<Vec<_>>(), ids, "{name}");
        // A message without an ID is not decoded.
        let named = theirs.records.iter().filter(|message| message.message_id.is_some());
        let bodies = named.filter_map(|message| message.body.as_deref());
        assert_eq!(ours(&batch), bodies.flat_map(changes).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn sns_messages_decode_to_the_same_objects() {
    for (name, _) in services::SNS {
        let event = read(&format!("sns/{name}"));
        let theirs: SnsEvent = serde_json::from_slice(&event).unwrap();
        let messages = theirs.records.iter().map(|record| record.sns.message.as_str());
        assert_eq!(ours(&batch(&event)), messages.flat_map(changes).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn eventbridge_events_decode_to_the_same_type_and_object() {
    for (name, _) in services::EVENTBRIDGE {
        let event = read(&format!("eventbridge/{name}"));
        let theirs: EventBridgeEvent = serde_json::from_slice(&event).unwrap();
        match decode(&event) {
            Ok(Event::Changes(batch)) => {
                assert_eq!(theirs.source, "aws.s3", "{name}");
                let content = ["Object Created", "Object Deleted"].contains(&theirs.detail_type.as_str());
                assert_eq!(batch.skipped.is_empty(), content, "{name}");
                assert!(content || batch.skipped[0].event_name == theirs.detail_type, "{name}");
                if !batch.changes.is_empty() {
                    assert_eq!(ours(&batch), [literal(theirs)], "{name}");
                }
            }
            Ok(Event::Request(request)) => {
                assert_ne!(theirs.source, "aws.s3", "{name}");
                assert_eq!(request, Request::default(), "{name}");
            }
            Ok(Event::Schedule) => assert_eq!(theirs.source, "aws.events", "{name}"),
            Err(EventError::NamedInside { .. }) => assert_ne!(theirs.source, "aws.s3", "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn codepipeline_jobs_decode_to_the_same_id_parameters_and_token() {
    for (name, _) in requests::CODEPIPELINE {
        let event = read(&format!("codepipeline/{name}"));
        // Never formatted with `Debug`, which would print the credentials.
        let theirs: CodePipelineJobEvent = serde_json::from_slice(&event).unwrap();
        let theirs = theirs.code_pipeline_job;
        let Some(id) = theirs.id else {
            assert!(decode(&event).is_err(), "{name}");
            continue;
        };
        let Ok(Event::Job(job)) = decode(&event) else { panic!("{name}") };
        assert_eq!((job.id.as_str(), job.continuation_token), (id.as_str(), theirs.data.continuation_token), "{name}");
        let request = match theirs.data.action_configuration.configuration.user_parameters {
            None => Ok(Request::default()),
            Some(text) => Request::parse_parameters(&text),
        };
        assert_eq!(job.request.ok(), request.ok(), "{name}");
    }
}

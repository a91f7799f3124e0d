//! Events of every source as files, each named by what it shows, and what each is decoded to.
//!
//! The fields and their order are those of AWS's own examples. Sources: Lambda developer guide, "Using Lambda with
//! Amazon SQS", "… with Amazon SNS", "Capturing records of Lambda asynchronous invocations"; SNS developer guide,
//! "Parsing Amazon SNS message formats"; S3 user guide, "EventBridge event message structure"; CodePipeline user guide,
//! "JSON event example".

mod compared_with_aws_lambda_events;
mod queue;
mod requests;
mod services;
mod variants;

use std::collections::BTreeSet;
use std::fs;

use s3_cloudfront_invalidator::change::{Batch, Bucket, ObjectKey, Region};
use s3_cloudfront_invalidator::event::{Event, Request, RequestKind, RequestTarget, decode};

/// A file's name and what it is decoded to, line by line.
type Expected = (&'static str, &'static [&'static str]);

/// The files and what they are decoded to, by directory.
const SOURCES: [(&str, &[Expected]); 8] = [
    ("sqs", queue::SQS),
    ("message-variants", variants::MESSAGES),
    ("sns", services::SNS),
    ("eventbridge", services::EVENTBRIDGE),
    ("eventbridge-variants", variants::EVENTBRIDGE),
    ("codepipeline", requests::CODEPIPELINE),
    ("direct", requests::DIRECT),
    ("nested", services::NESTED),
];

fn path(name: &str) -> String {
    format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(name: &str) -> Vec<u8> {
    let path = path(&format!("{name}.json"));
    fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The names of all files, with their directories.
pub(crate) fn names() -> impl Iterator<Item = String> {
    SOURCES.into_iter().flat_map(|(directory, files)| files.iter().map(move |(name, _)| format!("{directory}/{name}")))
}

/// All that an event is decoded to, as text. Only the source and the times of a [`Batch`] are left out.
fn decoded_lines(event: &[u8]) -> Vec<String> {
    match decode(event) {
        Ok(Event::Changes(batch)) => batch_lines(&batch),
        Ok(Event::Job(job)) => {
            let mut lines = vec![format!("job {}", job.id)];
            lines.push(match &job.request {
                Ok(request) => request_text(request),
                Err(error) => format!("refused {error}"),
            });
            lines.extend(job.continuation_token.map(|token| format!("token {token}")));
            lines
        }
        Ok(Event::Request(request)) => vec![request_text(&request)],
        Ok(Event::Poll(poll)) => vec![format!("{poll:?}")],
        Ok(Event::Schedule) => vec!["schedule".to_owned()],
        Err(error) => vec![format!("error {}", error.reason())],
    }
}

fn batch_lines(batch: &Batch) -> Vec<String> {
    let Batch { source: _, times: _, messages, changes, skipped, test_events, failed, unlisted_failures } = batch;
    let mut lines = Vec::new();
    for message in messages.iter().flatten() {
        lines.push(format!("message {} changes {:?} failed {:?}", message.id, message.changes, message.failed));
    }
    lines
        .extend(changes.iter().map(|change| format!("change {} {}", bucket_text(&change.bucket), change.key.as_str())));
    lines.extend(skipped.iter().map(|record| format!("skipped {}", record.event_name)));
    lines.extend((*test_events > 0).then(|| format!("test events {test_events}")));
    lines.extend(failed.iter().map(|error| format!("failed {}: {}", error.at, error.reason)));
    lines.extend((*unlisted_failures > 0).then(|| format!("failed too {unlisted_failures}")));
    lines
}

fn bucket_text(bucket: &Bucket) -> String {
    format!("{} {}", bucket.name, bucket.region.as_ref().map_or("anywhere", Region::as_str))
}

fn request_text(request: &Request) -> String {
    let kind = match &request.kind {
        RequestKind::Paths { target: of, paths: items, left_out } => {
            let of = match of {
                RequestTarget::Distribution(id) => id.to_string(),
                RequestTarget::Bucket(bucket) => bucket_text(bucket),
                RequestTarget::Default => "own".into(),
            };
            let items: Vec<_> = items.iter().map(ToString::to_string).collect();
            let left_out = if *left_out > 0 { format!("; {left_out} left out") } else { String::new() };
            format!("paths of {of}: {}{left_out}", items.join(" "))
        }
        RequestKind::Keys { bucket, keys } => {
            let keys: Vec<_> = keys.iter().map(ObjectKey::as_str).collect();
            format!("keys of {}: {}", bucket_text(bucket), keys.join(" "))
        }
    };
    match request.wait {
        None => kind,
        Some(seconds) => format!("{kind}; wait {seconds}"),
    }
}

#[test]
fn every_file_is_decoded_as_listed() {
    for (directory, expected) in SOURCES {
        for (name, lines) in expected {
            assert_eq!(decoded_lines(&read(&format!("{directory}/{name}"))), *lines, "{directory}/{name}");
        }
    }
}

#[test]
fn every_file_is_listed_once() {
    for (directory, expected) in SOURCES {
        let listed: BTreeSet<_> = expected.iter().map(|(name, _)| format!("{name}.json")).collect();
        assert_eq!(listed.len(), expected.len(), "{directory}");
        let files = fs::read_dir(path(directory)).unwrap();
        let files: BTreeSet<_> = files.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files, listed, "{directory}");
    }
}

#[test]
fn each_change_of_a_batch_belongs_to_exactly_one_message() {
    for (name, _) in queue::SQS {
        let Ok(Event::Changes(batch)) = decode(&read(&format!("sqs/{name}"))) else { panic!("{name}") };
        for index in 0..batch.changes.len() {
            let messages = batch.messages.iter().flatten().filter(|it| it.changes.contains(&index));
            assert_eq!(messages.collect::<Vec<_>>(), batch.message_of(index).into_iter().collect::<Vec<_>>(), "{name}");
        }
    }
}

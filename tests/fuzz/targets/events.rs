//! Events: whole ones from any source, and single messages between others of an SQS batch.

use proptest::test_runner::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};
use s3_cloudfront_invalidator::change::{Batch, Change};
use s3_cloudfront_invalidator::event::{Event, EventError, Request, RequestKind, RequestTarget, decode};
use s3_cloudfront_invalidator::local::events::{notification, record, sns_notification, sqs};
use s3_cloudfront_invalidator::report::InvocationError;
use serde_json::Value;

use crate::driver::Checked;
use crate::rules::{check_one_line, is_distribution, is_path, magnitude, message_kind};
use crate::targets::grammar::{is_bucket, is_region};

/// The longest error message about one unreadable value, in bytes: an excerpt of up to 80 characters, each up to ten
/// times as long when escaped, the text around it, and a location in up to nine envelopes.
const LONGEST: usize = 2000;

pub(crate) fn event(event: &[u8]) -> Checked {
    let decoded = decode(event);
    prop_assert_eq!(&decoded, &decode(event));
    prop_assert!(decoded.is_err() || serde_json::from_slice::<serde::de::IgnoredAny>(event).is_ok(), "no JSON");
    let behaviour = match &decoded {
        Ok(Event::Changes(batch)) => changes(batch, event.len())?,
        Ok(Event::Request(request)) => check_request(request)?,
        Ok(Event::Poll(_)) => "poll".to_owned(),
        Ok(Event::Schedule) => "schedule".to_owned(),
        Ok(Event::Job(job)) => {
            let id = job.id.as_str();
            prop_assert!((1..=64).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
            match &job.request {
                Ok(request) => format!("job {}", check_request(request)?),
                Err(error) => {
                    check_one_line(&error.to_string(), LONGEST)?;
                    format!("job {}", message_kind(&error.to_string()))
                }
            }
        }
        Err(error) => refused(error)?,
    };
    // Serialized again, the event has no field twice, so that another parser can check the result.
    if let Ok(value) = serde_json::from_slice::<Value>(event) {
        let compact = decode(value.to_string().as_bytes());
        let pretty = decode(serde_json::to_string_pretty(&value)?.as_bytes());
        prop_assert_eq!(outline(&compact), outline(&pretty));
        if let (Some((service, records)), Ok(Event::Changes(batch))) = (records(&value), &compact) {
            counted(service, records, batch)?;
        }
    }
    Ok(behaviour)
}

pub(crate) fn parameters(text: &[u8]) -> Checked {
    let text = String::from_utf8_lossy(text);
    match Request::parse_parameters(&text) {
        Ok(request) => {
            let id = text.trim().trim_matches('"');
            let is_known = text.trim().starts_with('{') || id.is_empty() || is_distribution(id);
            prop_assert!(is_known, "everything is invalidated for {}", text);
            check_request(&request)
        }
        Err(error) => {
            check_one_line(&error.to_string(), LONGEST)?;
            Ok(message_kind(&error.to_string()))
        }
    }
}

fn refused(error: &EventError) -> Checked {
    if let EventError::NotJson(index) = error {
        // The parser's message with the position; nothing of the event.
        check_one_line(index, 120)?;
    }
    check_one_line(&error.reason(), LONGEST)?;
    check_one_line(&error.to_string(), LONGEST)?;
    check_one_line(&format!("{:?}", InvocationError::from(error.clone())), LONGEST)?;
    Ok(message_kind(&error.reason()))
}

/// Checks what holds for every batch that was decoded from `length` bytes.
fn changes(batch: &Batch, length: usize) -> Checked {
    let Batch { source: _, times, messages, changes, skipped, test_events, failed, unlisted_failures } = batch;
    // Each entry takes at least two bytes of the event, and its text was in the event.
    prop_assert!(2 * (changes.len() + skipped.len() + test_events + failed.len() + unlisted_failures) <= length);
    prop_assert_eq!(times.len(), changes.len());
    prop_assert!(changes.iter().map(|change| change.key.as_str().len()).sum::<usize>() <= length);
    for Change { bucket, key } in changes {
        prop_assert!(is_bucket(bucket.name.as_str()), "{bucket:?}");
        prop_assert!(bucket.region.as_ref().is_none_or(|region| is_region(region.as_str())), "{bucket:?}");
        prop_assert!((1..=1024).contains(&key.as_str().len()));
    }
    for skipped in skipped {
        check_one_line(&skipped.event_name, LONGEST)?;
    }
    for error in failed {
        check_one_line(&error.to_string(), LONGEST)?;
    }
    let (mut change, mut failure) = (0, 0);
    for message in messages.iter().flatten() {
        prop_assert!(!message.id.is_empty());
        prop_assert!(change <= message.changes.start && message.changes.start <= message.changes.end);
        prop_assert!(failure <= message.failed.start && message.failed.start <= message.failed.end);
        (change, failure) = (message.changes.end, message.failed.end);
        for index in message.changes.clone() {
            prop_assert_eq!(batch.message_of(index), Some(message));
        }
    }
    prop_assert!(change <= changes.len() && failure <= failed.len());
    let first = failed.first().map(|error| message_kind(&error.to_string())).unwrap_or_default();
    let sizes = [changes.len(), skipped.len(), *test_events, failed.len()].map(magnitude);
    Ok(format!("changes {sizes:?} {:?} {first}", messages.as_ref().map(|it| magnitude(it.len()))))
}

fn check_request(request: &Request) -> Checked {
    prop_assert!(request.wait.is_none_or(|seconds| (1..=3600).contains(&seconds)));
    Ok(match &request.kind {
        RequestKind::Paths { target: of, paths: items, left_out: _ } => {
            prop_assert!(!items.is_empty());
            for item in items {
                prop_assert!(item.as_str().starts_with('#') || is_path(item.as_str(), true), "{item}");
            }
            let kind = match of {
                RequestTarget::Distribution(id) => {
                    prop_assert!(is_distribution(id.as_str()), "{id}");
                    "distribution"
                }
                RequestTarget::Bucket(bucket) => {
                    prop_assert!(is_bucket(bucket.name.as_str()), "{bucket:?}");
                    "bucket"
                }
                RequestTarget::Default => "default",
            };
            format!("items {kind} {}", magnitude(items.len()))
        }
        RequestKind::Keys { bucket, keys } => {
            prop_assert!(is_bucket(bucket.name.as_str()) && !keys.is_empty());
            format!("keys {}", magnitude(keys.len()))
        }
    })
}

/// The records of an event that holds nothing else, and the service that all of them are from.
fn records(event: &Value) -> Option<(&str, &[Value])> {
    let records = event.as_object().filter(|fields| fields.len() == 1)?.get("Records")?.as_array()?;
    let service = records.first()?.get("eventSource")?.as_str()?;
    let pure = |record: &Value| record.get("EventSource").is_none() && record["eventSource"] == *service;
    records.iter().all(pure).then_some((service, records.as_slice()))
}

/// Checks that each S3 record is in exactly one list, and that each SQS message has its own changes and failures.
fn counted(service: &str, records: &[Value], batch: &Batch) -> Result<(), TestCaseError> {
    if service == "aws:s3" {
        prop_assert_eq!(
            batch.changes.len() + batch.skipped.len() + batch.failed.len() + batch.unlisted_failures,
            records.len()
        );
        prop_assert_eq!(&batch.messages, &None);
    } else if service == "aws:sqs" {
        let ids: Vec<_> =
            records.iter().filter_map(|it| it["messageId"].as_str()).filter(|it| !it.is_empty()).collect();
        let messages = batch.messages.as_deref().unwrap_or_default();
        prop_assert_eq!(messages.iter().map(|it| &*it.id).collect::<Vec<_>>(), ids.clone());
        if ids.len() == records.len() {
            prop_assert_eq!(messages.iter().map(|it| it.changes.len()).sum::<usize>(), batch.changes.len());
            prop_assert_eq!(messages.iter().map(|it| it.failed.len()).sum::<usize>(), batch.failed.len());
        }
    }
    Ok(())
}

/// What an event decodes to, without error texts, since these give line and column.
fn outline(decoded: &Result<Event, EventError>) -> String {
    match decoded {
        Ok(Event::Changes(batch)) => {
            let Batch { source, times, messages, changes, skipped, test_events, failed, unlisted_failures } = batch;
            let failed: Vec<_> = failed.iter().map(|error| &error.at).collect();
            format!(
                "{source:?} {changes:?} {times:?} {skipped:?} {test_events} {failed:?} {unlisted_failures} {messages:?}"
            )
        }
        Ok(Event::Request(request)) => format!("{request:?}"),
        Ok(Event::Poll(poll)) => format!("{poll:?}"),
        Ok(Event::Schedule) => "schedule".to_owned(),
        Ok(Event::Job(job)) => format!("{:?} {:?}", job.id, job.request.as_ref().ok()),
        Err(error) => format!("{:?}", std::mem::discriminant(error)),
    }
}

/// A message body between two valid ones, as it is and in an SNS notification.
pub(crate) fn message(body: &[u8]) -> Checked {
    let body = String::from_utf8_lossy(body);
    let good = notification(&[record("ObjectCreated:Put", "site", "good.txt")]);
    let mut behaviour = String::new();
    for body in [body.clone().into_owned(), sns_notification(&body)] {
        let event = sqs(&[("first", &good), ("fuzzed", &body), ("last", &good)]);
        let Ok(Event::Changes(batch)) = decode(event.as_bytes()) else {
            return Err(TestCaseError::fail("one message took the others with it"));
        };
        behaviour = changes(&batch, event.len())?;
        let messages = batch.messages.clone().unwrap_or_default();
        prop_assert_eq!(messages.iter().map(|it| &*it.id).collect::<Vec<_>>(), ["first", "fuzzed", "last"]);
        let [first, fuzzed, last] = &messages[..] else { unreachable!("three") };
        for good in [first, last] {
            prop_assert_eq!((good.changes.len(), good.failed.len()), (1, 0));
        }
        let (found, failed) = (&batch.changes[fuzzed.changes.clone()], &batch.failed[fuzzed.failed.clone()]);
        for error in failed {
            prop_assert!(error.at.starts_with("Records[1].body"), "{error}");
        }
        match decode(body.as_bytes()) {
            // Decoded alone, the event is in one envelope less, which may be few enough.
            _ if failed
                .iter()
                .any(|error| error.reason.ends_with("nested too deeply in SQS, SNS or invocation records")) => {}
            // An SQS batch decoded alone needs message IDs. Within a message it does not, as nobody reads its batch
            // item failures.
            Ok(Event::Changes(alone)) if alone.failed.iter().any(|error| error.at.ends_with("messageId")) => {}
            Ok(Event::Changes(alone)) => {
                prop_assert_eq!(found, &alone.changes[..]);
                prop_assert_eq!(failed.len() + batch.unlisted_failures, alone.failed.len() + alone.unlisted_failures);
                prop_assert_eq!((&batch.skipped, batch.test_events), (&alone.skipped, alone.test_events));
            }
            Ok(Event::Poll(_)) => prop_assert_eq!((found.len(), failed.len(), batch.skipped.len()), (0, 0, 1)),
            // Of an SNS event that names nothing as a whole, each message fails.
            Ok(Event::Request(_)) => prop_assert!(found.is_empty() && !failed.is_empty()),
            Ok(Event::Job(_) | Event::Schedule) | Err(_) => prop_assert_eq!((found.len(), failed.len()), (0, 1)),
        }
    }
    Ok(behaviour)
}

//! Delivers each event in the fixture files once to a function with a distribution of its own, and once to one without.

mod expected;

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use s3_cloudfront_invalidator::local::{FakeDistribution, FakeJob, InvocationOutcome, PutResult, State};
use serde_json::Value;

use crate::harness::{Harness, state};
use expected::EXPECTED;

/// The expected outcome of an event, line by line.
type ExpectedLines = &'static [&'static str];

/// An event, its expected outcome without `DISTRIBUTION_ID`, and the outcome with it if that differs.
type Expected = (&'static str, ExpectedLines, Option<ExpectedLines>);

/// The value of `DISTRIBUTION_ID`. No bucket's tag names it.
const OWN: &str = "E2EXAMPLE3IJKL";

fn directory() -> String {
    format!("{}/tests/fixtures", env!("CARGO_MANIFEST_DIR"))
}

/// A state with the buckets, distributions and jobs that the files name.
fn named() -> State {
    let mut state = state(&[("example-site", "E2EXAMPLE1ABCD"), ("example-docs", "E2EXAMPLE2EFGH")]);
    state.buckets.get_mut("example-docs").unwrap().region = "us-east-1".into();
    state.distributions.insert(OWN.into(), FakeDistribution { delay: Duration::ZERO, ..FakeDistribution::default() });
    let ids = EXPECTED.iter().filter_map(|(name, ..)| {
        let event: Value = serde_json::from_slice(&read(name)).unwrap();
        let job = [&event, &event["requestPayload"]].into_iter().find_map(|it| it.get("CodePipeline.job"))?;
        job["id"].as_str().map(str::to_owned)
    });
    state.jobs = ids.map(|id| (id, FakeJob::default())).collect();
    state
}

fn read(name: &str) -> Vec<u8> {
    fs::read(format!("{}/{name}.json", directory())).unwrap()
}

/// The outcome of an event: the response, the results of jobs, and the accepted invalidations.
async fn outcome(harness: &Harness, name: &str) -> Vec<String> {
    let before = happened(harness);
    // The request id is part of a URL.
    let mut lines = match harness.invoke(&name.replace('/', "-"), read(name)).await {
        InvocationOutcome::Response(body) => answer(&serde_json::from_slice(&body).unwrap()),
        InvocationOutcome::Error { error_type, message } => {
            vec![format!("{error_type}: {}", message.split("; accepted events:").next().unwrap())]
        }
        InvocationOutcome::TimedOut => panic!("{name}: timed out"),
    };
    lines.extend(happened(harness).difference(&before).map(|(.., line)| line.clone()));
    lines
}

fn answer(body: &Value) -> Vec<String> {
    if let Some(failures) = body.get("batchItemFailures") {
        let failures = failures.as_array().unwrap().iter();
        return failures.map(|it| format!("again {}", it["itemIdentifier"].as_str().unwrap())).collect();
    }
    let mut lines = Vec::new();
    for skipped in body["skipped"].as_array().unwrap() {
        let of = skipped.get("eventName").map_or_else(String::new, |it| format!(" {it}"));
        lines.push(format!("skipped {} {}{of}", skipped["changes"], skipped["code"].as_str().unwrap()));
    }
    for sent in body["invalidations"].as_array().unwrap() {
        assert_eq!(sent["status"], "accepted", "{body}");
        lines.extend(sent.get("invalidationStatus").map(|status| format!("waited until {status}")));
    }
    lines
}

/// The results and invalidations so far: the id of the job or distribution, the index in it, and the outcome as text.
fn happened(harness: &Harness) -> BTreeSet<(String, usize, String)> {
    harness.aws.with(|state| {
        let results = state.jobs.iter().flat_map(|(id, job)| {
            job.results.iter().enumerate().map(move |(index, it)| (id.clone(), index, result(it)))
        });
        let invalidations = state.distributions.iter().flat_map(|(id, distribution)| {
            distribution.invalidations.iter().enumerate().map(move |(index, it)| {
                // Cache tags work only on a distribution that is configured for them, as none in the fake AWS is.
                assert!(it.ineffective.iter().all(|item| item.starts_with('#')), "{it:?}");
                (id.clone(), index, format!("{id} {}", it.paths.join(" ")))
            })
        });
        results.chain(invalidations).collect()
    })
}

fn result(result: &PutResult) -> String {
    match result {
        PutResult::Success { continuation_token: Some(_), .. } => "job continued".into(),
        PutResult::Success { summary, .. } => format!("job succeeded: {}", summary.as_deref().unwrap()),
        PutResult::Failure { failure_type, message, .. } => format!("job failed: {failure_type}: {message}"),
    }
}

/// Delivers every event once to one function, whose log must not contain the credentials of jobs.
async fn check(variables: &[(&str, &str)], expected: impl Fn(&Expected) -> ExpectedLines) {
    let harness = Harness::start(named(), variables).await;
    for event in EXPECTED {
        assert_eq!(outcome(&harness, event.0).await, expected(event), "{}", event.0);
    }
    let log = harness.function.stop().await.unwrap().join("\n");
    for credential in ["EXAMPLE-access-key-id", "EXAMPLE-secret-access-key", "EXAMPLE-session-token"] {
        assert!(!log.contains(credential), "{credential}");
    }
}

#[tokio::test]
async fn every_event_has_the_listed_outcome_without_a_default_distribution() {
    check(&[], |(_, without, _)| without).await;
}

#[tokio::test]
async fn every_event_has_the_listed_outcome_with_a_default_distribution() {
    check(&[("DISTRIBUTION_ID", OWN)], |(_, without, with)| with.unwrap_or(without)).await;
}

#[test]
fn every_file_is_listed_once() {
    let listed: BTreeSet<_> = EXPECTED.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(listed.len(), EXPECTED.len());
    let mut files = BTreeSet::new();
    for source in
        ["sqs", "sns", "message-variants", "eventbridge", "eventbridge-variants", "codepipeline", "direct", "nested"]
    {
        for file in fs::read_dir(format!("{}/{source}", directory())).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            files.insert(format!("{source}/{}", file.trim_end_matches(".json")));
        }
    }
    assert_eq!(files, listed);
}

//! A deployment of 5,000 files that CloudFront throttles: its requests, paths, price and time, and the changes that
//! are never invalidated.
//!
//! The function behind its queue is measured in real time. Everything else takes minutes or hours of waiting, and is
//! computed ([`super::model`]).

use std::fmt::Write;
use std::time::{Duration, Instant};

use s3_cloudfront_invalidator::local::events::{notification, record, sqs};
use s3_cloudfront_invalidator::local::{
    FakeAws, FakeBucket, FakeDistribution, FunctionProcess, InvocationOutcome, Invoke, Lambda, State,
};
use s3_cloudfront_invalidator::plan::PATHS_PER_DOLLAR;
use serde_json::{Value, json};

use super::contender::{Contenders, Kind};
use super::session::config;
use super::{Result, Transport, model};

pub(super) const CHANGES: usize = 5000;
const BATCH: usize = 1000;

/// The number of batches handled at the same time, as in the template.
pub(super) const CONCURRENCY: usize = 2;

/// The minimum time between two invalidations of an account. Source: AWS staff in aws-sdk-js#3983: 0.5 requests a
/// second.
pub(super) const THROTTLE: Duration = Duration::from_secs(2);

/// How often a message is received before it goes to the dead-letter queue, as in the template.
pub(super) const RECEIVES: usize = 5;

/// The outcome of one deployment.
pub(super) struct Deploy {
    pub(super) name: &'static str,
    /// Whether it was measured in real time; otherwise it was computed.
    pub(super) measured: bool,
    /// The number of `CreateInvalidation` calls, throttled ones included.
    pub(super) requests: f64,
    /// The number of accepted paths, which are billed.
    pub(super) paths: f64,
    /// The number of changed objects that accepted invalidations match.
    pub(super) invalidated: f64,
    /// The time from the first event until the last invalidation was accepted, in seconds. For the measured
    /// deployment, until all batches were done.
    pub(super) seconds: f64,
    /// What happens to the remaining objects.
    pub(super) rest: &'static str,
}

impl Deploy {
    pub(super) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "measured": self.measured,
            "requests": self.requests,
            "paths": self.paths,
            "dollars": self.dollars(),
            "invalidated": self.invalidated,
            "neverInvalidated": CHANGES as f64 - self.invalidated,
            "seconds": self.seconds,
        })
    }

    /// The price in US dollars, beyond the free paths of the month.
    fn dollars(&self) -> f64 {
        self.paths / PATHS_PER_DOLLAR
    }
}

pub(super) async fn deploys(contenders: &Contenders) -> Result<Vec<Deploy>> {
    let mut deploys = vec![queued(contenders).await?];
    deploys.extend(model::deploys());
    Ok(deploys)
}

pub(super) fn markdown(deploys: &[Deploy]) -> String {
    let mut text = String::from(
        "| 5,000 files | | requests | paths | price | invalidated | never invalidated | time, s \
         | what happens to the rest |\n|---|---|--:|--:|--:|--:|--:|--:|---|\n",
    );
    for it in deploys {
        let how = if it.measured { "measured" } else { "computed" };
        let _ = writeln!(
            text,
            "| {} | {how} | {:.0} | {:.0} | ${:.3} | {:.0} | {:.0} | {:.0} | {} |",
            it.name,
            it.requests,
            it.paths,
            it.dollars(),
            it.invalidated,
            CHANGES as f64 - it.invalidated,
            it.seconds,
            it.rest
        );
    }
    text
}

fn key(number: usize) -> String {
    format!("section-{:02}/page-{number:04}.html", number / 84)
}

/// 5,000 of 6,000 objects change. They are uploaded in the order of their keys, so that a batch spans about twelve
/// folders.
async fn queued(contenders: &Contenders) -> Result<Deploy> {
    let mut state = State::default();
    state.throttle = Some(THROTTLE);
    let objects = (0..CHANGES).map(key).chain((0..1000).map(|it| format!("downloads/file-{it}.zip"))).collect();
    let bucket = FakeBucket { objects, ..FakeBucket::tagged(&[("distributionId", "EDEPLOY")]) };
    state.buckets.insert("site".into(), bucket);
    let settings = Some(config(&["site".to_owned()]));
    state.distributions.insert("EDEPLOY".into(), FakeDistribution { config: settings, ..FakeDistribution::default() });
    let aws = FakeAws::start(state).await?;

    let batches: Vec<_> =
        (0..CHANGES / BATCH).map(|batch| (batch * BATCH..(batch + 1) * BATCH).collect::<Vec<_>>()).collect();
    let began = Instant::now();
    // Each execution environment gets every other batch.
    let sandboxes = (0..CONCURRENCY).map(|sandbox| {
        let batches: Vec<_> = batches.iter().skip(sandbox).step_by(CONCURRENCY).cloned().collect();
        deliver(contenders, &aws, sandbox, batches)
    });
    for outcome in futures_util::future::join_all(sandboxes).await {
        outcome?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let accepted = aws.accepted_invalidations();
    let requests = aws.calls("CreateInvalidation").len();
    let paths: Vec<_> = accepted.iter().flat_map(|it| &it.paths).collect();
    let matches = |url: &str| {
        paths.iter().any(|path| path.strip_suffix('*').map_or(*path == url, |prefix| url.starts_with(prefix)))
    };
    let invalidated = (0..CHANGES).filter(|it| matches(&format!("/{}", key(*it)))).count();
    Ok(Deploy {
        name: "function, queued",
        measured: true,
        requests: requests as f64,
        paths: paths.len() as f64,
        invalidated: invalidated as f64,
        seconds,
        rest: "",
    })
}

/// Invokes one execution environment with its batches, one after the other. Failed messages are redelivered at once,
/// where SQS would wait for the visibility timeout, and as often as they may be received.
async fn deliver(contenders: &Contenders, aws: &FakeAws, sandbox: usize, batches: Vec<Vec<usize>>) -> Result<()> {
    let lambda = Lambda::start().await?;
    let variables = contenders.variables(Kind::FunctionProcess, Transport::Http);
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let function = FunctionProcess::start(&contenders.program(Kind::FunctionProcess), &lambda, aws, &variables)?;
    for (index, batch) in batches.into_iter().enumerate() {
        let mut left = batch;
        for receive in 0..RECEIVES {
            if left.is_empty() {
                break;
            }
            let body = |number: &usize| {
                (format!("message-{number}"), notification(&[record("ObjectCreated:Put", "site", &key(*number))]))
            };
            let messages: Vec<_> = left.iter().map(body).collect();
            let event = sqs(&messages.iter().map(|(id, body)| (id.as_str(), body.as_str())).collect::<Vec<_>>());
            let invoke = Invoke::new(format!("deploy-{sandbox}-{index}-{receive}"));
            let InvocationOutcome::Response(body) = lambda.invoke(event, invoke).await else { continue };
            let body: Value = serde_json::from_slice(&body)?;
            let failed: Vec<_> = body
                .pointer("/batchItemFailures")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|it| it.pointer("/itemIdentifier")?.as_str()?.strip_prefix("message-")?.parse().ok())
                .collect();
            left = failed;
        }
    }
    function.stop().await?;
    Ok(())
}

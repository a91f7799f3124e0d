//! One process from its start on: the events that it is given, and its measurements.

use std::fs;
use std::time::{Duration, Instant};

use s3_cloudfront_invalidator::local::events::{notification, record, sqs};
use s3_cloudfront_invalidator::local::{
    FakeAws, FakeBucket, FakeDistribution, FunctionProcess, InvocationOutcome, Invoke, Lambda, State,
};
use serde_json::json;

use super::contender::{Contenders, Kind};
use super::tls_proxy::TlsProxy;
use super::{Result, Transport};

/// The events of a session. The first one always has one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// One record, as S3 usually sends it.
    One,
    /// 1,000 records of 7 buckets, each with a distribution of its own.
    Thousand,
    /// A batch of 5,000 SQS messages of 40 buckets and 12 distributions, 6 MB.
    Batch,
}

impl Case {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::One => "one record",
            Self::Thousand => "1,000 records",
            Self::Batch => "6 MB batch",
        }
    }

    fn changes(self) -> usize {
        match self {
            Self::One => 1,
            Self::Thousand => 1000,
            Self::Batch => 5000,
        }
    }

    fn buckets(self) -> usize {
        match self {
            Self::One => 1,
            Self::Thousand => 7,
            Self::Batch => 40,
        }
    }

    /// Keys that every handler handles correctly, because no character needs encoding.
    fn key(number: usize) -> String {
        format!("deploy/section-{:02}/page-{number}.html", number % 60)
    }

    /// The buckets hold the changed objects. An invalidation completes at once, so that none counts toward the quota of
    /// those in progress.
    fn state(self) -> State {
        let mut state = State::default();
        let distributions = self.buckets().min(12);
        for number in 0..self.buckets() {
            let id = format!("E{}COMPARE", number % distributions);
            let objects = (0..self.changes()).filter(|it| it % self.buckets() == number).map(Self::key).collect();
            let bucket = FakeBucket { objects, ..FakeBucket::tagged(&[("distributionId", &id)]) };
            state.buckets.insert(format!("bucket-{number}"), bucket);
            let same = (0..self.buckets()).filter(|it| it % distributions == number % distributions);
            let config = config(&same.map(|it| format!("bucket-{it}")).collect::<Vec<_>>());
            let distribution =
                FakeDistribution { delay: Duration::ZERO, config: Some(config), ..FakeDistribution::default() };
            state.distributions.insert(id, distribution);
        }
        state
    }

    fn event(self, round: usize) -> String {
        let record = |number: usize| {
            record("ObjectCreated:Put", &format!("bucket-{}", number % self.buckets()), &Self::key(number))
        };
        match self {
            Self::One => notification(&[record(0)]),
            Self::Thousand => notification(&(0..self.changes()).map(record).collect::<Vec<_>>()),
            Self::Batch => {
                let body =
                    |number| (format!("{round:08x}-0000-4000-8000-{number:012}"), notification(&[record(number)]));
                let messages: Vec<_> = (0..self.changes()).map(body).collect();
                sqs(&messages.iter().map(|(id, body)| (id.as_str(), body.as_str())).collect::<Vec<_>>())
            }
        }
    }
}

/// The config of a distribution with these buckets as its origins, as CloudFront returns it.
fn config(buckets: &[String]) -> serde_json::Value {
    let origin = |bucket: &String| json!({ "Id": bucket, "DomainName": format!("{bucket}.s3.eu-central-1.amazonaws.com"), "OriginPath": "" });
    let first = buckets.first().cloned().unwrap_or_default();
    json!({
        "CallerReference": "example",
        "Comment": "",
        "Enabled": true,
        "Origins": { "Items": buckets.iter().map(origin).collect::<Vec<_>>() },
        "DefaultCacheBehavior": { "TargetOriginId": first, "ViewerProtocolPolicy": "https-only" },
    })
}

/// The measurements of one process. Times are in milliseconds.
pub(super) struct Sample {
    /// The time from the start of the process to its first `next`.
    pub(super) next: f64,
    /// The time of the first invocation, with one record.
    pub(super) first: f64,
    /// The processor time until the first response.
    pub(super) cpu_first: f64,
    /// The times of the invocations after the first.
    pub(super) warm: Vec<f64>,
    /// The mean processor time of one of them.
    pub(super) cpu_warm: f64,
    /// The peak resident memory, in MB.
    pub(super) memory: f64,
}

/// Starts a process, invokes it with an event of one record, and then with `rounds` events of the case.
pub(super) async fn session(
    contenders: &Contenders,
    (kind, transport): (Kind, Transport),
    case: Case,
    rounds: usize,
) -> Result<Sample> {
    let aws = FakeAws::start(case.state()).await?;
    let lambda = Lambda::start().await?;
    let mut variables = contenders.variables(kind, transport);
    // One host per service, as in AWS, so that a program that calls two services opens two connections.
    let mut proxies = Vec::new();
    if transport == Transport::Tls {
        for service in ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_CLOUDFRONT"] {
            let tls_proxy = TlsProxy::start(&aws, &contenders.authority).await?;
            variables.push((service, tls_proxy.url()));
            proxies.push(tls_proxy);
        }
    }
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();

    let began = Instant::now();
    let function = FunctionProcess::start(&contenders.program(kind), &lambda, &aws, &variables)?;
    lambda.ready().await.map_err(|outcome| format!("{}: {outcome:?}", kind.name()))?;
    let next = milliseconds(began.elapsed());
    let first = invoke(&lambda, Case::One.event(0), "first").await?;
    let process = function.id().ok_or("the function has ended")?;
    let cpu_first = processor_time(process)?;
    let mut warm = Vec::with_capacity(rounds);
    for round in 0..rounds {
        warm.push(invoke(&lambda, case.event(round), &format!("request-{round}")).await?);
    }
    let cpu_warm = (processor_time(process)? - cpu_first) / f64::from(u32::try_from(rounds.max(1))?);
    let memory = peak_memory(process)?;
    function.stop().await?;
    drop(proxies);
    let accepted = aws.with(|state| state.distributions.values().map(|it| it.invalidations.len()).sum::<usize>());
    if accepted == 0 {
        return Err(format!("{} invalidated nothing", kind.name()).into());
    }
    Ok(Sample { next, first, cpu_first, warm, cpu_warm, memory })
}

async fn invoke(lambda: &Lambda, event: String, request: &str) -> Result<f64> {
    let invoke = Invoke { timeout: Duration::from_mins(15), ..Invoke::new(request) };
    let began = Instant::now();
    match lambda.invoke(event, invoke).await {
        InvocationOutcome::Response(body) if !String::from_utf8_lossy(&body).contains("itemIdentifier") => {
            Ok(milliseconds(began.elapsed()))
        }
        other => Err(format!("{other:?}").into()),
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The processor time of all threads, in milliseconds. Source: Linux kernel documentation, "Scheduler Statistics": the
/// first field is the time spent on the processor, in nanoseconds.
fn processor_time(process: u32) -> Result<f64> {
    let mut nanoseconds = 0.0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread may have ended since the directory was read.
        let times = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        nanoseconds += times.split(' ').next().and_then(|it| it.parse::<f64>().ok()).unwrap_or_default();
    }
    Ok(nanoseconds / 1e6)
}

fn peak_memory(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(peak.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

//! Measures the time from start to the first `next`, the warm time of an event of one record, and the peak memory, of
//! the function and of the bare program.
//!
//! `scripts/bench start` builds both and runs this. Their runs alternate, so that a change of the machine's speed
//! affects both. It prints medians and their ratio.

#![expect(clippy::print_stdout, reason = "it prints its results")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use s3_cloudfront_invalidator::local::events::{notification, record};
use s3_cloudfront_invalidator::local::{
    FakeAws, FakeBucket, FakeDistribution, FunctionProcess, InvocationOutcome, Invoke, Lambda, State,
};

const STARTS: usize = 20;
const WARM_EVENTS: usize = 300;

/// The measurements of one process.
struct Sample {
    start: Duration,
    first: Duration,
    warm: Vec<Duration>,
    /// The peak resident memory, in kB.
    memory: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let release = std::env::var("RELEASE_DIR").map_err(|_| "RELEASE_DIR is not set; run scripts/bench start")?;
    let programs = ["bootstrap", "bare"].map(|name| Path::new(&release).join(name));
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..STARTS {
        for (program, samples) in programs.iter().zip(&mut samples) {
            samples.push(sample(program).await?);
        }
    }
    println!("median of {STARTS} starts, {WARM_EVENTS} warm events each\n");
    println!("{:<34}{:>12}{:>12}{:>8}", "", "function", "bare", "ratio");
    let [ours, bare] = &samples;
    row("start to first next, ms", ours, bare, |it| vec![milliseconds(it.start)]);
    row("start to first response, ms", ours, bare, |it| vec![milliseconds(it.start + it.first)]);
    row("warm one-record event, ms", ours, bare, |it| it.warm.iter().copied().map(milliseconds).collect());
    row("peak memory, MB", ours, bare, |it| vec![f64::from(it.memory) / 1024.0]);
    let [ours, bare] = programs.map(|it| fs::metadata(it).map(|it| u32::try_from(it.len() / 1000).unwrap_or(u32::MAX)));
    let (ours, bare) = (f64::from(ours?) / 1000.0, f64::from(bare?) / 1000.0);
    println!("{:<34}{ours:>12.2}{bare:>12.2}{:>8.2}", "size of the binary, MB", ours / bare);
    Ok(())
}

async fn sample(program: &Path) -> Result<Sample, Box<dyn Error>> {
    let mut state = State::default();
    state.buckets.insert("site".into(), FakeBucket::tagged(&[("distributionId", "E1")]));
    state.distributions.insert("E1".into(), FakeDistribution { delay: Duration::ZERO, ..FakeDistribution::default() });
    let aws = FakeAws::start(state).await?;
    let lambda = Lambda::start().await?;
    let began = Instant::now();
    let function = FunctionProcess::start(program, &lambda, &aws, &[])?;
    lambda.ready().await.map_err(|outcome| format!("{outcome:?}"))?;
    let start = began.elapsed();
    let mut times = Vec::with_capacity(WARM_EVENTS + 1);
    for number in 0..=WARM_EVENTS {
        let event = notification(&[record("ObjectCreated:Put", "site", &format!("file-{number}"))]);
        let began = Instant::now();
        match lambda.invoke(event, Invoke::new(format!("request-{number}"))).await {
            InvocationOutcome::Response(_) => times.push(began.elapsed()),
            other => return Err(format!("{}: {other:?}", program.display()).into()),
        }
    }
    let process = function.id().ok_or("the function has ended")?;
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let memory = peak.trim().trim_end_matches(" kB").parse()?;
    function.stop().await?;
    let first = times.remove(0);
    Ok(Sample { start, first, warm: times, memory })
}

fn row(name: &str, ours: &[Sample], bare: &[Sample], figure: impl Fn(&Sample) -> Vec<f64>) {
    let [ours, bare] = [ours, bare].map(|samples| median(samples.iter().flat_map(&figure).collect()));
    println!("{name:<34}{ours:>12.2}{bare:>12.2}{:>8.2}", ours / bare);
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

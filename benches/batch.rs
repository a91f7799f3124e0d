//! Measures batches of 1,000 to 10,000 SQS messages over 40 buckets and 12 distributions: the time that the function
//! takes, and its peak memory.
//!
//! `scripts/bench batch` builds the function and runs this. The warm time is that of the whole invocation, so it
//! includes the transfer of the event, about 6 MB for 5,000 messages, and the calls to the fake AWS, which runs on the
//! same machine. The CPU column is the function's own processor time in user and kernel mode: the mean over the warm
//! batches of one process, which the kernel counts in ticks.

#![expect(
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "it prints its results, and the scenario is from the tests"
)]

#[expect(dead_code, reason = "only the tests check the expected results")]
#[path = "../tests/function/delivery/largest_batch.rs"]
mod scenario;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use s3_cloudfront_invalidator::local::{FakeAws, FunctionProcess, InvocationOutcome, Invoke, Lambda};

const STARTS: usize = 5;
const WARM_BATCHES: usize = 9;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let release = std::env::var("RELEASE_DIR").map_err(|_| "RELEASE_DIR is not set; run scripts/bench batch")?;
    let program = Path::new(&release).join("bootstrap");
    println!(
        "{:>10}{:>8}{:>12}{:>12}{:>18}{:>18}",
        "messages", "MB", "first, ms", "warm, ms", "CPU, ms", "peak memory, MB"
    );
    for messages in [1000, 5000, 10_000] {
        let (mut first, mut warm, mut cpu, mut memory) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut bytes = 0;
        for _ in 0..STARTS {
            let aws = FakeAws::start(scenario::state()).await?;
            let lambda = Lambda::start().await?;
            let function = FunctionProcess::start(&program, &lambda, &aws, &[])?;
            lambda.ready().await.map_err(|outcome| format!("{outcome:?}"))?;
            let mut before = 0.0;
            for round in 0..=WARM_BATCHES {
                let event = scenario::scenario(messages, round).event;
                bytes = event.len();
                let time = invoke(&lambda, event, round).await?;
                if round == 0 {
                    first.push(time);
                    before = processor_time(&function)?;
                } else {
                    warm.push(time);
                }
            }
            cpu.push((processor_time(&function)? - before) / f64::from(u32::try_from(WARM_BATCHES)?));
            memory.push(peak_memory(&function)?);
            function.stop().await?;
        }
        let megabytes = f64::from(u32::try_from(bytes)?) / 1e6;
        let [first, warm, cpu, memory] = [first, warm, cpu, memory].map(median);
        println!("{messages:>10}{megabytes:>8.1}{first:>12.1}{warm:>12.1}{cpu:>18.1}{memory:>18.1}");
    }
    Ok(())
}

async fn invoke(lambda: &Lambda, event: String, round: usize) -> Result<f64, Box<dyn Error>> {
    let invoke = Invoke { timeout: Duration::from_mins(5), ..Invoke::new(format!("request-{round}")) };
    let began = Instant::now();
    match lambda.invoke(event, invoke).await {
        InvocationOutcome::Response(_) => Ok(began.elapsed().as_secs_f64() * 1000.0),
        other => Err(format!("{other:?}").into()),
    }
}

/// The processor time so far, in milliseconds. Source: proc(5), fields 14 and 15 of `stat`, counted after the program's
/// name in parentheses. A tick is 10 ms on Linux (`USER_HZ`).
fn processor_time(function: &FunctionProcess) -> Result<f64, Box<dyn Error>> {
    let process = function.id().ok_or("the function has ended")?;
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("no name")?;
    let ticks: Vec<f64> = fields.split(' ').skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() * 10.0)
}

/// The peak resident memory, in MB.
fn peak_memory(function: &FunctionProcess) -> Result<f64, Box<dyn Error>> {
    let process = function.id().ok_or("the function has ended")?;
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(peak.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

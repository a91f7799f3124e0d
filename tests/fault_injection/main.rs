//! The randomized fault-injection test: random scenarios run against the real binary and the fake AWS. Whatever fails,
//! every change is invalidated, skipped with a reason, or in a dead-letter queue with a reason.
//!
//! Arguments: `--scenarios N`, `--seed S`, `--concurrency N` (the number of workers, each of which runs one scenario
//! at a time), `--seconds T` (no scenario starts after that time). Scenario `n` has the seed `S + n`, so `--seed X
//! --scenarios 1` repeats the scenario of seed `X`, except for timing: concurrent calls do not always happen in the
//! same order.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "it fails by panicking, and prints its results"
)]

mod check;
mod distribution_configs;
#[path = "../pure/edge_cache.rs"]
mod edge_cache;
mod effects;
mod faults;
mod function_config;
mod jobs;
mod keys;
mod multi_tenant;
mod own_queue;
mod plan;
mod polls;
mod queueing;
mod queues;
mod resources;
mod run;
mod scenario;
mod served_urls;
mod state_changes;
mod stats;
mod worker;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stats::Stats;
use worker::Worker;

/// The maximum number of violations printed for a scenario.
const MAX_PRINTED_VIOLATIONS: usize = 5;

/// How long running scenarios may continue after `--seconds`, when no other is started. Under a permanent fault each
/// delivery is retried until its deadline, one delivery after another, and a scenario takes minutes.
const GRACE_PERIOD: Duration = Duration::from_secs(10);

/// The arguments of a run.
struct Options {
    seed: u64,
    scenarios: u64,
    workers: u64,
    seconds: u64,
}

impl Options {
    /// Parses the arguments. The defaults take some seconds, and are the same for each run. Returns `None` if another
    /// test is requested: Cargo passes a name to filter by, and `--list`, to every test.
    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Self { seed: 1, scenarios: 150, workers: 16, seconds: 15 };
        while let Some(argument) = arguments.next() {
            let value = match argument.as_str() {
                "--seed" => &mut options.seed,
                "--scenarios" => &mut options.scenarios,
                "--concurrency" => &mut options.workers,
                "--seconds" => &mut options.seconds,
                "--list" => return None,
                other if other.starts_with('-') || "fault_injection".contains(other) => continue,
                _ => return None,
            };
            *value = arguments.next().and_then(|it| it.parse().ok()).expect("a number after the option");
        }
        Some(options)
    }
}

fn main() -> ExitCode {
    let Some(options) = Options::parse(std::env::args().skip(1)) else { return ExitCode::SUCCESS };
    let Options { seed, scenarios, workers, seconds } = options;
    println!("fault injection: seed {seed}, {scenarios} scenarios, {workers} concurrent, at most {seconds} s");
    let (started, next) = (Instant::now(), AtomicU64::new(0));
    let totals = Mutex::new((Stats::default(), 0, 0));
    std::thread::scope(|scope| {
        for _ in 0..workers.min(scenarios) {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    let mut worker = Worker::start(Path::new(env!("CARGO_BIN_EXE_bootstrap"))).await;
                    let (mut failed, mut given_up) = (0, 0);
                    let deadline =
                        tokio::time::Instant::from_std(started + Duration::from_secs(seconds) + GRACE_PERIOD);
                    while started.elapsed() < Duration::from_secs(seconds) {
                        let offset = next.fetch_add(1, Ordering::Relaxed);
                        if offset >= scenarios {
                            break;
                        }
                        let Ok(violations) =
                            tokio::time::timeout_at(deadline, scenario::run(&mut worker, seed + offset)).await
                        else {
                            given_up += 1;
                            break;
                        };
                        failed += usize::from(!violations.is_empty());
                        print_violations(seed + offset, &violations);
                    }
                    worker.stop().await;
                    failed += usize::from(!worker.violations.is_empty());
                    print_violations(seed, &worker.violations);
                    let mut totals = totals.lock().expect("a total");
                    totals.0.add(&worker.stats);
                    totals.1 += failed;
                    totals.2 += given_up;
                });
            });
        }
    });
    let (stats, failed, given_up) = totals.into_inner().expect("a total");
    stats.print(started.elapsed());
    println!("{given_up:>9} scenarios aborted at the time limit");
    println!("{failed:>9} scenarios failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_violations(seed: u64, violations: &[String]) {
    for line in violations.iter().take(MAX_PRINTED_VIOLATIONS) {
        println!("FAILED --seed {seed} --scenarios 1: {line}");
    }
}

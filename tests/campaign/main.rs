//! The randomized fault-injection test: random scenarios run against the real binary and the fake AWS. Whatever fails,
//! every change is invalidated, skipped for a named reason, or kept in a dead-letter queue with the reason.
//!
//! Arguments: `--scenarios N`, `--seed S`, `--lanes L` (scenarios run in parallel), `--seconds T` (no scenario is
//! started after that time). Scenario `n` has the seed `S + n`, so `--seed X --scenarios 1` repeats the scenario of
//! seed `X`, except for timing: concurrent calls do not always happen in the same order.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "it fails by panicking, and its output is its purpose"
)]

mod check;
#[path = "../pure/edge_cache.rs"]
mod edge;
mod effects;
mod faults;
mod jobs;
mod keys;
mod lane;
mod modes;
mod plan;
mod play;
mod queues;
mod resources;
mod scenario;
mod site;
mod stats;
mod turns;
mod viewer;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lane::Lane;
use stats::Stats;

/// The most violations that are printed for a scenario.
const PRINTED: usize = 5;

/// How long scenarios may go on after `--seconds`, when no other is started. Under a permanent fault each delivery is
/// retried until its deadline, one delivery after another, and a scenario takes minutes.
const LATE: Duration = Duration::from_secs(10);

/// The arguments of a run.
struct Campaign {
    seed: u64,
    scenarios: u64,
    lanes: u64,
    seconds: u64,
}

impl Campaign {
    /// Parses the arguments. The defaults take some seconds, and are the same for each run. Returns `None` if another
    /// test is asked for: Cargo passes a name to filter by, and `--list`, to every test.
    fn of(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut campaign = Self { seed: 1, scenarios: 150, lanes: 16, seconds: 15 };
        while let Some(argument) = arguments.next() {
            let number = match argument.as_str() {
                "--seed" => &mut campaign.seed,
                "--scenarios" => &mut campaign.scenarios,
                "--lanes" => &mut campaign.lanes,
                "--seconds" => &mut campaign.seconds,
                "--list" => return None,
                other if other.starts_with('-') || "campaign".contains(other) => continue,
                _ => return None,
            };
            *number = arguments.next().and_then(|it| it.parse().ok()).expect("a number after the option");
        }
        Some(campaign)
    }
}

fn main() -> ExitCode {
    let Some(campaign) = Campaign::of(std::env::args().skip(1)) else { return ExitCode::SUCCESS };
    let Campaign { seed, scenarios, lanes, seconds } = campaign;
    println!("campaign: seed {seed}, {scenarios} scenarios, {lanes} at a time, at most {seconds} s");
    let (begun, next) = (Instant::now(), AtomicU64::new(0));
    let total = Mutex::new((Stats::default(), 0, 0));
    std::thread::scope(|scope| {
        for _ in 0..lanes.min(scenarios) {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    let mut lane = Lane::start(Path::new(env!("CARGO_BIN_EXE_bootstrap"))).await;
                    let (mut failed, mut given_up) = (0, 0);
                    let end = tokio::time::Instant::from_std(begun + Duration::from_secs(seconds) + LATE);
                    while begun.elapsed() < Duration::from_secs(seconds) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= scenarios {
                            break;
                        }
                        let Ok(found) = tokio::time::timeout_at(end, scenario::run(&mut lane, seed + number)).await
                        else {
                            given_up += 1;
                            break;
                        };
                        failed += usize::from(!found.is_empty());
                        tell(seed + number, &found);
                    }
                    lane.end().await;
                    failed += usize::from(!lane.found.is_empty());
                    tell(seed, &lane.found);
                    let mut total = total.lock().expect("a total");
                    total.0.add(&lane.stats);
                    total.1 += failed;
                    total.2 += given_up;
                });
            });
        }
    });
    let (stats, failed, given_up) = total.into_inner().expect("a total");
    stats.print(begun.elapsed());
    println!("{given_up:>9} scenarios given up, as there was no time left for them");
    println!("{failed:>9} scenarios failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(seed: u64, found: &[String]) {
    for line in found.iter().take(PRINTED) {
        println!("FAILED --seed {seed} --scenarios 1: {line}");
    }
}

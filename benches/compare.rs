//! Compares the function with a typical Python handler and with a minimal program on the same libraries: time and
//! memory. Also simulates a deployment with the Python handler that CloudFront throttles.
//!
//! `scripts/bench compare` builds everything and runs this. It prints Markdown tables, and writes the figures behind
//! them to `target/bench/compare/compare.json`. The programs alternate, so that a change of the machine's speed affects
//! all of them. `docs/performance.md` describes what is measured, what is computed, and how.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it prints its results")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "its numbers are small, and it may panic on a bug"
)]

#[path = "compare/contender.rs"]
mod contender;
#[path = "compare/model.rs"]
mod model;
#[path = "compare/session.rs"]
mod session;
#[path = "compare/table.rs"]
mod table;
#[path = "../tests/function/startup/tls_proxy.rs"]
mod tls_proxy;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

use contender::{Contenders, Kind};
use session::{Case, Sample, session};
use table::{Figure, Table};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How a program reaches the fake AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    /// Directly.
    Http,
    /// Through a TLS proxy, as AWS requires TLS.
    Tls,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Tls => "TLS",
        }
    }
}

/// How many processes of a program are started, and how many events each handles after the first.
fn rounds(kind: Kind, case: Case) -> Option<(usize, usize)> {
    match (kind, case) {
        (Kind::Python, Case::One) => Some((7, 150)),
        (_, Case::One) => Some((21, 150)),
        (Kind::Python, Case::Thousand) => Some((1, 2)),
        (Kind::FunctionProcess, Case::Thousand) => Some((3, 9)),
        (Kind::Python, Case::Batch) => Some((1, 1)),
        (Kind::FunctionProcess, Case::Batch) => Some((3, 5)),
        // It reads only the first record of an event.
        (Kind::Bare | Kind::BareSameRoots, _) => None,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(Path::new(".")).join("compare");
    fs::create_dir_all(&directory)?;
    let contenders = Contenders::new(&directory)?;
    let began = Instant::now();
    let mut table = Table::default();
    // Measures only the start and events of one record, which takes about a minute.
    let starts_only = std::env::args().any(|it| it == "--starts");
    let cases: &[_] = if starts_only { &[Case::One] } else { &[Case::One, Case::Thousand, Case::Batch] };
    for transport in [Transport::Http, Transport::Tls] {
        for &case in cases {
            eprintln!("{:>5.0} s  {}, {}", began.elapsed().as_secs_f64(), case.name(), transport.name());
            let samples = measure(&contenders, transport, case).await?;
            for (kind, samples) in Kind::ALL.into_iter().zip(&samples) {
                table.add(transport, case, kind, samples);
            }
        }
    }
    table.sizes(&contenders)?;
    if starts_only {
        print!("{}", table.markdown());
        return Ok(());
    }
    let deploys = model::deploys();
    let took = began.elapsed().as_secs_f64();
    print!("{}\n{}\n{}", table.markdown(), model::markdown(&deploys), table.targets());
    let file = directory.join("compare.json");
    let json = serde_json::json!({
        "python": table::python_versions()?,
        "processors": std::thread::available_parallelism()?.get(),
        "seconds": took.round(),
        "figures": table.figures.iter().map(Figure::json).collect::<Vec<_>>(),
        "deploys": deploys.iter().map(model::Deploy::json).collect::<Vec<_>>(),
    });
    fs::write(&file, format!("{json:#}\n"))?;
    eprintln!("{took:>5.0} s  done; the figures are in {}", file.display());
    Ok(())
}

/// The samples of every program for one case; the programs alternate.
async fn measure(contenders: &Contenders, transport: Transport, case: Case) -> Result<[Vec<Sample>; 4]> {
    let mut samples = [const { Vec::new() }; 4];
    let most = Kind::ALL.into_iter().filter_map(|kind| rounds(kind, case)).map(|(starts, _)| starts).max();
    for turn in 0..most.unwrap_or_default() {
        let mut turns: Vec<_> = Kind::ALL.into_iter().zip(&mut samples).collect();
        // Rotated, so that no program always follows the same one.
        turns.rotate_left(turn % Kind::ALL.len());
        for (kind, samples) in turns {
            // A program that is started less often is started at even intervals.
            let is_turn = |starts: usize| turn % (most.unwrap_or(1) / starts).max(1) == 0 && samples.len() < starts;
            if let Some((_, events)) = rounds(kind, case).filter(|(starts, _)| is_turn(*starts)) {
                samples.push(session(contenders, (kind, transport), case, events).await?);
            }
        }
    }
    Ok(samples)
}

//! Measures deploys from the upload until every changed object is invalidated: gathered in the queue that the function
//! polls, and sent directly to the function, under each reading of CloudFront's quota.
//!
//! `scripts/bench delivery` builds the function and runs this; `--case NAME` runs one case. The function runs as
//! processes, in real time, with the intervals, timeouts and quotas of AWS and of the templates. The fake AWS has
//! CloudFront's quotas, SQS, and response times; Lambda's asynchronous queue is part of this program. It prints a
//! Markdown table, and fails if a bound is missed. That can also be for lack of processor time, so the machine should
//! be idle otherwise.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it prints its results")]
#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "its numbers are small, and it may panic on a bug"
)]

#[path = "delivery/lambda.rs"]
mod lambda;
#[path = "delivery/model.rs"]
mod model;
#[path = "delivery/scenario.rs"]
mod scenario;
#[path = "delivery/site.rs"]
mod site;
#[path = "delivery/table.rs"]
mod table;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use s3_cloudfront_invalidator::local::{FakeAws, Quota, QuotaError, WildcardUnit};

use lambda::Function;
use scenario::{Measured, Scenario, Start};
use table::{Bounds, Row};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The pages of the site, of which all or some change.
const PAGES: usize = 5000;

/// How many objects a fast deploy uploads in a second.
const UPLOADS_PER_SECOND: f64 = 500.0;

/// The most paths of a plan: the default of `MAX_PATHS`.
const PLAN_PATHS: usize = s3_cloudfront_invalidator::config::Config::DEFAULT_MAX_PATHS.get();

/// The longest median time of a poll of an empty queue, and how many are measured.
const MAX_IDLE_POLL: Duration = Duration::from_millis(1100);
const IDLE_POLLS: usize = 5;

/// The messages of the case that measures the memory of a poll: small ones for the first receive, after which the poll
/// expects no longer ones, then the largest ones.
const SMALL_MESSAGES: usize = 10;
const LARGE_MESSAGES: usize = 150;

/// A deploy to measure.
struct Case {
    /// The name for `--case`, which several cases can have.
    name: &'static str,
    label: String,
    scenario: Scenario,
    bounds: Bounds,
}

impl Case {
    /// A deploy that is gathered in so many plans at most, and is fresh within 90 s.
    fn polled(name: &'static str, label: impl Into<String>, scenario: Scenario, plans: usize) -> Self {
        let bounds = Bounds { plans, paths: plans * PLAN_PATHS, seconds: 90.0 };
        Self { name, label: label.into(), scenario, bounds }
    }

    /// A deploy whose events S3 sends to the function.
    fn direct(name: &'static str, label: &str, files: usize, concurrency: usize) -> Self {
        let scenario = Scenario::direct(files, concurrency);
        Self { name, label: label.to_owned(), scenario, bounds: DIRECT }
    }
}

/// The bounds of direct events.
const DIRECT: Bounds = Bounds { plans: usize::MAX, paths: 200, seconds: 300.0 };

/// The cases in groups that run one after the other. Those of a group run at the same time, and start so long after
/// each other that what takes processor time, a burst of events or a poll with many messages, hardly meets.
fn groups() -> [(Duration, Vec<Case>); 3] {
    let at_once = Scenario::polled(PAGES);
    let readings = Quota::READINGS.map(|quota| {
        let scenario = Scenario { quota, throttle: None, ..at_once };
        Case::polled("polled", format!("5,000 files at once, gathered; {}", name(quota)), scenario, 1)
    });
    // The uploads end just after a poll received its last messages, 25 s after it was due: the rest waits longest.
    let minute = Duration::from_mins(1);
    let split = Scenario { upload_time: minute, start: Start::AfterTick(Duration::from_secs(26)), ..at_once };
    let long = Scenario { upload_time: 3 * minute, ..split };
    // A poll receives for as long as messages arrive.
    let (upload_time, start) = (Duration::from_secs(20), Start::AfterTick(Duration::from_secs(50)));
    let around = Scenario { upload_time, start, ..at_once };
    let mut light = Vec::from(readings);
    light.extend([
        Case::polled("polled", "5,000 files at once, gathered; one request in two seconds", at_once, 1),
        Case::polled("around", "5,000 files in 20 s around a poll, gathered", around, 1),
        Case::polled("split", "5,000 files in a minute around a poll, gathered", split, 2),
        Case::polled("long-upload", "5,000 files in 3 minutes, gathered", long, 4),
        Case::polled("polled-200", "200 files at once, gathered", Scenario::polled(200), 1),
        Case::direct("direct-200", "200 files, direct, concurrency 100", 200, 100),
        Case::polled("polled-1", "one file, gathered", Scenario::polled(1), 1),
        Case::direct("direct-1", "one file, direct", 1, 100),
    ]);
    let direct = vec![
        Case::direct("direct-5", "5,000 files, direct, concurrency 5", PAGES, 5),
        Case::direct("direct-100", "5,000 files, direct, concurrency 100", PAGES, 100),
    ];
    let plans = 6;
    let bounds = Bounds { plans, paths: plans * PLAN_PATHS, seconds: 360.0 };
    let scenario = Scenario::polled(100_000);
    let backlog = Case { name: "backlog", label: "100,000 files at once, gathered".to_owned(), scenario, bounds };
    [(Duration::from_secs(5), light), (Duration::from_secs(40), direct), (Duration::ZERO, vec![backlog])]
}

/// What a reading of the quota allows.
fn name(quota: Quota) -> String {
    let Quota::Rates(rates) = quota else { return "15 wildcards in progress".to_owned() };
    let unit = match rates.wildcard_unit {
        WildcardUnit::Path => "one wildcard path a second",
        WildcardUnit::Request => "one request with wildcards a second",
    };
    let error = match rates.error {
        QuotaError::Throttling => "Throttling",
        QuotaError::TooManyInvalidationsInProgress => "TooManyInvalidationsInProgress",
    };
    format!("{unit}, else `{error}`")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let release = std::env::var("RELEASE_DIR").map_err(|_| "RELEASE_DIR is not set; run scripts/bench delivery")?;
    let program = Path::new(&release).join("bootstrap");
    let only = std::env::args().skip_while(|it| it != "--case").nth(1);
    let is_selected = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let began = Instant::now();
    let (mut rows, mut misses) = (Vec::new(), Vec::new());
    if is_selected("idle") {
        misses.extend(idle(&program).await?);
    }
    if is_selected("largest") {
        misses.extend(largest(&program).await?);
    }
    for (stagger, cases) in groups() {
        let selected: Vec<_> = cases.into_iter().filter(|case| is_selected(case.name)).collect();
        // The last ones, which upload for longest, start first.
        let starts = (0..u32::try_from(selected.len())?).rev();
        let runs = selected.into_iter().zip(starts).map(async |(case, start)| {
            tokio::time::sleep(stagger * start).await;
            eprintln!("{:>5.0} s  {}", began.elapsed().as_secs_f64(), case.label);
            let Measured { row, dead, environments } = case.scenario.run(&program, &case.label).await?;
            let seconds = began.elapsed().as_secs_f64();
            eprintln!("{seconds:>5.0} s  {}: done by {environments} processes", case.label);
            let misses = row.misses(&case.bounds, dead);
            Ok((row, misses))
        });
        let runs: Vec<Result<_>> = join_all(runs).await;
        for run in runs {
            let (row, of_row) = run?;
            misses.extend(of_row);
            rows.push(row);
        }
    }
    if is_selected("direct-1000") {
        for concurrency in [5, 100, 1000] {
            let row = modelled(concurrency);
            misses.extend(row.misses(&DIRECT, 0));
            rows.push(row);
        }
    }
    if rows.is_empty() && !is_selected("idle") && !is_selected("largest") {
        let others = ["direct-1000", "idle", "largest"];
        let mut names: Vec<_> =
            groups().iter().flat_map(|(_, cases)| cases).map(|case| case.name).chain(others).collect();
        names.dedup();
        return Err(format!("no such case; the cases are {names:?}").into());
    }
    if !rows.is_empty() {
        println!("{}", table::markdown(&rows));
    }
    eprintln!("{:>5.0} s  done", began.elapsed().as_secs_f64());
    for miss in &misses {
        eprintln!("missed: {miss}");
    }
    Ok(if misses.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// 5,000 direct events in the virtual-time model.
fn modelled(concurrency: usize) -> Row {
    let Scenario { files, upload_time, .. } = Scenario::direct(PAGES, concurrency);
    model::direct(files, upload_time, concurrency, &format!("5,000 files, direct, concurrency {concurrency}"))
}

/// Polls an empty queue, and prints the times of these polls. Returns what misses the bound.
async fn idle(program: &Path) -> Result<Vec<String>> {
    let aws = Arc::new(FakeAws::start(site::state(0, Quota::default(), None)).await?);
    let function = Function::new(program, &aws, 1);
    let mut times = Vec::new();
    // One more, in which the process starts.
    for _ in 0..=IDLE_POLLS {
        function.send(scenario::poll()?);
        while !function.is_idle() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        times.push(function.take_figures()?.function_time);
    }
    let calls: Vec<_> = aws.with(|state| state.calls.iter().map(|call| call.operation).collect());
    println!("polls of an empty queue: {times:.3?}, the first one with the start of the process");
    let mut misses = Vec::new();
    if calls != ["ReceiveMessage"; IDLE_POLLS + 1] {
        misses.push(format!("polls of an empty queue made these calls: {calls:?}"));
    }
    times.sort_unstable();
    if let Some(median) = times.get(times.len() / 2).filter(|it| **it > MAX_IDLE_POLL) {
        misses.push(format!("a poll of an empty queue took {median:.3?} instead of at most {MAX_IDLE_POLL:?}"));
    }
    Ok(misses)
}

/// Polls a queue of the largest messages that SQS accepts, after small ones, and prints the peak memory. Returns what
/// misses the bound.
async fn largest(program: &Path) -> Result<Vec<String>> {
    const MESSAGE_BYTES: usize = 1024 * 1024;
    let aws = Arc::new(FakeAws::start(site::state(0, Quota::default(), None)).await?);
    let records = MESSAGE_BYTES / site::event(0).len();
    let small = (0..SMALL_MESSAGES).map(site::event);
    let large = (0..LARGE_MESSAGES).map(|message| site::events(SMALL_MESSAGES + message * records, records));
    aws.with(|state| {
        let queue = state.queues.entry(site::QUEUE.into()).or_default();
        for message in small.chain(large) {
            queue.send(message);
        }
    });
    let function = Function::new(program, &aws, 1);
    while !aws.with(|state| state.queues[site::QUEUE].is_empty()) {
        function.send(scenario::poll()?);
        while !function.is_idle() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let memory = function.peak_memory()?;
    println!("polls of {SMALL_MESSAGES} small messages and {LARGE_MESSAGES} of 1 MiB: {memory:.1} MB at most");
    let is_missed = memory >= table::SMALLEST_MEMORY;
    Ok(is_missed.then(|| format!("polls of the largest messages took {memory:.1} MB")).into_iter().collect())
}

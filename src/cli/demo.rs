//! `invalidator demo`: runs the function on this machine, against the fake AWS.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;

use super::demo_tables;
use super::directory::SiteDirectory;
use crate::change::ObjectKey;
use crate::local::events::{notification, record};
use crate::local::{FakeAws, FakeBucket, FakeDistribution, FunctionProcess, InvocationOutcome, Invoke, Lambda, State};

const BUCKET: &str = "demo-site";
const DISTRIBUTION: &str = "E2DEMOEXAMPLE";

/// The timeout for the function's start. Lambda limits the Init phase to 10 s.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// What to demonstrate.
#[derive(Debug, Args)]
#[command(
    override_usage = "invalidator demo [OPTIONS] <DIR>",
    after_help = "\
The demo runs the same binary as Lambda. It needs no AWS account.

Examples:
  invalidator demo site
  invalidator demo site --batch 1"
)]
pub(super) struct DemoArgs {
    /// Directory whose files are the changed objects
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Maximum number of changes in one event
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=5000))]
    batch: u16,
    /// Binary of the function; default: bootstrap in this program's directory
    #[arg(long, value_name = "FILE")]
    bootstrap: Option<PathBuf>,
}

/// One event and the function's response to it.
pub(super) struct DemoDelivery<'k> {
    pub(super) keys: &'k [ObjectKey],
    pub(super) report: DemoReport,
    pub(super) took: Duration,
}

/// The parts of the function's report that the demo prints.
#[derive(Deserialize)]
pub(super) struct DemoReport {
    pub(super) changes: DemoCounts,
    pub(super) invalidations: Vec<DemoInvalidation>,
}

#[derive(Deserialize)]
pub(super) struct DemoCounts {
    pub(super) invalidated: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DemoInvalidation {
    pub(super) invalidation_id: Option<String>,
    pub(super) paths: Vec<String>,
}

impl DemoArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let site = SiteDirectory::read(&self.directory)?;
        let bootstrap = match self.bootstrap {
            Some(file) => file,
            None => std::env::current_exe()?.with_file_name("bootstrap"),
        };
        let mut state = State::default();
        state.buckets.insert(BUCKET.into(), FakeBucket::tagged(&[("distributionId", DISTRIBUTION)]));
        state
            .distributions
            .insert(DISTRIBUTION.into(), FakeDistribution { delay: Duration::ZERO, ..FakeDistribution::default() });
        let aws = FakeAws::start(state).await?;
        let lambda = Lambda::start().await?;
        let started = Instant::now();
        // The function runs until this is dropped.
        let _function = start(&bootstrap, &lambda, &aws).await?;
        demo_tables::heading(&self.directory, &site, BUCKET, DISTRIBUTION, started.elapsed());

        let deliveries = deliver(&site.keys, self.batch.into(), &lambda).await?;
        demo_tables::events(&deliveries, self.batch);
        demo_tables::paths(&deliveries);
        demo_tables::costs(&deliveries, aws.bill(), aws.calls("GetBucketTagging").len());
        Ok(())
    }
}

async fn start(bootstrap: &Path, lambda: &Lambda, aws: &FakeAws) -> anyhow::Result<FunctionProcess> {
    let function = FunctionProcess::start(bootstrap, lambda, aws, &[]).with_context(|| {
        format!(
            "cannot start {}; build it with `cargo build --bin bootstrap`, or run scripts/demo",
            bootstrap.display()
        )
    })?;
    match tokio::time::timeout(START_TIMEOUT, lambda.ready()).await {
        Ok(Ok(())) => Ok(function),
        Ok(Err(outcome)) => bail!("the function did not start: {outcome:?}"),
        Err(_) => bail!("the function did not start within {} s", START_TIMEOUT.as_secs()),
    }
}

/// Invokes the function with `ObjectCreated:Put` records for all keys, `batch` records an event, one event after
/// another.
async fn deliver<'k>(keys: &'k [ObjectKey], batch: usize, lambda: &Lambda) -> anyhow::Result<Vec<DemoDelivery<'k>>> {
    let style = ProgressStyle::with_template("  {bar:40} {pos} of {len} changes sent to the function")?;
    let progress = ProgressBar::new(keys.len() as u64).with_style(style);
    let mut deliveries = Vec::new();
    for (number, keys) in keys.chunks(batch).enumerate() {
        let records: Vec<_> = keys.iter().map(|key| record("ObjectCreated:Put", BUCKET, key.as_str())).collect();
        let started = Instant::now();
        let invoke = Invoke::new(format!("00000000-0000-4000-8000-{number:012}"));
        let report = match lambda.invoke(notification(&records), invoke).await {
            InvocationOutcome::Response(body) => serde_json::from_slice(&body)?,
            InvocationOutcome::Error { error_type, message } => {
                bail!("the function failed with {error_type}: {message}")
            }
            InvocationOutcome::TimedOut => bail!("the function timed out"),
        };
        deliveries.push(DemoDelivery { keys, report, took: started.elapsed() });
        progress.inc(keys.len() as u64);
    }
    progress.finish_and_clear();
    Ok(deliveries)
}

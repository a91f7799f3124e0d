//! `invalidator demo`: runs the function on this machine, against the fake AWS.

mod delivery;
mod directory;
mod tables;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use self::delivery::deliver;
use self::directory::SiteDirectory;
use crate::local::{FakeAws, FakeBucket, FakeDistribution, FunctionProcess, Lambda, State};

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
        tables::heading(&self.directory, &site, BUCKET, DISTRIBUTION, started.elapsed());

        let deliveries = deliver(&lambda, BUCKET, &site.keys, self.batch.into()).await?;
        tables::events(&deliveries, self.batch);
        tables::paths(&deliveries);
        tables::costs(&deliveries, &aws.accepted_invalidations(), aws.calls("GetBucketTagging").len());
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

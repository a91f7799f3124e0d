//! `invalidator demo`: runs the function on this machine, against the fake AWS.

mod delivery;
mod methods;
mod site;
mod tables;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use serde_json::json;

use self::delivery::{Deliveries, events};
use self::methods::Urls;
use self::site::{BUCKET, DISTRIBUTION, QUEUE, Site};
use self::tables::{DeliveryRow, MethodRow};
use crate::change::{Bucket, BucketName, Region};
use crate::cli::config_json;
use crate::cli::terminal::say_json;
use crate::config::Config;
use crate::local::{ACCOUNT, FakeAws, FakeBucket, FakeDistribution, FunctionProcess, Lambda, REGION, State};
use crate::path::{BucketDefaults, InvalidationPath, Mapping};

/// The cache policy `CachingOptimized`, which AWS manages. Its cache key has no query strings.
const CACHE_POLICY: &str = "658327ea-f89d-4fab-a63d-7e88639e58f6";

/// The timeout for the function's start. Lambda limits the Init phase to 10 s.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// The most changes that are also sent one by one.
const MAX_ONE_BY_ONE: usize = 300;

/// What to demonstrate.
#[derive(Debug, Args)]
#[command(after_help = "\
The demo runs Lambda's binary, and needs no AWS account. The bucket's website
endpoint is a distribution's origin.

Examples:
  invalidator demo
  invalidator demo site
  git diff --name-only --relative=site v1 v2 | invalidator demo site --changed -")]
pub(super) struct DemoArgs {
    /// Directory whose files are the objects of the bucket; default: a generated example
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// List of the changed keys, as for `plan --keys`; - reads standard input; default: every file changed
    #[arg(long, value_name = "FILE", requires = "directory")]
    changed: Option<PathBuf>,
    /// Binary of the function; default: bootstrap in this program's directory
    #[arg(long, value_name = "FILE")]
    bootstrap: Option<PathBuf>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(super) json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Demonstration<'a> {
    ok: bool,
    /// The number of objects after the deploy.
    objects: usize,
    /// The number of objects that the deploy changed or deleted.
    changed: usize,
    startup_ms: f64,
    paths: Vec<&'a str>,
    methods: Vec<MethodRow>,
    deliveries: Vec<DeliveryRow>,
}

impl DemoArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let site = match &self.directory {
            Some(directory) => Site::read(directory, self.changed.as_deref())?,
            None => Site::example()?,
        };
        let bootstrap = match self.bootstrap {
            Some(file) => file,
            None => std::env::current_exe()?.with_file_name("bootstrap"),
        };
        let config = config();
        let urls = Urls::of(&site, &mapping(&config)?);
        let mut state = State::default();
        let mut bucket = FakeBucket::tagged(&[(Config::DEFAULT_DISTRIBUTION_TAG, DISTRIBUTION)]);
        bucket.objects = site.keys.iter().map(ToString::to_string).collect();
        state.buckets.insert(BUCKET.into(), bucket);
        let distribution = FakeDistribution { config: Some(config), delay: Duration::ZERO, ..Default::default() };
        state.distributions.insert(DISTRIBUTION.into(), distribution);
        let aws = FakeAws::start(state).await?;
        let lambda = Lambda::start().await?;
        let started = Instant::now();
        let queue_url = format!("https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{QUEUE}");
        // The function runs until this is dropped.
        let mut function = FunctionProcess::start(&bootstrap, &lambda, &aws, &[("QUEUE_URL", &queue_url)])
            .with_context(|| {
                format!(
                    "cannot start {}; build it with `cargo build --bin bootstrap`, or run scripts/demo",
                    bootstrap.display()
                )
            })?;
        let deploy = async {
            ready(&lambda).await?;
            let startup = started.elapsed();
            let events = events(&site);
            let mut deliveries = Deliveries::new(&aws, &lambda);
            let through_queue = deliveries.through_queue(&events).await?;
            let one_by_one =
                if events.len() > MAX_ONE_BY_ONE { None } else { Some(deliveries.one_by_one(&events).await?) };
            anyhow::Ok((startup, through_queue, one_by_one))
        };
        let (startup, through_queue, one_by_one) = tokio::select! {
            result = deploy => result?,
            ended = function.ended() => bail!("{}: {}", bootstrap.display(), ended?),
        };
        let sent: Vec<_> =
            through_queue.invalidations.iter().flatten().map(|path| InvalidationPath::parse(path)).collect();
        let sent: Vec<_> = sent.into_iter().collect::<Result<_, _>>()?;
        let methods = tables::method_rows(&sent, &urls);
        let deliveries = tables::delivery_rows(&through_queue, one_by_one.as_ref());
        if self.json {
            return say_json(&Demonstration {
                ok: true,
                objects: site.keys.len(),
                changed: site.changed.len(),
                startup_ms: startup.as_secs_f64() * 1000.0,
                paths: sent.iter().map(InvalidationPath::as_str).collect(),
                methods,
                deliveries,
            });
        }
        tables::heading(&site, startup);
        tables::paths(&sent, &urls);
        tables::methods(&methods);
        tables::deliveries(&deliveries);
        Ok(())
    }
}

/// The config of a distribution whose origin is the bucket's website endpoint.
fn config() -> serde_json::Value {
    let domain = format!("{BUCKET}.s3-website.{REGION}.amazonaws.com");
    json!({
        "CallerReference": "demo", "Comment": "", "Enabled": true, "DefaultRootObject": "",
        "Origins": { "Quantity": 1, "Items": [{ "Id": "bucket", "DomainName": domain, "OriginPath": "" }] },
        "DefaultCacheBehavior": {
            "TargetOriginId": "bucket", "ViewerProtocolPolicy": "https-only", "CachePolicyId": CACHE_POLICY,
        },
    })
}

/// How the distribution maps keys to URLs.
fn mapping(config: &serde_json::Value) -> anyhow::Result<Mapping> {
    let bucket = Bucket { name: BucketName::new(BUCKET)?, region: Some(Region::new(REGION)?) };
    let tag = Config::DEFAULT_DISTRIBUTION_TAG.to_owned();
    let defaults = BucketDefaults {
        distribution_tag: tag.clone(),
        index_documents: vec![Config::DEFAULT_INDEX_DOCUMENT.to_owned()],
    };
    let options = defaults.parse(&[(tag, DISTRIBUTION.to_owned())].into())?.context("the tag names a distribution")?;
    let config = config_json::parse(&config.to_string())?;
    Ok(Mapping::new(&bucket, &options, Some(&Arc::new(config))))
}

/// Waits until the function has started.
async fn ready(lambda: &Lambda) -> anyhow::Result<()> {
    match tokio::time::timeout(START_TIMEOUT, lambda.ready()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(outcome)) => bail!("the function did not start: {outcome:?}"),
        Err(_) => bail!("the function did not start within {} s", START_TIMEOUT.as_secs()),
    }
}

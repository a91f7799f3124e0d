//! `invalidator status`: checks buckets, their distributions, and the function with its queues.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;
use clap::Args;
use futures_util::{StreamExt, stream};
use serde_json::json;

use super::aws_args::{AwsArgs, DeploymentArgs};
use super::link::{BucketStatus, Deployment, DeploymentStatus, OperatorApi, check_bucket, check_deployment};
use super::terminal::{counted, narrow, right, say, shorten_to, table};
use crate::change::BucketName;
use crate::change::text::{json_line, one_line};

/// The most buckets that are checked concurrently.
const MAX_CONCURRENT_CHECKS: usize = 8;

/// The most characters of a bucket's name that are printed.
const MAX_BUCKET_NAME: usize = 20;
/// The most characters of a queue's name that are printed.
const MAX_QUEUE_NAME: usize = 44;

/// What to look at.
#[derive(Debug, Args)]
#[command(after_help = "\
What is wrong is marked with ! and told below the table with its remedy; then
the exit status is 1. Without a bucket only the function and its queues are
looked at.

Examples:
  invalidator status my-site
  invalidator status --all
  invalidator status --all --json | jq '.buckets[].bucket'")]
pub(super) struct StatusArgs {
    /// The buckets
    #[arg(value_name = "BUCKET", value_parser = BucketName::new)]
    buckets: Vec<BucketName>,
    /// All buckets in this Region that have the function's tag, and those whose tags cannot be read
    #[arg(long, conflicts_with = "buckets")]
    all: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    deployment: DeploymentArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

impl StatusArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (clients, deployment) = self.deployment.find(&self.aws).await?;
        let function = check_deployment(&clients, &deployment).await;
        let named = self.buckets.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let buckets = if self.all { tagged(&clients, &deployment).await? } else { named };
        let check = |name: BucketName| {
            let (clients, deployment) = (&clients, &deployment);
            async move { check_bucket(clients, clients.cloud_front(), deployment, &name).await }
        };
        let buckets: Vec<_> = stream::iter(buckets).map(check).buffered(MAX_CONCURRENT_CHECKS).collect().await;
        let problems = problems(&function, &buckets);
        if self.json {
            say(json_line(&json!({ "function": function, "buckets": buckets, "faults": problems }).to_string()));
        } else {
            show_buckets(&buckets);
            show_queues(&function);
            for problem in &problems {
                say(format_args!("\n! {}", one_line(problem)));
            }
        }
        if !problems.is_empty() {
            bail!("{} to mend", counted(problems.len(), "thing"));
        }
        Ok(())
    }
}

/// Returns the Region's buckets that have the function's tag, and those whose tags cannot be read.
async fn tagged(api: &impl OperatorApi, deployment: &Deployment) -> anyhow::Result<Vec<BucketName>> {
    let names = api.buckets().await?;
    let check = |name: BucketName| async move {
        match api.tags(&name).await {
            Ok(tags) => tags.contains_key(deployment.tag()).then_some(name),
            // `check_bucket` reports the error.
            Err(_) => Some(name),
        }
    };
    Ok(stream::iter(names).map(check).buffered(MAX_CONCURRENT_CHECKS).filter_map(|it| async { it }).collect().await)
}

fn problems(function: &DeploymentStatus, buckets: &[BucketStatus]) -> Vec<String> {
    let of_bucket = |it: &BucketStatus| {
        let problem = it.checks().filter_map(|(what, check)| Some((what, check.remedy.as_ref()?)));
        problem.map(|(what, remedy)| format!("{}, {what}: {remedy}", it.bucket)).collect::<Vec<_>>()
    };
    buckets.iter().flat_map(of_bucket).chain(function.problems()).collect()
}

fn show_buckets(buckets: &[BucketStatus]) {
    if buckets.is_empty() {
        return;
    }
    let mut rows = table(&["bucket", "tag", "distribution", "origin", "told by", "let in", "ago"]);
    narrow(&mut rows);
    for it in buckets {
        let name = shorten_to(MAX_BUCKET_NAME, &it.bucket);
        let shared = [&it.tag, &it.notification, &it.permission].map(marked);
        let [tag, notification, permission] = &shared;
        if it.distributions.is_empty() {
            rows.add_row([name.as_str(), tag, "", "", notification, permission, ""]);
        }
        for (number, each) in it.distributions.iter().enumerate() {
            let (id, origin) = (marked(&each.distribution), marked(&each.origin));
            let last = match &each.last_invalidation {
                Some((created, _)) => ago(*created),
                None if each.is_listed => "never".to_owned(),
                None => "unknown".to_owned(),
            };
            if number == 0 {
                rows.add_row([&name, tag, &id, &origin, notification, permission, &last].map(String::as_str));
            } else {
                rows.add_row(["", "", &id, &origin, "", "", &last]);
            }
        }
    }
    right(&mut rows, &[6]);
    say(rows.trim_fmt());
    say("");
}

fn show_queues(function: &DeploymentStatus) {
    let mut rows = table(&["queue", "is", "waiting", "in flight"]);
    for it in function.queues.iter().chain(&function.dead_letters) {
        rows.add_row([
            shorten_to(MAX_QUEUE_NAME, &it.name),
            marked(&it.state),
            it.waiting.to_string(),
            it.in_flight.to_string(),
        ]);
    }
    right(&mut rows, &[2, 3]);
    say(rows.trim_fmt());
}

fn marked(check: &super::link::Check) -> String {
    if check.remedy.is_some() { format!("! {}", check.text) } else { check.text.clone() }
}

/// The time since `created`, a Unix time in seconds, such as `5 min`.
fn ago(created: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    match now.saturating_sub(u64::try_from(created).unwrap_or_default()) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

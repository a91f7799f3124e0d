//! `invalidator link` and `invalidator unlink`: print a bucket's change set, ask for confirmation, and apply it.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};

use super::aws_args::{AwsArgs, DeploymentArgs};
use super::link::{ChangeSet, KeyFilter, LinkPlan, LinkRequest, UnlinkPlan, Via, apply, plan_link, plan_unlink};
use super::template_snippet;
use super::terminal::{note, plain_table, say};
use crate::change::{BucketName, DistributionId};

/// The base delay between two reads that verify a write; see [`apply`].
const PAUSE: Duration = Duration::from_secs(1);

/// The bucket to link, its distributions, and how its events reach the function.
#[derive(Debug, Args)]
#[command(after_help = "\
The bucket's other tags and notification rules stay as they are. What will
change is shown first; when a step fails, everything goes back to what it was.
To do it again changes nothing.

Examples:
  invalidator link my-site E2EXAMPLE1ABCD
  invalidator link my-site E2EXAMPLE1ABCD E2EXAMPLE2ABCD --dry-run
  invalidator link my-site E2EXAMPLE1ABCD --via function --prefix web/ --yes
  invalidator link my-site E2EXAMPLE1ABCD --profile prod --region eu-west-1")]
pub(super) struct LinkArgs {
    /// The bucket
    #[arg(value_parser = BucketName::new)]
    bucket: BucketName,
    /// The distributions in front of it
    #[arg(required = true, value_name = "DISTRIBUTION", value_parser = DistributionId::new)]
    distributions: Vec<DistributionId>,
    /// How the function is told of changes
    #[arg(long, value_name = "WAY", default_value = "queue")]
    via: ViaArg,
    /// Tell only of keys that start with this
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Tell only of keys that end with this
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    suffix: String,
    /// Link distributions that do not have the bucket as an origin, or may not be asked
    #[arg(long)]
    any_origin: bool,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    deployment: DeploymentArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

/// What is taken back.
#[derive(Debug, Args)]
#[command(after_help = "\
Only what link added is removed. What others tagged or set up stays, and is named.

Examples:
  invalidator unlink my-site
  invalidator unlink my-site E2EXAMPLE1ABCD --dry-run
  invalidator unlink my-site --function-gone")]
pub(super) struct UnlinkArgs {
    /// The bucket
    #[arg(value_parser = BucketName::new)]
    bucket: BucketName,
    /// Of its distributions only these
    #[arg(value_name = "DISTRIBUTION", value_parser = DistributionId::new)]
    distributions: Vec<DistributionId>,
    /// The function does not exist any more
    #[arg(long)]
    function_gone: bool,
    /// The bucket tag that names the distributions; by default the function's
    #[arg(long, value_name = "KEY")]
    tag: Option<String>,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    deployment: DeploymentArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

/// Whether to ask first.
#[derive(Debug, Args)]
struct ConfirmArgs {
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ViaArg {
    /// Through the function's queue: a deploy is one invalidation
    Queue,
    /// Straight to the function: fresh at once, an invalidation for each object
    Function,
    /// Through EventBridge, where a rule sends the bucket's events on
    #[value(name = "eventbridge")]
    EventBridge,
}

impl LinkArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (clients, deployment) = self.deployment.find(&self.aws).await?;
        let via = match self.via {
            ViaArg::Queue => Via::Queue,
            ViaArg::Function => Via::Function,
            ViaArg::EventBridge => Via::EventBridge,
        };
        let request = LinkRequest {
            bucket: self.bucket,
            distributions: self.distributions,
            via,
            filter: KeyFilter { prefix: self.prefix, suffix: self.suffix },
            skip_origin_check: self.any_origin,
        };
        let link_plan = plan_link(&clients, clients.cloud_front(), &deployment, &request).await?;
        let LinkPlan { change_set, origin_paths, managed_by, is_queue_read, tag_value, destination, unchanged_counts } =
            &link_plan;
        for (id, paths) in origin_paths {
            match paths.as_slice() {
                [] => {
                    note(format_args!(
                        "No origin of {id} is known to be {}; it is linked all the same.",
                        request.bucket
                    ));
                }
                paths => say(format_args!("{id} shows {} below {}.", request.bucket, paths.join(" and "))),
            }
        }
        if deployment.function.is_dry_run {
            note("The function only plans and sends nothing (DRY_RUN): deploy it with DryRun=false.");
        }
        if !is_queue_read {
            note("The function does not read its queue: enable its event source mapping.");
        }
        if change_set.steps.is_empty() {
            say(format_args!("Nothing to do: {} is linked.", request.bucket));
            return Ok(());
        }
        show(change_set);
        if *unchanged_counts != (0, 0) {
            say(format_args!("Tags that stay as they are: {}; rules: {}.", unchanged_counts.0, unchanged_counts.1));
        }
        if let Some(managed_by) = managed_by {
            note(template_snippet::of(managed_by, &request, (deployment.tag(), tag_value), destination.as_ref()));
        }
        if self.confirm.confirmed()? {
            apply(&clients, change_set, PAUSE).await?;
            say(format_args!("Done. Within minutes S3 tells of changes of {}.", request.bucket));
        }
        Ok(())
    }
}

impl UnlinkArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (clients, deployment) = if self.function_gone {
            self.aws.without_function().await?
        } else {
            self.deployment.find(&self.aws).await?
        };
        let tag = self.tag.as_deref().unwrap_or_else(|| deployment.tag());
        let unlink_plan = plan_unlink(&clients, &deployment, tag, &self.bucket, &self.distributions).await?;
        let UnlinkPlan { change_set, foreign, rules, queued_messages } = &unlink_plan;
        for id in foreign {
            note(format_args!("The tag names {id}, which link did not add: it stays."));
        }
        for rule in rules {
            note(format_args!("link did not make this rule, it stays: {rule}"));
        }
        if change_set.steps.is_empty() {
            let ids: Vec<_> = self.distributions.iter().map(DistributionId::as_str).collect();
            match ids.as_slice() {
                [] => say(format_args!("Nothing to do: link added nothing to {}.", self.bucket)),
                ids => say(format_args!("Nothing to do: link did not add {} to {}.", ids.join(" or "), self.bucket)),
            }
            return Ok(());
        }
        show(change_set);
        if *queued_messages > 0 {
            note(format_args!(
                "About {queued_messages} messages wait in the queue; those of this bucket will be ignored once its tag is gone."
            ));
        }
        if self.confirm.confirmed()? {
            apply(&clients, change_set, PAUSE).await?;
            say(format_args!("Done. That is what link had added."));
        }
        Ok(())
    }
}

impl ConfirmArgs {
    /// Returns whether to apply the change set. Asks unless `--yes` or `--dry-run` is given; without a terminal to ask
    /// at, it is an error.
    fn confirmed(&self) -> anyhow::Result<bool> {
        if self.dry_run {
            say("Nothing was changed: --dry-run.");
            return Ok(false);
        }
        if self.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            bail!("nobody can be asked whether to go on; nothing was changed; give --yes or --dry-run");
        }
        let mut stderr = io::stderr();
        // A failed write is ignored: only an explicit yes applies the change set.
        let _ = write!(stderr, "Change it? [y/N] ").and_then(|()| stderr.flush());
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        let is_yes = ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str());
        if !is_yes {
            say("Nothing was changed.");
        }
        Ok(is_yes)
    }
}

/// Prints the steps of a change set.
fn show(change_set: &ChangeSet) {
    let mut rows = plain_table();
    for step in &change_set.steps {
        let (what, lines) = step.lines();
        for (number, line) in lines.into_iter().enumerate() {
            rows.add_row([if number == 0 { what } else { "" }, &line]);
        }
    }
    say(rows.trim_fmt());
}

//! `invalidator link` and `invalidator unlink`: print a bucket's change set, ask for confirmation, and apply it.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use anyhow::bail;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use super::aws_args::{AwsArgs, DeploymentArgs};
use super::link::{ChangeSet, KeyFilter, LinkRequest, UnlinkPlan, Via, apply, plan_link, plan_unlink};
use super::template_snippet;
use super::terminal::{note, plain_table, say};
use crate::change::text::{counted, one_line};
use crate::change::{BucketName, DistributionId};

/// The base delay between two reads that verify a write; see [`apply`].
const PAUSE: Duration = Duration::from_secs(1);

/// The bucket to link, its distributions, and how its events reach the function.
#[derive(Debug, Args)]
#[command(after_help = "\
The command shows the changes and asks for confirmation. It keeps the bucket's
other tags and event notifications, and with --replace only those that link did
not add. If a step fails, the command rolls back the steps before it. If the
bucket is already linked in the same way, nothing changes.

Examples:
  invalidator link my-site E2EXAMPLE1ABCD
  invalidator link my-site E2EXAMPLE1ABCD E2EXAMPLE2ABCD --dry-run
  invalidator link my-site E2EXAMPLE1ABCD --via function --prefix web/ --yes
  invalidator link my-site E2EXAMPLE2ABCD --replace
  invalidator link my-site E2EXAMPLE1ABCD --profile prod --region eu-west-1")]
pub(super) struct LinkArgs {
    /// Bucket to link
    #[arg(value_parser = super::input::bucket)]
    bucket: BucketName,
    /// IDs of the distributions that serve the bucket
    #[arg(required = true, value_name = "DISTRIBUTION", value_parser = DistributionId::from_word)]
    distributions: Vec<DistributionId>,
    /// How S3 sends the bucket's event notifications to the function
    #[arg(long, value_name = "DESTINATION", default_value = "queue")]
    via: ViaArg,
    /// Send events only for keys that start with this prefix
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Send events only for keys that end with this suffix
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    suffix: String,
    /// Link the bucket even if no origin of a distribution points to the bucket, or if the origins cannot be read
    #[arg(long)]
    skip_origin_check: bool,
    /// Remove what link added before: other distributions, and event notifications for other keys
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    deployment: DeploymentArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

/// The bucket to unlink.
#[derive(Debug, Args)]
#[command(after_help = "\
The command shows the changes and asks for confirmation. It removes only what
link added for this function, and lists the distributions and event
notifications that it keeps. With --everything, it removes these too, except
distributions that link added for another function.

Examples:
  invalidator unlink my-site
  invalidator unlink my-site E2EXAMPLE1ABCD --dry-run
  invalidator unlink my-site --force")]
pub(super) struct UnlinkArgs {
    /// Bucket to unlink
    #[arg(value_parser = super::input::bucket)]
    bucket: BucketName,
    /// IDs of the distributions to unlink; default: all that link added
    #[arg(value_name = "DISTRIBUTION", value_parser = DistributionId::from_word)]
    distributions: Vec<DistributionId>,
    /// Unlink the bucket from a function that no longer exists
    #[arg(long)]
    force: bool,
    /// Also remove what link did not add, such as the tag and the event notifications of a template
    #[arg(long)]
    everything: bool,
    /// Key of the bucket tag that names the distributions; default: the function's `DISTRIBUTION_TAG`
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    tag: Option<String>,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    deployment: DeploymentArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

/// Whether to ask for confirmation.
#[derive(Debug, Args)]
struct ConfirmArgs {
    /// Apply the changes without confirmation
    #[arg(long, short)]
    yes: bool,
    /// Show the changes without applying them
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ViaArg {
    /// Through the function's SQS queue: one invalidation for many changes
    Queue,
    /// Directly to the function: one invalidation for each change, without delay
    Function,
    /// Through EventBridge, where a rule forwards the bucket's events
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
            skip_origin_check: self.skip_origin_check,
            replace: self.replace,
        };
        let link_plan = plan_link(&clients, &deployment, &request).await?;
        for (id, paths) in &link_plan.origin_paths {
            match paths.as_slice() {
                [] => {
                    note(format_args!(
                        "Warning: cannot confirm that an origin of {id} points to {}. To check the bucket, run {}.",
                        request.bucket,
                        deployment.given.invalidator(&["status", request.bucket.as_str(), "--skip-origin-check"])
                    ));
                }
                [path] => say(format_args!("{id} serves {} with origin path {path}.", request.bucket)),
                paths => say(format_args!("{id} serves {} with origin paths {}.", request.bucket, paths.join(" and "))),
            }
        }
        if deployment.function.is_dry_run {
            note("Warning: the function sends no invalidations (DRY_RUN). Deploy it with DryRun=false.");
        }
        if let Some(problem) = &link_plan.unread_queue {
            note(format_args!("Warning: {}.", one_line(&problem.message)));
        }
        let snippet = link_plan.managed_by.as_ref();
        let snippet = snippet.map(|it| template_snippet::of(it, &request, deployment.tag(), &link_plan));
        if link_plan.change_set.steps.is_empty() {
            say(format_args!("No changes: {} is already linked.", request.bucket));
            snippet.into_iter().for_each(note);
            return Ok(());
        }
        show(&link_plan.change_set);
        let (tags, rules) = (link_plan.unchanged_tags, link_plan.unchanged_rules);
        if tags + rules > 0 {
            say(format_args!("Unchanged: {}, {}", counted(tags, "tag"), counted(rules, "event notification")));
        }
        snippet.into_iter().for_each(note);
        if self.confirm.confirmed()? {
            apply(&clients, &link_plan.change_set, PAUSE).await?;
            say(format_args!(
                "Linked {}. S3 starts to send event notifications in about five minutes.",
                request.bucket
            ));
        }
        Ok(())
    }
}

impl UnlinkArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let (clients, deployment) =
            if self.force { self.aws.without_function().await? } else { self.deployment.find(&self.aws).await? };
        let tag = self.tag.as_deref().unwrap_or_else(|| deployment.tag());
        let unlink_plan =
            plan_unlink(&clients, &deployment, tag, &self.bucket, &self.distributions, self.everything).await?;
        let UnlinkPlan { change_set, foreign, of_others, rules, removes_last, queued_messages } = &unlink_plan;
        for id in foreign {
            note(format_args!("Kept {id} in the bucket's tag: link did not add it."));
        }
        for (id, function) in of_others {
            note(format_args!(
                "Kept {id} in the bucket's tag: the bucket is linked to function {} too.",
                one_line(function)
            ));
        }
        for rule in rules {
            note(format_args!("Kept an event notification that link did not add: {rule}"));
        }
        if !foreign.is_empty() || !rules.is_empty() {
            note(format_args!(
                "Remove them where they were added, or run {}.",
                deployment.given.invalidator(&["unlink", self.bucket.as_str(), "--everything"])
            ));
        }
        if change_set.steps.is_empty() {
            let ids: Vec<_> = self.distributions.iter().map(DistributionId::as_str).collect();
            match ids.as_slice() {
                [] => say(format_args!("No changes: {} has no changes from link.", self.bucket)),
                ids => say(format_args!("No changes: link did not add {} to {}.", ids.join(" or "), self.bucket)),
            }
            return Ok(());
        }
        show(change_set);
        if *queued_messages > 0 {
            note(format_args!(
                "Warning: the queue has about {}. The function skips messages for this bucket after the tag is \
                 removed.",
                counted(usize::try_from(*queued_messages).unwrap_or(usize::MAX), "message")
            ));
        }
        if self.confirm.confirmed()? {
            apply(&clients, change_set, PAUSE).await?;
            if *removes_last {
                say(format_args!("Unlinked {}.", self.bucket));
            } else {
                say(format_args!("Removed the distributions; {} is still linked to others.", self.bucket));
            }
        }
        Ok(())
    }
}

impl ConfirmArgs {
    /// Returns whether to apply the change set. Asks for confirmation unless `--yes` or `--dry-run` is given.
    ///
    /// # Errors
    /// If standard input is not a terminal, or cannot be read.
    fn confirmed(&self) -> anyhow::Result<bool> {
        if self.dry_run {
            say("Dry run: nothing was changed.");
            return Ok(false);
        }
        if self.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            bail!("cannot ask for confirmation, since standard input is not a terminal; specify --yes or --dry-run");
        }
        let mut stderr = io::stderr();
        // A failed write is ignored: only an explicit yes applies the change set.
        let _ = write!(stderr, "Apply these changes? [y/N] ").and_then(|()| stderr.flush());
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

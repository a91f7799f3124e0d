//! `invalidator invalidate`: runs the function's own code on this machine, with the operator's credentials.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::bail;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use tokio::time::Instant;

use super::aws::OperatorClients;
use super::aws_args::AwsArgs;
use super::changes::{ChangesArgs, ToInvalidate, Unreadable};
use super::failure::Reported;
use super::input::UsageError;
use super::link::{LinkError, OperatorApi, quoted};
use super::plan::{at_most, from_to};
use super::recovery::{Unsent, advise};
use super::terminal::{FunctionLog, note, say, say_json};
use super::{invalidate_table, wait};
use crate::aws;
use crate::change::{AccountId, Batch, Bucket, BucketName, DistributionId};
use crate::collapse::Budget;
use crate::config::{Config, ExpectedOwner};
use crate::event::{Event, Request, RequestKind, RequestTarget};
use crate::handler::{App, Invocation};
use crate::plan::SkipReason;
use crate::report::{Answer, InvocationError, Report, logging};

/// What to invalidate.
#[derive(Debug, Args)]
#[command(
    visible_alias = "send",
    after_help = "\
The command works as the function does with its default configuration: it reads
the bucket's tags and the distribution config, plans the paths, and retries
throttled requests. It does not read the configuration of a deployed function.

Examples:
  aws s3 sync --no-progress site s3://my-site | invalidator invalidate --sync -
  git diff -z --name-only --no-renames --relative=site/ HEAD~ \\
    | invalidator invalidate -z --keys - --bucket my-site
  invalidator invalidate --distribution E2EXAMPLE1ABCD --paths / '/img/*' --wait
  invalidator invalidate --event event.json"
)]
pub(super) struct InvalidateArgs {
    #[command(flatten)]
    changes: ChangesArgs,
    /// Bucket that contains the keys, if the input does not name it. With --event, only changes in this bucket are
    /// invalidated
    #[arg(long, value_name = "NAME", value_parser = super::input::bucket)]
    bucket: Option<BucketName>,
    /// Distribution to invalidate instead of those that the bucket's tag names
    #[arg(long, value_name = "ID", value_parser = DistributionId::from_word)]
    distribution: Option<DistributionId>,
    /// Key of the bucket tag that names the distributions
    #[arg(
        long,
        value_name = "KEY",
        default_value = Config::DEFAULT_DISTRIBUTION_TAG,
        value_parser = NonEmptyStringValueParser::new()
    )]
    tag: String,
    /// Maximum number of paths in an invalidation
    #[arg(long, value_name = "N", default_value_t = Config::DEFAULT_MAX_PATHS, value_parser = at_most(Budget::MAX_PATHS))]
    max_paths: NonZeroUsize,
    /// Maximum number of wildcards (paths that end with *) among these paths
    #[arg(long, value_name = "N", default_value_t = Config::DEFAULT_MAX_WILDCARDS, value_parser = at_most(Budget::MAX_WILDCARDS))]
    max_wildcards: NonZeroUsize,
    /// File to which keys of --keys or --sync that were not invalidated are added, for a later run with --keys FILE; default:
    /// the command prints them
    #[arg(long, value_name = "FILE", conflicts_with_all = ["event", "paths"])]
    save: Option<PathBuf>,
    /// Wait until the invalidations are complete
    #[arg(long)]
    wait: bool,
    /// Timeout of the whole command, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "600", value_parser = from_to(10, 3600))]
    timeout: NonZeroUsize,
    /// Plan the invalidations, and send none
    #[arg(long)]
    dry_run: bool,
    /// Print the report as one JSON object
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    aws: AwsArgs,
}

impl InvalidateArgs {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut unsent = Unsent::default();
        // Boxed, because the nested future types are large.
        let result = Box::pin(self.invalidate(&mut unsent)).await;
        if result.is_err() && !self.dry_run {
            advise(&unsent, |bucket, input| self.command(bucket, input), self.save.as_deref());
        }
        result
    }

    /// The command as it was typed, for another input, whose bucket is this one if it names one.
    fn command(&self, bucket: Option<&BucketName>, input: &str) -> String {
        let mut words = vec!["invalidator".to_owned(), "invalidate".to_owned()];
        let mut add = |option: &str, value: &str| words.extend([option.to_owned(), quoted(value)]);
        match bucket.or(self.bucket.as_ref()) {
            Some(name) => add("--bucket", name.as_str()),
            None if input.starts_with("--paths") && self.distribution.is_some() => {}
            None => add("--bucket", "BUCKET"),
        }
        if let Some(id) = &self.distribution {
            add("--distribution", id.as_str());
        }
        if self.tag != Config::DEFAULT_DISTRIBUTION_TAG {
            add("--tag", &self.tag);
        }
        for (option, value) in self.aws.options() {
            add(option, &value);
        }
        words.push(input.to_owned());
        words.join(" ")
    }

    /// Invalidates what the input names. Whatever of a list is not invalidated stays in `unsent`.
    async fn invalidate(&self, unsent: &mut Unsent) -> anyhow::Result<()> {
        let input = self.changes.to_invalidate(self.bucket.as_ref(), unsent)?;
        let (event, unreadable) = match input {
            ToInvalidate::Paths { target, paths, left_out } => {
                let kind = RequestKind::Paths { target: self.target(target)?, paths, left_out };
                (Event::Request(Request { kind, wait: None, dry_run: false }), Unreadable::default())
            }
            ToInvalidate::Changes { changes, unreadable } if changes.is_empty() => {
                let refused = unreadable.refuse();
                if self.json {
                    let mut report = Report::default();
                    if let Err(error) = &refused {
                        report.fail("record-invalid", &error.to_string());
                    }
                    say_json(&report)?;
                } else if refused.is_ok() {
                    say("Nothing to invalidate.");
                }
                return refused.map_err(|error| Reported(error.to_string()).into());
            }
            ToInvalidate::Changes { changes, unreadable } => {
                (Event::Changes(Batch { changes, ..Batch::default() }), unreadable)
            }
        };
        // Warnings that the function would log, such as an unreadable distribution config, go to standard error.
        let level = |name: &str| (name == "AWS_LAMBDA_LOG_LEVEL").then(|| "warn".to_owned());
        tracing::subscriber::set_global_default(logging::subscriber(level, || FunctionLog, aws::SILENT_CRATES))?;
        // Explicit paths of a distribution need CloudFront alone.
        let config = match &event {
            Event::Request(Request {
                kind: RequestKind::Paths { target: RequestTarget::Distribution(_), .. }, ..
            }) => self.aws.cloud_front_config().await?,
            _ => self.aws.config().await?,
        };
        let clients = OperatorClients::new(&config);
        let account = clients.account().await.map_err(LinkError::Call)?;
        let function_config = self.function_config(account)?;
        let app = App::new(function_config, &config, Arc::new(SystemTime::now));
        let started = Instant::now();
        let deadline = started + self.timeout();
        let invocation = Invocation { request_id: request_id(), function_arn: String::new(), deadline };
        let (answer, _) = app.handle(Ok(event), started, &invocation).await;
        let is_accepted = answer.is_ok();
        let (mut report, mut errors): (_, Vec<_>) = match answer {
            Ok(Answer { report, .. }) => (report, Vec::new()),
            Err(InvocationError { report, failures, .. }) => {
                (*report, failures.into_iter().map(|failure| failure.message).collect())
            }
        };
        if !self.json {
            invalidate_table::show(&report, is_accepted);
        } else if self.wait {
            // The report follows the wait, which may be interrupted.
            for sent in &report.invalidations {
                if let Some(id) = &sent.invalidation_id {
                    note(format_args!("CloudFront accepted invalidation {} of {}.", id.as_str(), sent.distribution_id));
                }
            }
        }
        let mut fail = |report: &mut Report, code: &str, error: String| {
            report.fail(code, &error);
            errors.push(error);
        };
        if self.wait
            && let Err(error) = wait::for_all(clients.cloud_front(), &mut report, started, deadline).await
        {
            fail(&mut report, "wait-failed", error.to_string());
        }
        let untagged_bucket = report.skipped.iter().find_map(|it| match &it.reason {
            SkipReason::BucketNotTagged { bucket } => Some(bucket.clone()),
            _ => None,
        });
        if is_accepted && untagged_bucket.is_none() {
            unsent.entries.clear();
        }
        if let Some(bucket) = untagged_bucket {
            let tag = &self.tag;
            let error =
                format!("bucket \"{bucket}\" does not have the tag \"{tag}\"; add the tag, or specify --distribution");
            fail(&mut report, "bucket-not-tagged", error);
        }
        if let Err(error) = unreadable.refuse() {
            fail(&mut report, "record-invalid", error.to_string());
        }
        if self.json {
            say_json(&report)?;
        }
        if errors.is_empty() { Ok(()) } else { bail!(Reported(errors.join("; "))) }
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout.get().try_into().unwrap_or(u64::MAX))
    }

    /// Returns what explicit paths are for. Options take precedence over the input, and a distribution over a bucket.
    fn target(&self, in_input: RequestTarget) -> anyhow::Result<RequestTarget> {
        match (&self.distribution, &self.bucket, in_input) {
            (Some(id), _, _) => Ok(RequestTarget::Distribution(id.clone())),
            (None, Some(name), RequestTarget::Bucket(_) | RequestTarget::Default) => {
                Ok(RequestTarget::Bucket(Bucket { name: name.clone(), region: None }))
            }
            (None, None, RequestTarget::Default) => {
                let error =
                    "the input names no distribution; specify --distribution, or --bucket to use the bucket's tag";
                Err(UsageError(error.to_owned()).into())
            }
            (None, _, in_input) => Ok(in_input),
        }
    }

    /// Returns the function's configuration: its defaults, changed by the command's options.
    fn function_config(&self, account: AccountId) -> anyhow::Result<Config> {
        let mut config = Config::from_lookup(|_| None)?;
        config.bucket_defaults.distribution_tag.clone_from(&self.tag);
        config.objective.budget = Budget { max_paths: self.max_paths, max_wildcards: self.max_wildcards };
        config.expected_owner = ExpectedOwner::Account(account);
        config.distribution_override.clone_from(&self.distribution);
        // Nothing redelivers the request, so it is retried until the command's own timeout.
        config.retries.direct = self.timeout();
        config.dry_run = self.dry_run;
        Ok(config)
    }
}

/// Returns a random request ID, so that repeating the command creates another invalidation.
pub(super) fn request_id() -> String {
    format!("{:032x}", fastrand::u128(..))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: InvalidateArgs,
    }

    #[test]
    fn options_take_precedence_over_the_input_and_a_distribution_over_a_bucket() {
        let distribution = |id| RequestTarget::Distribution(DistributionId::new(id).unwrap());
        let bucket = |name| RequestTarget::Bucket(Bucket { name: BucketName::new(name).unwrap(), region: None });
        let target = |options: &[&str], in_input| {
            Command::parse_from([&["invalidate", "--event", "-"], options].concat()).args.target(in_input)
        };
        let (by_id, by_bucket) = (&["--distribution", "E1"][..], &["--bucket", "site"][..]);
        let by_both = &[by_id, by_bucket].concat()[..];
        for (options, in_input, expected) in [
            (by_id, RequestTarget::Default, distribution("E1")),
            (by_id, distribution("E2"), distribution("E1")),
            (by_id, bucket("docs"), distribution("E1")),
            (by_both, RequestTarget::Default, distribution("E1")),
            (by_bucket, RequestTarget::Default, bucket("site")),
            (by_bucket, bucket("docs"), bucket("site")),
            (by_bucket, distribution("E2"), distribution("E2")),
            (&[], distribution("E2"), distribution("E2")),
            (&[], bucket("docs"), bucket("docs")),
        ] {
            assert_eq!(target(options, in_input).unwrap(), expected, "{options:?}");
        }
        let error = target(&[], RequestTarget::Default).unwrap_err().to_string();
        assert!(error.contains("specify --distribution, or --bucket"), "{error}");
    }
}

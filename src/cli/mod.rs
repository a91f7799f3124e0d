//! The operator's command line, `invalidator`, with one module per subcommand.
//!
//! [`keys`] reads lists of keys. [`link`] decides what `link`, `unlink` and `status` do and knows AWS only through a trait; [`aws`] implements that
//! trait with the SDK.

pub mod aws;
mod aws_args;
mod changes;
mod completions;
mod config;
pub mod config_json;
mod confirm;
mod demo;
mod explain;
mod failure;
mod input;
mod invalidate;
mod invalidate_table;
pub mod keys;
pub mod link;
mod link_command;
mod plan;
mod recovery;
mod status;
mod template_snippet;
mod terminal;
mod wait;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Invalidates CloudFront automatically when S3 objects change: links buckets to the Lambda function, checks them, and
/// sends invalidations from the command line.
#[derive(Debug, Parser)]
#[command(
    name = "invalidator",
    version,
    max_term_width = 100,
    after_help = "\
Exit status:
  0  done
  1  not everything was invalidated, or a problem was found
  2  the options are wrong"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a shell script that completes commands and options.
    Completions(completions::CompletionsArgs),
    /// Run the function on this machine against a fake AWS, with the files of a directory as objects.
    Demo(demo::DemoArgs),
    /// Create CloudFront invalidations for changed S3 objects, without a deployed function.
    Invalidate(invalidate::InvalidateArgs),
    /// Link buckets to the function: tag each with its distributions, and send its event notifications to the function.
    Link(link_command::LinkArgs),
    /// Show the paths and the price of an invalidation, without sending it.
    Plan(plan::PlanArgs),
    /// Check buckets, their distributions, the function and its queues.
    Status(status::StatusArgs),
    /// Remove what link added to a bucket.
    Unlink(link_command::UnlinkArgs),
}

impl Cli {
    /// Prints why the arguments cannot be parsed, or the help or the version that was asked for, and returns the exit status.
    #[must_use]
    pub fn refuse(error: &clap::Error) -> ExitCode {
        let text = error.to_string();
        match text.trim_end().strip_prefix("error: ") {
            Some(text) => terminal::error(text),
            None if error.use_stderr() => terminal::note(text.trim_end()),
            None => terminal::say(text.trim_end()),
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::USAGE))
    }

    /// Runs the command. An error is printed to standard error, with its remedy.
    pub async fn run(self) -> ExitCode {
        let is_json = self.command.is_json();
        // Boxed, because the nested future types are large.
        match Box::pin(self.command.run()).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure::report(&error, is_json),
        }
    }
}

impl Command {
    /// Whether the command prints JSON.
    fn is_json(&self) -> bool {
        match self {
            Self::Completions(_) => false,
            Self::Demo(demo) => demo.json,
            Self::Invalidate(invalidate) => invalidate.json,
            Self::Link(link) => link.is_json(),
            Self::Plan(plan) => plan.json,
            Self::Status(status) => status.json,
            Self::Unlink(unlink) => unlink.is_json(),
        }
    }

    async fn run(self) -> anyhow::Result<()> {
        match self {
            Command::Completions(completions) => completions.run(Cli::command()),
            Command::Demo(demo) => demo.run().await,
            Command::Invalidate(invalidate) => invalidate.run().await,
            Command::Link(link) => link.run().await,
            Command::Plan(plan) => plan.run().await,
            Command::Status(status) => status.run().await,
            Command::Unlink(unlink) => unlink.run().await,
        }
    }
}

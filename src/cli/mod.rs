//! The operator's command line, `invalidator`, with one module per subcommand.
//!
//! [`keys`] reads lists of keys. [`link`] decides what `link`, `unlink` and `status` do and knows AWS only through a trait; [`aws`] implements that
//! trait with the SDK.

pub mod aws;
mod aws_args;
mod changes;
mod config;
pub mod config_json;
mod demo;
mod explain;
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

use clap::{Parser, Subcommand};

/// The exit status for options that cannot work, also those that clap rejects.
const USAGE: u8 = 2;

/// Invalidates CloudFront automatically when S3 objects change: links buckets to the Lambda function, checks them, and
/// sends invalidations from the command line.
#[derive(Debug, Parser)]
#[command(
    name = "invalidator",
    version,
    max_term_width = 80,
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
    /// Run the function on this machine against a fake AWS, with the files of a directory as changed objects.
    Demo(demo::DemoArgs),
    /// Create CloudFront invalidations for changed S3 objects, without a deployed function.
    Invalidate(invalidate::InvalidateArgs),
    /// Link a bucket to the function: tag the bucket with its distributions, and send its event notifications to the
    /// function.
    Link(link_command::LinkArgs),
    /// Show the paths and the price of an invalidation, without sending it.
    Plan(plan::PlanArgs),
    /// Check buckets, their distributions, the function and its queues.
    Status(status::StatusArgs),
    /// Remove the tags, event notifications and permission that link added to a bucket.
    Unlink(link_command::UnlinkArgs),
}

impl Cli {
    /// Runs the command. An error is printed to standard error, with its remedy.
    pub async fn run(self) -> ExitCode {
        match self.command.run().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                // The message may quote outside text, such as a bucket's tags, with control characters in it.
                terminal::note(format_args!("Error: {}", crate::change::text::one_line(&format!("{error:#}"))));
                if error.is::<input::UsageError>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
            }
        }
    }
}

impl Command {
    async fn run(self) -> anyhow::Result<()> {
        match self {
            Command::Demo(demo) => demo.run().await,
            Command::Invalidate(invalidate) => invalidate.run().await,
            Command::Link(link) => link.run().await,
            Command::Plan(plan) => plan.run().await,
            Command::Status(status) => status.run().await,
            Command::Unlink(unlink) => unlink.run().await,
        }
    }
}

//! The operator's command line, `invalidator`, with one module per subcommand.
//!
//! [`link`] decides what `link`, `unlink` and `status` do and knows AWS only through a trait; [`aws`] implements that
//! trait with the SDK.

pub mod aws;
mod aws_args;
mod changes;
mod config;
mod demo;
mod demo_tables;
mod directory;
mod explain;
mod key_lists;
pub mod link;
mod link_command;
mod plan;
mod send;
mod send_table;
mod status;
mod template_snippet;
mod terminal;
mod wait;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Keeps CloudFront fresh when S3 changes: links buckets to the Lambda function, looks after them, and invalidates by
/// hand.
#[derive(Debug, Parser)]
#[command(name = "invalidator", version, max_term_width = 80)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the real function on this machine: a directory is the content of a bucket, and every file in it has changed.
    Demo(demo::DemoArgs),
    /// Have a bucket's changes invalidated: tag it and have it tell the function.
    Link(link_command::LinkArgs),
    /// Show which paths an invalidation of these changes would have, what each covers, and what it costs.
    Plan(plan::PlanArgs),
    /// Invalidate what changed right away, as the function would.
    Send(send::SendArgs),
    /// Show what is right and wrong with buckets, distributions and the function.
    Status(status::StatusArgs),
    /// Remove from a bucket what link added.
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
                ExitCode::FAILURE
            }
        }
    }
}

impl Command {
    async fn run(self) -> anyhow::Result<()> {
        match self {
            Command::Demo(demo) => demo.run().await,
            Command::Link(link) => link.run().await,
            Command::Plan(plan) => plan.run().await,
            Command::Send(send) => send.run().await,
            Command::Status(status) => status.run().await,
            Command::Unlink(unlink) => unlink.run().await,
        }
    }
}

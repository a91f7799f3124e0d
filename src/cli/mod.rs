//! The command line `invalidator`.

mod changed;
mod demo;
mod explain;
mod lists;
mod plan;
mod settings;
mod site;
mod tables;
mod terminal;

use clap::{Parser, Subcommand};

/// Keeps CloudFront fresh when S3 changes: the operator's side of the Lambda function.
#[derive(Debug, Parser)]
#[command(name = "invalidator", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the real function on this machine: a directory is the content of a bucket, and every file in it has changed.
    Demo(demo::Demo),
    /// Show which paths an invalidation of these changes would have, what each covers, and what it costs.
    Plan(plan::Plan),
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Whatever kept it from being done, with the remedy.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Demo(demo) => demo.run().await,
            Command::Plan(plan) => plan.run().await,
        }
    }
}

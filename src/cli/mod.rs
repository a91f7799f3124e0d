//! The command line `invalidator`.

mod demo;
mod site;
mod tables;

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
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Whatever kept it from being done, with the remedy.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Demo(demo) => demo.run().await,
        }
    }
}

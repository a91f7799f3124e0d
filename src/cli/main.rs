//! The entry point of the operator's command line, `invalidator`.

use std::process::ExitCode;

use clap::Parser;
use s3_cloudfront_invalidator::cli::Cli;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => cli.run().await,
        Err(error) => Cli::refuse(&error),
    }
}

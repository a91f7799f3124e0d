//! The operator's command line.

use clap::Parser;
use s3_cloudfront_invalidator::cli::Cli;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    Cli::parse().run().await
}

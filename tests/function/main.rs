//! The real binary, driven through Lambda's Runtime API against the fake AWS.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod cli;
#[expect(dead_code, reason = "the table is made elsewhere")]
#[path = "../../benches/comparison/mod.rs"]
mod comparison;
mod config;
mod delivery;
mod error_table;
mod fake_aws;
mod faults;
mod harness;
mod jobs;
mod logs;
mod sources;
mod startup;

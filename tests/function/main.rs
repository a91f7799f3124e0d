//! The real binary, driven through Lambda's Runtime API against the stand-in of AWS.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod delivery;
mod demo;
mod faults;
mod load;
mod logs;
mod plan;
mod rig;
mod sources;
mod standin;
mod standin_events;
mod standin_jobs;
mod standin_status;
mod start;
mod tags;
mod vectors;

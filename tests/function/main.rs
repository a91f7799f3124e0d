//! The real binary, driven through Lambda's Runtime API against the stand-in of AWS.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod again;
mod amiss;
#[expect(dead_code, reason = "the table is made elsewhere")]
#[path = "../../benches/comparison/mod.rs"]
mod comparison;
mod delivery;
mod demo;
mod distributions;
mod documents;
mod doubtful;
mod faults;
mod front;
mod hangs;
mod hollow;
mod inventory;
mod job_texts;
mod job_wait;
mod jobs;
mod load;
mod logs;
mod metrics;
mod old_settings;
mod operations;
mod plan;
mod queue;
mod requests;
mod retries;
mod rig;
mod scenario;
mod sdk;
mod settings;
mod settings_amiss;
mod size;
mod sources;
mod standin;
mod standin_calls;
mod standin_events;
mod standin_jobs;
mod standin_listing;
mod standin_settings;
mod standin_status;
mod standin_tenants;
mod start;
mod tags;
mod throttling;
mod trust;
mod vectors;

//! Keeps CloudFront fresh when S3 changes.
//!
//! S3 tells an AWS Lambda function, directly or through queues, topics and EventBridge, which objects were created or
//! removed, in any number of buckets. The function reads each bucket's tags to learn which distributions are in front of
//! it, turns the keys into the paths viewers use, and sends each distribution one invalidation. Pipelines and people can
//! ask it for invalidations too.
//!
//! The way of the data, and the module that knows each step:
//!
//! ```text
//! event JSON ─event─▶ Change ─router─▶ BucketOptions ─surveyor─▶ Mapping ─path─▶ InvalidationPath ─lister, collapse─▶ items
//!                                                                                                            │
//!           Report ◀─report──┬── app ◀─ports── aws ◀── Invalidation ◀─plan────────────────────────────┘
//!  InvocationError ◀─failure─┘
//! ```
//!
//! [`event`], [`change`], [`distribution`], [`path`], [`settings`], [`view`], [`collapse`], [`route`], [`plan`], [`mod@reference`],
//! [`job`] and [`text`] are pure: no clock, no environment, no SDK. [`app`] goes the whole way over the traits in [`ports`]; [`aws`] implements them
//! and is the only place that names an SDK crate.
//!
//! Feature `local` adds a stand-in of Lambda's Runtime API, S3, CloudFront and CodePipeline, on which everything
//! runs without an AWS account; feature `cli` adds the command line `invalidator`.

pub mod aws;
pub mod change;
#[cfg(feature = "cli")]
pub mod cli;
pub mod collapse;
pub mod config;
pub mod event;
pub mod handler;
#[cfg(feature = "local")]
pub mod local;
pub mod lookup;
pub mod path;
pub mod plan;
pub mod report;
pub mod send;

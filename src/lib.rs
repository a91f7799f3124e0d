//! Invalidates CloudFront automatically when S3 objects change.
//!
//! S3 notifies an AWS Lambda function, directly or through SQS, SNS and EventBridge, which objects were created or
//! removed, in any number of buckets. The function reads each bucket's tags and each distribution's config, maps the
//! changed keys to the paths that viewers use, and sends each distribution one invalidation with as few paths, and as
//! few unchanged objects evicted, as possible. Pipelines and people can request invalidations too.
//!
//! A *delivery* is one set of changes as the function is invoked with it; the same changes may be delivered again. An
//! *attempt* is one try of a request to AWS.
//!
//! # Layout
//!
//! From the bottom up; a module imports only modules above it in this list.
//!
//! * [`change`]: what changed, and the checked names (bucket, key, Region, account, distribution) that everything else
//!   is built from.
//! * [`path`]: from a key to its invalidation paths in one distribution.
//! * [`event`]: from the bytes of an invocation to changes, a request or a job.
//! * [`collapse`]: the best set of paths that covers the changed ones within a budget.
//! * [`plan`]: from changes and mappings to one invalidation per distribution.
//! * [`aws`]: the calls of AWS through the SDK's clients, and the classes of their errors.
//! * [`lookup`]: what is read from AWS and cached: tags, distribution configs, listed keys.
//! * [`send`]: `CreateInvalidation` under the account's throttle.
//! * [`report`]: what became of a delivery, as answer, log line, metrics and errors.
//! * [`config`]: the environment variables.
//! * [`handler`]: one invocation from start to answer.
//!
//! [`change`], [`path`], [`event`], [`collapse`] and [`plan`] are pure: no clock, environment, network, log or `async`.
//!
//! Two features add the rest: `local` a fake AWS on loopback, on which everything runs without an account, and `cli`
//! the command line `invalidator`. `docs/architecture.md` follows one event through the code and says where to add
//! what.

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

//! A stand-in of AWS on loopback: Lambda's Runtime API, S3's, CloudFront's and CodePipeline's endpoints, and the function as
//! a process.
//!
//! It is stricter than AWS where AWS is silent: a path that CloudFront would accept and never match is reported
//! ([`cloudfront::AcceptedInvalidation::ineffective`]), so that a test can insist on none. It records every call, plays the faults that a
//! script asks for, and can tell the bill. It checks no signatures; of objects it knows the keys
//! alone.

pub mod bill;
pub mod cloudfront;
pub mod codepipeline;
pub mod connection;
pub mod events;
pub mod fake_aws;
pub mod fault;
pub mod function;
pub mod runtime;

mod denial;
mod distribution_config;
mod http;
mod listing;
mod path_rules;
mod request;
mod s3;
mod xml;

pub use self::cloudfront::FakeDistribution;
pub use self::codepipeline::{FakeJob, PutResult};
pub use self::fake_aws::{Call, FakeAws, FakeBucket, State};
pub use self::function::FunctionProcess;
pub use self::runtime::{InvocationOutcome, Invoke, Lambda};

/// The account that everything on the stand-in belongs to: the one AWS's own documents use.
pub const ACCOUNT: &str = "123456789012";

/// The Region that everything on the stand-in is in, unless it says otherwise.
pub const REGION: &str = "eu-central-1";

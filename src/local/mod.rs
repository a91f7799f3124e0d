//! A fake AWS on loopback: the endpoints of Lambda's Runtime API, S3, S3 Control, CloudFront, CodePipeline, SQS and
//! STS, and the function as a child process.
//!
//! Where AWS silently accepts what has no effect, the fake reports it: a path that CloudFront would accept and never
//! match is listed in [`AcceptedInvalidation::ineffective`], so that a test can require that there is none.
//! It records every call and injects the faults that a test asks for. It checks no signatures, and of objects it has only
//! the keys.

pub mod connection;
pub mod events;
pub mod fault;

mod cloudfront;
mod codepipeline;
mod denial;
mod distribution_config;
mod fake_aws;
mod function;
mod http;
mod listing;
mod path_rules;
mod queue;
mod quota;
mod request;
mod runtime;
mod s3;
mod s3_control;
mod sqs;
mod state;
mod xml;

pub use self::fake_aws::FakeAws;
pub use self::function::FunctionProcess;
pub use self::queue::{FakeQueue, MAX_IN_FLIGHT, MAX_MESSAGE_BYTES, RedrivePolicy};
pub use self::quota::{CREATE_INVALIDATION_INTERVAL, Quota, QuotaError, Rates, WildcardUnit};
pub use self::runtime::{InvocationOutcome, Invoke, Lambda};
pub use self::state::{
    AcceptedInvalidation, Call, FakeBucket, FakeDistribution, FakeJob, FakeTenant, PutResult, State, UNKNOWN_OPERATION,
};

/// The account that owns everything in the fake AWS: the example account of AWS's documentation.
pub const ACCOUNT: &str = "123456789012";

/// The default Region of everything in the fake AWS.
pub const REGION: &str = "eu-central-1";

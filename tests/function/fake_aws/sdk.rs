//! SDK clients of the fake AWS, for tests that call it without the function.

use std::time::Duration;

use aws_sdk_cloudfront::config::retry::RetryConfig;
use aws_sdk_cloudfront::config::timeout::TimeoutConfig;
use aws_sdk_cloudfront::config::{Credentials, Region};
use s3_cloudfront_invalidator::local::{FakeAws, REGION};

fn credentials() -> Credentials {
    Credentials::new("AKIDLOCAL", "local-secret-key", None, None, "test")
}

pub(crate) fn cloudfront(aws: &FakeAws) -> aws_sdk_cloudfront::Client {
    let config = aws_sdk_cloudfront::Config::builder()
        .behavior_version_latest()
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(aws.url())
        .build();
    aws_sdk_cloudfront::Client::from_conf(config)
}

pub(crate) fn s3(aws: &FakeAws) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version_latest()
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .endpoint_url(aws.url())
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// A client without retries. Its calls fail when they take longer than any long poll.
pub(crate) fn sqs(aws: &FakeAws) -> aws_sdk_sqs::Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version_latest()
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .endpoint_url(aws.url())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_mins(1)).build())
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}

/// The calls of an operation, as target and status.
pub(crate) fn calls(aws: &FakeAws, operation: &str) -> Vec<(String, u16)> {
    aws.calls(operation).into_iter().map(|call| (call.target, call.status)).collect()
}

//! The SDK clients of `link`, `unlink` and `status`.
//!
//! Unlike the function's clients they keep the SDK's own retries: a person waits, and each command makes few calls.

mod api;
mod known_elements;
mod logs;
mod metrics;
mod notifications;
mod s3_control;

use std::env;
use std::time::Duration;

use anyhow::anyhow;
use aws_config::profile::{self, ProfileFileCredentialsProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{ConfigLoader, SdkConfig};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::os_shim_internal::{Env, Fs};
use tokio::sync::OnceCell;

use crate::aws::cloudfront::CloudFront;
use crate::aws::response::{call_error, invalid_response};
use crate::aws::s3::is_path_style;
use crate::aws::{CallError, ErrorClass};
use crate::change::text::excerpt;
use crate::change::{AccountId, BucketName};

/// Values that take precedence over the environment and the shared configuration files.
#[derive(Clone, Debug, Default)]
pub struct ConfigOverrides {
    /// The profile of the shared configuration files.
    pub profile: Option<String>,
    /// The Region.
    pub region: Option<String>,
    /// The endpoint URL of all services.
    pub endpoint: Option<String>,
}

/// The environment variable that names a profile.
const PROFILE_VARIABLE: &str = "AWS_PROFILE";

/// Loads the SDK configuration from `overrides` and the sources of `loader`, which has this HTTP client.
///
/// # Errors
/// If the profile that an override or `AWS_PROFILE` names does not exist. The SDK would continue without it, and at last
/// report missing credentials.
pub async fn load_config(
    mut loader: ConfigLoader,
    client: SharedHttpClient,
    overrides: &ConfigOverrides,
) -> anyhow::Result<SdkConfig> {
    match (&overrides.profile, env::var(PROFILE_VARIABLE)) {
        (Some(name), _) => require_profile(name, "--profile").await?,
        (None, Ok(name)) => require_profile(&name, PROFILE_VARIABLE).await?,
        (None, Err(_)) => {}
    }
    if let Some(profile) = &overrides.profile {
        // As in the AWS CLI, a profile that is named explicitly takes precedence over credentials in the environment.
        let region = overrides.region.clone().map(aws_config::Region::new);
        let provider_config = ProviderConfig::with_default_region().await.with_http_client(client);
        let provider_config = if region.is_some() { provider_config.with_region(region) } else { provider_config };
        let credentials =
            ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&provider_config).build();
        loader = loader.profile_name(profile).credentials_provider(credentials);
    }
    if let Some(region) = &overrides.region {
        loader = loader.region(aws_config::Region::new(region.clone()));
    }
    if let Some(endpoint) = &overrides.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    Ok(loader.load().await)
}

/// Returns the configuration with this Region.
#[must_use]
pub fn in_region(config: SdkConfig, region: &'static str) -> SdkConfig {
    config.into_builder().region(aws_config::Region::from_static(region)).build()
}

/// The profile that an option or a variable names does not exist.
#[derive(Debug, thiserror::Error)]
#[error(
    "the profile \"{name}\" does not exist; correct {named_by} (`aws configure list-profiles` prints the profiles)"
)]
pub struct ProfileNotFound {
    name: String,
    /// The option or the variable.
    named_by: String,
}

/// Checks that a profile exists. `source` is what named it.
async fn require_profile(name: &str, source: &str) -> anyhow::Result<()> {
    let profiles = profile::load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), None).await;
    // The SDK's message has a line break.
    let profiles = profiles.map_err(|error| {
        let text = format!("{:#}", anyhow!(error));
        anyhow!("{}", text.split_whitespace().collect::<Vec<_>>().join(" "))
    })?;
    if profiles.get_profile(name).is_none() {
        return Err(ProfileNotFound { name: excerpt(name), named_by: source.to_owned() }.into());
    }
    Ok(())
}

/// The timeout of one attempt of a call to S3.
const S3_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);

/// The clients for one account and one Region.
pub struct OperatorClients {
    cloud_formation: aws_sdk_cloudformation::Client,
    cloud_front: CloudFront,
    cloud_watch: aws_sdk_cloudwatch::Client,
    event_bridge: aws_sdk_eventbridge::Client,
    lambda: aws_sdk_lambda::Client,
    logs: aws_sdk_cloudwatchlogs::Client,
    scheduler: aws_sdk_scheduler::Client,
    s3: aws_sdk_s3::Client,
    s3_control: aws_sdk_s3control::Client,
    sqs: aws_sdk_sqs::Client,
    sts: aws_sdk_sts::Client,
    region: String,
    caller: OnceCell<Caller>,
}

/// The caller of AWS.
struct Caller {
    account: AccountId,
    /// The caller's ARN, which names the partition.
    arn: String,
}

impl OperatorClients {
    /// Creates the clients. No connection is opened yet.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let builder = aws_sdk_s3::config::Builder::from(config).force_path_style(is_path_style(config));
        // S3 validates the destinations of a notification configuration before it responds.
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(S3_ATTEMPT_TIMEOUT).build();
        let s3_config = builder.timeout_config(timeouts).build();
        Self {
            cloud_formation: aws_sdk_cloudformation::Client::new(config),
            cloud_front: CloudFront::with_sdk_retries(config),
            cloud_watch: aws_sdk_cloudwatch::Client::new(config),
            event_bridge: aws_sdk_eventbridge::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            scheduler: aws_sdk_scheduler::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3_config),
            s3_control: s3_control::client(config),
            sqs: aws_sdk_sqs::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            caller: OnceCell::new(),
        }
    }

    /// Returns the CloudFront client, which reads the progress of invalidations.
    #[must_use]
    pub fn cloud_front(&self) -> &CloudFront {
        &self.cloud_front
    }

    async fn caller(&self) -> Result<&Caller, CallError> {
        self.caller
            .get_or_try_init(|| async {
                let output = self.sts.get_caller_identity().send().await;
                let output = output.map_err(|error| call_error("GetCallerIdentity", &error))?;
                let account = output.account.as_deref().and_then(|id| AccountId::new(id).ok());
                let account = account.ok_or_else(|| invalid_response("GetCallerIdentity", "it has no Account"))?;
                Ok(Caller { account, arn: output.arn.unwrap_or_default() })
            })
            .await
    }

    /// Returns the caller's account, and the ARN of one of its buckets.
    async fn account_and_bucket_arn(&self, bucket: &BucketName) -> Result<(&str, String), CallError> {
        let caller = self.caller().await?;
        let partition = caller.arn.split(':').nth(1);
        let partition = partition.ok_or_else(|| invalid_response("GetCallerIdentity", "it has no Arn"))?;
        Ok((caller.account.as_str(), format!("arn:{partition}:s3:::{bucket}")))
    }
}

/// The most attempts to change a bucket while S3 works on another change of it.
const MAX_ATTEMPTS: u32 = 5;

/// Whether S3 rejected a change of the bucket because another one is in progress: it accepts one at a time. Source:
/// terraform-provider-aws#2008.
fn is_busy<E: ProvideErrorMetadata>(error: &E) -> bool {
    error.code() == Some("OperationAborted")
}

/// Retries a change of a bucket while S3 works on another one. The delay is 1 s, and 1 s longer after each attempt.
async fn retry_while_busy<T, E, F>(change: impl Fn() -> F) -> Result<T, E>
where
    E: ProvideErrorMetadata,
    F: Future<Output = Result<T, E>>,
{
    let mut attempt = 1;
    loop {
        match change().await {
            Err(error) if attempt < MAX_ATTEMPTS && is_busy(&error) => {
                tokio::time::sleep(Duration::from_secs(attempt.into())).await;
            }
            output => return output,
        }
        attempt += 1;
    }
}

/// Returns `None` if the resource does not exist.
fn unless_missing<T>(output: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match output {
        Err(error) if error.class == ErrorClass::NotFound => Ok(None),
        output => output.map(Some),
    }
}

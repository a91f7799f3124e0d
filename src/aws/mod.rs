//! The adapters for AWS, and the only place that names an SDK crate. They build requests and map answers and errors to
//! the ports' types; they decide nothing.

mod error;
mod invalidations;
mod jobs;
mod objects;
#[cfg(feature = "cli")]
mod operator;
mod s3;
mod settings;
mod tags;
mod whole;

use std::time::Duration;

#[cfg(feature = "cli")]
use aws_config::profile::ProfileFileCredentialsProvider;
#[cfg(feature = "cli")]
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion};

pub use aws_config::SdkConfig as Config;
use aws_config::SdkConfig;

pub use invalidations::CloudFront;
pub use jobs::CodePipeline;
#[cfg(feature = "cli")]
pub use operator::Operator;
pub use s3::S3;

/// How long a connection may take to be made. An endpoint of the same Region answers in milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one attempt of a call may take, connecting and reading included. Whoever makes the call mostly gives it less, by
/// what it is and by the time there is; this is for those who do not.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The crates of the SDK whose log lines can hold a whole answer of AWS's: where a call fails twice over, the first error is
/// printed with everything that the answer held. We tell of the second.
pub const SILENT_IN_LOG: &[&str] = &["aws_smithy_runtime_api"];

/// Reads Region, credentials and endpoint as every AWS tool does; in Lambda all of them come from the environment.
///
/// None of the clients tries again by itself: whoever makes several calls knows better what to try when, and in which time.
pub async fn load_config() -> SdkConfig {
    load_config_of(&Named::default()).await
}

/// What somebody named instead of what the environment and the shared configuration say.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// A profile of the shared configuration.
    pub profile: Option<String>,
    /// The Region.
    pub region: Option<String>,
    /// The endpoint of all services.
    pub endpoint: Option<String>,
}

/// The same, with what somebody named.
pub async fn load_config_of(named: &Named) -> SdkConfig {
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeouts);
    if let Ok(name) = AppName::new(env!("CARGO_PKG_NAME")) {
        loader = loader.app_name(name);
    }
    #[cfg(feature = "cli")]
    if let Some(profile) = &named.profile {
        // As with the AWS CLI, a profile that somebody names comes before credentials in the environment.
        let region = named.region.clone().map(aws_config::Region::new);
        let provider = ProviderConfig::with_default_region().await;
        let provider = if region.is_some() { provider.with_region(region) } else { provider };
        let of_profile = ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&provider).build();
        loader = loader.profile_name(profile).credentials_provider(of_profile);
    }
    if let Some(region) = &named.region {
        loader = loader.region(aws_config::Region::new(region.clone()));
    }
    if let Some(endpoint) = &named.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    loader.load().await
}

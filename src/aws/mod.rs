//! The adapters for AWS, and the only place that names an SDK crate. They build requests and map answers and errors to
//! the ports' types; they decide nothing.

mod configs;
pub(crate) mod error;
pub(crate) mod invalidations;
mod jobs;
mod keys;
pub(crate) mod response;
pub(crate) mod s3;
mod tags;
mod tls;

use std::time::Duration;

#[cfg(feature = "cli")]
use aws_config::profile::ProfileFileCredentialsProvider;
#[cfg(feature = "cli")]
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};

pub use aws_config::SdkConfig as Config;

pub use self::configs::DistributionConfigs;
pub use self::error::{CallError, ErrorClass};
pub use self::invalidations::{Accepted, CloudFront, Invalidations, Progress};
pub use self::jobs::{CodePipeline, Jobs};
pub use self::keys::{BucketKeys, KeyPage};
pub use self::s3::S3;
pub use self::tags::{BucketQuery, BucketTags};
pub use self::tls::TlsError;

/// How long a connection may take to be made. An endpoint of the same Region answers in milliseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long one attempt of a call may take, connecting and reading included. Whoever makes the call mostly gives it less, by
/// what it is and by the time there is; this is for those who do not.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The crates of the SDK whose log lines can hold a whole answer of AWS's: where a call fails twice over, the first error is
/// printed with everything that the answer held. We tell of the second.
pub const SILENT_CRATES: &[&str] = &["aws_smithy_runtime_api"];

/// Reads Region, credentials and endpoint as every AWS tool does; in Lambda all of them come from the environment. The roots
/// of trust are those of `SSL_CERT_FILE`, or the platform's.
///
/// The function's clients switch the SDK's retries off: whoever makes several calls knows better what to try when, and in which
/// time. Those of an operator's commands leave them on.
///
/// # Errors
/// If `SSL_CERT_FILE` is set to what cannot be used.
pub async fn load_config() -> Result<SdkConfig, TlsError> {
    load_config_with(&ConfigOverrides::default()).await
}

/// What somebody named instead of what the environment and the shared configuration say.
#[derive(Clone, Debug, Default)]
pub struct ConfigOverrides {
    /// A profile of the shared configuration.
    pub profile: Option<String>,
    /// The Region.
    pub region: Option<String>,
    /// The endpoint of all services.
    pub endpoint: Option<String>,
}

/// The same, with what somebody named.
///
/// # Errors
/// As above.
pub async fn load_config_with(overrides: &ConfigOverrides) -> Result<SdkConfig, TlsError> {
    let roots = tls::choose_roots(|name| std::env::var_os(name), tls::read)?;
    let client = http_client(roots)?;
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let mut loader =
        aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeouts).http_client(client.clone());
    if let Ok(name) = AppName::new(env!("CARGO_PKG_NAME")) {
        loader = loader.app_name(name);
    }
    #[cfg(feature = "cli")]
    if let Some(profile) = &overrides.profile {
        // As with the AWS CLI, a profile that somebody names comes before credentials in the environment.
        let region = overrides.region.clone().map(aws_config::Region::new);
        let provider = ProviderConfig::with_default_region().await.with_http_client(client);
        let provider = if region.is_some() { provider.with_region(region) } else { provider };
        let of_profile = ProfileFileCredentialsProvider::builder().profile_name(profile).configure(&provider).build();
        loader = loader.profile_name(profile).credentials_provider(of_profile);
    }
    if let Some(region) = &overrides.region {
        loader = loader.region(aws_config::Region::new(region.clone()));
    }
    if let Some(endpoint) = &overrides.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    Ok(loader.load().await)
}

/// One client for all services and Regions, so that its TLS is set up once; it keeps connections apart by host. The SDK's own
/// is set up for every service once to try it and once to use it.
fn http_client(roots: tls::TrustedRoots) -> Result<SharedHttpClient, TlsError> {
    let mut store = TrustStore::empty().with_native_roots(roots.native);
    if !roots.pem.is_empty() {
        store = store.with_pem_certificate(roots.pem);
    }
    let connector = Connector::builder()
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build())
        // As the SDK's own.
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(TlsContext::builder().with_trust_store(store).build()?)
        .build();
    let connector = SharedHttpConnector::new(connector);
    Ok(http_client_fn(move |_, _| connector.clone()))
}

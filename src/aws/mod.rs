//! Adapters for AWS. They build requests and map responses and errors to this crate's own types; they make no
//! decisions.
//!
//! Apart from `cli::aws`, this is the only module that names an SDK crate.

pub(crate) mod cloudfront;
mod jobs;
pub(crate) mod response;
pub(crate) mod s3;
mod sqs;
mod tls;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};

pub use aws_config::SdkConfig;

pub use self::cloudfront::{Accepted, CloudFront, Progress};
pub use self::jobs::CodePipeline;
pub use self::response::{CallError, ErrorClass};
pub use self::s3::{BucketKeys, BucketQuery, KeyPage, S3};
pub use self::sqs::{MAX_BATCH, Queue, ReceivedMessage};
pub use self::tls::TlsError;

/// SDK crates whose log events are dropped because they can contain a whole response: of an error that replaces an
/// earlier one of the same call, and of a source of credentials that refuses. Callers report the error that remains.
pub const SILENT_CRATES: &[&str] = &["aws_config", "aws_smithy_runtime_api"];

/// Returns a loader of Region, credentials and endpoint from the SDK's default sources, with its HTTP client; in Lambda
/// these sources are environment variables. `connect` is the longest time to establish a connection, `attempt` that for
/// one attempt of a call, including connecting and reading. The TLS roots are those of `SSL_CERT_FILE`, or the
/// platform's.
///
/// The function's clients disable the SDK's retries: a caller of several calls knows better which to retry when, and
/// how much time is left. The clients of the operator's commands keep them.
///
/// # Errors
/// If `SSL_CERT_FILE` is set to a file that cannot be used.
pub fn config_loader(connect: Duration, attempt: Duration) -> Result<(ConfigLoader, SharedHttpClient), TlsError> {
    let roots = tls::choose_roots(|name| std::env::var_os(name), tls::read)?;
    let client = http_client(roots, connect)?;
    let timeouts = TimeoutConfig::builder().connect_timeout(connect).operation_attempt_timeout(attempt).build();
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).timeout_config(timeouts);
    let loader = loader.http_client(client.clone());
    let name = AppName::new(env!("CARGO_PKG_NAME")).map_err(|error| TlsError(error.to_string()))?;
    Ok((loader.app_name(name), client))
}

/// Builds one HTTP client for all services and Regions, so that TLS is set up once; it pools connections by host. The
/// SDK's default client sets up TLS twice for every service, once for validation and once for use.
fn http_client(roots: tls::TrustedRoots, connect_timeout: Duration) -> Result<SharedHttpClient, TlsError> {
    let mut store = TrustStore::empty().with_native_roots(roots.load_native);
    if !roots.pem.is_empty() {
        store = store.with_pem_certificate(roots.pem);
    }
    // According to the library, building it never fails.
    let context = TlsContext::builder().with_trust_store(store).build();
    let context = context.map_err(|error| TlsError(format!("the root certificates cannot be used: {error}")))?;
    let connector = Connector::builder()
        .connector_settings(HttpConnectorSettings::builder().connect_timeout(connect_timeout).build())
        // The SDK's default client uses the same proxy variables.
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(context)
        .build();
    let connector = SharedHttpConnector::new(connector);
    Ok(http_client_fn(move |_, _| connector.clone()))
}

//! The S3 client, one for each Region that events come from.

use std::sync::{Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;

use super::response::SizeLimit;
use crate::change::Region;

/// The most clients of other Regions that are kept. A deployment serves one Region and receives events of others only
/// by forwarding; forged events must not fill the memory. A client that was dropped is built again when it is needed.
const MAX_REGIONAL_CLIENTS: usize = 8;

/// The longest response that is read, in bytes: a page of 1,000 keys of up to 1,024 bytes, each byte encoded as three
/// characters, and the other elements of an object.
const MAX_RESPONSE_BYTES: usize = 5 * 1024 * 1024;

/// An S3 client that reads the tags and lists the keys of buckets.
pub struct S3 {
    config: SdkConfig,
    default_client: Client,
    /// Clients of other Regions, the most recently used last.
    regional_clients: Mutex<Vec<(Region, Client)>>,
}

impl S3 {
    /// Builds the client of the function's own Region, without connecting.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let default_client = client(config, None);
        Self { config: config.clone(), default_client, regional_clients: Mutex::new(Vec::new()) }
    }

    pub(crate) fn client(&self, region: Option<&Region>) -> Client {
        let default_region = self.config.region().map(AsRef::as_ref);
        let Some(region) = region.filter(|region| Some(region.as_str()) != default_region) else {
            return self.default_client.clone();
        };
        let mut regional_clients = self.regional_clients.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = regional_clients
            .iter()
            .position(|(cached, _)| cached == region)
            .map(|index| regional_clients.remove(index));
        let (region, client) = cached.unwrap_or_else(|| (region.clone(), client(&self.config, Some(region))));
        if regional_clients.len() == MAX_REGIONAL_CLIENTS {
            regional_clients.remove(0);
        }
        regional_clients.push((region, client.clone()));
        client
    }
}

/// Whether requests are path-style: a custom endpoint seldom has a DNS name for every bucket.
pub(crate) fn is_path_style(config: &SdkConfig) -> bool {
    config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some()
}

/// Builds a client. It shares the credentials and the HTTP client of `config`, and so the connections to a host. Which
/// element makes a response complete depends on the operation, so each call sets its own
/// [`CompleteXml`](super::response::CompleteXml).
fn client(config: &SdkConfig, region: Option<&Region>) -> Client {
    let mut builder = aws_sdk_s3::config::Builder::from(config)
        .force_path_style(is_path_style(config))
        .interceptor(SizeLimit(MAX_RESPONSE_BYTES))
        // The callers retry.
        .retry_config(RetryConfig::disabled());
    if let Some(region) = region {
        builder = builder.region(aws_sdk_s3::config::Region::new(region.as_str().to_owned()));
    }
    Client::from_conf(builder.build())
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;

    use super::*;

    #[test]
    fn regional_clients_are_bounded_and_the_least_recently_used_is_dropped() {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(aws_sdk_s3::config::Region::new("eu-central-1"))
            .build();
        let s3 = S3::new(&config);
        let region = |n: usize| Region::new(&format!("eu-test-{n}")).unwrap();
        s3.client(Some(&Region::new("eu-central-1").unwrap()));
        s3.client(None);
        assert!(s3.regional_clients.lock().unwrap().is_empty(), "the function's own Region has its client already");
        for n in 0..100 {
            s3.client(Some(&region(0)));
            let client = s3.client(Some(&region(n)));
            assert_eq!(client.config().region().map(AsRef::as_ref), Some(region(n).as_str()));
        }
        let regional_clients = s3.regional_clients.lock().unwrap();
        assert_eq!(regional_clients.len(), MAX_REGIONAL_CLIENTS);
        assert!(regional_clients.iter().any(|(cached, _)| *cached == region(0)), "used all the time");
    }
}

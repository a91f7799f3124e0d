//! Bucket tags from S3, with a client for each Region that events come from.

use std::sync::{Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::ProvideErrorMetadata;

use super::error::call_error;
use super::whole::{BoundedAnswer, WholeAnswer};
use crate::change::Region;
use crate::ports::{BucketQuery, BucketTags, CallError};
use crate::route::Tags;

/// How many Regions' clients are kept. One deployment serves one Region, others come by forwarding; a forged event must
/// not fill the memory. A client that was dropped is made again when it is needed.
const KEPT_CLIENTS: usize = 8;

/// Reads bucket tags by `GetBucketTagging`.
pub struct S3Tags {
    config: SdkConfig,
    path_style: bool,
    home: Client,
    /// Clients of other Regions, the latest used last.
    away: Mutex<Vec<(Region, Client)>>,
}

impl S3Tags {
    /// Makes the client of the function's own Region. Nothing is connected yet.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        // An endpoint of one's own seldom has a DNS name for every bucket.
        let path_style = config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        let home = client(config, path_style, None);
        Self { config: config.clone(), path_style, home, away: Mutex::new(Vec::new()) }
    }

    fn client(&self, region: Option<&Region>) -> Client {
        let home = self.config.region().map(AsRef::as_ref);
        let Some(region) = region.filter(|region| Some(region.as_str()) != home) else { return self.home.clone() };
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = away.iter().position(|(kept, _)| kept == region).map(|place| away.remove(place));
        let (region, client) =
            kept.unwrap_or_else(|| (region.clone(), client(&self.config, self.path_style, Some(region))));
        if away.len() == KEPT_CLIENTS {
            away.remove(0);
        }
        away.push((region, client.clone()));
        client
    }
}

/// The credentials of `config` are shared; each client makes connections of its own.
fn client(config: &SdkConfig, path_style: bool, region: Option<&Region>) -> Client {
    let mut builder = aws_sdk_s3::config::Builder::from(config)
        .force_path_style(path_style)
        .interceptor(WholeAnswer("<TagSet"))
        .interceptor(BoundedAnswer)
        // Whoever asks tries again.
        .retry_config(RetryConfig::disabled());
    if let Some(region) = region {
        builder = builder.region(aws_sdk_s3::config::Region::new(region.as_str().to_owned()));
    }
    Client::from_conf(builder.build())
}

impl BucketTags for S3Tags {
    async fn bucket_tags(&self, query: &BucketQuery) -> Result<Tags, CallError> {
        let answer = self
            .client(query.bucket.region.as_ref())
            .get_bucket_tagging()
            .bucket(query.bucket.name.as_str())
            .set_expected_bucket_owner(query.expected_owner.as_ref().map(|id| id.as_str().to_owned()))
            .send()
            .await;
        match answer {
            Ok(tagging) => Ok(tagging.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect()),
            // S3's way of saying "none"; the SDK does not model it.
            Err(error) if error.code() == Some("NoSuchTagSet") => Ok(Tags::new()),
            Err(error) => Err(call_error("GetBucketTagging", &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_config::BehaviorVersion;

    use super::*;

    #[test]
    fn the_number_of_clients_is_bounded_and_the_latest_used_are_kept() {
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(aws_sdk_s3::config::Region::new("eu-central-1"))
            .build();
        let tags = S3Tags::new(&config);
        let region = |n: usize| Region::new(&format!("eu-test-{n}")).unwrap();
        tags.client(Some(&Region::new("eu-central-1").unwrap()));
        tags.client(None);
        assert!(tags.away.lock().unwrap().is_empty(), "the function's own Region has its client already");
        for n in 0..100 {
            tags.client(Some(&region(0)));
            let client = tags.client(Some(&region(n)));
            assert_eq!(client.config().region().map(AsRef::as_ref), Some(region(n).as_str()));
        }
        let away = tags.away.lock().unwrap();
        assert_eq!(away.len(), KEPT_CLIENTS);
        assert!(away.iter().any(|(kept, _)| *kept == region(0)), "used all the time");
    }
}

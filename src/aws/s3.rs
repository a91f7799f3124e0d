//! Reads the tags and lists the keys of buckets. There is a client for each Region that events come from.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::EncodingType;

use super::CallError;
use super::response::{
    CompleteXml, SMALL_RESPONSE_BYTES, SizeLimit, call_error, call_error_unless_denied, invalid_response,
    is_complete_response_with_status,
};
use crate::change::{AccountId, Bucket, Region};
use crate::event::decode_key;
use crate::path::Tags;

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

    fn client(&self, region: Option<&Region>) -> Client {
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

/// A bucket to send a request about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketQuery {
    /// The bucket.
    pub bucket: Bucket,
    /// The account that must own the bucket (`ExpectedBucketOwner`), or S3 denies the request; `None` accepts any
    /// owner.
    pub expected_owner: Option<AccountId>,
}

impl S3 {
    /// Returns the bucket's tags (`GetBucketTagging`); empty if it has none.
    ///
    /// # Errors
    /// The error of the call, or an incomplete response.
    pub async fn bucket_tags(&self, query: &BucketQuery) -> Result<Tags, CallError> {
        let client = self.client(query.bucket.region.as_ref());
        let answer = client
            .get_bucket_tagging()
            .bucket(query.bucket.name.as_str())
            .set_expected_bucket_owner(query.expected_owner.as_ref().map(|id| id.as_str().to_owned()))
            .customize()
            .interceptor(CompleteXml("<TagSet"))
            // At most 50 tags, with keys of up to 128 and values of up to 256 characters.
            .interceptor(SizeLimit(SMALL_RESPONSE_BYTES))
            .send()
            .await;
        match answer {
            Ok(tagging) => Ok(tagging.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect()),
            // S3's answer for a bucket without tags; the SDK does not model it.
            Err(error) if error.code() == Some("NoSuchTagSet") && is_complete_response_with_status(&error, 404) => {
                Ok(Tags::new())
            }
            Err(error) => Err(call_error("GetBucketTagging", &error)),
        }
    }
}

/// Lists the keys of buckets.
pub trait BucketKeys {
    /// Returns a page of the keys that start with `prefix` and follow `after`, in UTF-8 binary order
    /// (`ListObjectsV2`).
    fn list(
        &self,
        query: &BucketQuery,
        prefix: &str,
        after: Option<&str>,
    ) -> impl Future<Output = Result<KeyPage, CallError>>;
}

/// A page of a bucket's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys, in UTF-8 binary order.
    pub keys: Vec<String>,
    /// Whether more keys follow the last one (`IsTruncated`).
    pub more: bool,
}

const LIST_OBJECTS_V2: &str = "ListObjectsV2";

/// The number of keys per request: the maximum. Source: S3 API reference, `ListObjectsV2`.
const PAGE_SIZE: i32 = 1000;

impl BucketKeys for S3 {
    async fn list(&self, query: &BucketQuery, prefix: &str, after: Option<&str>) -> Result<KeyPage, CallError> {
        let client = self.client(query.bucket.region.as_ref());
        let answer = client
            .list_objects_v2()
            .bucket(query.bucket.name.as_str())
            .set_expected_bucket_owner(query.expected_owner.as_ref().map(|id| id.as_str().to_owned()))
            .set_prefix((!prefix.is_empty()).then(|| prefix.to_owned()))
            .set_start_after(after.map(str::to_owned))
            .max_keys(PAGE_SIZE)
            // Keys may contain characters that XML cannot represent.
            .encoding_type(EncodingType::Url)
            .customize()
            .interceptor(CompleteXml("<IsTruncated"))
            .send()
            .await;
        page(answer.map_err(|error| call_error_unless_denied(LIST_OBJECTS_V2, &error))?)
            .map_err(|reason| invalid_response(LIST_OBJECTS_V2, &reason))
    }
}

/// Converts a response. Any inconsistency is an error: a missing key would be taken for an object that does not exist.
fn page(answer: ListObjectsV2Output) -> Result<KeyPage, String> {
    let more = answer.is_truncated.ok_or("IsTruncated is missing")?;
    let contents = answer.contents.unwrap_or_default();
    if answer.key_count.is_some_and(|count| usize::try_from(count) != Ok(contents.len())) {
        return Err("KeyCount differs from the number of keys".to_owned());
    }
    if !contents.is_empty() && answer.encoding_type != Some(EncodingType::Url) {
        return Err("the keys are not URL-encoded as requested".to_owned());
    }
    let key = |key: Option<String>| {
        let key = key.ok_or("an object has no key")?;
        Ok(decode_key(&key).map_err(|error| error.to_string())?.as_str().to_owned())
    };
    let keys = contents.into_iter().map(|object| key(object.key)).collect::<Result<_, String>>()?;
    Ok(KeyPage { keys, more })
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

#[cfg(test)]
pub(super) mod call_tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};

    use super::*;
    use crate::aws::ErrorClass;
    use crate::change::{AccountId, Bucket, BucketName};

    /// Starts a service that answers one request with this body and no header of AWS's own; the thread returns the head
    /// of that request.
    pub(in crate::aws) fn service(answer: &str) -> (SdkConfig, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
        let request = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<_> = lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
            stream.write_all(answer.as_bytes()).unwrap();
            head.join("\n")
        });
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "AKID", "secret", None, None, "test",
            )))
            .endpoint_url(endpoint)
            .build();
        (config, request)
    }

    fn s3(answer: &str) -> (S3, thread::JoinHandle<String>) {
        let (config, request) = service(answer);
        (S3::new(&config), request)
    }

    fn query() -> BucketQuery {
        let bucket = Bucket { name: BucketName::new("site").unwrap(), region: None };
        BucketQuery { bucket, expected_owner: AccountId::new("123456789012").ok() }
    }

    #[tokio::test]
    async fn tags_without_a_tag_set_are_an_error() {
        let (s3, _) = s3("<Tagging></Tagging>");
        assert_eq!(s3.bucket_tags(&query()).await.unwrap_err().class, ErrorClass::Unavailable);
    }

    const ANSWER: &str = "<?xml version=\"1.0\"?>\n<ListBucketResult><Name>site</Name><KeyCount>2</KeyCount>\
        <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><Contents><Key>w/a+b%2Bc%0B</Key></Contents>\
        <Contents><Key>w/caf%C3%A9</Key></Contents></ListBucketResult>";

    #[tokio::test]
    async fn keys_are_requested_and_read_url_encoded() {
        let (s3, request) = s3(ANSWER);
        let page = s3.list(&query(), "w/", Some("w/ a&\u{10fffd}")).await.unwrap();
        assert_eq!(page, KeyPage { keys: vec!["w/a b+c\u{b}".into(), "w/café".into()], more: true });
        let request = request.join().unwrap();
        for part in [
            "GET /site/?list-type=2&",
            "encoding-type=url",
            "max-keys=1000",
            "prefix=w%2F",
            "start-after=w%2F%20a%26%F4%8F%BF%BD",
            "x-amz-expected-bucket-owner: 123456789012",
        ] {
            assert!(request.contains(part), "{part}: {request}");
        }
        assert!(!request.contains("delimiter"), "{request}");
    }

    #[tokio::test]
    async fn an_inconsistent_page_is_an_error() {
        for (from, to) in [
            ("</ListBucketResult>", ""),
            ("</Contents></ListBucketResult>", ""),
            ("<IsTruncated>true</IsTruncated>", ""),
            ("<KeyCount>2", "<KeyCount>3"),
            ("<Key>w/caf%C3%A9</Key>", ""),
            ("%C3%A9", "%C3"),
            ("%0B", "%0"),
            ("<EncodingType>url</EncodingType>", ""),
        ] {
            let (s3, request) = s3(&ANSWER.replace(from, to));
            let error = s3.list(&query(), "w/", None).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::Unavailable, "{from} {to}: {error}");
            assert!(error.message.starts_with("ListObjectsV2: "), "{error}");
            assert!(!request.join().unwrap().contains("start-after"));
        }
    }
}

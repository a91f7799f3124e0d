//! Single tags of a bucket, written by the clients of the commands.

use std::time::Duration;

use aws_sdk_cloudfront::config::{Credentials, Region};
use s3_cloudfront_invalidator::aws::{ErrorClass, config_loader};
use s3_cloudfront_invalidator::change::BucketName;
use s3_cloudfront_invalidator::cli::aws::OperatorClients;
use s3_cloudfront_invalidator::cli::link::OperatorApi;
use s3_cloudfront_invalidator::local::{FakeAws, FakeBucket, REGION};
use s3_cloudfront_invalidator::path::Tags;

use super::sdk::calls;
use crate::harness::state;

async fn clients(aws: &FakeAws) -> OperatorClients {
    let (loader, _) = config_loader(Duration::from_secs(5), Duration::from_secs(5)).unwrap();
    let loader = loader.region(Region::new(REGION)).endpoint_url(aws.url());
    let credentials = Credentials::new("AKIDLOCAL", "local-secret-key", None, None, "test");
    OperatorClients::new(&loader.credentials_provider(credentials).load().await)
}

fn tags(tags: &[(&str, &str)]) -> Tags {
    tags.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn bucket(name: &str) -> BucketName {
    BucketName::new(name).unwrap()
}

#[tokio::test]
async fn single_tags_are_set_and_removed_beside_the_others() {
    let mut state = state(&[]);
    state.buckets.insert("a.site".into(), FakeBucket::tagged(&[("team", "web"), ("aws:x", "y"), ("old key", "1")]));
    let aws = FakeAws::start(state).await.unwrap();
    let (clients, site) = (clients(&aws).await, bucket("a.site"));
    clients
        .set_tags(&site, &tags(&[("distributionId", "E1 E2"), ("a:b/c+d=e@f", "ü"), ("team", "docs")]))
        .await
        .unwrap();
    clients.remove_tags(&site, &["old key".to_owned(), "a:b/c+d=e@f".to_owned(), "missing".to_owned()]).await.unwrap();
    let expected = tags(&[("aws:x", "y"), ("distributionId", "E1 E2"), ("team", "docs")]);
    assert_eq!(clients.tags(&site).await.unwrap(), expected);
    for operation in ["TagResource", "UntagResource"] {
        assert_eq!(calls(&aws, operation), [("a.site".to_owned(), 204)]);
    }
    assert_eq!(calls(&aws, "GetCallerIdentity").len(), 1);
}

#[tokio::test]
async fn refused_tags_have_the_errors_of_aws() {
    let mut state = state(&[("site", "E1")]);
    let (mut foreign, mut elsewhere) = (state.buckets["site"].clone(), state.buckets["site"].clone());
    foreign.owner = "999999999999".into();
    elsewhere.region = "us-east-1".into();
    state.buckets.extend([("foreign".to_owned(), foreign), ("elsewhere".to_owned(), elsewhere)]);
    let aws = FakeAws::start(state).await.unwrap();
    let clients = clients(&aws).await;
    let many: Tags = (0..50).map(|number| (format!("key {number}"), String::new())).collect();
    for (name, set, class, code) in [
        ("missing", tags(&[("a", "b")]), ErrorClass::NotFound, "NoSuchResource"),
        ("elsewhere", tags(&[("a", "b")]), ErrorClass::NotFound, "NoSuchResource"),
        ("foreign", tags(&[("a", "b")]), ErrorClass::AccessDenied, "AccessDenied"),
        ("site", tags(&[("aws:a", "b")]), ErrorClass::Other, "InvalidTag"),
        ("site", tags(&[("a", "b,c")]), ErrorClass::Other, "InvalidTag"),
        ("site", tags(&[]), ErrorClass::Other, "InvalidTag"),
        ("site", many, ErrorClass::Other, "TooManyTags"),
    ] {
        let error = clients.set_tags(&bucket(name), &set).await.unwrap_err();
        assert!(error.class == class && error.message.starts_with(&format!("TagResource: {code}: ")), "{error:?}");
    }
    aws.with(|state| state.denied.extend(["TagResource".to_owned(), "UntagResource".to_owned()]));
    let error = clients.set_tags(&bucket("site"), &tags(&[("a", "b")])).await.unwrap_err();
    assert!(error.class == ErrorClass::AccessDenied && error.message.contains("s3:TagResource"), "{error:?}");
    let error = clients.remove_tags(&bucket("site"), &["a".to_owned()]).await.unwrap_err();
    assert!(error.class == ErrorClass::AccessDenied && error.message.contains("s3:UntagResource"), "{error:?}");
}

/// An S3-compatible service without these calls. The error is not transient, so the commands replace all tags instead.
#[tokio::test]
async fn a_service_without_single_tags_refuses_them() {
    use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
    for (status, code) in [(501, "NotImplemented"), (405, "MethodNotAllowed"), (400, "InvalidURI")] {
        let mut state = state(&[("site", "E1")]);
        state.faults.push(Fault::always("TagResource", "site", Effect::error(status, code)));
        let aws = FakeAws::start(state).await.unwrap();
        let error = clients(&aws).await.set_tags(&bucket("site"), &tags(&[("a", "b")])).await.unwrap_err();
        assert!(!error.class.is_transient(), "{error:?}");
    }
}

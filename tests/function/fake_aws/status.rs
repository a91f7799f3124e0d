//! `GetInvalidation` of the fake AWS, called without the function.

use std::time::Duration;

use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeAws, REGION};

use crate::fake_aws::rules::exchange;
use crate::harness::state;

/// Calls CloudFront. Returns status, head and body.
async fn call(aws: &FakeAws, method: &str, path: &str, body: &str) -> (u16, String, String) {
    let head = format!(
        "{method} /2020-05-31/distribution/{path} HTTP/1.1\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKID/20260102/{REGION}/cloudfront/aws4_request, SignedHeaders=host"
    );
    exchange(aws.url().strip_prefix("http://").unwrap(), &head, body).await
}

async fn create(aws: &FakeAws) -> (u16, String) {
    let body = "<InvalidationBatch><Paths><Quantity>2</Quantity><Items><Path>/a&amp;b</Path><Path>/c*</Path></Items></Paths>\
                <CallerReference>r1</CallerReference></InvalidationBatch>";
    let (status, _, body) = call(aws, "POST", "E1/invalidation", body).await;
    (status, body)
}

async fn get(aws: &FakeAws, distribution: &str, invalidation: &str) -> (u16, String) {
    let (status, head, body) = call(aws, "GET", &format!("{distribution}/invalidation/{invalidation}"), "").await;
    assert!(head.contains("\r\ncontent-type: text/xml\r\n"), "{head}");
    (status, body)
}

fn element<'a>(body: &'a str, name: &str) -> &'a str {
    let rest = body.split_once(&format!("<{name}>")).map(|(_, rest)| rest).unwrap_or_default();
    rest.split_once("</").map(|(text, _)| text).unwrap_or_default()
}

fn takes(aws: &FakeAws, time: Duration) {
    aws.with(|state| state.distributions.get_mut("E1").unwrap().delay = time);
}

#[tokio::test]
async fn an_invalidation_is_in_progress_until_its_time_has_passed() {
    let aws = FakeAws::start(state(&[("site", "E1")])).await.unwrap();
    takes(&aws, Duration::from_hours(1));
    let (status, created) = create(&aws).await;
    assert_eq!((status, element(&created, "Status")), (201, "InProgress"));
    let id = element(&created, "Id");
    assert_eq!(get(&aws, "E1", id).await, (200, created.clone()), "in the same form");
    assert_eq!(create(&aws).await, (201, created.clone()), "the same reference");
    takes(&aws, Duration::ZERO);
    let completed = created.replace("InProgress", "Completed");
    assert_eq!(get(&aws, "E1", id).await, (200, completed.clone()));
    assert_eq!(create(&aws).await, (201, completed), "the same reference returns the current status");
    let calls = aws.calls("GetInvalidation");
    assert_eq!(calls.iter().map(|call| (call.target.as_str(), call.status)).collect::<Vec<_>>(), [("E1", 200); 2]);
}

#[tokio::test]
async fn a_new_invalidation_is_in_progress_even_if_it_takes_no_time() {
    let aws = FakeAws::start(state(&[("site", "E1")])).await.unwrap();
    assert_eq!(element(&create(&aws).await.1, "Status"), "InProgress");
}

#[tokio::test]
async fn an_unknown_distribution_and_an_unknown_invalidation_have_different_errors() {
    let aws = FakeAws::start(state(&[("site", "E1"), ("other", "E2")])).await.unwrap();
    let (_, created) = create(&aws).await;
    let id = element(&created, "Id");
    for (distribution, id, code) in
        [("E3", id, "NoSuchDistribution"), ("E1", "I404", "NoSuchInvalidation"), ("E2", id, "NoSuchInvalidation")]
    {
        let (status, body) = get(&aws, distribution, id).await;
        assert_eq!((status, element(&body, "Code")), (404, code));
    }
}

#[tokio::test]
async fn a_fault_of_get_invalidation_is_one_of_cloudfront() {
    let mut state = state(&[("site", "E1")]);
    let effect = Effect::error(503, "ServiceUnavailable");
    state.faults.push(Fault::once("GetInvalidation", "E1", effect));
    let aws = FakeAws::start(state).await.unwrap();
    let (status, body) = get(&aws, "E1", "I1").await;
    assert_eq!((status, element(&body, "Code")), (503, "ServiceUnavailable"));
    assert!(body.contains("<ErrorResponse "), "{body}");
    assert_eq!(get(&aws, "E1", "I1").await.0, 404, "once");
}

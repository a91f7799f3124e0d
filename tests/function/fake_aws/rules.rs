//! The rules of the fake AWS, each called without the function.

use std::time::Duration;

use s3_cloudfront_invalidator::local::UNKNOWN_OPERATION;
use s3_cloudfront_invalidator::local::{FakeAws, InvocationOutcome, Invoke, Lambda, REGION, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{state, within};

/// Sends a request. Returns status and body.
async fn request(address: &str, head: &str, body: &str) -> (u16, String) {
    let (status, _, body) = exchange(address, head, body).await;
    (status, body)
}

/// Sends a request. Returns status, head in lower case, and body.
pub(crate) async fn exchange(address: &str, head: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let text = format!("{head}\r\nHost: local\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
}

/// Calls `CreateInvalidation` for the distribution `E1`. Returns the status, and the error code or an empty string.
pub(crate) async fn invalidate(aws: &FakeAws, reference: &str, paths: &[String], quantity: usize) -> (u16, String) {
    let items: Vec<_> = paths.iter().map(|path| format!("<Path>{path}</Path>")).collect();
    let body = format!(
        "<InvalidationBatch><Paths><Quantity>{quantity}</Quantity><Items>{}</Items></Paths>\
         <CallerReference>{reference}</CallerReference></InvalidationBatch>",
        items.concat()
    );
    let head = format!(
        "POST /2020-05-31/distribution/E1/invalidation HTTP/1.1\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKID/20260102/{REGION}/cloudfront/aws4_request, SignedHeaders=host"
    );
    let (status, body) = request(aws.url().strip_prefix("http://").unwrap(), &head, &body).await;
    let code = body.split("<Code>").nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default();
    (status, code.to_owned())
}

pub(crate) fn numbered(count: usize, end: &str) -> Vec<String> {
    (0..count).map(|n| format!("/{n}{end}")).collect()
}

/// A state in which invalidations stay in progress.
pub(crate) fn slow_state() -> State {
    let mut state = state(&[("site", "E1")]);
    state.distributions.get_mut("E1").unwrap().delay = Duration::from_hours(1);
    state
}

pub(crate) fn refused(code: &str) -> (u16, String) {
    (400, code.to_owned())
}

#[tokio::test]
async fn wildcards_in_progress_are_limited_to_15() {
    let aws = FakeAws::start(slow_state()).await.unwrap();
    assert_eq!(invalidate(&aws, "a", &numbered(10, "/*"), 10).await.0, 201);
    assert_eq!(invalidate(&aws, "b", &numbered(6, "x*"), 6).await, refused("TooManyInvalidationsInProgress"));
    assert_eq!(invalidate(&aws, "c", &numbered(5, "x*"), 5).await.0, 201);
    assert_eq!(invalidate(&aws, "d", &numbered(1, "y"), 1).await.0, 201, "paths have a limit of their own");
    aws.with(|state| state.distributions.get_mut("E1").unwrap().delay = Duration::ZERO);
    assert_eq!(invalidate(&aws, "b", &numbered(6, "x*"), 6).await.0, 201, "once they are done");
}

#[tokio::test]
async fn paths_in_progress_are_limited_to_3000() {
    let aws = FakeAws::start(slow_state()).await.unwrap();
    assert_eq!(invalidate(&aws, "a", &numbered(3001, ""), 3001).await, (413, "BatchTooLarge".into()));
    assert_eq!(invalidate(&aws, "b", &numbered(2999, ""), 2999).await.0, 201);
    assert_eq!(invalidate(&aws, "c", &numbered(2, "x"), 2).await, refused("TooManyInvalidationsInProgress"));
    assert_eq!(invalidate(&aws, "d", &numbered(1, "x"), 1).await.0, 201);
    assert_eq!(aws.accepted_invalidations().iter().map(|it| it.paths.len()).sum::<usize>(), 3000);
}

#[tokio::test]
async fn a_request_must_be_consistent_and_its_paths_valid() {
    let aws = FakeAws::start(slow_state()).await.unwrap();
    assert_eq!(invalidate(&aws, "a", &numbered(2, ""), 3).await, refused("InconsistentQuantities"));
    assert_eq!(invalidate(&aws, "a", &[], 0).await, refused("MissingBody"));
    assert_eq!(invalidate(&aws, "", &numbered(1, ""), 1).await, refused("MissingBody"));
    assert_eq!(invalidate(&aws, "a", &["/a".into(), "/~".into()], 2).await, refused("InvalidArgument"));
    assert_eq!(aws.accepted_invalidations().len(), 0);
}

#[tokio::test]
async fn a_caller_reference_stands_for_one_set_of_paths() {
    let aws = FakeAws::start(slow_state()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(invalidate(&aws, "a", &numbered(2, ""), 2).await.0, 201);
    }
    assert_eq!(invalidate(&aws, "a", &numbered(3, ""), 3).await, refused("InvalidArgument"));
    assert_eq!(aws.accepted_invalidations().len(), 1);
}

#[tokio::test]
async fn requests_sooner_than_the_throttle_allows_are_refused() {
    let mut state = slow_state();
    state.throttle = Some(Duration::from_millis(400));
    let aws = FakeAws::start(state).await.unwrap();
    assert_eq!(invalidate(&aws, "a", &numbered(1, ""), 1).await.0, 201);
    assert_eq!(invalidate(&aws, "b", &numbered(1, ""), 1).await, refused("Throttling"));
    tokio::time::sleep(Duration::from_millis(450)).await;
    assert_eq!(invalidate(&aws, "b", &numbered(1, ""), 1).await.0, 201);
}

#[tokio::test]
async fn what_is_not_signed_or_not_known_is_refused_and_recorded() {
    let aws = FakeAws::start(State::default()).await.unwrap();
    let address = aws.url().strip_prefix("http://").unwrap().to_owned();
    assert_eq!(request(&address, "GET /site?tagging HTTP/1.1", "").await.0, 403);
    let signed = "Authorization: AWS4-HMAC-SHA256 Credential=AKID/20260102/eu-central-1/s3/aws4_request, X";
    assert_eq!(request(&address, &format!("GET /site?session HTTP/1.1\r\n{signed}"), "").await.0, 403);
    assert_eq!(aws.calls(UNKNOWN_OPERATION).len(), 2);
}

#[tokio::test]
async fn an_answer_of_over_6_mb_is_refused_and_fails_the_invocation() {
    let lambda = Lambda::start().await.unwrap();
    let address = lambda.address().to_string();
    let function = async {
        assert_eq!(request(&address, "GET /2018-06-01/runtime/invocation/next HTTP/1.1", "").await.0, 200);
        let head = "POST /2018-06-01/runtime/invocation/r1/response HTTP/1.1";
        assert_eq!(request(&address, head, &"x".repeat(6 * 1024 * 1024 + 1)).await.0, 413);
    };
    let (outcome, ()) = tokio::join!(lambda.invoke("{}", Invoke::new("r1")), function);
    assert!(
        matches!(outcome, InvocationOutcome::Error { error_type, .. } if error_type == "Function.ResponseSizeTooLarge")
    );
}

#[tokio::test]
async fn each_invocation_has_its_own_timeout() {
    let lambda = Lambda::start().await.unwrap();
    let address = lambda.address().to_string();
    let short = Invoke { timeout: Duration::from_millis(100), ..Invoke::new("short") };
    let function = async {
        assert_eq!(request(&address, "GET /2018-06-01/runtime/invocation/next HTTP/1.1", "").await.0, 200);
        tokio::time::sleep(Duration::from_millis(400)).await;
        let head = |id| format!("POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1");
        assert_eq!(request(&address, &head("other"), "1").await.0, 400, "not under way");
        assert_eq!(request(&address, &head("long"), "2").await.0, 202);
        assert_eq!(request(&address, &head("long"), "3").await.0, 400, "answered already");
    };
    let (long, short, ()) =
        tokio::join!(lambda.invoke("{}", Invoke::new("long")), lambda.invoke("{}", short), function);
    assert_eq!(long, InvocationOutcome::Response(b"2".to_vec()));
    assert_eq!(short, InvocationOutcome::TimedOut, "withdrawn, as nobody took it");
}

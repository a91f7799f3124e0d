//! What holds for every operation of the fake AWS: it can be denied, it can be slow, and faults can be injected.

use std::time::{Duration, Instant};

use s3_cloudfront_invalidator::local::UNKNOWN_OPERATION;
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeAws, FakeJob, FakeQueue, REGION, State};
use serde_json::json;

use crate::fake_aws::rules::exchange;
use crate::harness::{state, within};

const JOB: &str = "11111111-abcd-1111-abcd-111111abcdef";

/// Each operation: name, request line, target, IAM action and resource.
const OPERATIONS: [(&str, &str, &str, &str, &str); 15] = [
    ("GetBucketTagging", "GET /site?tagging", "site", "s3:GetBucketTagging", "arn:aws:s3:::site"),
    ("ListObjectsV2", "GET /site?list-type=2&max-keys=1", "site", "s3:ListBucket", "arn:aws:s3:::site"),
    (
        "CreateInvalidation",
        "POST /2020-05-31/distribution/E1/invalidation",
        "E1",
        "cloudfront:CreateInvalidation",
        "arn:aws:cloudfront::123456789012:distribution/E1",
    ),
    (
        "GetInvalidation",
        "GET /2020-05-31/distribution/E1/invalidation/I1",
        "E1",
        "cloudfront:GetInvalidation",
        "arn:aws:cloudfront::123456789012:distribution/E1",
    ),
    (
        "CreateInvalidationForDistributionTenant",
        "POST /2020-05-31/distribution-tenant/dt_1/invalidation",
        "dt_1",
        "cloudfront:CreateInvalidationForDistributionTenant",
        "arn:aws:cloudfront::123456789012:distribution-tenant/dt_1",
    ),
    (
        "GetInvalidationForDistributionTenant",
        "GET /2020-05-31/distribution-tenant/dt_1/invalidation/I1",
        "dt_1",
        "cloudfront:GetInvalidationForDistributionTenant",
        "arn:aws:cloudfront::123456789012:distribution-tenant/dt_1",
    ),
    (
        "GetDistributionConfig",
        "GET /2020-05-31/distribution/E1/config",
        "E1",
        "cloudfront:GetDistributionConfig",
        "arn:aws:cloudfront::123456789012:distribution/E1",
    ),
    (
        "GetDistributionTenant",
        "GET /2020-05-31/distribution-tenant/dt_1",
        "dt_1",
        "cloudfront:GetDistributionTenant",
        "arn:aws:cloudfront::123456789012:distribution-tenant/dt_1",
    ),
    (
        "GetCachePolicy",
        "GET /2020-05-31/cache-policy/p1",
        "p1",
        "cloudfront:GetCachePolicy",
        "arn:aws:cloudfront::123456789012:cache-policy/p1",
    ),
    ("PutJobSuccessResult", "POST /", JOB, "codepipeline:PutJobSuccessResult", "*"),
    ("PutJobFailureResult", "POST /", JOB, "codepipeline:PutJobFailureResult", "*"),
    ("ReceiveMessage", "POST /", "q", "sqs:receivemessage", "arn:aws:sqs:eu-central-1:123456789012:q"),
    ("DeleteMessageBatch", "POST /", "q", "sqs:deletemessage", "arn:aws:sqs:eu-central-1:123456789012:q"),
    ("SendMessage", "POST /", "q", "sqs:sendmessage", "arn:aws:sqs:eu-central-1:123456789012:q"),
    ("SendMessageBatch", "POST /", "q", "sqs:sendmessage", "arn:aws:sqs:eu-central-1:123456789012:q"),
];

/// Sends a signed request and returns status and body. `operation` goes into `X-Amz-Target`, which only CodePipeline
/// and SQS read.
async fn call(aws: &FakeAws, operation: &str, line: &str) -> (u16, String) {
    let (mut prefix, mut content_type) = ("CodePipeline_20150709", "application/x-amz-json-1.1");
    let (service, body) = match line.split_once(' ').unwrap().1 {
        "/" if operation.contains("Message") => {
            (prefix, content_type) = ("AmazonSQS", "application/x-amz-json-1.0");
            ("sqs", json!({ "QueueUrl": aws.queue_url("q") }).to_string())
        }
        "/" => ("codepipeline", json!({ "jobId": JOB }).to_string()),
        path if path.starts_with("/2020-05-31/") => ("cloudfront", String::new()),
        _ => ("s3", String::new()),
    };
    let head = format!(
        "{line} HTTP/1.1\r\nX-Amz-Target: {prefix}.{operation}\r\nContent-Type: {content_type}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKID/20260102/{REGION}/{service}/aws4_request, SignedHeaders=host"
    );
    let (status, _, body) = exchange(aws.url().strip_prefix("http://").unwrap(), &head, &body).await;
    (status, body)
}

fn all() -> State {
    let mut state = state(&[("site", "E1 dt_1")]);
    state.jobs.insert(JOB.into(), FakeJob::default());
    state.queues.insert("q".into(), FakeQueue::default());
    state
}

#[tokio::test]
async fn every_operation_can_be_denied_in_its_services_form() {
    let mut state = all();
    state.denied = OPERATIONS.iter().map(|it| it.0.to_owned()).collect();
    let aws = FakeAws::start(state).await.unwrap();
    for (operation, line, target, action, resource) in OPERATIONS {
        let (status, body) = call(&aws, operation, line).await;
        let (expected, code) = match action.split_once(':').unwrap().0 {
            "codepipeline" => ((400, "{"), "AccessDeniedException"),
            "sqs" => ((403, "\"com.amazonaws.sqs#AccessDeniedException\""), "AccessDenied"),
            "s3" => ((403, "<Error><Code>AccessDenied</Code>"), "AccessDenied"),
            _ => ((403, "<Code>AccessDenied</Code>"), "AccessDenied"),
        };
        assert_eq!((status, body.contains(expected.1)), (expected.0, true), "{operation}: {body}");
        let message = format!("is not authorized to perform: {action} on resource: {resource} because");
        assert!(body.contains(&message), "{operation}: {body}");
        let calls: Vec<_> = aws.calls(operation).into_iter().map(|it| (it.target, it.status, it.code)).collect();
        assert_eq!(calls, [(target.to_owned(), status, Some(code.to_owned()))], "{operation}");
    }
    aws.with(|state| state.denied.clear());
    for (operation, line, ..) in OPERATIONS {
        let (_, body) = call(&aws, operation, line).await;
        let has_none = ["GetDistributionConfig", "GetDistributionTenant"].contains(&operation);
        assert!(!body.contains("is not authorized") || has_none, "{operation}: {body}");
    }
}

#[tokio::test]
async fn a_fault_can_be_played_on_every_operation() {
    let mut state = all();
    for (operation, _, target, ..) in OPERATIONS {
        state.faults.push(Fault::once(operation, target, Effect::Raw { status: 502, body: operation.into() }));
    }
    let aws = FakeAws::start(state).await.unwrap();
    for (operation, line, ..) in OPERATIONS {
        assert_eq!(call(&aws, operation, line).await, (502, operation.to_owned()));
        assert_ne!(call(&aws, operation, line).await.0, 502, "{operation}: once");
        assert_eq!(aws.with(|state| state.most_in_flight[operation]), 1, "{operation}");
    }
}

#[tokio::test]
async fn latency_delays_no_other_call() {
    let mut state = all();
    let (slow, time) = ("GetDistributionConfig", Duration::from_millis(400));
    state.latency.insert(slow.into(), time);
    let aws = FakeAws::start(state).await.unwrap();
    let began = Instant::now();
    let line = "GET /2020-05-31/distribution/E1/config";
    let quick = call(&aws, "GetBucketTagging", "GET /site?tagging");
    let (first, second, quick) = tokio::join!(call(&aws, slow, line), call(&aws, slow, line), quick);
    assert_eq!((first.0, second.0, quick.0), (403, 403, 200));
    assert!(began.elapsed() >= time, "{:?}", began.elapsed());
    assert_eq!(aws.with(|state| state.calls[0].operation), "GetBucketTagging", "answered meanwhile");
    assert_eq!(aws.with(|state| state.most_in_flight[slow]), 2);
    let effect = Effect::Delay(time);
    aws.with(|state| state.faults.push(Fault::once(slow, "E1", effect)));
    let began = Instant::now();
    call(&aws, slow, line).await;
    assert!(began.elapsed() >= time * 2, "a delay is on top: {:?}", began.elapsed());
}

#[tokio::test]
async fn an_abandoned_call_is_no_longer_in_flight() {
    let mut state = all();
    state.latency.insert("GetCachePolicy".into(), Duration::from_hours(1));
    let aws = FakeAws::start(state).await.unwrap();
    let line = "GET /2020-05-31/cache-policy/p1";
    let given_up = tokio::time::timeout(Duration::from_millis(200), call(&aws, "GetCachePolicy", line)).await;
    assert!(given_up.is_err());
    assert_eq!(aws.with(|state| (state.started_calls, state.calls.len())), (1, 0));
    aws.with(|state| state.latency.clear());
    // The fake AWS notices only when the connection is closed.
    let alone = async {
        loop {
            aws.with(|state| state.most_in_flight.clear());
            assert_eq!(call(&aws, "GetCachePolicy", line).await.0, 404);
            if aws.with(|state| state.most_in_flight["GetCachePolicy"]) == 1 {
                break;
            }
        }
    };
    within(alone).await;
}

#[tokio::test]
async fn near_misses_of_an_operation_are_unknown() {
    let aws = FakeAws::start(all()).await.unwrap();
    let lines = [
        "POST /2020-05-31/distribution/E1/config",
        "GET /2020-05-31/distribution/E1",
        "GET /2020-05-31/distribution/E1/config?x",
        "POST /2020-05-31/distribution-tenant/dt_1",
        "GET /2020-05-31/distribution-tenant/dt_1?x",
        "GET /2020-05-31/distribution-tenant/dt_1/invalidation",
        "GET /2020-05-31/cache-policy/p1/config",
        "GET /2020-05-31/cache-policy",
        "GET /2020-05-31/",
        "POST /site?list-type=2",
        "GET /site?list-type=1",
        "GET /site?prefix=a",
        "GET /site?list-type=2&list-type=2",
        "GET /site?list-type=2&prefix=a&prefix=a",
        "GET /site?list-type=2&marker=a",
        "GET /site/key?list-type=2",
    ];
    for line in lines {
        assert_eq!(call(&aws, "", line).await.0, 403, "{line}");
    }
    assert_eq!(aws.calls(UNKNOWN_OPERATION).len(), lines.len());
}

//! CodePipeline in the fake AWS, called without the function.

use std::collections::BTreeMap;

use s3_cloudfront_invalidator::local::UNKNOWN_OPERATION;
use s3_cloudfront_invalidator::local::fault::{Effect, Fault};
use s3_cloudfront_invalidator::local::{FakeAws, FakeJob, PutResult, REGION, State};
use serde_json::{Value, json};

use crate::fake_aws::rules::exchange;

const JOB: &str = "11111111-abcd-1111-abcd-111111abcdef";

async fn aws() -> FakeAws {
    let mut state = State::default();
    state.jobs.insert(JOB.into(), FakeJob::default());
    FakeAws::start(state).await.unwrap()
}

/// Calls CodePipeline. Returns status, head and body.
async fn call(aws: &FakeAws, operation: &str, body: &str) -> (u16, String, String) {
    let head = format!(
        "POST / HTTP/1.1\r\nX-Amz-Target: CodePipeline_20150709.{operation}\r\nContent-Type: application/x-amz-json-1.1\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKID/20260102/{REGION}/codepipeline/aws4_request, SignedHeaders=host"
    );
    let (status, head, body) = exchange(aws.url().strip_prefix("http://").unwrap(), &head, body).await;
    assert!(head.contains("\r\ncontent-type: application/x-amz-json-1.1\r\n"), "{head}");
    (status, head, body)
}

/// Puts a result. Returns the error code, on which head and body must agree; empty if the call succeeds.
async fn put(aws: &FakeAws, operation: &str, input: &Value) -> String {
    let (status, head, body) = call(aws, operation, &input.to_string()).await;
    if status == 200 {
        assert_eq!(body, "");
        return String::new();
    }
    assert_eq!(status, 400);
    let body: Value = serde_json::from_str(&body).unwrap();
    let code = body["__type"].as_str().unwrap();
    assert!(head.contains(&format!("\r\nx-amzn-errortype: {}\r\n", code.to_ascii_lowercase())), "{head}");
    assert!(!body["message"].as_str().unwrap().is_empty());
    code.to_owned()
}

/// Puts a success with these fields besides the job id.
async fn succeed(aws: &FakeAws, fields: Value) -> String {
    put(aws, "PutJobSuccessResult", &with_job(fields)).await
}

/// Puts a failure with these details.
async fn fail(aws: &FakeAws, details: Value) -> String {
    put(aws, "PutJobFailureResult", &with_job(json!({ "failureDetails": details }))).await
}

fn with_job(mut input: Value) -> Value {
    input["jobId"] = JOB.into();
    input
}

fn results(aws: &FakeAws) -> Vec<PutResult> {
    aws.with(|state| state.jobs[JOB].results.clone())
}

/// Replaces the job by one without a result.
fn renew(aws: &FakeAws) {
    aws.with(|state| state.jobs.insert(JOB.into(), FakeJob::default()));
}

#[tokio::test]
async fn a_job_takes_one_success() {
    let aws = aws().await;
    let input = json!({
        "currentRevision": { "revision": "r", "changeIdentifier": "c", "created": 1.5, "revisionSummary": "s" },
        "executionDetails": { "summary": "2 paths", "externalExecutionId": "I1", "percentComplete": 100 },
        "outputVariables": { "Invalidation-Ids": "I1", "a@_9": "" },
    });
    assert_eq!(succeed(&aws, input.clone()).await, "");
    let expected = PutResult::Success {
        summary: Some("2 paths".into()),
        external_execution_id: Some("I1".into()),
        continuation_token: None,
        output_variables: BTreeMap::from([("Invalidation-Ids".into(), "I1".into()), ("a@_9".into(), String::new())]),
    };
    assert_eq!(results(&aws), [expected]);
    assert_eq!(succeed(&aws, input).await, "InvalidJobStateException");
    assert_eq!(fail(&aws, json!({ "type": "JobFailed", "message": "m" })).await, "InvalidJobStateException");
    assert_eq!(results(&aws).len(), 1);
    let calls = aws.calls("PutJobSuccessResult");
    assert_eq!(
        calls.iter().map(|call| (call.target.as_str(), call.status)).collect::<Vec<_>>(),
        [(JOB, 200), (JOB, 400)]
    );
    assert_eq!(calls[1].code.as_deref(), Some("InvalidJobStateException"));
}

#[tokio::test]
async fn a_job_takes_one_failure() {
    let aws = aws().await;
    let details = json!({ "type": "ConfigurationError", "message": "no", "externalExecutionId": "r1" });
    assert_eq!(fail(&aws, details).await, "");
    let expected = PutResult::Failure {
        failure_type: "ConfigurationError".into(),
        message: "no".into(),
        external_execution_id: Some("r1".into()),
    };
    assert_eq!(results(&aws), [expected]);
    assert_eq!(succeed(&aws, json!({})).await, "InvalidJobStateException");
    assert_eq!(aws.with(|state| state.jobs.get_mut(JOB).unwrap().resume()), None, "failed permanently");
}

#[tokio::test]
async fn a_job_that_is_continued_takes_one_more_result() {
    let aws = aws().await;
    let resume = || aws.with(|state| state.jobs.get_mut(JOB).unwrap().resume());
    assert_eq!(resume(), None, "it has no result yet");
    assert_eq!(succeed(&aws, json!({ "continuationToken": "t1" })).await, "");
    assert_eq!(succeed(&aws, json!({})).await, "InvalidJobStateException", "before it is continued");
    assert_eq!(resume(), Some("t1".into()));
    assert_eq!(succeed(&aws, json!({})).await, "");
    assert_eq!(resume(), None, "done");
    assert_eq!(succeed(&aws, json!({})).await, "InvalidJobStateException");
    assert_eq!(results(&aws).len(), 2);
}

#[tokio::test]
async fn a_job_must_be_there_and_its_id_in_form() {
    let aws = aws().await;
    let success = |id: &str| json!({ "jobId": id });
    let other = "11111111-abcd-1111-abcd-111111abcde0";
    assert_eq!(put(&aws, "PutJobSuccessResult", &success(other)).await, "JobNotFoundException");
    let failure = json!({ "jobId": other, "failureDetails": { "type": "JobFailed", "message": "m" } });
    assert_eq!(put(&aws, "PutJobFailureResult", &failure).await, "JobNotFoundException");
    for id in ["", "1", "11111111-ABCD-1111-abcd-111111abcdef", "11111111-abcd-1111-abcd-111111abcdeg", &other[1..]] {
        assert_eq!(put(&aws, "PutJobSuccessResult", &success(id)).await, "ValidationException", "{id}");
    }
}

#[tokio::test]
async fn a_success_must_be_as_the_model_says() {
    let aws = aws().await;
    let long = |length| "é".repeat(length);
    for fields in [
        json!({ "executionDetails": { "summary": "" } }),
        json!({ "executionDetails": { "summary": long(2048), "externalExecutionId": long(1500) } }),
        json!({ "continuationToken": long(2048), "outputVariables": {} }),
        json!({ "outputVariables": { "a": "x".repeat(122_879) } }),
    ] {
        assert_eq!(succeed(&aws, fields).await, "");
        renew(&aws);
    }
    for fields in [
        json!({ "executionDetails": { "summary": long(2049) } }),
        json!({ "executionDetails": { "externalExecutionId": "" } }),
        json!({ "executionDetails": { "externalExecutionId": long(1501) } }),
        json!({ "executionDetails": { "percentComplete": 101 } }),
        json!({ "executionDetails": { "Summary": "s" } }),
        json!({ "currentRevision": { "revision": "r" } }),
        json!({ "currentRevision": { "revision": "r", "changeIdentifier": long(101) } }),
        json!({ "continuationToken": "" }),
        json!({ "continuationToken": " \n" }),
        json!({ "continuationToken": long(2049) }),
        json!({ "continuationToken": 1 }),
        json!({ "outputVariables": { "": "v" } }),
        json!({ "outputVariables": { "a.b": "v" } }),
        json!({ "outputVariables": { "a": 1 } }),
        json!({ "outputVariables": { "a": "v" }, "continuationToken": "t" }),
        json!({ "invented": 1 }),
    ] {
        assert_eq!(succeed(&aws, fields.clone()).await, "ValidationException", "{fields}");
    }
    let too_large = json!({ "outputVariables": { "a": "x".repeat(122_879), "b": "" } });
    assert_eq!(succeed(&aws, too_large).await, "OutputVariablesSizeExceededException");
    assert_eq!(results(&aws), []);
}

#[tokio::test]
async fn a_failure_must_be_as_the_model_says() {
    let aws = aws().await;
    let types = [
        "JobFailed",
        "ConfigurationError",
        "PermissionError",
        "RevisionOutOfSync",
        "RevisionUnavailable",
        "SystemUnavailable",
    ];
    for failure_type in types {
        let details = json!({ "type": failure_type, "message": "é".repeat(5000) });
        assert_eq!(fail(&aws, details).await, "", "{failure_type}");
        renew(&aws);
    }
    for details in [
        json!({ "type": "Failed", "message": "m" }),
        json!({ "type": "JobFailed" }),
        json!({ "message": "m" }),
        json!({ "type": "JobFailed", "message": "" }),
        json!({ "type": "JobFailed", "message": "é".repeat(5001) }),
        json!({ "type": "JobFailed", "message": "m", "externalExecutionId": "" }),
        json!({ "type": "JobFailed", "message": "m", "externalExecutionId": "x".repeat(1501) }),
        json!({ "type": "JobFailed", "message": "m", "invented": 1 }),
        Value::Null,
    ] {
        assert_eq!(fail(&aws, details.clone()).await, "ValidationException", "{details}");
    }
    for body in ["", "{", "[]", "null"] {
        let (status, _, answer) = call(&aws, "PutJobFailureResult", body).await;
        assert_eq!((status, answer.contains("ValidationException")), (400, true), "{body}: {answer}");
    }
    assert_eq!(results(&aws), []);
}

#[tokio::test]
async fn a_fault_is_one_of_codepipeline() {
    let aws = aws().await;
    for operation in ["PutJobSuccessResult", "PutJobFailureResult"] {
        let effect = Effect::error(400, "ThrottlingException");
        aws.with(|state| state.faults.push(Fault::once(operation, JOB, effect)));
        assert_eq!(put(&aws, operation, &with_job(json!({}))).await, "ThrottlingException");
    }
    let effect = Effect::Raw { status: 500, body: "{}".into() };
    aws.with(|state| state.faults.push(Fault::once("PutJobSuccessResult", JOB, effect)));
    let (status, _, body) = call(&aws, "PutJobSuccessResult", &with_job(json!({})).to_string()).await;
    assert_eq!((status, body.as_str()), (500, "{}"));
    assert_eq!(succeed(&aws, json!({})).await, "", "each was for one call");
}

#[tokio::test]
async fn another_operation_of_codepipeline_is_refused_and_recorded() {
    let aws = aws().await;
    let (status, _, body) = call(&aws, "GetJobDetails", &with_job(json!({})).to_string()).await;
    assert_eq!((status, body.contains("AccessDenied")), (403, true), "{body}");
    let calls = aws.calls(UNKNOWN_OPERATION);
    assert!(calls[0].target.ends_with("CodePipeline_20150709.GetJobDetails"), "{calls:?}");
}

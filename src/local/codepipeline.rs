//! The subset of CodePipeline that takes job results, over the AWS JSON 1.1 protocol.
//!
//! Sources: CodePipeline API reference, `PutJobSuccessResult`, `PutJobFailureResult` and the types they name; Smithy,
//! "AWS JSON 1.1 protocol". Lengths count characters.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;

use super::request::Service::CodePipeline;
use super::request::{ApiRequest, ApiResponse};
use super::state::{PutResult, State};

/// The total size of an action's output variables, in bytes. Source: CodePipeline user guide, "Quotas".
const MAX_OUTPUT_VARIABLES_BYTES: usize = 122_880;

/// The values of `FailureDetails.type`.
const FAILURE_TYPES: [&str; 6] = [
    "JobFailed",
    "ConfigurationError",
    "PermissionError",
    "RevisionOutOfSync",
    "RevisionUnavailable",
    "SystemUnavailable",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PutJobSuccessResult {
    job_id: String,
    current_revision: Option<CurrentRevision>,
    continuation_token: Option<String>,
    execution_details: Option<ExecutionDetails>,
    output_variables: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CurrentRevision {
    revision: String,
    change_identifier: String,
    #[serde(rename = "created")]
    _created: Option<f64>,
    revision_summary: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ExecutionDetails {
    summary: Option<String>,
    external_execution_id: Option<String>,
    percent_complete: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PutJobFailureResult {
    job_id: String,
    failure_details: FailureDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FailureDetails {
    r#type: String,
    message: String,
    external_execution_id: Option<String>,
}

/// The error code and message of a rejected request.
struct Rejection(&'static str, String);

/// `PutJobSuccessResult`.
pub(super) fn put_job_success_result(state: &mut State, request: &ApiRequest) -> ApiResponse {
    take(state, request, success(&request.body))
}

/// `PutJobFailureResult`.
pub(super) fn put_job_failure_result(state: &mut State, request: &ApiRequest) -> ApiResponse {
    take(state, request, failure(&request.body))
}

/// Records a result if its job exists and awaits one. A request that violates the API model is rejected first.
fn take(state: &mut State, request: &ApiRequest, result: Result<PutResult, Rejection>) -> ApiResponse {
    let result = match result {
        Ok(result) => result,
        Err(Rejection(code, message)) => return CodePipeline.error(400, code, &message),
    };
    let Some(job) = state.jobs.get_mut(&request.target) else {
        return CodePipeline.error(400, "JobNotFoundException", "The specified job was not found.");
    };
    if job.answered {
        return CodePipeline.error(400, "InvalidJobStateException", "The job has a result already.");
    }
    job.answered = true;
    job.results.push(result);
    ApiResponse { status: 200, code: None, headers: Vec::new(), body: String::new() }
}

fn success(body: &[u8]) -> Result<PutResult, Rejection> {
    let input: PutJobSuccessResult = serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
    check_job_id(&input.job_id)?;
    if let Some(revision) = &input.current_revision {
        check_length("currentRevision.revision", Some(&revision.revision), 1..=1500)?;
        check_length("currentRevision.changeIdentifier", Some(&revision.change_identifier), 1..=100)?;
        check_length("currentRevision.revisionSummary", revision.revision_summary.as_ref(), 1..=2048)?;
    }
    let details = input.execution_details.unwrap_or_default();
    check_length("executionDetails.summary", details.summary.as_ref(), 0..=2048)?;
    check_length("executionDetails.externalExecutionId", details.external_execution_id.as_ref(), 1..=1500)?;
    if details.percent_complete.is_some_and(|percent| percent > 100) {
        return Err(invalid("executionDetails.percentComplete is over 100".to_owned()));
    }
    check_length("continuationToken", input.continuation_token.as_ref(), 1..=2048)?;
    // Stricter than the API model, which allows blanks: a blank token carries no state for the next job event.
    if input.continuation_token.as_ref().is_some_and(|token| token.trim().is_empty()) {
        return Err(invalid("continuationToken is blank".to_owned()));
    }
    let output_variables = input.output_variables.unwrap_or_default();
    check_output_variables(&output_variables)?;
    // Stricter than the API model, which allows both together: output variables belong to an action's final result.
    if input.continuation_token.is_some() && !output_variables.is_empty() {
        return Err(invalid("outputVariables come with a continuationToken".to_owned()));
    }
    Ok(PutResult::Success {
        summary: details.summary,
        external_execution_id: details.external_execution_id,
        continuation_token: input.continuation_token,
        output_variables,
    })
}

fn failure(body: &[u8]) -> Result<PutResult, Rejection> {
    let input: PutJobFailureResult = serde_json::from_slice(body).map_err(|error| invalid(error.to_string()))?;
    check_job_id(&input.job_id)?;
    let FailureDetails { r#type, message, external_execution_id } = input.failure_details;
    if !FAILURE_TYPES.contains(&r#type.as_str()) {
        return Err(invalid(format!("failureDetails.type is none of {}", FAILURE_TYPES.join(", "))));
    }
    check_length("failureDetails.message", Some(&message), 1..=5000)?;
    check_length("failureDetails.externalExecutionId", external_execution_id.as_ref(), 1..=1500)?;
    Ok(PutResult::Failure { failure_type: r#type, message, external_execution_id })
}

/// Checks the model's pattern: `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`.
fn check_job_id(id: &str) -> Result<(), Rejection> {
    let is_hex = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if id.split('-').all(is_hex) && id.split('-').map(str::len).eq([8, 4, 4, 4, 12]) {
        Ok(())
    } else {
        Err(invalid("jobId does not match its pattern".to_owned()))
    }
}

fn check_length(field: &str, text: Option<&String>, lengths: RangeInclusive<usize>) -> Result<(), Rejection> {
    match text.map(|text| text.chars().count()) {
        Some(length) if !lengths.contains(&length) => {
            Err(invalid(format!("{field} has {length} characters, not {} to {}", lengths.start(), lengths.end())))
        }
        _ => Ok(()),
    }
}

/// Checks the names against the model's pattern `[A-Za-z0-9@\-_]+`, and the total size.
fn check_output_variables(variables: &BTreeMap<String, String>) -> Result<(), Rejection> {
    let fits = |key: &String| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"@-_".contains(&b));
    if !variables.keys().all(fits) {
        return Err(invalid("a key of outputVariables does not match its pattern".to_owned()));
    }
    let bytes: usize = variables.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > MAX_OUTPUT_VARIABLES_BYTES {
        let message = format!("outputVariables have {bytes} bytes of at most {MAX_OUTPUT_VARIABLES_BYTES}");
        return Err(Rejection("OutputVariablesSizeExceededException", message));
    }
    Ok(())
}

fn invalid(message: String) -> Rejection {
    Rejection("ValidationException", message)
}

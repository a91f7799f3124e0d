//! Puts the results of CodePipeline jobs.

use std::sync::OnceLock;

use aws_config::SdkConfig;
use aws_sdk_codepipeline::Client;
use aws_sdk_codepipeline::config::retry::RetryConfig;
use aws_sdk_codepipeline::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_codepipeline::operation::RequestId;
use aws_sdk_codepipeline::types::{ExecutionDetails, FailureDetails, FailureType as SdkFailureType};

use super::error::{call_error, invalid_response, status};
use super::response::{SMALL_RESPONSE_BYTES, SizeLimit};
use super::{CallError, ErrorClass};
use crate::event::{FailureType, InvalidationRef, JobId, JobResult};

/// CodePipeline's error code for a job that already has a result: from this request, if its response was lost, or from
/// an earlier attempt.
const ALREADY_HAS_RESULT: &str = "InvalidJobStateException";

/// A CodePipeline client that puts results with `PutJobSuccessResult` and `PutJobFailureResult`.
pub struct CodePipeline {
    config: SdkConfig,
    client: OnceLock<Client>,
}

impl CodePipeline {
    /// Keeps the configuration for a client in its Region: a pipeline invokes functions of its own Region. The client
    /// is built for the first job, as most functions never receive one.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { config: config.clone(), client: OnceLock::new() }
    }

    /// Returns the client. The SDK's retries are disabled: the caller retries until its deadline.
    fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let config = aws_sdk_codepipeline::config::Builder::from(&self.config)
                .retry_config(RetryConfig::disabled())
                .interceptor(SizeLimit(SMALL_RESPONSE_BYTES))
                .build();
            Client::from_conf(config)
        })
    }

    /// Puts the result of a job. If the job already has a result, that is not an error.
    ///
    /// # Errors
    /// The error of the call.
    pub async fn put(&self, job: &JobId, result: &JobResult) -> Result<(), CallError> {
        match result {
            JobResult::Failed { kind, message } => {
                let details = FailureDetails::builder().r#type(sdk_failure_type(*kind)).message(message);
                let details = details.build().map_err(|error| build_error(&error))?;
                let call = self.client().put_job_failure_result().job_id(job.as_str()).failure_details(details);
                accepted("PutJobFailureResult", call.send().await)
            }
            JobResult::Continued { token } => {
                let details = ExecutionDetails::builder().summary(token.summary());
                let details = details.set_external_execution_id(execution_id(&token.invalidations)).build();
                let call = self.client().put_job_success_result().job_id(job.as_str()).execution_details(details);
                accepted("PutJobSuccessResult", call.continuation_token(token.write()).send().await)
            }
            JobResult::Succeeded { summary, invalidations, paths } => {
                let details = ExecutionDetails::builder().summary(summary).percent_complete(100);
                let details = details.set_external_execution_id(execution_id(invalidations)).build();
                let call = self.client().put_job_success_result().job_id(job.as_str()).execution_details(details);
                let call = output_variables(invalidations, paths)
                    .into_iter()
                    .fold(call, |call, (name, value)| call.output_variables(name, value));
                accepted("PutJobSuccessResult", call.send().await)
            }
        }
    }
}

fn sdk_failure_type(kind: FailureType) -> SdkFailureType {
    match kind {
        FailureType::Configuration => SdkFailureType::ConfigurationError,
        FailureType::Permission => SdkFailureType::PermissionError,
        FailureType::Unavailable => SdkFailureType::SystemUnavailable,
        FailureType::Failed => SdkFailureType::JobFailed,
    }
}

/// The IDs of the invalidations, which the console shows as the action's external execution ID.
fn execution_id(invalidations: &[InvalidationRef]) -> Option<String> {
    let ids: Vec<_> = invalidations.iter().map(|it| it.invalidation.as_str()).collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

/// The output variables that later actions of the pipeline can use.
fn output_variables(invalidations: &[InvalidationRef], paths: &str) -> Vec<(&'static str, String)> {
    let Some(ids) = execution_id(invalidations) else { return Vec::new() };
    let distributions: Vec<_> = invalidations.iter().map(|it| it.distribution.as_str()).collect();
    vec![("invalidationId", ids), ("distributionId", distributions.join(" ")), ("paths", paths.to_owned())]
}

fn build_error(error: &BuildError) -> CallError {
    CallError { class: ErrorClass::Other, message: format!("PutJobFailureResult: {error}") }
}

/// Maps CodePipeline's response. The responses of both operations are empty, so any response with a success status
/// would pass for one. Those of CodePipeline carry a request ID.
fn accepted<T: RequestId, E>(
    operation: &str,
    answer: Result<T, SdkError<E, aws_sdk_codepipeline::config::http::HttpResponse>>,
) -> Result<(), CallError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match answer {
        Ok(output) if output.request_id().is_some() => Ok(()),
        Ok(_) => Err(invalid_response(operation, "the request ID is missing")),
        Err(error) if error.code() == Some(ALREADY_HAS_RESULT) && status(&error) == Some(400) => Ok(()),
        Err(error) => Err(call_error(operation, &error)),
    }
}

//! Puts the results of CodePipeline jobs.

use std::error::Error;
use std::sync::LazyLock;

use aws_config::SdkConfig;
use aws_sdk_codepipeline::Client;
use aws_sdk_codepipeline::config::Builder;
use aws_sdk_codepipeline::config::retry::RetryConfig;
use aws_sdk_codepipeline::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_codepipeline::types::{ExecutionDetails, FailureDetails, FailureType as SdkFailureType};

use super::CallError;
use super::response::{SMALL_RESPONSE_BYTES, SizeLimit, call_error, invalid_request, status};
use crate::event::{FailureType, InvalidationRef, JobId, JobResult};

/// CodePipeline's error code for a job that already has a result: from this request, if its response was lost, or from
/// an earlier attempt.
const ALREADY_HAS_RESULT: &str = "InvalidJobStateException";

/// A CodePipeline client that puts results with `PutJobSuccessResult` and `PutJobFailureResult`.
pub struct CodePipeline {
    /// Built for the first job, as most functions never receive one.
    client: LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>,
}

impl CodePipeline {
    /// Keeps the configuration for a client in its Region: a pipeline invokes functions of its own Region. The SDK's
    /// retries are disabled: the caller retries until its deadline.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = Builder::from(config).retry_config(RetryConfig::disabled());
        let config = config.interceptor(SizeLimit(SMALL_RESPONSE_BYTES));
        Self { client: LazyLock::new(Box::new(|| Client::from_conf(config.build()))) }
    }

    /// Puts the result of a job. If the job already has a result, that is not an error.
    ///
    /// # Errors
    /// The error of the call.
    pub async fn put(&self, job: &JobId, result: &JobResult) -> Result<(), CallError> {
        match result {
            JobResult::Failed { kind, message } => {
                let details = FailureDetails::builder().r#type(sdk_failure_type(*kind)).message(message).build();
                let details = details.map_err(|error| invalid_request("PutJobFailureResult", &error))?;
                let call = self.client.put_job_failure_result().job_id(job.as_str()).failure_details(details);
                accepted("PutJobFailureResult", call.send().await)
            }
            JobResult::Continued { token } => {
                let details = ExecutionDetails::builder().summary(token.summary());
                let details = details.set_external_execution_id(execution_id(&token.invalidations)).build();
                let call = self.client.put_job_success_result().job_id(job.as_str()).execution_details(details);
                accepted("PutJobSuccessResult", call.continuation_token(token.write()).send().await)
            }
            JobResult::Succeeded { summary, invalidations, paths } => {
                let details = ExecutionDetails::builder().summary(summary).percent_complete(100);
                let details = details.set_external_execution_id(execution_id(invalidations)).build();
                let call = self.client.put_job_success_result().job_id(job.as_str()).execution_details(details);
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

/// Maps CodePipeline's response. That to a result that is put is empty, so its status says it all.
fn accepted<T, E: ProvideErrorMetadata + Error + 'static>(
    operation: &str,
    answer: Result<T, SdkError<E>>,
) -> Result<(), CallError> {
    match answer {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(ALREADY_HAS_RESULT) && status(&error) == Some(400) => Ok(()),
        Err(error) => Err(call_error(operation, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::s3::call_tests::service;

    /// The response is empty, so there is nothing in it to check.
    #[tokio::test]
    async fn a_response_without_a_request_id_is_a_success() {
        let job = JobId::new("11111111-abcd-1111-abcd-111111abcdef").unwrap();
        let succeeded =
            JobResult::Succeeded { summary: String::new(), invalidations: Vec::new(), paths: String::new() };
        for result in [succeeded, JobResult::failed(FailureType::Failed, "it failed")] {
            let (config, request) = service("");
            assert_eq!(CodePipeline::new(&config).put(&job, &result).await, Ok(()), "{result:?}");
            assert!(request.join().unwrap().contains("CodePipeline_20150709.PutJob"));
        }
    }
}

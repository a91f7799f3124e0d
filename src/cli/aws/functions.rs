//! Functions, what calls them, and who may.

use aws_sdk_lambda::operation::add_permission::AddPermissionError;
use aws_sdk_lambda::types::FunctionResponseType;

use super::{OperatorClients, unless_missing};
use crate::aws::CallError;
use crate::aws::error::{call_error, invalid_response};
use crate::change::AccountId;
use crate::cli::link::{EventSourceMapping, FunctionInfo, S3_PRINCIPAL};

impl OperatorClients {
    pub(super) async fn describe_function(&self, name: &str) -> Result<FunctionInfo, CallError> {
        let output = self.lambda.get_function_configuration().function_name(name).send().await;
        let output = output.map_err(|error| call_error("GetFunctionConfiguration", &error))?;
        let arn = output.function_arn.ok_or_else(|| invalid_response("GetFunctionConfiguration", "it tells no ARN"))?;
        // `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, and perhaps a version.
        let arn = arn.split(':').take(7).collect::<Vec<_>>().join(":");
        let environment = output.environment.as_ref();
        if let Some(error) = environment.and_then(|it| it.error.as_ref()).and_then(|it| it.message.as_deref()) {
            return Err(invalid_response(
                "GetFunctionConfiguration",
                &format!("it does not tell the settings: {error}"),
            ));
        }
        let mut variables = output.environment.and_then(|it| it.variables).unwrap_or_default();
        Ok(FunctionInfo {
            arn,
            distribution_tag: variables.remove("DISTRIBUTION_TAG"),
            is_dry_run: variables.remove("DRY_RUN").is_some_and(|it| it.trim() == "true"),
            bucket_owner: variables.remove("EXPECTED_BUCKET_OWNER"),
            dead_letters: output.dead_letter_config.and_then(|it| it.target_arn),
        })
    }

    pub(super) async fn list_event_sources(&self, function: &str) -> Result<Vec<EventSourceMapping>, CallError> {
        let mut pages = self.lambda.list_event_source_mappings().function_name(function).into_paginator().send();
        let mut sources = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| call_error("ListEventSourceMappings", &error))?;
            sources.extend(page.event_source_mappings().iter().filter_map(|it| {
                Some(EventSourceMapping {
                    arn: it.event_source_arn()?.to_owned(),
                    state: it.state().unwrap_or_default().to_owned(),
                    reports_failures: it
                        .function_response_types()
                        .contains(&FunctionResponseType::ReportBatchItemFailures),
                })
            }));
        }
        Ok(sources)
    }

    pub(super) async fn read_policy(&self, function: &str) -> Result<Option<String>, CallError> {
        let output = self.lambda.get_policy().function_name(function).send().await;
        let output = unless_missing(output.map_err(|error| call_error("GetPolicy", &error)))?;
        Ok(output.and_then(|it| it.policy))
    }

    pub(super) async fn allow(
        &self,
        function: &str,
        id: &str,
        bucket_arn: &str,
        account: &AccountId,
    ) -> Result<(), CallError> {
        let call = self.lambda.add_permission().function_name(function).statement_id(id).principal(S3_PRINCIPAL);
        let call = call.action("lambda:InvokeFunction").source_arn(bucket_arn).source_account(account.as_str());
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(AddPermissionError::is_resource_conflict_exception) => {
                Ok(())
            }
            Err(error) => Err(call_error("AddPermission", &error)),
        }
    }

    pub(super) async fn forbid(&self, function: &str, id: &str) -> Result<(), CallError> {
        let output = self.lambda.remove_permission().function_name(function).statement_id(id).send().await;
        unless_missing(output.map_err(|error| call_error("RemovePermission", &error))).map(|_| ())
    }
}

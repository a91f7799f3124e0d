//! [`OperatorApi`] over the AWS SDK: each call that `link`, `unlink` and `status` make.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudfront::types::{ConnectionMode, InvalidationSummary};
use aws_sdk_eventbridge::types::RuleState;
use aws_sdk_lambda::operation::add_permission::AddPermissionError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{ApplicationLogLevel, FunctionResponseType, LogFormat};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{BucketLocationConstraint, Tag, Tagging};
use aws_sdk_scheduler::types::ScheduleState;
use aws_sdk_sqs::types::QueueAttributeName;
use serde::Deserialize;

use super::known_elements::OnlyKnownElements;
use super::{OperatorClients, notifications, retry_while_busy, unless_missing};
use crate::aws::response::{
    CompleteXml, call_error, invalid_request, invalid_response, is_complete_response_with_status, status,
};
use crate::aws::{CallError, ErrorClass};
use crate::change::{AccountId, BucketName, DistributionId, Timestamp};
use crate::cli::link::{
    DryRun, EventRule, EventSourceMapping, FailedInvocations, FunctionInfo, LastInvalidation, ListedDistribution,
    Notifications, OperatorApi, Queue, S3_PRINCIPAL, Schedule, name_of_arn,
};
use crate::path::{DistributionConfig, Origin, Tags, Tenant};

/// The response header with a bucket's Region. S3 sends it also if the request went to another Region.
const REGION_HEADER: &str = "x-amz-bucket-region";

/// The Region of a bucket without a location constraint. Source: S3 API reference, `GetBucketLocation`.
const DEFAULT_REGION: &str = "us-east-1";

impl OperatorClients {
    /// Returns a schedule of a group; `None` if there is no such schedule.
    async fn schedule_in(&self, group: Option<&str>, name: &str) -> Result<Option<Schedule>, CallError> {
        let call = self.scheduler.get_schedule().set_group_name(group.map(ToOwned::to_owned)).name(name);
        let output = unless_missing(call.send().await.map_err(|error| call_error("GetSchedule", &error)))?;
        Ok(output.map(|it| {
            let is_enabled = it.state() != Some(&ScheduleState::Disabled);
            let modified_at = it.last_modification_date().or(it.creation_date());
            let modified_at = modified_at.and_then(|time| Timestamp::new(u64::try_from(time.to_millis().ok()?).ok()?));
            let (target, input) = it.target.map(|it| (it.arn, it.input)).unwrap_or_default();
            Schedule { name: name.to_owned(), is_enabled, target, input, modified_at }
        }))
    }
}

/// The error of a call that a service may not have. HTTP 501 says so, and is not transient.
fn refusal(error: CallError, status: Option<u16>) -> CallError {
    if status == Some(501) { CallError { class: ErrorClass::Other, ..error } } else { error }
}

impl OperatorApi for OperatorClients {
    async fn account(&self) -> Result<AccountId, CallError> {
        self.caller().await.map(|caller| caller.account.clone())
    }

    async fn stack_outputs(&self, stack: &str) -> Result<Option<BTreeMap<String, String>>, CallError> {
        match self.cloud_formation.describe_stacks().stack_name(stack).send().await {
            Ok(output) => {
                let outputs =
                    output.stacks.unwrap_or_default().into_iter().next().map(|it| it.outputs.unwrap_or_default());
                let pair = |it: aws_sdk_cloudformation::types::Output| Some((it.output_key?, it.output_value?));
                Ok(outputs.map(|all| all.into_iter().filter_map(pair).collect()))
            }
            // CloudFormation has no error code of its own for a stack that does not exist.
            Err(error)
                if error.code() == Some("ValidationError")
                    && error.message().is_some_and(|it| it.contains("does not exist")) =>
            {
                Ok(None)
            }
            Err(error) => Err(call_error("DescribeStacks", &error)),
        }
    }

    async fn function(&self, name: &str) -> Result<FunctionInfo, CallError> {
        let output = self.lambda.get_function_configuration().function_name(name).send().await;
        let output = output.map_err(|error| call_error("GetFunctionConfiguration", &error))?;
        let arn =
            output.function_arn.ok_or_else(|| invalid_response("GetFunctionConfiguration", "it has no FunctionArn"))?;
        // `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, which a version or an alias may follow.
        let arn = arn.split(':').take(7).collect::<Vec<_>>().join(":");
        let environment = output.environment.as_ref();
        if let Some(error) = environment.and_then(|it| it.error.as_ref()).and_then(|it| it.message.as_deref()) {
            return Err(invalid_response(
                "GetFunctionConfiguration",
                &format!("it has no environment variables: {error}"),
            ));
        }
        let mut variables = output.environment.and_then(|it| it.variables).unwrap_or_default();
        let log_group = output.logging_config.and_then(|it| {
            let is_logged =
                !matches!(it.application_log_level(), Some(ApplicationLogLevel::Error | ApplicationLogLevel::Fatal));
            let default = || format!("/aws/lambda/{}", name_of_arn(&arn));
            (it.log_format == Some(LogFormat::Json) && is_logged).then(|| it.log_group.unwrap_or_else(default))
        });
        Ok(FunctionInfo {
            log_group,
            arn,
            distribution_tag: variables.remove("DISTRIBUTION_TAG"),
            is_dry_run: variables.remove("DRY_RUN").is_some_and(|it| it.trim() == "true"),
            reads_configs: variables.remove("DISTRIBUTION_CONFIG").is_none_or(|it| it.trim() != "off"),
            bucket_owner: variables.remove("EXPECTED_BUCKET_OWNER"),
            queue_url: variables.remove("QUEUE_URL"),
            version: variables.remove("VERSION"),
            dead_letter_queue: output.dead_letter_config.and_then(|it| it.target_arn),
        })
    }

    async fn dry_run(&self, function: &str, bucket: &BucketName, key: &str) -> Result<DryRun, CallError> {
        /// The fields of the function's answer, or of its error, that are read.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Response {
            #[serde(default)]
            urls_uncertain: u64,
            error_message: Option<String>,
        }
        let request = serde_json::json!({ "bucket": bucket.as_str(), "keys": [key], "dryRun": true });
        let call = self.lambda.invoke().function_name(function).payload(Blob::new(request.to_string()));
        let output = call.send().await.map_err(|error| call_error("Invoke", &error))?;
        let payload = output.payload.unwrap_or_else(|| Blob::new([]));
        let response: Response =
            serde_json::from_slice(payload.as_ref()).map_err(|error| invalid_response("Invoke", &error.to_string()))?;
        Ok(match (output.function_error, response.error_message) {
            (None, _) => DryRun::Planned { urls_uncertain: response.urls_uncertain > 0 },
            (Some(_), Some(message)) => DryRun::Failed(message),
            (Some(kind), None) => DryRun::Failed(kind),
        })
    }

    async fn event_sources(&self, function: &str) -> Result<Vec<EventSourceMapping>, CallError> {
        let mut pages = self.lambda.list_event_source_mappings().function_name(function).into_paginator().send();
        let mut sources = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| call_error("ListEventSourceMappings", &error))?;
            sources.extend(page.event_source_mappings().iter().filter_map(|it| {
                Some(EventSourceMapping {
                    arn: it.event_source_arn()?.to_owned(),
                    state: it.state().unwrap_or_default().to_owned(),
                    reports_batch_item_failures: it
                        .function_response_types()
                        .contains(&FunctionResponseType::ReportBatchItemFailures),
                })
            }));
        }
        Ok(sources)
    }

    async fn function_policy(&self, function: &str) -> Result<Option<String>, CallError> {
        let output = self.lambda.get_policy().function_name(function).send().await;
        let output = unless_missing(output.map_err(|error| call_error("GetPolicy", &error)))?;
        Ok(output.and_then(|it| it.policy))
    }

    async fn add_permission(
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

    async fn remove_permission(&self, function: &str, id: &str) -> Result<(), CallError> {
        let output = self.lambda.remove_permission().function_name(function).statement_id(id).send().await;
        unless_missing(output.map_err(|error| call_error("RemovePermission", &error))).map(|_| ())
    }

    async fn queue(&self, arn: &str) -> Result<Queue, CallError> {
        let mut parts = arn.split(':').skip(4);
        let (Some(account), Some(name)) = (parts.next(), parts.next()) else {
            return Err(invalid_response("GetQueueUrl", &format!("\"{arn}\" is not the ARN of a queue")));
        };
        let output = self.sqs.get_queue_url().queue_name(name).queue_owner_aws_account_id(account).send().await;
        let url = output.map_err(|error| call_error("GetQueueUrl", &error))?.queue_url;
        let call = self.sqs.get_queue_attributes().set_queue_url(url).attribute_names(QueueAttributeName::All);
        let output = call.send().await.map_err(|error| call_error("GetQueueAttributes", &error))?;
        let attributes = output.attributes.unwrap_or_default();
        let text = |name: QueueAttributeName| attributes.get(&name).cloned();
        let number = |name| text(name).and_then(|it| it.parse().ok()).unwrap_or_default();
        let redrive = text(QueueAttributeName::RedrivePolicy);
        let redrive = redrive.and_then(|it| serde_json::from_str::<serde_json::Value>(&it).ok());
        let dead_letter_queue = redrive.as_ref().and_then(|it| it.get("deadLetterTargetArn")?.as_str());
        Ok(Queue {
            policy: text(QueueAttributeName::Policy),
            kms_key: text(QueueAttributeName::KmsMasterKeyId).filter(|it| !it.is_empty()),
            dead_letter_queue: dead_letter_queue.map(ToOwned::to_owned),
            available: number(QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            visibility_timeout: number(QueueAttributeName::VisibilityTimeout),
            max_receive_count: redrive.as_ref().and_then(|it| {
                let count = it.get("maxReceiveCount")?;
                // The console writes a number, and the AWS CLI a text.
                count.as_u64().or_else(|| count.as_str()?.parse().ok())
            }),
        })
    }

    async fn event_rules(&self, target: &str) -> Result<Vec<EventRule>, CallError> {
        let (mut rules, mut next) = (Vec::new(), None);
        loop {
            let call = self.event_bridge.list_rule_names_by_target().target_arn(target).set_next_token(next);
            let page = call.send().await.map_err(|error| call_error("ListRuleNamesByTarget", &error))?;
            for name in page.rule_names() {
                let output = self.event_bridge.describe_rule().name(name).send().await;
                let output = output.map_err(|error| call_error("DescribeRule", &error))?;
                let Some(arn) = output.arn else { continue };
                let is_enabled = output.state != Some(RuleState::Disabled);
                rules.push(EventRule { arn, is_enabled, pattern: output.event_pattern });
            }
            next = page.next_token;
            if next.is_none() {
                return Ok(rules);
            }
        }
    }

    async fn schedule(&self, name: &str) -> Result<Option<Schedule>, CallError> {
        self.schedule_in(None, name).await
    }

    async fn schedules(&self, function: &str) -> Result<Vec<Schedule>, CallError> {
        let mut pages = self.scheduler.list_schedules().into_paginator().send();
        let mut schedules = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| call_error("ListSchedules", &error))?;
            for it in page.schedules() {
                let target = it.target().and_then(|it| it.arn().strip_prefix(function));
                let is_target = target.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
                let Some(name) = it.name().filter(|_| is_target) else { continue };
                // It may have been deleted since it was listed.
                schedules.extend(self.schedule_in(it.group_name(), name).await?);
            }
        }
        Ok(schedules)
    }

    async fn last_poll(&self, queue: &str) -> Result<Option<Timestamp>, CallError> {
        self.last_receive(name_of_arn(queue)).await
    }

    async fn failed_invocations(
        &self,
        log_group: &str,
        window: Duration,
    ) -> Result<Option<FailedInvocations>, CallError> {
        self.failed_log_lines(log_group, window).await
    }

    async fn buckets(&self) -> Result<Vec<BucketName>, CallError> {
        let mut pages = self.s3.list_buckets().bucket_region(&self.region).into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| call_error("ListBuckets", &error))?;
            let is_in_region =
                |it: &aws_sdk_s3::types::Bucket| it.bucket_region().is_none_or(|region| region == self.region);
            let found = page.buckets().iter().filter(|it| is_in_region(it)).filter_map(|it| it.name());
            // A name that `BucketName` rejects is that of another bucket type, which has no tags.
            names.extend(found.filter_map(|name| BucketName::new(name).ok()));
        }
        Ok(names)
    }

    async fn bucket_region(&self, bucket: &BucketName) -> Result<String, CallError> {
        let output = self.s3.head_bucket().bucket(bucket.as_str()).send().await;
        let region = match &output {
            Ok(head) => head.bucket_region(),
            Err(error) => error.raw_response().and_then(|answer| answer.headers().get(REGION_HEADER)),
        };
        if let Some(region) = region.filter(|it| !it.is_empty()) {
            return Ok(region.to_owned());
        }
        output.map_err(|error| match call_error("HeadBucket", &error) {
            // A response to HEAD has no body, so the error has no message.
            missing if missing.class == ErrorClass::NotFound => {
                CallError { message: format!("bucket \"{bucket}\" does not exist; correct its name"), ..missing }
            }
            other => other,
        })?;
        let output = self.s3.get_bucket_location().bucket(bucket.as_str()).send().await;
        let location = output.map_err(|error| call_error("GetBucketLocation", &error))?.location_constraint;
        Ok(match location.as_ref().map(BucketLocationConstraint::as_str) {
            None | Some("") => DEFAULT_REGION.to_owned(),
            Some("EU") => "eu-west-1".to_owned(),
            Some(region) => region.to_owned(),
        })
    }

    async fn tags(&self, bucket: &BucketName) -> Result<Tags, CallError> {
        let owner = self.caller().await?.account.as_str();
        let call = self.s3.get_bucket_tagging().bucket(bucket.as_str()).expected_bucket_owner(owner);
        match call.customize().interceptor(CompleteXml("<TagSet")).send().await {
            Ok(tagging) => Ok(tagging.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect()),
            Err(error) if error.code() == Some("NoSuchTagSet") && is_complete_response_with_status(&error, 404) => {
                Ok(Tags::new())
            }
            Err(error) => Err(call_error("GetBucketTagging", &error)),
        }
    }

    async fn set_tags(&self, bucket: &BucketName, tags: &Tags) -> Result<(), CallError> {
        let (account, arn) = self.account_and_bucket_arn(bucket).await?;
        let invalid = |error| invalid_request("TagResource", &error);
        let tag = |(key, value)| aws_sdk_s3control::types::Tag::builder().key(key).value(value).build();
        let tags = tags.iter().map(tag).collect::<Result<Vec<_>, _>>().map_err(invalid)?;
        let call = self.s3_control.tag_resource().account_id(account).resource_arn(arn).set_tags(Some(tags));
        let output = retry_while_busy(|| call.clone().send()).await;
        output.map(|_| ()).map_err(|error| refusal(call_error("TagResource", &error), status(&error)))
    }

    async fn remove_tags(&self, bucket: &BucketName, keys: &[String]) -> Result<(), CallError> {
        let (account, arn) = self.account_and_bucket_arn(bucket).await?;
        let call = self.s3_control.untag_resource().account_id(account).resource_arn(arn);
        let call = call.set_tag_keys(Some(keys.to_vec()));
        let output = retry_while_busy(|| call.clone().send()).await;
        output.map(|_| ()).map_err(|error| refusal(call_error("UntagResource", &error), status(&error)))
    }

    async fn replace_tags(&self, bucket: &BucketName, tags: &Tags) -> Result<(), CallError> {
        let owner = self.caller().await?.account.as_str();
        if tags.is_empty() {
            // `PutBucketTagging` accepts no empty tag set.
            let call = || self.s3.delete_bucket_tagging().bucket(bucket.as_str()).expected_bucket_owner(owner).send();
            return retry_while_busy(call).await.map(|_| ()).map_err(|error| call_error("DeleteBucketTagging", &error));
        }
        let invalid = |error| invalid_request("PutBucketTagging", &error);
        let tag = |(key, value)| Tag::builder().key(key).value(value).build();
        let tags = tags.iter().map(tag).collect::<Result<Vec<_>, _>>().map_err(invalid)?;
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(invalid)?;
        let call = self.s3.put_bucket_tagging().bucket(bucket.as_str()).expected_bucket_owner(owner).tagging(tagging);
        retry_while_busy(|| call.clone().send())
            .await
            .map(|_| ())
            .map_err(|error| call_error("PutBucketTagging", &error))
    }

    async fn notifications(&self, bucket: &BucketName) -> Result<Notifications, CallError> {
        let owner = self.caller().await?.account.as_str();
        let call = self.s3.get_bucket_notification_configuration().bucket(bucket.as_str()).expected_bucket_owner(owner);
        let call = call.customize().interceptor(OnlyKnownElements);
        let output = call.send().await.map_err(|error| call_error("GetBucketNotificationConfiguration", &error))?;
        notifications::read(&output).map_err(|reason| invalid_response("GetBucketNotificationConfiguration", &reason))
    }

    async fn put_notifications(&self, bucket: &BucketName, notifications: &Notifications) -> Result<(), CallError> {
        let owner = self.caller().await?.account.as_str();
        let configuration = notifications::write(notifications)
            .map_err(|error| invalid_request("PutBucketNotificationConfiguration", &error))?;
        // S3 validates its access to every destination, existing ones included, and sends each a test message.
        let call = self.s3.put_bucket_notification_configuration().bucket(bucket.as_str()).expected_bucket_owner(owner);
        let call = call.notification_configuration(configuration);
        let output = retry_while_busy(|| call.clone().send()).await;
        output.map(|_| ()).map_err(|error| call_error("PutBucketNotificationConfiguration", &error))
    }

    async fn tenant(&self, tenant: &DistributionId) -> Result<Tenant, CallError> {
        self.cloud_front.tenant(tenant).await
    }

    async fn distributions(&self) -> Result<Vec<ListedDistribution>, CallError> {
        let mut listed = Vec::new();
        let mut pages = self.cloud_front.client.list_distributions().into_paginator().items().send();
        while let Some(it) = pages.next().await {
            let it = it.map_err(|error| call_error("ListDistributions", &error))?;
            let invalid = |error: &dyn std::fmt::Display| invalid_response("ListDistributions", &error.to_string());
            let id = DistributionId::new(&it.id).map_err(|error| invalid(&error))?;
            let origin = |it: &aws_sdk_cloudfront::types::Origin| {
                Origin::new(&it.id, &it.domain_name, it.origin_path.as_deref().unwrap_or_default())
            };
            let origins = it.origins.iter().flat_map(|it| &it.items).map(origin).collect::<Result<_, _>>();
            let aliases = it.aliases.map(|it| it.items.unwrap_or_default()).unwrap_or_default();
            listed.push(ListedDistribution {
                id,
                is_live: it.enabled && !it.staging,
                domain_names: std::iter::once(it.domain_name).chain(aliases).collect(),
                config: DistributionConfig {
                    origins: origins.map_err(|error| invalid(&error))?,
                    is_multi_tenant: it.connection_mode == Some(ConnectionMode::TenantOnly),
                    ..DistributionConfig::default()
                },
            });
        }
        Ok(listed)
    }

    async fn distribution_config(&self, distribution: &DistributionId) -> Result<DistributionConfig, CallError> {
        self.cloud_front.distribution_config(distribution).await
    }

    async fn last_invalidation(&self, distribution: &DistributionId) -> Result<Option<LastInvalidation>, CallError> {
        let client = &self.cloud_front.client;
        // The most recent invalidation is listed first. Source: CloudFront API reference, ListInvalidations.
        let list = if distribution.is_tenant() {
            let call = client.list_invalidations_for_distribution_tenant().id(distribution.as_str()).max_items(1);
            let output = call.send().await;
            output.map_err(|error| call_error("ListInvalidationsForDistributionTenant", &error))?.invalidation_list
        } else {
            let call = client.list_invalidations().distribution_id(distribution.as_str()).max_items(1);
            call.send().await.map_err(|error| call_error("ListInvalidations", &error))?.invalidation_list
        };
        let read = |it: InvalidationSummary| {
            let milliseconds = it.create_time.to_millis().ok().and_then(|time| u64::try_from(time).ok());
            let created_at = milliseconds.and_then(Timestamp::new);
            let created_at = created_at.ok_or_else(|| invalid_response("ListInvalidations", "it has no CreateTime"))?;
            Ok(LastInvalidation { created_at, status: it.status })
        };
        list.and_then(|it| it.items.unwrap_or_default().into_iter().next()).map(read).transpose()
    }
}

//! Queues, and the rules of EventBridge that write to them.

use aws_sdk_eventbridge::types::RuleState;
use aws_sdk_sqs::types::QueueAttributeName;

use super::OperatorClients;
use crate::aws::CallError;
use crate::aws::error::{call_error, invalid_response};
use crate::cli::link::{EventRule, Queue};

impl OperatorClients {
    pub(super) async fn describe_queue(&self, arn: &str) -> Result<Queue, CallError> {
        let mut parts = arn.split(':').skip(4);
        let (Some(account), Some(name)) = (parts.next(), parts.next()) else {
            return Err(invalid_response("GetQueueUrl", &format!("\"{arn}\" is no queue's ARN")));
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
        let dead_letters = redrive.as_ref().and_then(|it| it.get("deadLetterTargetArn")?.as_str());
        Ok(Queue {
            policy: text(QueueAttributeName::Policy),
            kms_key: text(QueueAttributeName::KmsMasterKeyId).filter(|it| !it.is_empty()),
            dead_letters: dead_letters.map(ToOwned::to_owned),
            waiting: number(QueueAttributeName::ApproximateNumberOfMessages),
            in_flight: number(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        })
    }

    pub(super) async fn list_rules(&self, target: &str) -> Result<Vec<EventRule>, CallError> {
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
}

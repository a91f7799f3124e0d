//! Converts a bucket's notification configuration between the SDK's types and those of `link`.
//!
//! S3 replaces the whole configuration on each write, so the conversion must lose nothing: what cannot be represented
//! is an error.

use std::collections::BTreeSet;

use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::types::{
    Event, EventBridgeConfiguration, FilterRule, FilterRuleName, LambdaFunctionConfiguration,
    NotificationConfiguration, NotificationConfigurationFilter, QueueConfiguration, S3KeyFilter, TopicConfiguration,
};

use crate::cli::link::{Destination, KeyFilter, NotificationRule, Notifications};

/// Converts the SDK's output. The error names what cannot be represented.
pub(super) fn read(output: &GetBucketNotificationConfigurationOutput) -> Result<Notifications, String> {
    let read_rule =
        |destination, id: Option<&str>, events: &[Event], filter: Option<&NotificationConfigurationFilter>| {
            let events = events.iter().map(|it| it.as_str().to_owned()).collect();
            Ok::<_, String>(NotificationRule {
                id: id.map(ToOwned::to_owned),
                destination,
                events,
                filter: read_filter(filter)?,
            })
        };
    let queues = output.queue_configurations().iter();
    let queues =
        queues.map(|it| read_rule(Destination::Queue(it.queue_arn.clone()), it.id(), it.events(), it.filter()));
    let topics = output.topic_configurations().iter();
    let topics =
        topics.map(|it| read_rule(Destination::Topic(it.topic_arn.clone()), it.id(), it.events(), it.filter()));
    let functions = output.lambda_function_configurations().iter();
    let functions = functions
        .map(|it| read_rule(Destination::Function(it.lambda_function_arn.clone()), it.id(), it.events(), it.filter()));
    let rules: Result<Vec<_>, _> = queues.chain(topics).chain(functions).collect();
    let rules = rules?;
    let count = rules.len();
    let rules: BTreeSet<_> = rules.into_iter().collect();
    if rules.len() < count {
        return Err("it has the same event notification twice".to_owned());
    }
    Ok(Notifications { rules, event_bridge: output.event_bridge_configuration().is_some() })
}

fn read_filter(filter: Option<&NotificationConfigurationFilter>) -> Result<KeyFilter, String> {
    let mut key_filter = KeyFilter::default();
    for rule in filter.and_then(|it| it.key()).map(S3KeyFilter::filter_rules).unwrap_or_default() {
        let value = rule.value().unwrap_or_default();
        // S3 returns `Prefix` where `prefix` was put.
        match rule.name().map(|it| it.as_str().to_ascii_lowercase()).as_deref() {
            Some("prefix") => value.clone_into(&mut key_filter.prefix),
            Some("suffix") => value.clone_into(&mut key_filter.suffix),
            other => {
                let name = other.unwrap_or_default();
                return Err(format!(
                    "an event notification filters by \"{name}\", which this version does not support; update \
                     invalidator"
                ));
            }
        }
    }
    Ok(key_filter)
}

fn write_filter(filter: &KeyFilter) -> Option<NotificationConfigurationFilter> {
    let parts = [(FilterRuleName::Prefix, &filter.prefix), (FilterRuleName::Suffix, &filter.suffix)];
    let rules: Vec<_> = parts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| FilterRule::builder().name(name).value(value).build())
        .collect();
    let key = || S3KeyFilter::builder().set_filter_rules(Some(rules.clone())).build();
    (!rules.is_empty()).then(|| NotificationConfigurationFilter::builder().key(key()).build())
}

/// Builds the configuration for `PutBucketNotificationConfiguration`.
pub(super) fn write(notifications: &Notifications) -> Result<NotificationConfiguration, aws_sdk_s3::error::BuildError> {
    let bridge = notifications.event_bridge.then(|| EventBridgeConfiguration::builder().build());
    let mut builder = NotificationConfiguration::builder().set_event_bridge_configuration(bridge);
    for rule in &notifications.rules {
        let (id, filter) = (rule.id.clone(), write_filter(&rule.filter));
        let events = Some(rule.events.iter().map(|it| Event::from(it.as_str())).collect());
        builder = match &rule.destination {
            Destination::Queue(arn) => builder.queue_configurations(
                QueueConfiguration::builder()
                    .set_id(id)
                    .queue_arn(arn)
                    .set_events(events)
                    .set_filter(filter)
                    .build()?,
            ),
            Destination::Topic(arn) => builder.topic_configurations(
                TopicConfiguration::builder()
                    .set_id(id)
                    .topic_arn(arn)
                    .set_events(events)
                    .set_filter(filter)
                    .build()?,
            ),
            Destination::Function(arn) => builder.lambda_function_configurations(
                LambdaFunctionConfiguration::builder()
                    .set_id(id)
                    .lambda_function_arn(arn)
                    .set_events(events)
                    .set_filter(filter)
                    .build()?,
            ),
        };
    }
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_written_without_loss() {
        let rule = |id: &str, destination, events: &[&str], prefix: &str, suffix: &str| NotificationRule {
            id: Some(id.into()),
            destination,
            events: events.iter().map(|&it| it.to_owned()).collect(),
            filter: KeyFilter { prefix: prefix.into(), suffix: suffix.into() },
        };
        let rules = [
            rule("a", Destination::Queue("arn:aws:sqs:r:1:q".into()), &["s3:ObjectCreated:*", "s3:New:Kind"], "", ""),
            rule("b", Destination::Topic("arn:aws:sns:r:1:t".into()), &["s3:ObjectRemoved:Delete"], "a/", ""),
            rule(
                "c",
                Destination::Function("arn:aws:lambda:r:1:function:f".into()),
                &["s3:ObjectTagging:*"],
                "",
                ".jpg",
            ),
        ];
        let notifications = Notifications { rules: rules.into(), event_bridge: true };
        let written = write(&notifications).unwrap();
        assert_eq!(written.queue_configurations()[0].events()[1].as_str(), "s3:ObjectCreated:*");
        assert!(written.queue_configurations()[0].filter().is_none());
        assert_eq!(read_filter(written.topic_configurations()[0].filter()).unwrap().prefix, "a/");
        assert_eq!(read_filter(written.lambda_function_configurations()[0].filter()).unwrap().suffix, ".jpg");
        assert!(written.event_bridge_configuration().is_some());
        assert!(write(&Notifications::default()).unwrap().event_bridge_configuration().is_none());
    }
}

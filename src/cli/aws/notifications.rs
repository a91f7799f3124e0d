//! Buckets' notification configurations, of which nothing may be lost on the way.

use std::collections::BTreeSet;

use aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::types::{
    Event, EventBridgeConfiguration, FilterRule, FilterRuleName, LambdaFunctionConfiguration,
    NotificationConfiguration, NotificationConfigurationFilter, QueueConfiguration, S3KeyFilter, TopicConfiguration,
};
use quick_xml::events::Event as Part;

use super::{OperatorClients, retry_while_busy};
use crate::aws::CallError;
use crate::aws::error::{call_error, invalid_response};
use crate::change::BucketName;
use crate::cli::link::{Destination, KeyFilter, NotificationRule, Notifications};

/// The elements of a configuration that are read and written here. One that is not among them, which S3 may have tomorrow,
/// would be lost when the rest is written back. Source: S3 API reference, `GetBucketNotificationConfiguration`.
const KNOWN_ELEMENTS: [&str; 15] = [
    "NotificationConfiguration",
    "TopicConfiguration",
    "Topic",
    "QueueConfiguration",
    "Queue",
    "CloudFunctionConfiguration",
    "CloudFunction",
    "EventBridgeConfiguration",
    "Id",
    "Event",
    "Filter",
    "S3Key",
    "FilterRule",
    "Name",
    "Value",
];

/// Fails an answer in which there is something that we would lose.
#[derive(Debug)]
struct OnlyKnownElements;

impl Intercept for OnlyKnownElements {
    fn name(&self) -> &'static str {
        "NothingUnknown"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        match response.body().bytes().and_then(|bytes| std::str::from_utf8(bytes).ok()) {
            _ if !response.status().is_success() => Ok(()),
            Some(text) => known_only(text).map_err(Into::into),
            None => Err("the answer is no text".into()),
        }
    }
}

/// Whether a document is whole and holds nothing but what is known.
fn known_only(document: &str) -> Result<(), String> {
    let mut reader = quick_xml::Reader::from_str(document);
    let (mut open, mut is_seen) = (0_usize, false);
    loop {
        let part = reader.read_event().map_err(|error| error.to_string())?;
        if let Part::Start(element) | Part::Empty(element) = &part {
            let name = element.local_name();
            let name = name.as_ref();
            if !KNOWN_ELEMENTS.contains(&name) {
                return Err(format!(
                    "this version does not know the element {name}, and would lose it; update invalidator"
                ));
            }
            is_seen |= name == KNOWN_ELEMENTS[0];
        }
        match part {
            // The SDK would leave it out.
            Part::CData(_) => return Err("the answer has text in a form that is not read here".to_owned()),
            Part::Start(_) => open += 1,
            Part::End(_) => open = open.saturating_sub(1),
            Part::Eof if open > 0 || !is_seen => return Err("the answer ends too early".to_owned()),
            Part::Eof => return Ok(()),
            _ => {}
        }
    }
}

impl OperatorClients {
    pub(super) async fn read_notifications(&self, bucket: &BucketName) -> Result<Notifications, CallError> {
        let owner = self.caller_account().await?.as_str();
        let call = self.s3.get_bucket_notification_configuration().bucket(bucket.as_str()).expected_bucket_owner(owner);
        let call = call.customize().interceptor(OnlyKnownElements);
        let output = call.send().await.map_err(|error| call_error("GetBucketNotificationConfiguration", &error))?;
        let read = |target, id: Option<&str>, events: &[Event], filter: Option<&NotificationConfigurationFilter>| {
            let events = events.iter().map(|it| it.as_str().to_owned()).collect();
            Ok::<_, String>(NotificationRule {
                id: id.map(ToOwned::to_owned),
                target,
                events,
                filter: read_filter(filter)?,
            })
        };
        let queues = output.queue_configurations().iter();
        let queues = queues.map(|it| read(Destination::Queue(it.queue_arn.clone()), it.id(), it.events(), it.filter()));
        let topics = output.topic_configurations().iter();
        let topics = topics.map(|it| read(Destination::Topic(it.topic_arn.clone()), it.id(), it.events(), it.filter()));
        let functions = output.lambda_function_configurations().iter();
        let functions = functions
            .map(|it| read(Destination::Function(it.lambda_function_arn.clone()), it.id(), it.events(), it.filter()));
        let rules: Result<Vec<_>, _> = queues.chain(topics).chain(functions).collect();
        let rules = rules.map_err(|reason| invalid_response("GetBucketNotificationConfiguration", &reason))?;
        let count = rules.len();
        let rules: BTreeSet<_> = rules.into_iter().collect();
        if rules.len() < count {
            return Err(invalid_response("GetBucketNotificationConfiguration", "it has the same rule twice"));
        }
        Ok(Notifications { rules, event_bridge: output.event_bridge_configuration().is_some() })
    }

    pub(super) async fn write_notifications(
        &self,
        bucket: &BucketName,
        notifications: &Notifications,
    ) -> Result<(), CallError> {
        let owner = self.caller_account().await?.as_str();
        let configuration = configuration(notifications)
            .map_err(|error| invalid_response("PutBucketNotificationConfiguration", &error.to_string()))?;
        // S3 checks that it may write to the destinations, also those that were there; a test message goes to each.
        let call = self.s3.put_bucket_notification_configuration().bucket(bucket.as_str()).expected_bucket_owner(owner);
        let call = call.notification_configuration(configuration);
        let output = retry_while_busy(|| call.clone().send()).await;
        output.map(|_| ()).map_err(|error| call_error("PutBucketNotificationConfiguration", &error))
    }
}

fn read_filter(filter: Option<&NotificationConfigurationFilter>) -> Result<KeyFilter, String> {
    let mut read = KeyFilter::default();
    for rule in filter.and_then(|it| it.key()).map(S3KeyFilter::filter_rules).unwrap_or_default() {
        let value = rule.value().unwrap_or_default();
        // S3 gives back `Prefix` for what was put as `prefix`.
        match rule.name().map(|it| it.as_str().to_ascii_lowercase()).as_deref() {
            Some("prefix") => value.clone_into(&mut read.prefix),
            Some("suffix") => value.clone_into(&mut read.suffix),
            other => {
                let name = other.unwrap_or_default();
                return Err(format!(
                    "a rule filters by \"{name}\", which this version does not know; update invalidator"
                ));
            }
        }
    }
    Ok(read)
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

fn configuration(notifications: &Notifications) -> Result<NotificationConfiguration, aws_sdk_s3::error::BuildError> {
    let bridge = notifications.event_bridge.then(|| EventBridgeConfiguration::builder().build());
    let mut all = NotificationConfiguration::builder().set_event_bridge_configuration(bridge);
    for rule in &notifications.rules {
        let (id, filter) = (rule.id.clone(), write_filter(&rule.filter));
        let events = Some(rule.events.iter().map(|it| Event::from(it.as_str())).collect());
        all = match &rule.target {
            Destination::Queue(arn) => all.queue_configurations(
                QueueConfiguration::builder()
                    .set_id(id)
                    .queue_arn(arn)
                    .set_events(events)
                    .set_filter(filter)
                    .build()?,
            ),
            Destination::Topic(arn) => all.topic_configurations(
                TopicConfiguration::builder()
                    .set_id(id)
                    .topic_arn(arn)
                    .set_events(events)
                    .set_filter(filter)
                    .build()?,
            ),
            Destination::Function(arn) => all.lambda_function_configurations(
                LambdaFunctionConfiguration::builder()
                    .set_id(id)
                    .lambda_function_arn(arn)
                    .set_events(events)
                    .set_filter(filter)
                    .build()?,
            ),
        };
    }
    Ok(all.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_was_read() {
        let rule = |id: &str, target, events: &[&str], prefix: &str, suffix: &str| NotificationRule {
            id: Some(id.into()),
            target,
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
        let written = configuration(&notifications).unwrap();
        assert_eq!(written.queue_configurations()[0].events()[1].as_str(), "s3:ObjectCreated:*");
        assert!(written.queue_configurations()[0].filter().is_none());
        assert_eq!(read_filter(written.topic_configurations()[0].filter()).unwrap().prefix, "a/");
        assert_eq!(read_filter(written.lambda_function_configurations()[0].filter()).unwrap().suffix, ".jpg");
        assert!(written.event_bridge_configuration().is_some());
        assert!(configuration(&Notifications::default()).unwrap().event_bridge_configuration().is_none());
    }

    #[test]
    fn a_configuration_with_something_new_in_it_is_refused() {
        let with = |part: &str| {
            known_only(&format!("<NotificationConfiguration xmlns=\"urn:x\">{part}</NotificationConfiguration>"))
        };
        assert_eq!(with("<QueueConfiguration><Id>a</Id><Queue>q</Queue></QueueConfiguration>"), Ok(()));
        assert_eq!(known_only("<?xml version=\"1.0\"?><NotificationConfiguration xmlns=\"urn:x\"/>"), Ok(()));
        assert!(known_only("").is_err() && known_only("<NotificationConfiguration><Id>").is_err());
        assert!(with("<AgentConfiguration/>").unwrap_err().contains("AgentConfiguration"));
        assert!(with("<QueueConfiguration><Id><![CDATA[a]]></Id></QueueConfiguration>").is_err());
        assert!(with("<QueueConfiguration><Window>60</Window></QueueConfiguration>").is_err());
    }
}

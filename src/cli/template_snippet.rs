//! The template snippet to add where CloudFormation or Terraform manages a bucket, so that its next run does not revert
//! the link.

use super::link::{Destination, LinkPlan, LinkRequest, ManagedBy, NotificationRule};
use crate::change::BucketName;
use crate::change::text::one_line;

/// Returns a note with the snippet, in the language of the managing tool. `tag` is the key of the tag that names the
/// distributions. The snippet has all event notifications of the bucket, since both tools replace all of them.
pub(super) fn of(managed_by: &ManagedBy, request: &LinkRequest, tag: &str, link_plan: &LinkPlan) -> String {
    let lines = match managed_by {
        ManagedBy::CloudFormation(stack) => cloud_formation(stack, tag, link_plan),
        ManagedBy::Terraform => terraform(&request.bucket, tag, link_plan),
    };
    lines.join("\n")
}

/// A JSON string literal, which is valid in YAML and HCL too.
fn quoted(text: &str) -> String {
    one_line(&serde_json::Value::from(text).to_string())
}

/// The same for HCL, with its template sequences `${` and `%{` escaped.
fn quoted_hcl(text: &str) -> String {
    quoted(text).replace("${", "$${").replace("%{", "%%{")
}

/// The filters of a rule, by the names that both tools end with.
fn filters(rule: &NotificationRule) -> impl Iterator<Item = (&'static str, &str)> {
    let filters = [("prefix", rule.filter.prefix.as_str()), ("suffix", &rule.filter.suffix)];
    filters.into_iter().filter(|(_, value)| !value.is_empty())
}

/// The names that both tools have for a kind of destination.
struct Kind {
    /// The property of CloudFormation's `NotificationConfiguration`.
    list: &'static str,
    /// The property of a rule in it.
    property: &'static str,
    /// The block of Terraform's `aws_s3_bucket_notification`.
    block: &'static str,
    /// The argument in it.
    argument: &'static str,
}

const FUNCTION: Kind = Kind {
    list: "LambdaConfigurations",
    property: "Function",
    block: "lambda_function",
    argument: "lambda_function_arn",
};
const QUEUE: Kind = Kind { list: "QueueConfigurations", property: "Queue", block: "queue", argument: "queue_arn" };
const TOPIC: Kind = Kind { list: "TopicConfigurations", property: "Topic", block: "topic", argument: "topic_arn" };

/// The rules of a kind, each with the ARN of its destination.
fn rules<'p>(link_plan: &'p LinkPlan, kind: &Kind) -> Vec<(&'p NotificationRule, &'p str)> {
    let of_kind = |rule: &'p NotificationRule| {
        let (block, arn) = match &rule.destination {
            Destination::Function(arn) => (FUNCTION.block, arn),
            Destination::Queue(arn) => (QUEUE.block, arn),
            Destination::Topic(arn) => (TOPIC.block, arn),
        };
        (block == kind.block).then_some((rule, arn.as_str()))
    };
    link_plan.notifications.rules.iter().filter_map(of_kind).collect()
}

/// What changes when the template has the tag and the event notifications.
const OWNED_BY_TEMPLATE: &str =
    "Once the template has them, it owns the link: remove it there, or with unlink --everything.";

fn cloud_formation(stack: &str, tag: &str, link_plan: &LinkPlan) -> Vec<String> {
    let mut lines = vec![
        format!("Warning: stack {} manages this bucket. Its next update may revert these changes.", quoted(stack)),
        OWNED_BY_TEMPLATE.to_owned(),
        "Add the tag to the bucket's Properties in the template, and replace its NotificationConfiguration:".to_owned(),
        "  Tags:".to_owned(),
        format!("    - {{ Key: {}, Value: {} }}", quoted(tag), quoted(&link_plan.tag_value)),
        "  NotificationConfiguration:".to_owned(),
    ];
    if link_plan.notifications.event_bridge {
        lines.push("    EventBridgeConfiguration: { EventBridgeEnabled: true }".to_owned());
    }
    for kind in [FUNCTION, QUEUE, TOPIC] {
        let rules = rules(link_plan, &kind);
        if !rules.is_empty() {
            lines.push(format!("    {}:", kind.list));
        }
        for (rule, arn) in rules {
            let names: Vec<_> =
                filters(rule).map(|(name, value)| format!("{{ Name: {name}, Value: {} }}", quoted(value))).collect();
            let filter = match names.as_slice() {
                [] => String::new(),
                names => format!(", Filter: {{ S3Key: {{ Rules: [{}] }} }}", names.join(", ")),
            };
            // In CloudFormation, a rule has one event.
            lines.extend(rule.events.iter().map(|event| {
                format!("      - {{ Event: {}, {}: {}{filter} }}", quoted(event), kind.property, quoted(arn))
            }));
        }
    }
    lines
}

fn terraform(bucket: &BucketName, tag: &str, link_plan: &LinkPlan) -> Vec<String> {
    let mut lines = vec![
        "Warning: Terraform appears to manage this bucket. Its next run may revert these changes.".to_owned(),
        OWNED_BY_TEMPLATE.to_owned(),
        "Add to the bucket's tags:".to_owned(),
        format!("  tags = {{ {} = {} }}", quoted_hcl(tag), quoted_hcl(&link_plan.tag_value)),
        "and replace its notification resource, of which a bucket can have only one:".to_owned(),
        "  resource \"aws_s3_bucket_notification\" \"invalidation\" {".to_owned(),
        format!("    bucket = \"{bucket}\""),
    ];
    if link_plan.notifications.event_bridge {
        lines.push("    eventbridge = true".to_owned());
    }
    for kind in [FUNCTION, QUEUE, TOPIC] {
        for (rule, arn) in rules(link_plan, &kind) {
            let events: Vec<_> = rule.events.iter().map(|event| quoted_hcl(event)).collect();
            lines.push(format!("    {} {{", kind.block));
            lines.extend(rule.id.iter().map(|id| format!("      id = {}", quoted_hcl(id))));
            lines.push(format!("      {} = {}", kind.argument, quoted_hcl(arn)));
            lines.push(format!("      events = [{}]", events.join(", ")));
            lines.extend(filters(rule).map(|(name, value)| format!("      filter_{name} = {}", quoted_hcl(value))));
            lines.push("    }".to_owned());
        }
    }
    lines.push("  }".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::link::{ChangeSet, KeyFilter, Notifications, Via};

    fn rule(id: &str, destination: Destination, events: &[&str], prefix: &str) -> NotificationRule {
        NotificationRule {
            id: Some(id.to_owned()),
            destination,
            events: events.iter().map(|&it| it.to_owned()).collect(),
            filter: KeyFilter { prefix: prefix.to_owned(), suffix: String::new() },
        }
    }

    fn snippet(managed_by: &ManagedBy) -> String {
        let bucket = BucketName::new("my-site").unwrap();
        let rules = [
            rule("a", Destination::Queue("arn:aws:sqs:r:1:q".to_owned()), &["s3:ObjectCreated:*"], "a/"),
            rule("b", Destination::Queue("arn:aws:sqs:r:1:q".to_owned()), &["s3:ObjectRemoved:*"], "b/"),
            rule("c", Destination::Topic("arn:aws:sns:r:1:t".to_owned()), &["s3:ObjectAcl:Put"], ""),
        ];
        let link_plan = LinkPlan {
            wrong_distributions: Vec::new(),
            change_set: ChangeSet { bucket: bucket.clone(), steps: Vec::new() },
            origin_paths: Vec::new(),
            managed_by: None,
            unread_queue: None,
            tag_value: "E1".to_owned(),
            notifications: Notifications { rules: rules.into(), event_bridge: true },
            unchanged_tags: 0,
            unchanged_rules: 0,
        };
        let request = LinkRequest {
            bucket,
            distributions: Vec::new(),
            via: Via::Queue,
            filter: KeyFilter::default(),
            skip_origin_check: false,
            replace: false,
        };
        of(managed_by, &request, "distributionId", &link_plan)
    }

    #[test]
    fn cloud_formation_gets_all_rules() {
        let snippet = snippet(&ManagedBy::CloudFormation("site".to_owned()));
        let configuration = snippet.split_once("  NotificationConfiguration:\n").unwrap().1;
        assert_eq!(
            configuration,
            "    EventBridgeConfiguration: { EventBridgeEnabled: true }\n    \
             QueueConfigurations:\n      \
             - { Event: \"s3:ObjectCreated:*\", Queue: \"arn:aws:sqs:r:1:q\", Filter: { S3Key: { Rules: [{ Name: prefix, \
             Value: \"a/\" }] } } }\n      \
             - { Event: \"s3:ObjectRemoved:*\", Queue: \"arn:aws:sqs:r:1:q\", Filter: { S3Key: { Rules: [{ Name: prefix, \
             Value: \"b/\" }] } } }\n    \
             TopicConfigurations:\n      \
             - { Event: \"s3:ObjectAcl:Put\", Topic: \"arn:aws:sns:r:1:t\" }"
        );
    }

    #[test]
    fn terraform_gets_all_rules() {
        let snippet = snippet(&ManagedBy::Terraform);
        assert_eq!(snippet.matches("    queue {\n").count(), 2, "{snippet}");
        assert!(snippet.contains("    eventbridge = true\n"), "{snippet}");
        assert!(snippet.ends_with(
            "    topic {\n      id = \"c\"\n      topic_arn = \"arn:aws:sns:r:1:t\"\n      \
             events = [\"s3:ObjectAcl:Put\"]\n    }\n  }"
        ));
    }
}

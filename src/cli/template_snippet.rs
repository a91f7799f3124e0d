//! The template snippet to add where CloudFormation or Terraform manages a bucket, so that its next run does not revert
//! the link.

use super::link::{Destination, EVENTS, LinkPlan, LinkRequest, ManagedBy};
use crate::change::text::one_line;

/// Returns a note with the snippet, in the language of the managing tool. `tag` is the key of the tag that names the
/// distributions.
pub(super) fn of(managed_by: &ManagedBy, request: &LinkRequest, tag: &str, link_plan: &LinkPlan) -> String {
    let lines = match managed_by {
        ManagedBy::CloudFormation(stack) => cloud_formation(stack, request, tag, link_plan),
        ManagedBy::Terraform => terraform(request, tag, link_plan),
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

fn cloud_formation(stack: &str, request: &LinkRequest, tag: &str, link_plan: &LinkPlan) -> Vec<String> {
    let mut lines = vec![
        format!("Warning: stack {} manages this bucket. Its next update may revert these changes.", quoted(stack)),
        "Add to the bucket's Properties in the template:".to_owned(),
        "  Tags:".to_owned(),
        format!("    - {{ Key: {}, Value: {} }}", quoted(tag), quoted(&link_plan.tag_value)),
        "  NotificationConfiguration:".to_owned(),
    ];
    let (list, name, arn) = match &link_plan.destination {
        None => {
            lines.push("    EventBridgeConfiguration: { EventBridgeEnabled: true }".to_owned());
            return lines;
        }
        Some(Destination::Function(arn)) => ("LambdaConfigurations", "Function", arn),
        Some(Destination::Queue(arn) | Destination::Topic(arn)) => ("QueueConfigurations", "Queue", arn),
    };
    lines.push(format!("    {list}:"));
    let rule =
        |event| format!("      - {{ Event: \"{event}\", {name}: \"{arn}\"{} }}", cloud_formation_filter(request));
    lines.extend(EVENTS.map(rule));
    lines
}

fn terraform(request: &LinkRequest, tag: &str, link_plan: &LinkPlan) -> Vec<String> {
    let mut lines = vec![
        "Warning: Terraform appears to manage this bucket. Its next run may revert these changes.".to_owned(),
        "Add to the bucket's tags:".to_owned(),
        format!("  tags = {{ {} = {} }}", quoted_hcl(tag), quoted_hcl(&link_plan.tag_value)),
        "and to its notification resource, of which a bucket can have only one:".to_owned(),
        "  resource \"aws_s3_bucket_notification\" \"invalidation\" {".to_owned(),
        format!("    bucket = \"{}\"", request.bucket),
    ];
    let (block, name, arn) = match &link_plan.destination {
        None => {
            lines.extend(["    eventbridge = true".to_owned(), "  }".to_owned()]);
            return lines;
        }
        Some(Destination::Function(arn)) => ("lambda_function", "lambda_function_arn", arn),
        Some(Destination::Queue(arn) | Destination::Topic(arn)) => ("queue", "queue_arn", arn),
    };
    let events = EVENTS.map(|event| format!("\"{event}\"")).join(", ");
    lines.extend([
        format!("    {block} {{"),
        format!("      {name} = \"{arn}\""),
        format!("      events = [{events}]"),
    ]);
    let filters = [("filter_prefix", &request.filter.prefix), ("filter_suffix", &request.filter.suffix)];
    let filters = filters.into_iter().filter(|(_, value)| !value.is_empty());
    lines.extend(filters.map(|(name, value)| format!("      {name} = {}", quoted_hcl(value))));
    lines.extend(["    }".to_owned(), "  }".to_owned()]);
    lines
}

fn cloud_formation_filter(request: &LinkRequest) -> String {
    let parts = [("prefix", &request.filter.prefix), ("suffix", &request.filter.suffix)];
    let rules: Vec<_> = parts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{{ Name: {name}, Value: {} }}", quoted(value)))
        .collect();
    if rules.is_empty() { String::new() } else { format!(", Filter: {{ S3Key: {{ Rules: [{}] }} }}", rules.join(", ")) }
}

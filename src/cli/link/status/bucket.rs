//! Checks a bucket: its tags, its distributions, and how its events reach the function.

use std::collections::BTreeSet;

use super::{BucketStatus, Check, DistributionStatus};
use crate::aws::DistributionConfigs;
use crate::change::text::one_line;
use crate::change::{Bucket, BucketName, DistributionId, Region};
use crate::cli::link::api::{OperatorApi, missing_permissions};
use crate::cli::link::deployment::Deployment;
use crate::cli::link::error::LinkError;
use crate::cli::link::notification::{Destination, EVENTS, KeyFilter, NotificationRule, Notifications};
use crate::cli::link::plan::{is_forwarded, origin_paths_of};
use crate::cli::link::policy::{AccessRequest, S3_PRINCIPAL, allows, is_sqs_managed_key};

/// Checks a bucket and its distributions.
pub async fn check_bucket(
    api: &impl OperatorApi,
    configs: &impl DistributionConfigs,
    deployment: &Deployment,
    name: &BucketName,
) -> BucketStatus {
    let bucket = Bucket { name: name.clone(), region: Region::new(&deployment.region).ok() };
    let mut distributions = Vec::new();
    let (mut tag, distribution_ids) = check_tag(api, deployment, name).await;
    for id in distribution_ids.iter().flatten() {
        distributions.push(check_distribution(api, configs, &bucket, id).await);
    }
    if let Ok(region) = api.bucket_region(name).await
        && region != deployment.region
    {
        tag = Check::problem(
            "other Region",
            LinkError::OtherRegion { bucket: region, function: deployment.region.clone() }.to_string(),
        );
    }
    if let Some(owner) = deployment.other_owner() {
        tag = Check::problem("other owner", LinkError::OtherOwner(owner.to_owned()).to_string());
    }
    let (notification, permission) = match api.notifications(name).await {
        Ok(notifications) => {
            let ids: Vec<_> = distribution_ids.iter().flatten().map(DistributionId::as_str).collect();
            let relink = RelinkCommand {
                bucket: name,
                ids: if ids.is_empty() { "DISTRIBUTION".to_owned() } else { ids.join(" ") },
            };
            check_notifications(api, deployment, &relink, &notifications).await
        }
        Err(error) => (Check::unknown(&error), Check::ok("")),
    };
    BucketStatus { bucket: name.to_string(), tag, notification, permission, distributions }
}

async fn check_tag(
    api: &impl OperatorApi,
    deployment: &Deployment,
    name: &BucketName,
) -> (Check, Option<Vec<DistributionId>>) {
    let tags = match api.tags(name).await {
        Ok(tags) => tags,
        Err(error) => return (Check::unknown(&error), None),
    };
    match deployment.bucket_defaults().parse(&tags) {
        Ok(Some(options)) => (Check::ok("ok"), Some(options.distributions)),
        Ok(None) => {
            let remedy = format!("it names no distribution: `invalidator link {name} DISTRIBUTION`");
            (Check::problem("none", remedy), None)
        }
        Err(error) => (Check::problem("bad", error.to_string()), None),
    }
}

async fn check_distribution(
    api: &impl OperatorApi,
    configs: &impl DistributionConfigs,
    bucket: &Bucket,
    id: &DistributionId,
) -> DistributionStatus {
    let ok = || Check::ok(id.as_str());
    let (distribution, origin) = match origin_paths_of(api, configs, bucket, id).await {
        Ok(paths) => (ok(), Check::ok(paths.join(" "))),
        Err(LinkError::NoDistribution(_)) => {
            let remedy = format!("there is no distribution {id} in this account; take it out of the bucket's tag");
            (Check::problem(id.as_str(), remedy), Check::ok("gone"))
        }
        Err(LinkError::NoOrigin { domains, .. }) => {
            let origins = one_line(&domains.join(", "));
            let remedy = format!(
                "no origin of {id} is the bucket (its origins: {origins}); correct the bucket's tag, or the distribution's origins"
            );
            (ok(), Check::problem("none", remedy))
        }
        Err(LinkError::OriginsUnreadable { error, .. }) => (
            ok(),
            Check::problem(
                "unknown",
                format!("the origins of {id} are not known: {error}{}", missing_permissions(&error)),
            ),
        ),
        Err(error) => (ok(), Check::problem("unknown", error.to_string())),
    };
    // Problems of the distribution are reported above. Not being allowed to list its invalidations is not a problem.
    let last = api.last_invalidation(id).await;
    let is_listed = last.is_ok();
    let last_invalidation = last.ok().flatten().map(|it| (it.created, it.status));
    DistributionStatus { distribution, origin, is_listed, last_invalidation }
}

/// The command that links a bucket again, as a remedy.
struct RelinkCommand<'a> {
    bucket: &'a BucketName,
    ids: String,
}

impl RelinkCommand<'_> {
    fn via(&self, kind: &str) -> String {
        let via = if kind == "queue" { "" } else { " --via function" };
        format!("`invalidator link {} {}{via}`", self.bucket, self.ids)
    }
}

/// Checks how the bucket's events reach the function, and whether the destination's policy allows S3 to send them.
async fn check_notifications(
    api: &impl OperatorApi,
    deployment: &Deployment,
    relink: &RelinkCommand<'_>,
    notifications: &Notifications,
) -> (Check, Check) {
    let rules: Vec<_> = notifications.rules.iter().filter(|rule| deployment.is_reached_by(&rule.destination)).collect();
    if rules.is_empty() {
        return check_without_rules(api, deployment, relink, notifications).await;
    }
    let filters = EVENTS.map(|event| {
        let matching = rules.iter().filter(|rule| rule.covers(event));
        matching.map(|rule| rule.filter.clone()).collect::<BTreeSet<_>>()
    });
    let missing_events = EVENTS.iter().zip(&filters).filter(|(_, filters)| filters.is_empty());
    let missing_events: Vec<_> = missing_events.map(|(event, _)| event.trim_start_matches("s3:")).collect();
    let all_keys = filters.each_ref().map(|it| it.contains(&KeyFilter::default()));
    let first = rules.first().map(|rule| &rule.destination);
    let kind = if matches!(first, Some(Destination::Function(_))) { "function" } else { "queue" };
    let notification = if !missing_events.is_empty() {
        Check::problem(kind, format!("no rule takes {}: {}", missing_events.join(", "), relink.via(kind)))
    } else if all_keys == [true; 3] {
        Check::ok(kind)
    } else if filters.windows(2).all(|two| matches!(two, [one, other] if one == other)) {
        Check::ok(format!("{kind}, some keys"))
    } else {
        let problem = "its rules take other keys for one kind of event than for another";
        Check::problem(kind, format!("{problem}: {}", relink.via(kind)))
    };
    (notification, check_permission(api, deployment, relink, &rules).await)
}

async fn check_permission(
    api: &impl OperatorApi,
    deployment: &Deployment,
    relink: &RelinkCommand<'_>,
    rules: &[&NotificationRule],
) -> Check {
    let bucket = deployment.bucket_arn(relink.bucket);
    let account = deployment.account.as_str();
    let destinations: BTreeSet<_> = rules.iter().map(|rule| &rule.destination).collect();
    for destination in destinations {
        // Never a topic: `is_reached_by` is false for topics.
        let (Destination::Queue(arn) | Destination::Function(arn)) = destination else { continue };
        let request = |action| AccessRequest {
            service: S3_PRINCIPAL,
            action,
            resource: arn.as_str(),
            source_arn: bucket.as_str(),
            source_account: account,
        };
        let result = match destination {
            Destination::Queue(arn) => match api.queue(arn).await {
                Ok(queue) if is_sqs_managed_key(queue.kms_key.as_deref()) => {
                    return Check::problem("key", LinkError::QueueKeyUnusable(arn.clone()).to_string());
                }
                result => result.map(|queue| (queue.policy, request("sqs:SendMessage"))),
            },
            _ => api.function_policy(arn).await.map(|policy| (policy, request("lambda:InvokeFunction"))),
        };
        match result {
            Ok((Some(policy), request)) if allows(&policy, request) => {}
            Ok(_) => {
                let remedy = if matches!(destination, Destination::Queue(_)) {
                    let (queue, account) = (arn.clone(), account.to_owned());
                    LinkError::QueuePolicyDenies { queue, bucket, account }.to_string()
                } else {
                    format!("the policy of the {destination} does not let the bucket in: {}", relink.via("function"))
                };
                return Check::problem("missing", remedy);
            }
            Err(error) => return Check::unknown(&error),
        }
    }
    Check::ok("ok")
}

/// Checks the same for a bucket that has no rule for the function or its queue: its events may go to EventBridge or to
/// a topic.
async fn check_without_rules(
    api: &impl OperatorApi,
    deployment: &Deployment,
    relink: &RelinkCommand<'_>,
    notifications: &Notifications,
) -> (Check, Check) {
    if notifications.event_bridge {
        return match is_forwarded(api, deployment, relink.bucket).await {
            Ok(true) => (Check::ok("EventBridge"), Check::ok("ok")),
            Ok(false) => (Check::problem("EventBridge", LinkError::NoEventRule.to_string()), Check::ok("")),
            Err(error) => (Check::ok("EventBridge"), Check::unknown(&error)),
        };
    }
    let covers_all_events = |rule: &&NotificationRule| {
        matches!(rule.destination, Destination::Topic(_)) && EVENTS.iter().all(|it| rule.covers(it))
    };
    if let Some(rule) = notifications.rules.iter().find(covers_all_events) {
        // The topic's subscriptions are not checked.
        return (Check::ok(rule.destination.to_string()), Check::ok("unknown"));
    }
    let remedy = format!("the function is not told of its changes: {}", relink.via("queue"));
    (Check::problem("none", remedy), Check::ok(""))
}

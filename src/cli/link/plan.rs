//! Plans the changes that link a bucket, so that changes of its objects are invalidated in its distributions.

use std::collections::BTreeSet;

use super::api::OperatorApi;
use super::apply::ChangeSet;
use super::deployment::Deployment;
use super::error::LinkError;
use super::event_pattern::matches_rule;
use super::notification::{Destination, KeyFilter, NotificationRule, Notifications};
use super::policy::{AccessRequest, EVENT_BRIDGE_PRINCIPAL, S3_PRINCIPAL, allows, is_sqs_managed_key};
use super::status::{Problem, check_reader};
use super::step::{Permission, Step};
use super::tags::{self, ManagedBy, added_ids, linking_functions};
use crate::aws::{CallError, ErrorClass};
use crate::change::{AccountId, Bucket, BucketName, DistributionId, Region};
use crate::path::{DistributionConfig, Tags};

/// How a bucket's events reach the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// Through the function's queue, which gathers them.
    Queue,
    /// Directly: S3 invokes the function.
    Function,
    /// Through EventBridge, where a rule forwards them.
    EventBridge,
}

/// The link to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRequest {
    /// The bucket.
    pub bucket: BucketName,
    /// The distributions that serve the bucket.
    pub distributions: Vec<DistributionId>,
    /// How the events reach the function.
    pub via: Via,
    /// The keys whose events are sent.
    pub filter: KeyFilter,
    /// Whether to accept a distribution that does not have the bucket as an origin, or whose origins may not be read.
    pub skip_origin_check: bool,
    /// Whether to remove what `link` added before: other distributions, and event notifications for other keys.
    pub replace: bool,
}

/// The changes to make, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkPlan {
    /// The changes.
    pub change_set: ChangeSet,
    /// The origin paths through which each distribution serves the bucket; none if no origin is known to be the bucket.
    pub origin_paths: Vec<(DistributionId, Vec<String>)>,
    /// The other distributions that the tag names and keeps, and that do not exist or do not serve the bucket.
    pub wrong_distributions: Vec<DistributionId>,
    /// The tool that manages the bucket, according to its tags.
    pub managed_by: Option<ManagedBy>,
    /// Why the function does not read the queue that is the destination; `None` if it does, or for another destination.
    pub unread_queue: Option<Problem>,
    /// The new value of the tag that names the distributions.
    pub tag_value: String,
    /// The whole notification configuration of the bucket after the link.
    pub notifications: Notifications,
    /// How many tags stay unchanged.
    pub unchanged_tags: usize,
    /// How many notification rules stay unchanged.
    pub unchanged_rules: usize,
}

/// Plans the changes that link a bucket. Nothing is written.
///
/// # Errors
/// [`LinkError`], with the remedy.
pub async fn plan_link(
    api: &impl OperatorApi,
    deployment: &Deployment,
    request: &LinkRequest,
) -> Result<LinkPlan, LinkError> {
    let region = api.bucket_region(&request.bucket).await?;
    if region != deployment.region {
        return Err(LinkError::OtherRegion { bucket: region, function: deployment.region.clone() });
    }
    if let Some(owner) = deployment.other_owner() {
        return Err(LinkError::OtherOwner(owner.to_owned()));
    }
    let bucket = Bucket { name: request.bucket.clone(), region: Region::new(&region).ok() };
    let mut paths = Vec::new();
    for id in request.distributions.iter().collect::<BTreeSet<_>>() {
        match config_of(api, &deployment.account, &bucket, id).await {
            Ok(config) => paths.push((id.clone(), origin_paths(&config, &bucket))),
            Err(LinkError::NoOrigin { .. } | LinkError::OriginsUnreadable { .. }) if request.skip_origin_check => {
                paths.push((id.clone(), Vec::new()));
            }
            Err(LinkError::Call(error)) => return Err(LinkError::of_cloud_front(error, deployment)),
            Err(error) => return Err(error),
        }
    }
    let before = api.tags(&request.bucket).await?;
    let notifications = api.notifications(&request.bucket).await?;
    // EventBridge events that `link` enabled are disabled for another way, or every event would be delivered twice.
    let owners = deployment.owners(api, &before).await?;
    let others_need_event_bridge = tags::others_enabled_event_bridge(&before, &owners);
    let sets_event_bridge = match request.via {
        Via::EventBridge => (!notifications.event_bridge || others_need_event_bridge).then_some(true),
        Via::Queue | Via::Function => tags::enabled_event_bridge(&before, &owners).then_some(false),
    };
    let LinkRequest { distributions, replace, .. } = request;
    let after = tags::linked_tags(&before, deployment.tag(), distributions, &owners, sets_event_bridge, *replace)
        .map_err(LinkError::Tags)?;
    let (destination, mut desired) = notification_destination(api, deployment, request, &notifications).await?;
    desired.event_bridge &= sets_event_bridge != Some(false) || others_need_event_bridge;
    let mut steps = Vec::new();
    if request.via == Via::Function {
        steps.extend(permission(api, deployment, &request.bucket).await?.map(Step::AddPermission));
    }
    if after != before {
        steps.push(Step::Tags { before: before.clone(), after: after.clone() });
    }
    let unread_queue = match &destination {
        Some(Destination::Queue(queue)) => check_reader(api, deployment, queue).await.problem,
        _ => None,
    };
    let unchanged_rules = notifications.rules.intersection(&desired.rules).count();
    if desired != notifications {
        // Last, so that no event arrives before the tag names the distributions.
        steps.push(Step::Notifications { before: notifications, after: desired.clone() });
    }
    Ok(LinkPlan {
        change_set: ChangeSet { bucket: request.bucket.clone(), steps },
        origin_paths: paths,
        wrong_distributions: wrong_distributions(api, deployment, &bucket, request, &after).await,
        managed_by: ManagedBy::of(&before),
        unread_queue,
        tag_value: after.get(deployment.tag()).cloned().unwrap_or_default(),
        notifications: desired,
        unchanged_tags: before.iter().filter(|(key, value)| after.get(*key) == Some(value)).count(),
        unchanged_rules,
    })
}

/// Returns the distributions that the tag names beside those of the request, and that do not exist or do not serve the bucket.
/// One that `link` added may be behind a proxy, and one whose config cannot be read is not known to be wrong.
async fn wrong_distributions(
    api: &impl OperatorApi,
    deployment: &Deployment,
    bucket: &Bucket,
    request: &LinkRequest,
    tags: &Tags,
) -> Vec<DistributionId> {
    let ids = tags.get(deployment.tag()).and_then(|value| DistributionId::parse_tag(value).ok()).unwrap_or_default();
    let linked: BTreeSet<_> = linking_functions(tags).flat_map(|function| added_ids(tags, function)).collect();
    let mut wrong = Vec::new();
    for id in ids.into_iter().filter(|id| !request.distributions.contains(id)) {
        match config_of(api, &deployment.account, bucket, &id).await {
            Err(LinkError::NoOrigin { .. }) if !linked.contains(&id) && !request.skip_origin_check => wrong.push(id),
            Err(LinkError::NoDistribution { .. } | LinkError::MultiTenant(_)) => wrong.push(id),
            _ => {}
        }
    }
    wrong
}

/// Returns the destination of the events, and the notification configuration that sends them there.
async fn notification_destination(
    api: &impl OperatorApi,
    deployment: &Deployment,
    request: &LinkRequest,
    current: &Notifications,
) -> Result<(Option<Destination>, Notifications), LinkError> {
    let destination = match request.via {
        Via::Function => Destination::Function(deployment.function.arn.clone()),
        Via::Queue => Destination::Queue(queue(api, deployment, &request.bucket).await?),
        Via::EventBridge => {
            if request.filter != KeyFilter::default() {
                return Err(LinkError::FilterInEventBridge);
            }
            if !is_forwarded(api, deployment, &request.bucket).await? {
                return Err(LinkError::NoEventRule);
            }
            let without_link_rules = current.without(&deployment.link_rules(api, current).await?);
            return Ok((None, Notifications { event_bridge: true, ..without_link_rules }));
        }
    };
    let own = deployment.link_rules(api, current).await?;
    let mut desired = current.with(&destination, &request.filter, &own).map_err(LinkError::Overlap)?;
    if request.replace {
        let is_requested = |rule: &NotificationRule| rule.destination == destination && rule.filter == request.filter;
        desired.rules.retain(|rule| !own.contains(rule) || is_requested(rule));
    }
    Ok((Some(destination), desired))
}

/// Returns the ARN of the function's queue, if S3 may send the bucket's events to it.
async fn queue(api: &impl OperatorApi, deployment: &Deployment, bucket: &BucketName) -> Result<String, LinkError> {
    let arn = deployment.queues().next().ok_or(LinkError::NoQueue)?;
    let queue = api.queue(arn).await.map_err(|error| match error.class {
        ErrorClass::NotFound => LinkError::QueueNotFound(arn.to_owned()),
        _ => LinkError::Call(error),
    })?;
    if is_sqs_managed_key(queue.kms_key.as_deref()) {
        return Err(LinkError::QueueKeyUnusable(arn.to_owned()));
    }
    let (bucket, account) = (deployment.bucket_arn(bucket), deployment.account.as_str());
    let request = AccessRequest {
        service: S3_PRINCIPAL,
        action: "sqs:SendMessage",
        resource: arn,
        source_arn: &bucket,
        source_account: account,
    };
    if !queue.policy.is_some_and(|policy| allows(&policy, request)) {
        return Err(LinkError::QueuePolicyDenies { queue: arn.to_owned(), account: account.to_owned(), bucket });
    }
    Ok(arn.to_owned())
}

/// Whether an enabled EventBridge rule forwards the bucket's events to the function or one of its queues, and the
/// target's policy allows the rule to.
pub(super) async fn is_forwarded(
    api: &impl OperatorApi,
    deployment: &Deployment,
    bucket: &BucketName,
) -> Result<bool, CallError> {
    let account = deployment.account.as_str();
    for target in deployment.queues().chain([deployment.function.arn.as_str()]) {
        let rules = api.event_rules(target).await?;
        let is_match = |pattern: &String| matches_rule(pattern, bucket.as_str(), account, &deployment.region);
        let rules: Vec<_> =
            rules.iter().filter(|it| it.is_enabled && it.pattern.as_ref().is_some_and(is_match)).collect();
        if rules.is_empty() {
            continue;
        }
        let (policy, action) = if target == deployment.function.arn {
            (api.function_policy(target).await?, "lambda:InvokeFunction")
        } else {
            (api.queue(target).await?.policy, "sqs:SendMessage")
        };
        let is_allowed = |arn: &str| {
            let request = AccessRequest {
                service: EVENT_BRIDGE_PRINCIPAL,
                action,
                resource: target,
                source_arn: arn,
                source_account: account,
            };
            policy.as_ref().is_some_and(|policy| allows(policy, request))
        };
        if rules.iter().any(|rule| is_allowed(&rule.arn)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the policy statement to add so that the bucket may invoke the function; `None` if it already may.
async fn permission(
    api: &impl OperatorApi,
    deployment: &Deployment,
    bucket: &BucketName,
) -> Result<Option<Permission>, LinkError> {
    let own = Permission::of(deployment, bucket);
    let policy = api.function_policy(&own.function).await?;
    Ok((!policy.is_some_and(|policy| allows(&policy, own.request()))).then_some(own))
}

/// Returns the config of a distribution of which an origin is the bucket; of a tenant, that of its distribution.
pub(super) async fn config_of(
    api: &impl OperatorApi,
    account: &AccountId,
    bucket: &Bucket,
    id: &DistributionId,
) -> Result<DistributionConfig, LinkError> {
    let link_error = |error: CallError| match error.class {
        ErrorClass::NotFound => LinkError::NoDistribution { distribution: id.clone(), account: account.clone() },
        ErrorClass::AccessDenied => LinkError::OriginsUnreadable { distribution: id.clone(), error },
        _ => LinkError::Call(error),
    };
    let config = if id.is_tenant() {
        let tenant = api.tenant(id).await.map_err(link_error)?;
        let config = api.distribution_config(&tenant.distribution).await.map_err(link_error)?;
        config.for_tenant(&tenant.parameters)
    } else {
        api.distribution_config(id).await.map_err(link_error)?
    };
    if config.is_multi_tenant {
        return Err(LinkError::MultiTenant(id.clone()));
    }
    if origin_paths(&config, bucket).is_empty() {
        let domains = config.origins.iter().map(|it| it.domain.clone()).collect();
        return Err(LinkError::NoOrigin { distribution: id.clone(), domains });
    }
    Ok(config)
}

/// Returns the origin paths with which the distribution serves the bucket, sorted.
pub(super) fn origin_paths(config: &DistributionConfig, bucket: &Bucket) -> Vec<String> {
    // A CNAME, which has the bucket's name.
    let named_like = config.origins.iter().filter(|it| it.is_named_like(bucket)).map(|it| it.path.clone());
    let mut paths: Vec<_> = config
        .origins_of(bucket)
        .map(|it| it.path)
        .chain(named_like)
        .map(|path| match path.map(|path| path.to_string()) {
            // Malformed, or with a parameter that has no value.
            None => "unknown".to_owned(),
            Some(root) if root.is_empty() => "/".to_owned(),
            Some(path) => path,
        })
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

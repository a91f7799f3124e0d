//! What has to change so that a bucket's changes reach its distributions.

use std::collections::BTreeSet;

use super::api::{Cloud, EventSource};
use super::apply::Difference;
use super::deployment::Deployment;
use super::error::{LinkError, TagCommand};
use super::event_pattern::lets_through;
use super::notification::{Filter, Notifications, Target};
use super::policy::{Asked, EVENT_BRIDGE_PRINCIPAL, S3_PRINCIPAL, allows, is_key_of_sqs};
use super::step::{Permission, Step};
use super::tags::{self, Manager};
use crate::aws::{CallError, ErrorClass, Settings};
use crate::change::{Bucket, BucketName, DistributionId, Region};

/// Which way a bucket's events take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// Through the function's queue, which gathers them.
    Queue,
    /// Straight to the function.
    Function,
    /// Through EventBridge, where a rule sends them on.
    EventBridge,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The bucket.
    pub bucket: BucketName,
    /// The distributions in front of it.
    pub distributions: Vec<DistributionId>,
    /// The way.
    pub via: Via,
    /// Which keys.
    pub filter: Filter,
    /// Whether the distributions need not have the bucket as an origin.
    pub any_origin: bool,
}

/// What there is to do, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// What to change.
    pub difference: Difference,
    /// Below which origin paths each distribution shows the bucket, where that is known.
    pub shown: Vec<(DistributionId, Vec<String>)>,
    /// What else writes the bucket's configuration, by its tags.
    pub manager: Option<Manager>,
    /// Whether the function reads its queue, if that is the way.
    pub is_read: bool,
    /// What the tag that names the distributions will say.
    pub tag: String,
    /// Where the events go.
    pub target: Option<Target>,
    /// How many tags and how many rules stay as they are.
    pub kept: (usize, usize),
}

/// Finds out what has to change. Nothing is changed yet.
///
/// # Errors
/// [`LinkError`], with the remedy.
pub async fn plan_link(
    cloud: &impl Cloud,
    settings: &impl Settings,
    deployment: &Deployment,
    wish: &Wish,
) -> Result<Linked, LinkError> {
    let region = cloud.bucket_region(&wish.bucket).await?;
    if region != deployment.region {
        return Err(LinkError::OtherRegion { bucket: region, function: deployment.region.clone() });
    }
    if let Some(owner) = deployment.other_owner() {
        return Err(LinkError::OtherOwner(owner.to_owned()));
    }
    let bucket = Bucket { name: wish.bucket.clone(), region: Region::new(&region).ok() };
    let mut shown = Vec::new();
    for id in wish.distributions.iter().collect::<BTreeSet<_>>() {
        match origins(cloud, settings, &bucket, id).await {
            Ok(paths) => shown.push((id.clone(), paths)),
            Err(LinkError::NoOrigin { .. } | LinkError::UnknownOrigins { .. }) if wish.any_origin => {
                shown.push((id.clone(), Vec::new()));
            }
            Err(error) => return Err(error),
        }
    }
    let before = cloud.tags(&wish.bucket).await?;
    let notifications = cloud.notifications(&wish.bucket).await?;
    // What link turned on before is turned off for another way, or every change would come twice.
    let turned_on = tags::turned_on(&before);
    let turns_on = match wish.via {
        Via::EventBridge => (!notifications.event_bridge).then_some(true),
        Via::Queue | Via::Function => turned_on.then_some(false),
    };
    let after = tags::linked(&before, deployment.tag(), &wish.distributions, turns_on).map_err(LinkError::Tags)?;
    let (target, mut wanted) = way(cloud, deployment, wish, &notifications).await?;
    wanted.event_bridge &= turns_on != Some(false);
    let mut steps = Vec::new();
    if wish.via == Via::Function {
        steps.extend(permission(cloud, deployment, &wish.bucket).await?.map(Step::Allow));
    }
    if after != before {
        if cloud.has_tag_access_control(&wish.bucket).await.unwrap_or(false) {
            return Err(LinkError::TagResource(TagCommand::new(deployment, &wish.bucket, &before, &after)));
        }
        steps.push(Step::Tags { before: before.clone(), after: after.clone() });
    }
    let rules = notifications.rules.intersection(&wanted.rules).count();
    if wanted != notifications {
        // Last, so that no change comes before it is known where it goes.
        steps.push(Step::Notifications { before: notifications, after: wanted });
    }
    Ok(Linked {
        difference: Difference { bucket: wish.bucket.clone(), steps },
        shown,
        manager: Manager::of(&before),
        is_read: wish.via != Via::Queue || deployment.sources.iter().any(EventSource::is_on),
        tag: after.get(deployment.tag()).cloned().unwrap_or_default(),
        target,
        kept: (before.iter().filter(|(key, value)| after.get(*key) == Some(value)).count(), rules),
    })
}

/// Where the events go, and the notification configuration that sends them there.
async fn way(
    cloud: &impl Cloud,
    deployment: &Deployment,
    wish: &Wish,
    now: &Notifications,
) -> Result<(Option<Target>, Notifications), LinkError> {
    let target = match wish.via {
        Via::Function => Target::Function(deployment.function.arn.clone()),
        Via::Queue => Target::Queue(queue(cloud, deployment, &wish.bucket).await?),
        Via::EventBridge => {
            if wish.filter != Filter::default() {
                return Err(LinkError::FilterInEventBridge);
            }
            if !is_sent_on(cloud, deployment, &wish.bucket).await? {
                return Err(LinkError::NoEventRule);
            }
            let without = now.without(&deployment.own_rules(cloud, now).await?);
            return Ok((None, Notifications { event_bridge: true, ..without }));
        }
    };
    let own = deployment.own_rules(cloud, now).await?;
    let wanted = now.with(&target, &wish.filter, &own).map_err(LinkError::Overlap)?;
    Ok((Some(target), wanted))
}

/// The queue that S3 may write to for this bucket.
async fn queue(cloud: &impl Cloud, deployment: &Deployment, bucket: &BucketName) -> Result<String, LinkError> {
    let arn = deployment.queues().next().ok_or(LinkError::NoQueue)?;
    let queue = cloud.queue(arn).await?;
    if is_key_of_sqs(queue.kms_key.as_deref()) {
        return Err(LinkError::QueueKey(arn.to_owned()));
    }
    let (bucket, account) = (deployment.bucket_arn(bucket), deployment.account.as_str());
    let asked = Asked {
        service: S3_PRINCIPAL,
        action: "sqs:SendMessage",
        resource: arn,
        source_arn: &bucket,
        source_account: account,
    };
    if !queue.policy.is_some_and(|policy| allows(&policy, asked)) {
        return Err(LinkError::QueueForbids { queue: arn.to_owned(), account: account.to_owned(), bucket });
    }
    Ok(arn.to_owned())
}

/// Whether a rule of EventBridge sends the bucket's events to the function, or to a queue of it that lets the rule in.
pub(super) async fn is_sent_on(
    cloud: &impl Cloud,
    deployment: &Deployment,
    bucket: &BucketName,
) -> Result<bool, CallError> {
    let account = deployment.account.as_str();
    for target in deployment.queues().chain([deployment.function.arn.as_str()]) {
        let rules = cloud.event_rules(target).await?;
        let fits = |pattern: &String| lets_through(pattern, bucket.as_str(), account, &deployment.region);
        let rules: Vec<_> = rules.iter().filter(|it| it.is_enabled && it.pattern.as_ref().is_some_and(fits)).collect();
        if rules.is_empty() {
            continue;
        }
        let (policy, action) = if target == deployment.function.arn {
            (cloud.function_policy(target).await?, "lambda:InvokeFunction")
        } else {
            (cloud.queue(target).await?.policy, "sqs:SendMessage")
        };
        let is_let_in = |arn: &str| {
            let asked = Asked {
                service: EVENT_BRIDGE_PRINCIPAL,
                action,
                resource: target,
                source_arn: arn,
                source_account: account,
            };
            policy.as_ref().is_some_and(|policy| allows(policy, asked))
        };
        if rules.iter().any(|rule| is_let_in(&rule.arn)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The statement to add so that the bucket may call the function; `None` if it may.
async fn permission(
    cloud: &impl Cloud,
    deployment: &Deployment,
    bucket: &BucketName,
) -> Result<Option<Permission>, LinkError> {
    let own = Permission::of(deployment, bucket);
    let policy = cloud.function_policy(&own.function).await?;
    Ok((!policy.is_some_and(|policy| allows(&policy, own.asked()))).then_some(own))
}

/// The origin paths below which a distribution shows the bucket.
pub(super) async fn origins(
    cloud: &impl Cloud,
    settings: &impl Settings,
    bucket: &Bucket,
    id: &DistributionId,
) -> Result<Vec<String>, LinkError> {
    let unknown = |error: CallError| match error.class {
        ErrorClass::NotFound => LinkError::NoDistribution(id.clone()),
        ErrorClass::AccessDenied => LinkError::UnknownOrigins { distribution: id.clone(), error },
        _ => LinkError::Call(error),
    };
    let of = if id.is_tenant() { &cloud.distribution_of(id).await.map_err(unknown)? } else { id };
    let settings = settings.settings(of).await.map_err(unknown)?;
    let mut paths: Vec<_> = settings
        .origins_of(bucket)
        .map(|(_, path, _)| match path.map(|path| path.to_string()) {
            None => "a path of each tenant's own".to_owned(),
            Some(root) if root.is_empty() => "/".to_owned(),
            Some(path) => path,
        })
        .collect();
    paths.sort();
    paths.dedup();
    if paths.is_empty() {
        let domains = settings.origins.iter().map(|it| it.domain.clone()).collect();
        return Err(LinkError::NoOrigin { distribution: id.clone(), domains });
    }
    Ok(paths)
}

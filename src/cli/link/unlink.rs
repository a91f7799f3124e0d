//! What has to change so that a bucket is as it was before it was linked.

use super::api::OperatorApi;
use super::apply::ChangeSet;
use super::deployment::Deployment;
use super::error::{LinkError, TagCommand};
use super::notification::{Destination, NotificationRule};
use super::step::{Permission, Step};
use super::tags::{self, RemainingTags};
use crate::aws::ErrorClass;
use crate::change::{BucketName, DistributionId};

/// What there is to do, and what stays although it looks as if it should not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnlinkPlan {
    /// What to change.
    pub change_set: ChangeSet,
    /// Distributions that the tag names and `link` did not add.
    pub foreign: Vec<DistributionId>,
    /// Rules that send to the function, or its queue, and that `link` did not make.
    pub rules: Vec<NotificationRule>,
    /// About how many messages wait in the function's queues, if the bucket's tag goes: those that are about it will be
    /// ignored.
    pub waiting: u64,
}

/// Finds out what has to change: what `link` added for these distributions, or all of it if none are named. `tag` is the one
/// that names them. Nothing is changed yet.
///
/// # Errors
/// [`LinkError`], with the remedy.
pub async fn plan_unlink(
    cloud: &impl OperatorApi,
    deployment: &Deployment,
    tag: &str,
    bucket: &BucketName,
    distributions: &[DistributionId],
) -> Result<UnlinkPlan, LinkError> {
    let before = cloud.tags(bucket).await?;
    let RemainingTags { tags: after, foreign, removes_last, has_no_ownership_tag, enabled_event_bridge } =
        tags::unlinked(&before, tag, distributions).map_err(LinkError::Tags)?;
    let notifications = cloud.notifications(bucket).await?;
    let own = deployment.link_rules(cloud, &notifications).await?;
    let reaching = notifications.rules.difference(&own).filter(|rule| deployment.is_reached_by(&rule.target));
    let rules: Vec<_> = if removes_last { reaching.cloned().collect() } else { Vec::new() };
    let mut steps = Vec::new();
    if removes_last {
        let mut wanted = notifications.without(&own);
        wanted.event_bridge &= !enabled_event_bridge;
        // First, so that no change comes when it is no longer known where it goes.
        if wanted != notifications {
            steps.push(Step::Notifications { before: notifications.clone(), after: wanted });
        }
    }
    if after != before {
        if cloud.has_tag_access_control(bucket).await.unwrap_or(false) {
            return Err(LinkError::TagResource(TagCommand::new(deployment, bucket, &before, &after)));
        }
        steps.push(Step::Tags { before, after });
    }
    let calls = |rule: &NotificationRule| {
        matches!(rule.target, Destination::Function(_)) && deployment.is_reached_by(&rule.target)
    };
    let is_called = notifications.rules.difference(&own).any(calls);
    // Also what an unlink that was interrupted has left.
    if (removes_last || has_no_ownership_tag && own.is_empty()) && !is_called && !deployment.function.arn.is_empty() {
        let permission = Permission::of(deployment, bucket);
        let policy = match cloud.function_policy(&permission.function).await {
            // Whoever may not look has not added it either.
            Err(error) if error.class == ErrorClass::AccessDenied => None,
            actual => actual?,
        };
        if policy.is_some_and(|policy| permission.is_in(&policy)) {
            steps.push(Step::Forbid(permission));
        }
    }
    let mut waiting = 0;
    if steps.iter().any(|step| matches!(step, Step::Tags { .. })) {
        for arn in deployment.queues() {
            // What is only for a warning must not keep anything from being taken back.
            let queue = cloud.queue(arn).await.unwrap_or_default();
            waiting += queue.waiting + queue.in_flight;
        }
    }
    Ok(UnlinkPlan { change_set: ChangeSet { bucket: bucket.clone(), steps }, foreign, rules, waiting })
}

//! Plans the changes that remove from a bucket what `link` added, or everything that makes the function handle it.

use super::api::OperatorApi;
use super::apply::ChangeSet;
use super::deployment::Deployment;
use super::error::LinkError;
use super::notification::{Destination, NotificationRule};
use super::step::{Permission, Step};
use super::tags::{self, RemainingTags};
use crate::aws::ErrorClass;
use crate::change::{BucketName, DistributionId};

/// The changes to make, and what stays because `link` did not add it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnlinkPlan {
    /// The changes.
    pub change_set: ChangeSet,
    /// Distributions that the tag names and `link` did not add.
    pub foreign: Vec<DistributionId>,
    /// Distributions that the tag names and `link` added for another deployment, with the name of its function.
    pub of_others: Vec<(DistributionId, String)>,
    /// Rules that send events to the function or its queue and that `link` did not make. Empty while something that
    /// `link` added remains.
    pub rules: Vec<NotificationRule>,
    /// Whether nothing that `link` added for this deployment remains.
    pub removes_last: bool,
    /// The approximate number of messages in the function's queues, if the bucket loses its tag. Messages about the
    /// bucket are then skipped.
    pub queued_messages: u64,
}

/// Plans the removal of what `link` added for these distributions; of all that it added if none are given. `tag` is the
/// key of the tag that names the distributions. `everything`: also distributions and rules that `link` did not add, such
/// as those of a template whose stack was deleted. Nothing is written.
///
/// # Errors
/// [`LinkError`], with the remedy.
pub async fn plan_unlink(
    api: &impl OperatorApi,
    deployment: &Deployment,
    tag: &str,
    bucket: &BucketName,
    distributions: &[DistributionId],
    everything: bool,
) -> Result<UnlinkPlan, LinkError> {
    let before = api.tags(bucket).await?;
    let owners = deployment.owners(api, &before).await?;
    let has_linked = owners.have_linked(&before);
    let RemainingTags { tags: after, foreign, of_others, removes_last, disables_event_bridge } =
        tags::unlinked_tags(&before, tag, distributions, &owners, everything).map_err(LinkError::Tags)?;
    let notifications = api.notifications(bucket).await?;
    let functions: Vec<_> = owners.others(&before).into_iter().map(ToOwned::to_owned).collect();
    let is_reached = notifications.rules.iter().any(|rule| deployment.is_reached_by(&rule.destination));
    if !has_linked && !is_reached && !functions.is_empty() {
        let mut words = vec!["unlink".to_owned(), bucket.to_string()];
        words.extend(distributions.iter().map(ToString::to_string));
        words.extend(everything.then(|| "--everything".to_owned()));
        return Err(LinkError::OtherDeployment { functions, words, given: deployment.given.clone() });
    }
    let mut own = deployment.link_rules(api, &notifications).await?;
    if everything {
        own.extend(deployment.all_rules(api, &notifications).await?);
    }
    let reaching = notifications.rules.difference(&own).filter(|rule| deployment.is_reached_by(&rule.destination));
    let rules: Vec<_> = if removes_last { reaching.cloned().collect() } else { Vec::new() };
    let mut steps = Vec::new();
    if removes_last {
        let mut desired = notifications.without(&own);
        desired.event_bridge &= !disables_event_bridge;
        // First, so that no event arrives after the tag is removed.
        if desired != notifications {
            steps.push(Step::Notifications { before: notifications.clone(), after: desired });
        }
    }
    let loses_tag = before.contains_key(tag) && !after.contains_key(tag);
    if after != before {
        steps.push(Step::Tags { before, after });
    }
    let invokes_function = |rule: &NotificationRule| {
        matches!(rule.destination, Destination::Function(_)) && deployment.is_reached_by(&rule.destination)
    };
    let is_invoked = notifications.rules.difference(&own).any(invokes_function);
    // The second case is a permission that an interrupted unlink has left.
    if (removes_last || !has_linked && own.is_empty()) && !is_invoked && !deployment.function.arn.is_empty() {
        let permission = Permission::of(deployment, bucket);
        let policy = match api.function_policy(&permission.function).await {
            // A caller who may not read the policy has not added the statement either.
            Err(error) if error.class == ErrorClass::AccessDenied => None,
            result => result?,
        };
        if policy.is_some_and(|policy| permission.is_in(&policy)) {
            steps.push(Step::RemovePermission(permission));
        }
    }
    let mut queued_messages = 0;
    if loses_tag {
        for arn in deployment.queues() {
            // The count is for a warning only, so a failed call must not prevent the unlink.
            let queue = api.queue(arn).await.unwrap_or_default();
            queued_messages += queue.available + queue.in_flight;
        }
    }
    Ok(UnlinkPlan {
        change_set: ChangeSet { bucket: bucket.clone(), steps },
        foreign,
        of_others,
        rules,
        removes_last,
        queued_messages,
    })
}

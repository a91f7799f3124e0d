//! What has to change so that a bucket is as it was before it was linked.

use super::apply::{Difference, Permission, Step};
use super::cloud::Cloud;
use super::deployment::Deployment;
use super::link_error::LinkError;
use super::notification::Rule;
use super::tags::{self, Remainder};
use crate::change::BucketName;
use crate::distribution::DistributionId;

/// What there is to do, and what stays although it looks as if it should not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unlinked {
    /// What to change.
    pub difference: Difference,
    /// Distributions that the tag names and `link` did not add.
    pub foreign: Vec<DistributionId>,
    /// Rules that send to the function, or its queue, and that `link` did not make.
    pub rules: Vec<Rule>,
}

/// Finds out what has to change: what `link` added for these distributions, or all of it if none are named. Nothing is changed
/// yet.
///
/// # Errors
/// [`LinkError`], with the remedy.
pub async fn plan_unlink(
    cloud: &impl Cloud,
    deployment: &Deployment,
    bucket: &BucketName,
    distributions: &[DistributionId],
) -> Result<Unlinked, LinkError> {
    let before = cloud.tags(bucket).await?;
    let Remainder { tags: after, foreign, is_last, turned_on } =
        tags::unlinked(&before, deployment.tag(), distributions).map_err(LinkError::Tags)?;
    let notifications = cloud.notifications(bucket).await?;
    let rules = |own: bool| {
        let fits = move |rule: &&Rule| rule.is_own() == own && deployment.is_reached_by(&rule.target);
        notifications.rules.iter().filter(fits).cloned().collect::<Vec<_>>()
    };
    let foreign_rules = if is_last { rules(false) } else { Vec::new() };
    let mut steps = Vec::new();
    if is_last {
        let mut wanted = notifications.without_own();
        wanted.event_bridge &= !turned_on;
        // First, so that no change comes when it is no longer known where it goes.
        if wanted != notifications {
            steps.push(Step::Notifications { before: notifications.clone(), after: wanted });
        }
    }
    if after != before {
        steps.push(Step::Tags { before, after });
    }
    if is_last {
        let own = Permission::of(deployment, bucket);
        // The statement's id, in quotes as JSON has it, is in no policy by chance.
        let policy = cloud.function_policy(&own.function).await?.unwrap_or_default();
        if policy.contains(&format!("\"{}\"", own.id)) {
            steps.push(Step::Forbid(own));
        }
    }
    Ok(Unlinked { difference: Difference { bucket: bucket.clone(), steps }, foreign, rules: foreign_rules })
}

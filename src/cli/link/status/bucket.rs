//! A bucket, its distributions, and the way between them.

use std::collections::BTreeSet;

use super::{BucketStatus, Cell, DistributionStatus};
use crate::aws::Settings;
use crate::change::text::one_line;
use crate::change::{Bucket, BucketName, DistributionId, Region};
use crate::cli::link::api::{Cloud, missing_rights};
use crate::cli::link::deployment::Deployment;
use crate::cli::link::error::LinkError;
use crate::cli::link::notification::{EVENTS, Filter, Notifications, Rule, Target};
use crate::cli::link::plan::{is_sent_on, origins};
use crate::cli::link::policy::{Asked, S3_PRINCIPAL, allows, is_key_of_sqs};

/// Looks at a bucket.
pub async fn check_bucket(
    cloud: &impl Cloud,
    settings: &impl Settings,
    deployment: &Deployment,
    name: &BucketName,
) -> BucketStatus {
    let bucket = Bucket { name: name.clone(), region: Region::new(&deployment.region).ok() };
    let mut distributions = Vec::new();
    let (mut tag, route) = tag(cloud, deployment, name).await;
    for id in route.iter().flatten() {
        distributions.push(distribution(cloud, settings, &bucket, id).await);
    }
    if let Ok(region) = cloud.bucket_region(name).await
        && region != deployment.region
    {
        tag = Cell::wrong(
            "other Region",
            LinkError::OtherRegion { bucket: region, function: deployment.region.clone() }.to_string(),
        );
    }
    if let Some(owner) = deployment.other_owner() {
        tag = Cell::wrong("other owner", LinkError::OtherOwner(owner.to_owned()).to_string());
    }
    let (notification, permission) = match cloud.notifications(name).await {
        Ok(notifications) => {
            let ids: Vec<_> = route.iter().flatten().map(DistributionId::as_str).collect();
            let link =
                Relink { bucket: name, ids: if ids.is_empty() { "DISTRIBUTION".to_owned() } else { ids.join(" ") } };
            way(cloud, deployment, &link, &notifications).await
        }
        Err(error) => (Cell::unknown(&error), Cell::right("")),
    };
    BucketStatus { bucket: name.to_string(), tag, notification, permission, distributions }
}

async fn tag(cloud: &impl Cloud, deployment: &Deployment, name: &BucketName) -> (Cell, Option<Vec<DistributionId>>) {
    let tags = match cloud.tags(name).await {
        Ok(tags) => tags,
        Err(error) => return (Cell::unknown(&error), None),
    };
    match deployment.routes().route(&tags) {
        Ok(Some(route)) => (Cell::right("ok"), Some(route.distributions)),
        Ok(None) => {
            let remedy = format!("it names no distribution: `invalidator link {name} DISTRIBUTION`");
            (Cell::wrong("none", remedy), None)
        }
        Err(error) => (Cell::wrong("bad", error.to_string()), None),
    }
}

async fn distribution(
    cloud: &impl Cloud,
    settings: &impl Settings,
    bucket: &Bucket,
    id: &DistributionId,
) -> DistributionStatus {
    let right = || Cell::right(id.as_str());
    let (distribution, origin) = match origins(cloud, settings, bucket, id).await {
        Ok(paths) => (right(), Cell::right(paths.join(" "))),
        Err(LinkError::NoDistribution(_)) => {
            let remedy = format!("there is no distribution {id} in this account; take it out of the bucket's tag");
            (Cell::wrong(id.as_str(), remedy), Cell::right("gone"))
        }
        Err(LinkError::NoOrigin { domains, .. }) => {
            let origins = one_line(&domains.join(", "));
            let remedy = format!(
                "no origin of {id} is the bucket (its origins: {origins}); correct the bucket's tag, or the distribution's origins"
            );
            (right(), Cell::wrong("none", remedy))
        }
        Err(LinkError::UnknownOrigins { error, .. }) => (
            right(),
            Cell::wrong("unknown", format!("the origins of {id} are not known: {error}{}", missing_rights(&error))),
        ),
        Err(error) => (right(), Cell::wrong("unknown", error.to_string())),
    };
    // What is wrong with the distribution has been told; that its invalidations may not be listed is nothing wrong.
    let last = cloud.last_invalidation(id).await;
    let is_listed = last.is_ok();
    let last_invalidation = last.ok().flatten().map(|it| (it.created, it.status));
    DistributionStatus { distribution, origin, is_listed, last_invalidation }
}

/// The command that links a bucket again.
struct Relink<'a> {
    bucket: &'a BucketName,
    ids: String,
}

impl Relink<'_> {
    fn via(&self, way: &str) -> String {
        let via = if way == "queue" { "" } else { " --via function" };
        format!("`invalidator link {} {}{via}`", self.bucket, self.ids)
    }
}

/// Which way the bucket's events take to the function, and whether they are let in.
async fn way(cloud: &impl Cloud, deployment: &Deployment, link: &Relink<'_>, now: &Notifications) -> (Cell, Cell) {
    let rules: Vec<_> = now.rules.iter().filter(|rule| deployment.is_reached_by(&rule.target)).collect();
    if rules.is_empty() {
        return other_way(cloud, deployment, link, now).await;
    }
    let filters = EVENTS.map(|event| {
        let taking = rules.iter().filter(|rule| rule.takes(event));
        taking.map(|rule| rule.filter.clone()).collect::<BTreeSet<_>>()
    });
    let untaken = EVENTS.iter().zip(&filters).filter(|(_, filters)| filters.is_empty());
    let untaken: Vec<_> = untaken.map(|(event, _)| event.trim_start_matches("s3:")).collect();
    let all_keys = filters.each_ref().map(|it| it.contains(&Filter::default()));
    let first = rules.first().map(|rule| &rule.target);
    let kind = if matches!(first, Some(Target::Function(_))) { "function" } else { "queue" };
    let notification = if !untaken.is_empty() {
        Cell::wrong(kind, format!("no rule takes {}: {}", untaken.join(", "), link.via(kind)))
    } else if all_keys == [true; 3] {
        Cell::right(kind)
    } else if filters.windows(2).all(|two| matches!(two, [one, other] if one == other)) {
        Cell::right(format!("{kind}, some keys"))
    } else {
        let remedy = "its rules take other keys for one kind of event than for another";
        Cell::wrong(kind, format!("{remedy}: {}", link.via(kind)))
    };
    (notification, permission(cloud, deployment, link, &rules).await)
}

async fn permission(cloud: &impl Cloud, deployment: &Deployment, link: &Relink<'_>, rules: &[&Rule]) -> Cell {
    let bucket = deployment.bucket_arn(link.bucket);
    let account = deployment.account.as_str();
    let targets: BTreeSet<_> = rules.iter().map(|rule| &rule.target).collect();
    for target in targets {
        // Topics reach nothing by themselves.
        let (Target::Queue(arn) | Target::Function(arn)) = target else { continue };
        let asked = |action| Asked {
            service: S3_PRINCIPAL,
            action,
            resource: arn.as_str(),
            source_arn: bucket.as_str(),
            source_account: account,
        };
        let told = match target {
            Target::Queue(arn) => match cloud.queue(arn).await {
                Ok(queue) if is_key_of_sqs(queue.kms_key.as_deref()) => {
                    return Cell::wrong("key", LinkError::QueueKey(arn.clone()).to_string());
                }
                told => told.map(|queue| (queue.policy, asked("sqs:SendMessage"))),
            },
            _ => cloud.function_policy(arn).await.map(|policy| (policy, asked("lambda:InvokeFunction"))),
        };
        match told {
            Ok((Some(policy), asked)) if allows(&policy, asked) => {}
            Ok(_) => {
                let remedy = if matches!(target, Target::Queue(_)) {
                    let (queue, account) = (arn.clone(), account.to_owned());
                    LinkError::QueueForbids { queue, bucket, account }.to_string()
                } else {
                    format!("the policy of the {target} does not let the bucket in: {}", link.via("function"))
                };
                return Cell::wrong("missing", remedy);
            }
            Err(error) => return Cell::unknown(&error),
        }
    }
    Cell::right("ok")
}

/// Where no rule of the bucket names the function or its queue.
async fn other_way(
    cloud: &impl Cloud,
    deployment: &Deployment,
    link: &Relink<'_>,
    now: &Notifications,
) -> (Cell, Cell) {
    if now.event_bridge {
        return match is_sent_on(cloud, deployment, link.bucket).await {
            Ok(true) => (Cell::right("EventBridge"), Cell::right("ok")),
            Ok(false) => (Cell::wrong("EventBridge", LinkError::NoEventRule.to_string()), Cell::right("")),
            Err(error) => (Cell::right("EventBridge"), Cell::unknown(&error)),
        };
    }
    let is_whole = |rule: &&Rule| matches!(rule.target, Target::Topic(_)) && EVENTS.iter().all(|it| rule.takes(it));
    if let Some(rule) = now.rules.iter().find(is_whole) {
        // Who has subscribed there is not looked at.
        return (Cell::right(rule.target.to_string()), Cell::right("unknown"));
    }
    let remedy = format!("the function is not told of its changes: {}", link.via("queue"));
    (Cell::wrong("none", remedy), Cell::right(""))
}

//! Checks a bucket: its tags, its distributions, and how its events reach the function.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{BucketStatus, Check, DistributionStatus};
use crate::change::text::one_line;
use crate::change::{Bucket, BucketName, DistributionId, Region};
use crate::cli::link::api::{DryRun, OperatorApi, remedy};
use crate::cli::link::deployment::Deployment;
use crate::cli::link::error::LinkError;
use crate::cli::link::notification::{Destination, EVENTS, KeyFilter, NotificationRule, Notifications, Overlap};
use crate::cli::link::plan::{Via, config_of, is_forwarded, origin_paths};
use crate::cli::link::policy::{AccessRequest, S3_PRINCIPAL, allows, is_sqs_managed_key};
use crate::cli::link::step::statement_id;
use crate::path::{
    BucketOptions, DistributionConfig, Mapping, ORIGIN_PATH_TAG, URLS_REWRITTEN, URLS_UNCERTAIN, misnamed_tag_message,
};

/// Checks a bucket and its distributions. With `skip_origin_check` it is no problem if no origin of a distribution
/// points to the bucket, or if the origins may not be read: a proxy may be between the distribution and the bucket.
pub async fn check_bucket(
    api: &impl OperatorApi,
    deployment: &Deployment,
    name: &BucketName,
    skip_origin_check: bool,
) -> BucketStatus {
    let bucket = Bucket { name: name.clone(), region: Region::new(&deployment.region).ok() };
    let mut distributions = Vec::new();
    let notifications = api.notifications(name).await;
    let mut relink = RelinkCommand::new(deployment, name, notifications.as_ref().ok(), skip_origin_check);
    let (mut tag, options) = check_tag(api, deployment, &relink, notifications.as_ref().ok()).await;
    if let Some(options) = &options {
        for id in &options.distributions {
            distributions.push(check_distribution(api, deployment, &bucket, options, id, skip_origin_check).await);
        }
    }
    if let Ok(region) = api.bucket_region(name).await
        && region != deployment.region
    {
        tag = Check::problem(
            "other Region",
            "other-region",
            LinkError::OtherRegion { bucket: region, function: deployment.region.clone() }.to_string(),
        );
    }
    if let Some(owner) = deployment.other_owner() {
        tag = Check::problem("other owner", "other-owner", LinkError::OtherOwner(owner.to_owned()).to_string());
    }
    if let Some(options) = &options {
        relink.ids = options.distributions.iter().map(ToString::to_string).collect();
    }
    let (events_via, policy) = match notifications {
        Ok(notifications) => check_notifications(api, deployment, &relink, &notifications).await,
        Err(error) => (Check::failed_call(&error), Check::not_checked()),
    };
    let dry_run = if tag.is_ok() && distributions.iter().all(|it| it.urls.is_ok()) {
        check_dry_run(api, deployment, name).await
    } else {
        Check::not_checked()
    };
    BucketStatus { name: name.to_string(), tag, events_via, policy, dry_run, distributions }
}

/// The key of the object of the dry run. No object needs to have it.
const DRY_RUN_KEY: &str = "status";

/// Checks with a dry run whether the function can plan an invalidation for the bucket. Only the function knows what its
/// role may read.
async fn check_dry_run(api: &impl OperatorApi, deployment: &Deployment, name: &BucketName) -> Check {
    match api.dry_run(&deployment.function.arn, name, DRY_RUN_KEY).await {
        Ok(DryRun::Planned { urls_uncertain: false }) => Check::ok("ok"),
        Ok(DryRun::Planned { urls_uncertain: true }) => {
            let message = format!(
                "the function does not know an origin path, because its role may not read the distribution config; allow \
                 the CloudFront actions in policy.json for the role, or name the origin path in the tag \
                 {ORIGIN_PATH_TAG} of the bucket (\"/\" if there is none)"
            );
            Check::problem("uncertain", "config-unreadable", message)
        }
        Ok(DryRun::Failed(message)) => {
            Check::problem("failed", "dry-run-failed", format!("the function fails: {}", one_line(&message)))
        }
        Err(error) => Check::failed_call(&error),
    }
}

async fn check_tag(
    api: &impl OperatorApi,
    deployment: &Deployment,
    relink: &RelinkCommand<'_>,
    notifications: Option<&Notifications>,
) -> (Check, Option<BucketOptions>) {
    let tags = match api.tags(relink.bucket).await {
        Ok(tags) => tags,
        Err(error) => return (Check::failed_call(&error), None),
    };
    let defaults = deployment.bucket_defaults();
    let misnamed: Vec<_> =
        defaults.misnamed_tags(&tags).into_iter().map(|(tag, meant)| misnamed_tag_message(tag, meant)).collect();
    let misnamed = (!misnamed.is_empty()).then(|| misnamed.join("; "));
    let problem = |message| Check::problem("misnamed", "tag-misnamed", message);
    match defaults.parse(&tags) {
        Ok(Some(options)) => (misnamed.map_or_else(|| Check::ok("ok"), problem), Some(options)),
        Ok(None) => {
            if let Some(message) = misnamed {
                return (problem(message), None);
            }
            let tag = deployment.tag();
            let remedy = match notifications {
                Some(notifications) => relink.remedy(api, notifications).await,
                None => format!("run {}", relink.command()),
            };
            let message = format!("the bucket does not have the tag \"{tag}\"; {remedy}");
            (Check::problem("none", "tag-missing", message), None)
        }
        Err(error) => {
            let messages: Vec<_> = [error.to_string()].into_iter().chain(misnamed).collect();
            (Check::problem("invalid", "tag-invalid", messages.join("; ")), None)
        }
    }
}

async fn check_distribution(
    api: &impl OperatorApi,
    deployment: &Deployment,
    bucket: &Bucket,
    options: &BucketOptions,
    id: &DistributionId,
    skip_origin_check: bool,
) -> DistributionStatus {
    let config = config_of(api, &deployment.account, bucket, id).await;
    let (urls, note) = match &config {
        Ok(config) => check_urls(bucket, options, id, config),
        Err(_) => (Check::not_checked(), None),
    };
    let (exists, origin_path) = match config {
        Ok(config) => (Check::ok("yes"), check_origin_path(deployment, bucket, options, &config)),
        Err(LinkError::NoDistribution { .. }) => {
            let message = format!(
                "distribution {id} does not exist in account {}; remove its ID from the bucket's tag: run {}",
                deployment.account.as_str(),
                deployment.given.invalidator(&["unlink", bucket.name.as_str(), id.as_str(), "--everything"])
            );
            (Check::problem("no", "distribution-not-found", message), Check::not_checked())
        }
        Err(error @ LinkError::MultiTenant(_)) => {
            (Check::ok("yes"), Check::problem("per tenant", "multi-tenant-distribution", error.to_string()))
        }
        Err(LinkError::NoOrigin { .. }) if skip_origin_check => (Check::ok("yes"), Check::not_checked()),
        Err(LinkError::OriginsUnreadable { .. }) if skip_origin_check => (Check::not_checked(), Check::not_checked()),
        Err(LinkError::NoOrigin { domains, .. }) => {
            let origins = one_line(&domains.join(", "));
            let message = format!(
                "no origin of {id} points to the bucket (its origins: {origins}); correct the bucket's tag or the \
                 distribution's origins, or add --skip-origin-check if one of the origins is a proxy of the bucket"
            );
            (Check::ok("yes"), Check::problem("none", "origin-missing", message))
        }
        Err(LinkError::OriginsUnreadable { error, .. }) => {
            let message = format!("cannot read the origins of {id}: {error}{}", remedy(&error));
            (Check::not_checked(), Check::problem("unknown", "origins-unknown", message))
        }
        Err(LinkError::Call(error)) => (Check::not_checked(), Check::failed_call(&error)),
        Err(error) => (Check::not_checked(), Check::problem("unknown", "origins-unknown", error.to_string())),
    };
    // Problems of the distribution are reported above. Not being allowed to list its invalidations is not a problem.
    let last = api.last_invalidation(id).await;
    let is_listed = last.is_ok();
    let last_invalidation = last.ok().flatten();
    DistributionStatus { id: id.to_string(), exists, origin_path, urls, note, is_listed, last_invalidation }
}

/// Checks whether the function knows the origin path.
fn check_origin_path(
    deployment: &Deployment,
    bucket: &Bucket,
    options: &BucketOptions,
    config: &DistributionConfig,
) -> Check {
    let paths = origin_paths(config, bucket).join(" ");
    if options.origin_path.is_none() && config.origins_of(bucket).any(|it| it.path.is_none()) {
        let message = format!(
            "an origin path is malformed or has a parameter without a value, so it is not known; name it in the tag \
             {ORIGIN_PATH_TAG} of the bucket"
        );
        return Check::problem(paths, "origin-path-unknown", message);
    }
    if deployment.function.reads_configs || options.origin_path.is_some() || paths == "/" {
        return Check::ok(paths);
    }
    let message = format!(
        "the function does not read distribution configs (DISTRIBUTION_CONFIG=off), so it does not know the origin path \
         {paths}; name it in the tag {ORIGIN_PATH_TAG} of the bucket, or deploy the function with \
         DistributionConfig=auto"
    );
    Check::problem(paths, "origin-path-unknown", message)
}

/// Checks whether the URLs that viewers request are known. Also returns what is no problem but good to know.
fn check_urls(
    bucket: &Bucket,
    options: &BucketOptions,
    id: &DistributionId,
    config: &DistributionConfig,
) -> (Check, Option<String>) {
    let mapping = Mapping::new(bucket, options, Some(&Arc::new(config.clone())));
    let forms = options.urls.clone().unwrap_or_default().to_string();
    if mapping.unnamed_functions.at_origin_request {
        return (Check::problem("uncertain", "urls-uncertain", format!("distribution {id}: {URLS_UNCERTAIN}")), None);
    }
    (
        Check::ok(forms),
        mapping.unnamed_functions.at_viewer_request.then(|| format!("distribution {id}: {URLS_REWRITTEN}")),
    )
}

/// The command that links a bucket again in the same way, as a remedy.
struct RelinkCommand<'a> {
    deployment: &'a Deployment,
    bucket: &'a BucketName,
    ids: Vec<String>,
    via: Via,
    filter: KeyFilter,
    skip_origin_check: bool,
}

impl<'a> RelinkCommand<'a> {
    /// The way and the keys are those of the rules that reach the function, if there are any.
    fn new(
        deployment: &'a Deployment,
        bucket: &'a BucketName,
        notifications: Option<&Notifications>,
        skip_origin_check: bool,
    ) -> Self {
        let rules = notifications.iter().flat_map(|it| &it.rules);
        let rules: Vec<_> = rules.filter(|rule| deployment.is_reached_by(&rule.destination)).collect();
        let via = match rules.first().map(|rule| &rule.destination) {
            Some(Destination::Function(_)) => Via::Function,
            None if notifications.is_some_and(|it| it.event_bridge) => Via::EventBridge,
            None if deployment.queues().next().is_none() => Via::Function,
            _ => Via::Queue,
        };
        let filters: BTreeSet<_> = rules.iter().map(|rule| &rule.filter).collect();
        let filter = if filters.len() == 1 { filters.first().copied().cloned() } else { None };
        // `link` finds distributions by their origins.
        let ids = if skip_origin_check { vec!["DISTRIBUTION".to_owned()] } else { Vec::new() };
        Self { deployment, bucket, ids, via, filter: filter.unwrap_or_default(), skip_origin_check }
    }

    fn command(&self) -> String {
        let mut words = vec!["link", self.bucket.as_str()];
        words.extend(self.ids.iter().map(String::as_str));
        match self.via {
            Via::Queue => {}
            Via::Function => words.extend(["--via", "function"]),
            Via::EventBridge => words.extend(["--via", "eventbridge"]),
        }
        for (option, value) in [("--prefix", &self.filter.prefix), ("--suffix", &self.filter.suffix)] {
            if !value.is_empty() {
                words.extend([option, value]);
            }
        }
        if self.skip_origin_check {
            words.push("--skip-origin-check");
        }
        self.deployment.given.invalidator(&words)
    }

    /// The remedy: the command, after what must be done so that it succeeds.
    async fn remedy(&self, api: &impl OperatorApi, notifications: &Notifications) -> String {
        let destination = match self.via {
            Via::Queue => self.deployment.queues().next().map(|arn| Destination::Queue(arn.to_owned())),
            Via::Function => Some(Destination::Function(self.deployment.function.arn.clone())),
            Via::EventBridge => None,
        };
        // Where it cannot be read which rules `link` made, the command reports the rules that it does not replace.
        let own = self.deployment.link_rules(api, notifications).await.unwrap_or_default();
        let overlap = destination.and_then(|it| notifications.with(&it, &self.filter, &own).err());
        let Some(Overlap(rules)) = overlap else { return format!("run {}", self.command()) };
        let rules: Vec<_> = rules.iter().map(ToString::to_string).collect();
        format!(
            "S3 sends an event to one destination only, so remove or narrow these event notifications: {}; then run {}",
            rules.join("; "),
            self.command()
        )
    }
}

/// Checks how the bucket's event notifications reach the function, and whether the destination's policy allows S3 to
/// send them.
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
        let matching = rules.iter().filter(|rule| rule.includes(event));
        matching.map(|rule| rule.filter.clone()).collect::<BTreeSet<_>>()
    });
    let missing_events = EVENTS.iter().zip(&filters).filter(|(_, filters)| filters.is_empty());
    let missing_events: Vec<_> = missing_events.map(|(event, _)| event.trim_start_matches("s3:")).collect();
    let all_keys = filters.each_ref().map(|it| it.contains(&KeyFilter::default()));
    let first = rules.first().map(|rule| &rule.destination);
    let kind = if matches!(first, Some(Destination::Function(_))) { "function" } else { "queue" };
    let events_via = if !missing_events.is_empty() {
        let remedy = relink.remedy(api, notifications).await;
        let message = format!("no event notification matches {}; {remedy}", missing_events.join(", "));
        Check::problem(kind, "events-missing", message)
    } else if all_keys == [true; 3] {
        Check::ok(kind)
    } else if filters.windows(2).all(|two| matches!(two, [one, other] if one == other)) {
        Check::ok(format!("{kind}, some keys"))
    } else {
        let problem = "the event notifications have different prefix or suffix filters for different event types";
        Check::problem(kind, "filters-differ", format!("{problem}; {}", relink.remedy(api, notifications).await))
    };
    (events_via, check_permission(api, deployment, relink, &rules).await)
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
                    return Check::problem(
                        "KMS key",
                        "queue-key",
                        LinkError::QueueKeyUnusable(arn.clone()).to_string(),
                    );
                }
                result => result.map(|queue| (queue.policy, request("sqs:SendMessage"))),
            },
            _ => api.function_policy(arn).await.map(|policy| (policy, request("lambda:InvokeFunction"))),
        };
        match result {
            Ok((Some(policy), request)) if allows(&policy, request) => {}
            Ok(_) => {
                let message = if matches!(destination, Destination::Queue(_)) {
                    let (queue, account) = (arn.clone(), account.to_owned());
                    LinkError::QueuePolicyDenies { queue, bucket, account }.to_string()
                } else {
                    format!(
                        "the policy of {destination} does not allow S3 to invoke it for the bucket; {}",
                        permission_remedy(deployment, relink, arn)
                    )
                };
                return Check::problem("missing", "policy-missing", message);
            }
            Err(error) => return Check::failed_call(&error),
        }
    }
    Check::ok("ok")
}

/// The remedy for a function, or a version or an alias of it, that S3 may not invoke. `link` allows the function itself
/// only.
fn permission_remedy(deployment: &Deployment, relink: &RelinkCommand<'_>, arn: &str) -> String {
    if arn == deployment.function.arn {
        return format!("run {}", relink.command());
    }
    let (bucket, account) = (deployment.bucket_arn(relink.bucket), deployment.account.as_str());
    let statement = statement_id(relink.bucket);
    let words = ["--function-name", arn, "--statement-id", statement.as_str()];
    let words = words.into_iter().chain(["--action", "lambda:InvokeFunction", "--principal", S3_PRINCIPAL]);
    let words = words.chain(["--source-arn", &bucket, "--source-account", account]);
    format!("run {}", deployment.given.aws("lambda add-permission", &words.collect::<Vec<_>>()))
}

/// Checks the same for a bucket that has no event notification for the function or its queue: its events may be sent to
/// EventBridge or to a topic.
async fn check_without_rules(
    api: &impl OperatorApi,
    deployment: &Deployment,
    relink: &RelinkCommand<'_>,
    notifications: &Notifications,
) -> (Check, Check) {
    if notifications.event_bridge {
        return match is_forwarded(api, deployment, relink.bucket).await {
            Ok(true) => (Check::ok("EventBridge"), Check::ok("ok")),
            Ok(false) => {
                let message = LinkError::NoEventRule.to_string();
                (Check::problem("EventBridge", "event-rule-missing", message), Check::not_checked())
            }
            Err(error) => (Check::ok("EventBridge"), Check::failed_call(&error)),
        };
    }
    let includes_all_events = |rule: &&NotificationRule| {
        matches!(rule.destination, Destination::Topic(_)) && EVENTS.iter().all(|it| rule.includes(it))
    };
    if let Some(rule) = notifications.rules.iter().find(includes_all_events) {
        // The topic's subscriptions are not checked.
        return (Check::ok(rule.destination.to_string()), Check::not_checked());
    }
    let remedy = relink.remedy(api, notifications).await;
    let message = format!("the bucket sends no event notifications to the function; {remedy}");
    (Check::problem("none", "notifications-missing", message), Check::not_checked())
}

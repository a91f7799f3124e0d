//! `invalidator link` and `invalidator unlink`: print a bucket's change set, ask for confirmation, and apply it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use super::aws::OperatorClients;
use super::aws_args::{AwsArgs, DeploymentArgs};
use super::confirm::{ConfirmArgs, Outcome, Outcomes};
use super::invalidate::request_id;
use super::link::{
    Deployment, KeyFilter, LinkError, LinkPlan, LinkRequest, ListedDistribution, UnlinkPlan, Via, apply,
    list_distributions, plan_link, plan_unlink, quoted, serving,
};
use super::template_snippet;
use super::terminal::{note, warn};
use crate::change::text::{counted, one_line};
use crate::change::{BucketName, DistributionId, NameError};
use crate::path::named_items;
use crate::plan::{DeliveryId, plan_named};

/// The base delay between two reads that verify a write; see [`apply`].
const PAUSE: Duration = Duration::from_secs(1);

/// The path that invalidates everything.
const EVERYTHING: &str = "/*";

/// The buckets to link, their distributions, and how their events reach the function.
#[derive(Debug, Args)]
#[command(after_help = "\
Without DISTRIBUTION, the command links each bucket to the distributions that
have it as an origin. It shows the changes and asks for confirmation. It keeps
the bucket's other tags and event notifications; --replace removes those that
link added before. If a step fails, the command rolls back the steps before it.
If a bucket is already linked in the same way, nothing changes.

Examples:
  invalidator link my-site
  invalidator link my-site E2EXAMPLE1ABCD --dry-run
  invalidator link my-site www.example.com --invalidate-now
  invalidator link s3://my-site s3://my-docs --yes
  invalidator link my-site E2EXAMPLE1ABCD --via function --prefix web/ --yes
  invalidator link my-site E2EXAMPLE2ABCD --replace")]
pub(super) struct LinkArgs {
    /// Bucket to link
    #[arg(value_parser = super::input::bucket)]
    bucket: BucketName,
    /// IDs, ARNs, domain names or aliases of distributions; and further buckets, as `s3://BUCKET`, for the same distributions
    #[arg(value_name = "DISTRIBUTION", value_parser = Word::parse)]
    words: Vec<Word>,
    /// How S3 sends the bucket's event notifications to the function
    #[arg(long, value_name = "DESTINATION", default_value = "queue")]
    via: ViaArg,
    /// Send events only for keys that start with this prefix
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Send events only for keys that end with this suffix
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    suffix: String,
    /// Link the bucket even if no origin of a distribution points to the bucket, or if the origins cannot be read
    #[arg(long)]
    skip_origin_check: bool,
    /// Remove what link added before: other distribution IDs, and event notifications with another prefix or suffix
    #[arg(long)]
    replace: bool,
    /// After the link, invalidate /* in each distribution once, for changes from before the link
    #[arg(long)]
    invalidate_now: bool,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    deployment: DeploymentArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

/// A word after the first bucket.
#[derive(Clone, Debug)]
enum Word {
    Distribution(DistributionId),
    Bucket(BucketName),
    /// A distribution's domain name or alias.
    DomainName(String),
}

impl Word {
    fn parse(text: &str) -> Result<Self, NameError> {
        let host = text.strip_prefix("https://").unwrap_or(text).trim_end_matches('/').trim_end_matches('.');
        match DistributionId::from_word(text) {
            Ok(id) => Ok(Self::Distribution(id)),
            Err(_) if text.starts_with("s3://") => super::input::bucket(text).map(Self::Bucket),
            // Every domain name is a valid name of a bucket. An alias can begin with a wildcard.
            Err(_) if host.contains('.') && BucketName::new(host.trim_start_matches("*.")).is_ok() => {
                Ok(Self::DomainName(host.to_owned()))
            }
            Err(_) if BucketName::new(text).is_ok() => {
                Err(NameError::new(text, "is not a distribution; write s3://BUCKET for another bucket"))
            }
            Err(error) => Err(error),
        }
    }
}

/// The bucket to unlink.
#[derive(Debug, Args)]
#[command(after_help = "\
The command shows the changes and asks for confirmation. It removes only what
link added for this function, and lists the distribution IDs and event
notifications that it keeps. With --everything, it removes these too, except
distribution IDs that link added for another function.

Examples:
  invalidator unlink my-site
  invalidator unlink my-site E2EXAMPLE1ABCD --dry-run
  invalidator unlink my-site --force")]
pub(super) struct UnlinkArgs {
    /// Bucket to unlink
    #[arg(value_parser = super::input::bucket)]
    bucket: BucketName,
    /// IDs of the distributions to unlink; default: all that link added
    #[arg(value_name = "DISTRIBUTION", value_parser = DistributionId::from_word)]
    distributions: Vec<DistributionId>,
    /// Unlink the bucket from a function that no longer exists
    #[arg(long)]
    force: bool,
    /// Also remove what link did not add, such as the tag and the event notifications from a template
    #[arg(long)]
    everything: bool,
    /// Key of the bucket tag that names the distributions; default: the function's variable `DISTRIBUTION_TAG`
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    tag: Option<String>,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    deployment: DeploymentArgs,
    #[command(flatten)]
    aws: AwsArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ViaArg {
    /// Through the function's SQS queue: one invalidation for many changes
    Queue,
    /// Directly to the function: one invalidation for each change, without delay
    Function,
    /// Through EventBridge, whose rule of the stack sends them to the queue
    #[value(name = "eventbridge")]
    EventBridge,
}

impl LinkArgs {
    pub(super) fn is_json(&self) -> bool {
        self.confirm.json
    }

    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.confirm.check()?;
        if self.prefix.starts_with('/') {
            warn(format_args!(
                "the prefix {} matches only keys that begin with a slash, which few have; leave its slash out",
                quoted(&self.prefix)
            ));
        }
        let (clients, deployment) = self.deployment.find(&self.aws, Some(&self.bucket)).await?;
        let more = self.words.iter().filter_map(|it| match it {
            Word::Bucket(name) => Some(name),
            Word::Distribution(_) | Word::DomainName(_) => None,
        });
        let buckets: BTreeSet<_> = std::iter::once(&self.bucket).chain(more).collect();
        // IDs need no list, for which a permission is necessary.
        let has_name = self.words.iter().any(|it| matches!(it, Word::DomainName(_)));
        let has_id = self.words.iter().any(|it| matches!(it, Word::Distribution(_)));
        let listed = if has_name || !has_id { list_distributions(&clients, &deployment).await? } else { Vec::new() };
        let named = self.named_distributions(&listed, &deployment)?;
        if deployment.function.is_dry_run {
            warn("the function sends no invalidations (DRY_RUN); deploy it with DryRun=false");
        }
        let mut outcomes = Outcomes::default();
        // The distributions in which everything is to be invalidated. Several buckets can have the same.
        let mut stale = BTreeSet::new();
        for bucket in &buckets {
            // Boxed, because the nested future types are large.
            match Box::pin(self.link(&clients, &deployment, bucket, (&named, &listed), &mut stale)).await {
                Ok(outcome) => outcomes.add(outcome),
                Err(error) if buckets.len() == 1 => return Err(error),
                Err(error) => outcomes.fail(&format!("{bucket}: "), &error),
            }
        }
        for id in &stale {
            match self.invalidate_everything(&clients, &deployment, id).await {
                Ok(()) => outcomes.invalidated(id),
                Err(error) => outcomes.fail("", &error),
            }
        }
        self.confirm.finish(outcomes)
    }

    /// Returns the distributions that the words name, of those that are listed.
    fn named_distributions(
        &self,
        listed: &[ListedDistribution],
        deployment: &Deployment,
    ) -> anyhow::Result<Vec<DistributionId>> {
        let mut found = Vec::new();
        for word in &self.words {
            match word {
                Word::Bucket(_) => {}
                Word::Distribution(id) => found.push(id.clone()),
                Word::DomainName(name) => {
                    let Some(named) = listed.iter().find(|it| it.has_domain_name(name)) else {
                        bail!(
                            "no distribution of account {} has the domain name or alias {name}; name its ID, or write \
                             s3://{name} if it is a bucket",
                            deployment.account.as_str()
                        );
                    };
                    found.push(named.id.clone());
                }
            }
        }
        Ok(found)
    }

    /// Links a bucket to the named distributions, or else to those that have it as an origin.
    async fn link(
        &self,
        clients: &OperatorClients,
        deployment: &Deployment,
        bucket: &BucketName,
        (named, listed): (&[DistributionId], &[ListedDistribution]),
        stale: &mut BTreeSet<DistributionId>,
    ) -> anyhow::Result<Outcome> {
        let distributions = match named {
            [] => {
                let serving = serving(clients, listed, bucket).await.map_err(LinkError::Call)?;
                serving.into_iter().map(|it| it.id.clone()).collect()
            }
            named => named.to_vec(),
        };
        if distributions.is_empty() {
            return Err(LinkError::NoneServes(deployment.account.clone()).into());
        }
        let request = LinkRequest {
            bucket: bucket.clone(),
            distributions,
            via: match self.via {
                ViaArg::Queue => Via::Queue,
                ViaArg::Function => Via::Function,
                ViaArg::EventBridge => Via::EventBridge,
            },
            filter: KeyFilter { prefix: self.prefix.clone(), suffix: self.suffix.clone() },
            skip_origin_check: self.skip_origin_check,
            replace: self.replace,
        };
        let link_plan = plan_link(clients, deployment, &request).await?;
        self.explain(deployment, &request, &link_plan);
        let snippet = link_plan.managed_by.as_ref();
        let snippet = snippet.map(|it| template_snippet::of(it, &request, deployment.tag(), &link_plan));
        let mut outcome = Outcome::new(&link_plan.change_set);
        let has_changes = !link_plan.change_set.steps.is_empty();
        if has_changes {
            self.confirm.show(&link_plan.change_set);
            let (tags, rules) = (link_plan.unchanged_tags, link_plan.unchanged_rules);
            if tags + rules > 0 {
                let (tags, rules) = (counted(tags, "tag"), counted(rules, "event notification"));
                self.confirm.say(format_args!("Unchanged: {tags}, {rules}"));
            }
        } else {
            self.confirm.say(format_args!("No changes: {bucket} is already linked."));
        }
        if self.invalidate_now {
            let ids = request.distributions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
            self.confirm.say(format_args!("Then everything ({EVERYTHING}) is invalidated in {ids}."));
        }
        snippet.into_iter().for_each(note);
        let is_confirmed = (has_changes || self.invalidate_now) && self.confirm.is_confirmed()?;
        if is_confirmed && has_changes {
            apply(clients, &link_plan.change_set, PAUSE).await?;
            outcome.is_applied = true;
            self.confirm
                .say(format_args!("Linked {bucket}. S3 starts to send event notifications in about five minutes."));
        }
        if is_confirmed && self.invalidate_now {
            stale.extend(request.distributions);
        }
        Ok(outcome)
    }

    /// Prints what was found out about the distributions and the queue.
    fn explain(&self, deployment: &Deployment, request: &LinkRequest, link_plan: &LinkPlan) {
        for (id, paths) in &link_plan.origin_paths {
            match paths.as_slice() {
                [] => {
                    warn(format_args!(
                        "cannot confirm that an origin of {id} points to {}; to check the bucket, run {}",
                        request.bucket,
                        deployment.given.invalidator(&["status", request.bucket.as_str(), "--skip-origin-check"])
                    ));
                }
                paths => self.confirm.say(format_args!(
                    "{id} serves {} with origin path {}.",
                    request.bucket,
                    paths.join(" and ")
                )),
            }
        }
        for id in &link_plan.wrong_distributions {
            warn(format_args!(
                "the bucket's tag also names {id}, which does not exist or has no origin that points to the bucket; if it is \
                 wrong, run {}",
                deployment.given.invalidator(&["unlink", request.bucket.as_str(), id.as_str(), "--everything"])
            ));
        }
        if let Some(problem) = &link_plan.unread_queue {
            warn(one_line(&problem.message));
        }
    }

    /// Invalidates everything in a distribution.
    async fn invalidate_everything(
        &self,
        clients: &OperatorClients,
        deployment: &Deployment,
        id: &DistributionId,
    ) -> anyhow::Result<()> {
        let (everything, _) = named_items([EVERYTHING])?;
        let delivery = request_id();
        let id = std::slice::from_ref(id);
        for invalidation in plan_named(id, &everything, None, &DeliveryId::Invocation(&delivery)) {
            let id = &invalidation.distribution;
            clients.cloud_front().create(&invalidation).await.map_err(|error| {
                let again = ["invalidate", "--distribution", id.as_str(), "--paths", EVERYTHING];
                anyhow!("cannot invalidate everything in {id}: {error}; run {}", deployment.given.invalidator(&again))
            })?;
            self.confirm.say(format_args!("Invalidated everything in {id}."));
        }
        Ok(())
    }
}

impl UnlinkArgs {
    pub(super) fn is_json(&self) -> bool {
        self.confirm.json
    }

    pub(super) async fn run(self) -> anyhow::Result<()> {
        self.confirm.check()?;
        let (clients, deployment) = if self.force {
            self.aws.without_function().await?
        } else {
            self.deployment.find(&self.aws, Some(&self.bucket)).await?
        };
        let tag = self.tag.as_deref().unwrap_or_else(|| deployment.tag());
        let unlink_plan =
            plan_unlink(&clients, &deployment, tag, &self.bucket, &self.distributions, self.everything).await?;
        let UnlinkPlan { change_set, foreign, of_others, rules, removes_last, queued_messages } = &unlink_plan;
        for id in foreign {
            note(format_args!("Kept {id} in the bucket's tag: link did not add it."));
        }
        for (id, function) in of_others {
            note(format_args!(
                "Kept {id} in the bucket's tag: the bucket is linked to function {} too.",
                one_line(function)
            ));
        }
        for rule in rules {
            note(format_args!("Kept an event notification that link did not add: {rule}"));
        }
        if !foreign.is_empty() || !rules.is_empty() {
            note(format_args!(
                "Remove them where they were added, or run {}.",
                deployment.given.invalidator(&["unlink", self.bucket.as_str(), "--everything"])
            ));
        }
        if change_set.steps.is_empty() {
            let ids: Vec<_> = self.distributions.iter().map(DistributionId::as_str).collect();
            self.confirm.say(match ids.as_slice() {
                [] => format!("No changes: {} has no changes from link.", self.bucket),
                ids => format!("No changes: link did not add {} to {}.", ids.join(" or "), self.bucket),
            });
            return self.confirm.finish(Outcomes::of(Outcome::new(change_set)));
        }
        self.confirm.show(change_set);
        if *queued_messages > 0 {
            warn(format_args!(
                "the queue has about {}. The function skips messages for this bucket after the tag is \
                 removed.",
                counted(usize::try_from(*queued_messages).unwrap_or(usize::MAX), "message")
            ));
        }
        let mut outcome = Outcome::new(change_set);
        outcome.is_applied = self.confirm.is_confirmed()?;
        if outcome.is_applied {
            apply(&clients, change_set, PAUSE).await?;
            self.confirm.say(if *removes_last {
                format!("Unlinked {}.", self.bucket)
            } else {
                format!("Removed the distributions; {} is still linked to others.", self.bucket)
            });
        }
        self.confirm.finish(Outcomes::of(outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_distribution_a_domain_name_or_the_address_of_a_bucket() {
        for (text, expected) in [
            ("E2EXAMPLE1ABCD", "Distribution(E2EXAMPLE1ABCD)"),
            ("arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE1ABCD", "Distribution(E2EXAMPLE1ABCD)"),
            ("s3://my-docs/", "Bucket(my-docs)"),
            ("d111111abcdef8.cloudfront.net", "DomainName(d111111abcdef8.cloudfront.net)"),
            ("www.example.com.", "DomainName(www.example.com)"),
            ("https://www.example.com/", "DomainName(www.example.com)"),
            ("*.example.com", "DomainName(*.example.com)"),
        ] {
            let word = match Word::parse(text) {
                Ok(Word::Distribution(id)) => format!("Distribution({id})"),
                Ok(Word::Bucket(name)) => format!("Bucket({name})"),
                Ok(Word::DomainName(name)) => format!("DomainName({name})"),
                Err(error) => error.to_string(),
            };
            assert_eq!(word, expected);
        }
        let error = Word::parse("my-docs").unwrap_err().to_string();
        assert!(error.contains("my-docs") && error.contains("s3://BUCKET"), "{error}");
        assert!(Word::parse("E1,E2").unwrap_err().to_string().contains("separate them by spaces"));
    }
}

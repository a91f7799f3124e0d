//! A distribution's config, read from CloudFront or from the output of `aws cloudfront get-distribution-config`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;

use super::key_lists;
use super::terminal::note;
use crate::aws::{self, CallError, CloudFront, ErrorClass};
use crate::change::DistributionId;
use crate::handler::deadline::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT};
use crate::path::{Behavior, DistributionConfig, Origin, OriginGroup};

/// The distribution whose config maps objects to URLs.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// Distribution whose config is read from CloudFront, with the AWS CLI's credentials and Region
    #[arg(long, value_name = "ID", value_parser = DistributionId::new, requires = "bucket")]
    distribution: Option<DistributionId>,
    /// Distribution config: the output of `aws cloudfront get-distribution-config`; - reads standard input
    #[arg(long, value_name = "FILE", requires = "bucket", conflicts_with = "distribution")]
    config: Option<PathBuf>,
    /// Do not read the config of --distribution; use defaults instead
    #[arg(long)]
    offline: bool,
}

impl ConfigArgs {
    /// The file with the distribution config, if one is named.
    pub(super) fn file(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Returns the distribution config from the file or from CloudFront; `None` if it is not known. A failed call only
    /// prints a note, unless the distribution does not exist.
    pub(super) async fn read(&self) -> anyhow::Result<Option<DistributionConfig>> {
        if let Some(file) = &self.config {
            let config = parse(&key_lists::read(file)?).with_context(|| key_lists::name(file))?;
            for policy in config.unresolved_policies() {
                note(format_args!(
                    "The file does not contain cache policy {}. The plan assumes that its cache key has no query \
                     strings.",
                    policy.as_str()
                ));
            }
            return Ok(Some(config));
        }
        let Some(id) = self.distribution.as_ref().filter(|_| !self.offline) else { return Ok(None) };
        if id.is_tenant() {
            note(format_args!(
                "{id} is a distribution tenant, whose config the plan cannot read. The plan uses defaults."
            ));
            return Ok(None);
        }
        match read_config(&CloudFront::new(&aws::config_loader(CONNECT_TIMEOUT, ATTEMPT_TIMEOUT)?.0.load().await), id)
            .await
        {
            Ok(config) => Ok(Some(config)),
            Err(error) if error.class == ErrorClass::NotFound => bail!("{error}; correct --distribution"),
            Err(error) => {
                note(format_args!("Cannot read the config of {id}, so the plan uses defaults: {error}"));
                Ok(None)
            }
        }
    }
}

async fn read_config(cloudfront: &CloudFront, id: &DistributionId) -> Result<DistributionConfig, CallError> {
    let mut config = cloudfront.distribution_config(id).await?;
    for policy in config.unresolved_policies() {
        let in_key = match cloudfront.has_query_strings(&policy).await {
            Ok(in_key) => in_key,
            Err(error) if error.class == ErrorClass::AccessDenied => {
                note(format_args!(
                    "Cannot read cache policy {}. The plan assumes that its cache key has no query strings: {error}",
                    policy.as_str()
                ));
                false
            }
            Err(error) => return Err(error),
        };
        config.resolve_policy(&policy, in_key);
    }
    Ok(config)
}

/// The output of `aws cloudfront get-distribution` or `get-distribution-config`, or the distribution config alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum ConfigOutput {
    #[serde(rename_all = "PascalCase")]
    Distribution {
        distribution: ConfigWrapper,
    },
    ConfigWrapper(ConfigWrapper),
    ConfigJson(ConfigJson),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConfigWrapper {
    distribution_config: ConfigJson,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConfigJson {
    origins: ListJson<OriginJson>,
    #[serde(default)]
    origin_groups: ListJson<OriginGroupJson>,
    default_cache_behavior: BehaviorJson,
    #[serde(default)]
    cache_behaviors: ListJson<BehaviorJson>,
    #[serde(default)]
    default_root_object: Option<String>,
}

/// A list in a distribution config. Without `Items` it is empty.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListJson<T> {
    #[serde(default = "Vec::new")]
    items: Vec<T>,
}

impl<T> Default for ListJson<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OriginJson {
    id: String,
    domain_name: String,
    #[serde(default)]
    origin_path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OriginGroupJson {
    id: String,
    members: ListJson<MemberJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MemberJson {
    origin_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BehaviorJson {
    path_pattern: Option<String>,
    target_origin_id: String,
    cache_policy_id: Option<String>,
    forwarded_values: Option<ForwardedJson>,
    #[serde(default)]
    function_associations: ListJson<AssociationJson>,
    #[serde(default)]
    lambda_function_associations: ListJson<AssociationJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ForwardedJson {
    query_string: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AssociationJson {
    event_type: String,
}

fn parse(json: &str) -> anyhow::Result<DistributionConfig> {
    let config = match serde_json::from_str(json) {
        Ok(
            ConfigOutput::Distribution { distribution: ConfigWrapper { distribution_config } }
            | ConfigOutput::ConfigWrapper(ConfigWrapper { distribution_config }),
        ) => distribution_config,
        Ok(ConfigOutput::ConfigJson(config)) => config,
        Err(_) => bail!("not the output of `aws cloudfront get-distribution-config`"),
    };
    let behavior = |it: &BehaviorJson, pattern: Option<&str>| {
        let events = it.function_associations.items.iter().chain(&it.lambda_function_associations.items);
        let forwards = it.forwarded_values.as_ref().is_some_and(|it| it.query_string);
        let events = events.map(|it| it.event_type.as_str());
        Behavior::new(pattern, &it.target_origin_id, it.cache_policy_id.as_deref(), forwards, events)
    };
    let group =
        |it: OriginGroupJson| OriginGroup::new(&it.id, it.members.items.into_iter().map(|it| it.origin_id).collect());
    let ordered = config.cache_behaviors.items.iter().map(|it| behavior(it, it.path_pattern.as_deref()));
    Ok(DistributionConfig {
        behaviors: ordered.chain([behavior(&config.default_cache_behavior, None)]).collect::<Result<_, _>>()?,
        origins: config
            .origins
            .items
            .iter()
            .map(|it| Origin::new(&it.id, &it.domain_name, &it.origin_path))
            .collect::<Result<_, _>>()?,
        origin_groups: config.origin_groups.items.into_iter().map(group).collect::<Result<_, _>>()?,
        default_root_object: DistributionConfig::root_object(config.default_root_object.as_deref()),
    })
}

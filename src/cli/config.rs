//! A distribution's or distribution tenant's config, read from CloudFront or from the output of `aws cloudfront get-distribution-config`.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;

use super::aws_args::AwsArgs;
use super::failure::{CodedError, code};
use super::link::{call_code, remedy};
use super::terminal::warn;
use super::{config_json, input};
use crate::aws::{CallError, CloudFront, ErrorClass};
use crate::change::DistributionId;
use crate::path::DistributionConfig;

/// The distribution whose config maps objects to URLs.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// Distribution or distribution tenant whose config is read from CloudFront; needs --bucket
    #[arg(long, value_name = "ID", value_parser = DistributionId::from_word, requires = "bucket")]
    distribution: Option<DistributionId>,
    /// Output of `aws cloudfront get-distribution-config`; needs --bucket; - reads standard input
    #[arg(long, value_name = "FILE", requires = "bucket", conflicts_with = "distribution")]
    config: Option<PathBuf>,
    /// Do not read the config of --distribution, for example without credentials; use defaults instead
    #[arg(long)]
    offline: bool,
}

impl ConfigArgs {
    /// The file with the distribution config, if one is named.
    pub(super) fn file(&self) -> Option<&Path> {
        self.config.as_deref()
    }

    /// Returns the distribution config from the file or from CloudFront; `None` if it is not asked for. A failed call is an
    /// error, since the defaults could be other paths than the right ones.
    pub(super) async fn read(&self, aws: &AwsArgs) -> anyhow::Result<Option<DistributionConfig>> {
        if let Some(file) = &self.config {
            let config = config_json::parse(&input::read_text(file)?).with_context(|| input::name(file))?;
            if config.is_multi_tenant {
                bail!(
                    "{}: this is the config of a multi-tenant distribution, without a tenant's values of its \
                     parameters; name a tenant (dt_…) with --distribution instead",
                    input::name(file)
                );
            }
            for policy in config.unresolved_policies() {
                warn(format_args!(
                    "the file does not contain cache policy {}. The plan assumes that its cache key has no query \
                     strings.",
                    policy.as_str()
                ));
            }
            return Ok(Some(config));
        }
        let Some(id) = self.distribution.as_ref().filter(|_| !self.offline) else { return Ok(None) };
        let unreadable = |error: &dyn Display| {
            anyhow!("cannot read the config of {id}: {error}; add --offline to plan without it, with defaults")
        };
        let aws = aws.cloud_front_config().await.map_err(|error| {
            let message = unreadable(&format_args!("{error:#}")).to_string();
            CodedError { code: code(&error), message }
        })?;
        match read_config(&CloudFront::new(&aws), id).await {
            Ok(config) if config.is_multi_tenant => bail!(
                "{id} is a multi-tenant distribution, whose cache is invalidated per tenant; name one of its tenants \
                 (dt_…) with --distribution"
            ),
            Ok(config) => Ok(Some(config)),
            Err(error) => {
                let message = match error.class {
                    ErrorClass::NotFound => format!("{error}; correct --distribution"),
                    _ => unreadable(&format_args!("{error}{}", remedy(&error))).to_string(),
                };
                Err(CodedError { code: call_code(&error), message }.into())
            }
        }
    }
}

async fn read_config(cloudfront: &CloudFront, id: &DistributionId) -> Result<DistributionConfig, CallError> {
    let mut config = if id.is_tenant() {
        let tenant = cloudfront.tenant(id).await?;
        cloudfront.distribution_config(&tenant.distribution).await?.for_tenant(&tenant.parameters)
    } else {
        cloudfront.distribution_config(id).await?
    };
    for policy in config.unresolved_policies() {
        let in_key = match cloudfront.has_query_strings(&policy).await {
            Ok(in_key) => in_key,
            Err(error) if error.class == ErrorClass::AccessDenied => {
                warn(format_args!(
                    "cannot read cache policy {}. The plan assumes that its cache key has no query strings: {error}",
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

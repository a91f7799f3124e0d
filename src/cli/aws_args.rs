//! The options that select a command's credentials, Region, endpoint and function.

use std::env;

use anyhow::{Context, anyhow};
use clap::Args;

use super::aws::{ConfigOverrides, OperatorClients, in_region, load_config};
use super::failure::CodedError;
use super::link::{Deployment, FunctionLocator, GivenOptions, find};
use crate::aws;
use crate::change::text::excerpt;
use crate::change::{BucketName, Region};
use crate::handler::deadline::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT};

/// The environment variable that sets one endpoint for all services in the AWS CLI and the SDKs.
const ENDPOINT_VARIABLE: &str = "AWS_ENDPOINT_URL";

/// The Region for which requests to CloudFront are signed. Source: AWS General Reference, "Amazon CloudFront endpoints
/// and quotas".
const CLOUD_FRONT_REGION: &str = "us-east-1";

/// The credentials, the Region and the endpoint.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "AWS")]
pub(super) struct AwsArgs {
    /// The profile
    #[arg(long, value_name = "NAME", help = "Profile in the AWS config and credentials files; default: AWS_PROFILE")]
    profile: Option<String>,
    /// The Region
    #[arg(
        long,
        value_name = "REGION",
        value_parser = Region::new,
        help = "AWS Region; default: AWS_REGION or the profile's region"
    )]
    region: Option<Region>,
    /// The endpoint
    #[arg(
        long,
        value_name = "URL",
        value_parser = endpoint,
        help = "Endpoint URL to use instead of AWS's; default: AWS_ENDPOINT_URL"
    )]
    endpoint_url: Option<String>,
}

/// Checks an endpoint URL. The SDK's own error for an invalid one contains the whole request.
fn endpoint(text: &str) -> Result<String, String> {
    let is_url = text.parse::<http::Uri>().is_ok_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty())
    });
    if is_url { Ok(text.to_owned()) } else { Err("not an endpoint URL, such as \"http://localhost:4566\"".to_owned()) }
}

/// The stack of a deployment without options.
const DEFAULT_STACK: &str = "cloudfront-invalidator";

/// The deployed function.
#[derive(Debug, Args)]
#[command(next_help_heading = "Function")]
pub(super) struct DeploymentArgs {
    /// CloudFormation stack of the function
    #[arg(long, value_name = "NAME", default_value = DEFAULT_STACK)]
    stack: String,
    /// Name or ARN of the function, instead of --stack
    #[arg(long, value_name = "NAME", conflicts_with = "stack")]
    function: Option<String>,
}

impl AwsArgs {
    /// The Region, if an option names it.
    pub(super) fn region(&self) -> Option<&Region> {
        self.region.as_ref()
    }

    /// The options with their values.
    pub(super) fn options(&self) -> Vec<(&'static str, String)> {
        let region = self.region.as_ref().map(ToString::to_string);
        let options =
            [("--profile", self.profile.clone()), ("--region", region), ("--endpoint-url", self.endpoint_url.clone())];
        options.into_iter().filter_map(|(option, value)| Some((option, value?))).collect()
    }

    fn overrides(&self) -> ConfigOverrides {
        ConfigOverrides {
            profile: self.profile.clone(),
            region: self.region.as_ref().map(ToString::to_string),
            endpoint: self.endpoint_url.clone(),
        }
    }

    /// Returns the clients, and a deployment whose function no longer exists.
    pub(super) async fn without_function(&self) -> anyhow::Result<(OperatorClients, Deployment)> {
        let config = self.config().await?;
        let clients = OperatorClients::new(&config);
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let given = GivenOptions { aws: self.options(), ..GivenOptions::default() };
        let deployment = Deployment::without_function(&clients, &region, given).await?;
        Ok((clients, deployment))
    }

    /// Loads the SDK configuration. A missing or invalid Region and an invalid endpoint are errors.
    pub(super) async fn config(&self) -> anyhow::Result<aws::SdkConfig> {
        let config = self.load().await?;
        if config.region().is_none() {
            let message = "no Region configured; set --region, AWS_REGION or the profile's region".to_owned();
            return Err(CodedError { code: "region-missing", message }.into());
        }
        Ok(config)
    }

    /// The same for calls to CloudFront alone. It has one endpoint in a partition, so that no Region is necessary.
    pub(super) async fn cloud_front_config(&self) -> anyhow::Result<aws::SdkConfig> {
        let config = self.load().await?;
        Ok(if config.region().is_some() { config } else { in_region(config, CLOUD_FRONT_REGION) })
    }

    async fn load(&self) -> anyhow::Result<aws::SdkConfig> {
        let (loader, client) = aws::config_loader(CONNECT_TIMEOUT, ATTEMPT_TIMEOUT)?;
        let config = load_config(loader, client, &self.overrides()).await?;
        if let Some(region) = config.region() {
            Region::new(region.as_ref()).context("AWS_REGION or the profile's region")?;
        }
        if let Some(url) = env::var_os(ENDPOINT_VARIABLE).filter(|_| self.endpoint_url.is_none()) {
            let url = url.to_string_lossy();
            endpoint(&url).map_err(|error| anyhow!("{ENDPOINT_VARIABLE} \"{}\": {error}", excerpt(&url)))?;
        }
        Ok(config)
    }
}

impl DeploymentArgs {
    /// Returns the clients and the deployed function, found by `--function` or by `--stack`.
    ///
    /// `bucket` is the one that the command is given, for remedies.
    pub(super) async fn find(
        &self,
        aws: &AwsArgs,
        bucket: Option<&BucketName>,
    ) -> anyhow::Result<(OperatorClients, Deployment)> {
        let config = aws.config().await?;
        let clients = OperatorClients::new(&config);
        let locator = match &self.function {
            Some(name) => FunctionLocator::Function(name.clone()),
            None => FunctionLocator::Stack(self.stack.clone()),
        };
        let function = match &locator {
            FunctionLocator::Function(name) => vec![("--function", name.clone())],
            FunctionLocator::Stack(stack) if stack == DEFAULT_STACK => Vec::new(),
            FunctionLocator::Stack(stack) => vec![("--stack", stack.clone())],
        };
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let given = GivenOptions { function, aws: aws.options(), bucket: bucket.cloned() };
        let deployment = find(&clients, &locator, &region, &given).await?;
        Ok((clients, deployment))
    }
}

//! The options that select a command's credentials, Region, endpoint and function.

use std::env;

use anyhow::{Context, anyhow, bail};
use clap::Args;

use super::aws::{ConfigOverrides, OperatorClients, load_config};
use super::link::{Deployment, FunctionLocator, GivenOptions, find};
use crate::aws;
use crate::change::Region;
use crate::change::text::excerpt;
use crate::handler::deadline::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT};

/// The environment variable that sets one endpoint for all services in the AWS CLI and the SDKs.
const ENDPOINT_VARIABLE: &str = "AWS_ENDPOINT_URL";

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
    /// Name or ARN of the function, if no output of the stack identifies it
    #[arg(long, value_name = "NAME", conflicts_with = "stack")]
    function: Option<String>,
}

impl AwsArgs {
    /// The options of a command that has no options but the Region.
    pub(super) fn in_region(region: Option<&Region>) -> Self {
        Self { region: region.cloned(), ..Self::default() }
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
        let given = GivenOptions { function: Vec::new(), aws: self.options() };
        let deployment = Deployment::without_function(&clients, &region, given).await?;
        Ok((clients, deployment))
    }

    /// Loads the SDK configuration. A missing or invalid Region and an invalid endpoint are errors.
    pub(super) async fn config(&self) -> anyhow::Result<aws::SdkConfig> {
        let (loader, client) = aws::config_loader(CONNECT_TIMEOUT, ATTEMPT_TIMEOUT)?;
        let config = load_config(loader, client, &self.overrides()).await?;
        let Some(region) = config.region() else {
            bail!("no Region configured; set --region, AWS_REGION or the profile's region");
        };
        Region::new(region.as_ref()).context("AWS_REGION or the profile's region")?;
        if let Some(url) = env::var_os(ENDPOINT_VARIABLE).filter(|_| self.endpoint_url.is_none()) {
            let url = url.to_string_lossy();
            endpoint(&url).map_err(|error| anyhow!("{ENDPOINT_VARIABLE} \"{}\": {error}", excerpt(&url)))?;
        }
        Ok(config)
    }
}

impl DeploymentArgs {
    /// Returns the clients and the deployed function, found by `--function` or by `--stack`.
    pub(super) async fn find(&self, aws: &AwsArgs) -> anyhow::Result<(OperatorClients, Deployment)> {
        let clients = OperatorClients::new(&aws.config().await?);
        let locator = match &self.function {
            Some(name) => FunctionLocator::Function(name.clone()),
            None => FunctionLocator::Stack(self.stack.clone()),
        };
        let function = match &locator {
            FunctionLocator::Function(name) => vec![("--function", name.clone())],
            FunctionLocator::Stack(stack) if stack == DEFAULT_STACK => Vec::new(),
            FunctionLocator::Stack(stack) => vec![("--stack", stack.clone())],
        };
        let deployment = find(&clients, &locator, &GivenOptions { function, aws: aws.options() }).await?;
        Ok((clients, deployment))
    }
}

//! How distributions are set, from CloudFront.

use std::error::Error;

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::config::http::HttpResponse;
use aws_sdk_cloudfront::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudfront::types::{
    CacheBehavior, CacheBehaviors, CachePolicyQueryStringBehavior, DefaultCacheBehavior, DistributionConfig,
    FunctionAssociations, LambdaFunctionAssociations, OriginGroupMembers, OriginGroups,
};

use super::error::{call_error, not_understood};
use super::invalidations::CloudFront;
use crate::distribution::DistributionId;
use crate::ports::{CallError, ErrorClass, Settings};
use crate::settings::{Behavior, DistributionSettings, Origin, OriginGroup, PolicyId, SettingsError};

impl Settings for CloudFront {
    async fn settings(&self, distribution: &DistributionId) -> Result<DistributionSettings, CallError> {
        let client: &Client = &self.client;
        let answer = client.get_distribution_config().id(distribution.as_str()).send().await;
        let config = answer.map_err(|error| denied_or_not("GetDistributionConfig", &error))?.distribution_config;
        let understood = config.as_ref().map(understand);
        let understood = understood.unwrap_or_else(|| Err("it tells no settings".into()));
        understood.map_err(|reason| not_understood("GetDistributionConfig", &reason))
    }

    async fn has_query_strings(&self, policy: &PolicyId) -> Result<bool, CallError> {
        let client: &Client = &self.client;
        let answer = client.get_cache_policy().id(policy.as_str()).send().await;
        let policy = answer.map_err(|error| denied_or_not("GetCachePolicy", &error))?.cache_policy;
        // What is not there the SDK puts there empty. Every policy has a name.
        let config = policy.and_then(|it| it.cache_policy_config).filter(|it| !it.name.is_empty());
        let config = config.ok_or_else(|| not_understood("GetCachePolicy", "it tells no settings"))?;
        // A policy without parameters has a key of nothing but the path.
        let strings = config.parameters_in_cache_key_and_forwarded_to_origin.and_then(|it| it.query_strings_config);
        Ok(strings.is_some_and(|it| it.query_string_behavior != CachePolicyQueryStringBehavior::None))
    }
}

/// Whoever may not ask goes on without an answer, which is worse than waiting for one. So only CloudFront's own word for it
/// counts: a 403 can also mean that the credentials have just expired, or come from something in between.
fn denied_or_not<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> CallError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let mut told = call_error(operation, error);
    if told.class == ErrorClass::AccessDenied && error.code() != Some("AccessDenied") {
        told.class = ErrorClass::Unavailable;
    }
    told
}

/// What matters of a distribution's settings.
fn understand(config: &DistributionConfig) -> Result<DistributionSettings, String> {
    // What is not there the SDK puts there empty. Every distribution has an origin, and a default behaviour that goes to one.
    let origins = config.origins.as_ref().filter(|it| !it.items.is_empty()).ok_or("it tells no origins")?;
    let origin = |it: &aws_sdk_cloudfront::types::Origin| {
        Origin::new(&it.id, &it.domain_name, it.origin_path.as_deref().unwrap_or_default())
    };
    let group = |it: &aws_sdk_cloudfront::types::OriginGroup| OriginGroup {
        id: it.id.clone(),
        members: it.members.iter().flat_map(OriginGroupMembers::items).map(|it| it.origin_id.clone()).collect(),
    };
    let default = config.default_cache_behavior.as_ref().filter(|it| !it.target_origin_id.is_empty());
    let default = default.ok_or("it tells no default behavior")?;
    let behaviors = config.cache_behaviors.iter().flat_map(CacheBehaviors::items).map(behavior);
    Ok(DistributionSettings {
        origins: origins.items.iter().map(origin).collect::<Result<_, _>>().map_err(|it| it.to_string())?,
        origin_groups: config.origin_groups.iter().flat_map(OriginGroups::items).map(group).collect(),
        behaviors: behaviors
            .chain([default_behavior(default)])
            .collect::<Result<_, _>>()
            .map_err(|it: SettingsError| it.to_string())?,
        default_root_object: DistributionSettings::root_object(config.default_root_object.as_deref()),
    })
}

// The two kinds of behaviours have the same fields and nothing in common. Distributions that were made before there were
// cache policies forward values instead.

#[expect(deprecated, reason = "see above")]
fn behavior(it: &CacheBehavior) -> Result<Behavior, SettingsError> {
    let events = events(it.function_associations.as_ref(), it.lambda_function_associations.as_ref());
    let forwards = it.forwarded_values.as_ref().is_some_and(|it| it.query_string);
    Behavior::new(Some(&it.path_pattern), &it.target_origin_id, it.cache_policy_id.as_deref(), forwards, events)
}

#[expect(deprecated, reason = "see above")]
fn default_behavior(it: &DefaultCacheBehavior) -> Result<Behavior, SettingsError> {
    let events = events(it.function_associations.as_ref(), it.lambda_function_associations.as_ref());
    let forwards = it.forwarded_values.as_ref().is_some_and(|it| it.query_string);
    Behavior::new(None, &it.target_origin_id, it.cache_policy_id.as_deref(), forwards, events)
}

/// The events that functions see.
fn events<'c>(
    functions: Option<&'c FunctionAssociations>,
    lambdas: Option<&'c LambdaFunctionAssociations>,
) -> impl Iterator<Item = &'c str> {
    let functions = functions.into_iter().flat_map(FunctionAssociations::items).map(|it| it.event_type.as_str());
    let lambdas = lambdas.into_iter().flat_map(LambdaFunctionAssociations::items).map(|it| it.event_type.as_str());
    functions.chain(lambdas)
}

//! Reads distribution configs and cache policies from CloudFront.
//!
//! Only what decides which URLs an object has is kept: origins, origin groups, cache behaviors and the default root
//! object.

use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::types::{
    CacheBehavior, CacheBehaviors, CachePolicyQueryStringBehavior, DefaultCacheBehavior,
    DistributionConfig as SdkDistributionConfig, FunctionAssociations, LambdaFunctionAssociations, OriginGroupMembers,
    OriginGroups,
};

use super::CallError;
use super::error::{call_error_unless_denied, invalid_response};
use super::invalidations::CloudFront;
use super::response::{SMALL_RESPONSE_BYTES, SizeLimit};
use crate::change::DistributionId;
use crate::path::{Behavior, DistributionConfig, DistributionConfigError, Origin, OriginGroup, PolicyId};

/// The longest distribution config that is read, in bytes. CloudFront's quotas allow 100 origins with 10,240
/// characters of custom headers each, 75 cache behaviors and 100 alternate domain names.
const MAX_CONFIG_BYTES: usize = 2 * 1024 * 1024;

impl CloudFront {
    /// Returns the config of a distribution (`GetDistributionConfig`).
    ///
    /// # Errors
    /// The error of the call, or an incomplete config.
    pub async fn distribution_config(&self, distribution: &DistributionId) -> Result<DistributionConfig, CallError> {
        let client: &Client = &self.client;
        let call = client.get_distribution_config().id(distribution.as_str()).customize();
        let answer = call.interceptor(SizeLimit(MAX_CONFIG_BYTES)).send().await;
        let config =
            answer.map_err(|error| call_error_unless_denied("GetDistributionConfig", &error))?.distribution_config;
        let converted = config.as_ref().map(to_distribution_config);
        let converted = converted.unwrap_or_else(|| Err("the distribution config is missing".into()));
        converted.map_err(|reason| invalid_response("GetDistributionConfig", &reason))
    }

    /// Returns whether the cache key of a cache policy includes query strings, all of them or some (`GetCachePolicy`).
    ///
    /// # Errors
    /// The error of the call, or an incomplete policy.
    pub async fn has_query_strings(&self, policy: &PolicyId) -> Result<bool, CallError> {
        let client: &Client = &self.client;
        let call = client.get_cache_policy().id(policy.as_str()).customize();
        let answer = call.interceptor(SizeLimit(SMALL_RESPONSE_BYTES)).send().await;
        let policy = answer.map_err(|error| call_error_unless_denied("GetCachePolicy", &error))?.cache_policy;
        let config = policy.and_then(|it| it.cache_policy_config);
        // The SDK fills in missing required members with empty values. Every policy has a name.
        let config = config.filter(|it| !it.name.is_empty());
        let config = config.ok_or_else(|| invalid_response("GetCachePolicy", "the cache policy config is missing"))?;
        // Without these parameters the cache key holds no query strings.
        let query_strings =
            config.parameters_in_cache_key_and_forwarded_to_origin.and_then(|it| it.query_strings_config);
        Ok(query_strings.is_some_and(|it| it.query_string_behavior != CachePolicyQueryStringBehavior::None))
    }
}

/// Converts the SDK's distribution config. Where a member that every distribution has is missing, the SDK fills in an
/// empty one. That is an error here: an empty config would look like a distribution that does not serve the bucket.
fn to_distribution_config(config: &SdkDistributionConfig) -> Result<DistributionConfig, String> {
    let origins = config.origins.as_ref().filter(|it| !it.items.is_empty()).ok_or("the origins are missing")?;
    let origin = |it: &aws_sdk_cloudfront::types::Origin| {
        Origin::new(&it.id, &it.domain_name, it.origin_path.as_deref().unwrap_or_default())
    };
    let group = |it: &aws_sdk_cloudfront::types::OriginGroup| {
        let members = it.members.iter().flat_map(OriginGroupMembers::items);
        OriginGroup::new(&it.id, members.map(|it| it.origin_id.clone()).collect())
    };
    let default = config.default_cache_behavior.as_ref().ok_or("the default cache behavior is missing")?;
    let behaviors = config.cache_behaviors.iter().flat_map(CacheBehaviors::items).map(to_behavior);
    let groups = config.origin_groups.iter().flat_map(OriginGroups::items);
    Ok(DistributionConfig {
        origins: collect_all(origins.items.iter().map(origin))?,
        origin_groups: collect_all(groups.map(group))?,
        behaviors: collect_all(behaviors.chain([to_default_behavior(default)]))?,
        default_root_object: DistributionConfig::root_object(config.default_root_object.as_deref()),
    })
}

fn collect_all<T>(converted: impl Iterator<Item = Result<T, DistributionConfigError>>) -> Result<Vec<T>, String> {
    converted.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

// `CacheBehavior` and `DefaultCacheBehavior` have the same fields but no common trait. `forwarded_values` is
// deprecated, but distributions from before cache policies still use it.

#[expect(deprecated, reason = "see above")]
fn to_behavior(it: &CacheBehavior) -> Result<Behavior, DistributionConfigError> {
    let function_event_types =
        function_event_types(it.function_associations.as_ref(), it.lambda_function_associations.as_ref());
    let forwards = it.forwarded_values.as_ref().is_some_and(|it| it.query_string);
    Behavior::new(
        Some(&it.path_pattern),
        &it.target_origin_id,
        it.cache_policy_id.as_deref(),
        forwards,
        function_event_types,
    )
}

#[expect(deprecated, reason = "see above")]
fn to_default_behavior(it: &DefaultCacheBehavior) -> Result<Behavior, DistributionConfigError> {
    let function_event_types =
        function_event_types(it.function_associations.as_ref(), it.lambda_function_associations.as_ref());
    let forwards = it.forwarded_values.as_ref().is_some_and(|it| it.query_string);
    Behavior::new(None, &it.target_origin_id, it.cache_policy_id.as_deref(), forwards, function_event_types)
}

/// The event types of the functions that are associated with a cache behavior: CloudFront Functions and Lambda@Edge.
fn function_event_types<'c>(
    functions: Option<&'c FunctionAssociations>,
    lambdas: Option<&'c LambdaFunctionAssociations>,
) -> impl Iterator<Item = &'c str> {
    let functions = functions.into_iter().flat_map(FunctionAssociations::items).map(|it| it.event_type.as_str());
    let lambdas = lambdas.into_iter().flat_map(LambdaFunctionAssociations::items).map(|it| it.event_type.as_str());
    functions.chain(lambdas)
}

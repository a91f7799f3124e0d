//! Creates invalidations in CloudFront and reads their status, for distributions and distribution tenants. Reads
//! distribution configs, the parameters of distribution tenants, and cache policies.
//!
//! Of a config only what decides which URLs an object has is kept: origins, origin groups, cache behaviors, the default
//! root object and the defaults of parameters.

use std::error::Error;

use aws_config::SdkConfig;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::config::Builder;
use aws_sdk_cloudfront::config::retry::RetryConfig;
use aws_sdk_cloudfront::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_cloudfront::types::{
    CacheBehavior, CacheBehaviors, CachePolicyQueryStringBehavior, ConnectionMode, DefaultCacheBehavior,
    DistributionConfig as SdkDistributionConfig, DistributionTenant, FunctionAssociations,
    Invalidation as SdkInvalidation, InvalidationBatch, LambdaFunctionAssociations, OriginGroupMembers, OriginGroups,
    ParameterDefinition, Paths, TenantConfig,
};

use super::CallError;
use super::response::{
    CompleteXml, SMALL_RESPONSE_BYTES, SizeLimit, call_error, call_error_unless_denied, invalid_request,
    invalid_response, is_complete_response_with_status,
};
use crate::change::{DistributionId, InvalidationId, PolicyId};
use crate::path::{
    Behavior, DistributionConfig, DistributionConfigError, Origin, OriginGroup, Tenant, parameter_defaults,
};
use crate::plan::Invalidation;

/// CloudFront's response to an invalidation that it accepted, now or earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// CloudFront returned an ID. For a repeated request with the same caller reference and paths it returns the
    /// existing invalidation and bills nothing.
    Created {
        /// CloudFront's ID of the invalidation.
        id: InvalidationId,
    },
    /// CloudFront rejected the request because the caller reference was used before. The reference is derived from the
    /// paths, so the same invalidation was accepted earlier.
    AlreadyExists,
}

/// The status of an invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Progress {
    /// Some edge locations may still serve the invalidated objects.
    InProgress,
    /// No edge location serves the invalidated objects any longer.
    Completed,
}

/// Part of CloudFront's message if the caller reference was used before. The API model names a dedicated error code
/// (`InvalidationBatchAlreadyExists`); in practice the code is `InvalidArgument` (aws-cdk#3878).
const REFERENCE_USED: &str = "caller reference that was used for a previous invalidation batch";

/// The longest response that is read, in bytes: `GetInvalidation` repeats up to 3,000 paths of up to 4,000 characters.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// The most bytes of a response for each byte of an item: `'` takes six in XML (`&apos;`).
const MAX_XML_BYTES_PER_BYTE: usize = 6;
/// The most bytes of a response for the markup around an item.
const MAX_MARKUP_BYTES_PER_ITEM: usize = 64;

/// A CloudFront client for invalidations, distribution configs, distribution tenants and cache policies.
pub struct CloudFront {
    pub(crate) client: Client,
}

impl CloudFront {
    /// Builds the client, without connecting. CloudFront's endpoint is global.
    ///
    /// The SDK's retries are disabled: the sender decides which of several invalidations to retry when.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let builder = Builder::from(config);
        Self::from_builder(builder.interceptor(CompleteXml("<Id")).retry_config(RetryConfig::disabled()))
    }

    /// Builds the client with the SDK's retries, for callers that make few calls and wait for each.
    #[cfg(feature = "cli")]
    pub(crate) fn with_sdk_retries(config: &SdkConfig) -> Self {
        Self::from_builder(Builder::from(config))
    }

    fn from_builder(builder: Builder) -> Self {
        Self { client: Client::from_conf(builder.interceptor(SizeLimit(MAX_RESPONSE_BYTES)).build()) }
    }

    /// Creates an invalidation (`CreateInvalidation`, or its variant for a distribution tenant).
    ///
    /// # Errors
    /// The error of the call, or a response without an ID.
    pub async fn create(&self, invalidation: &Invalidation) -> Result<Accepted, CallError> {
        let is_tenant = invalidation.distribution.is_tenant();
        let operation = if is_tenant { "CreateInvalidationForDistributionTenant" } else { "CreateInvalidation" };
        let batch = batch(invalidation).map_err(|error| invalid_request(operation, &error))?;
        let distribution_id = invalidation.distribution.as_str();
        let size_limit = SizeLimit(max_response_bytes(invalidation));
        if is_tenant {
            let call = self.client.create_invalidation_for_distribution_tenant().id(distribution_id);
            let answer = call.invalidation_batch(batch).customize().interceptor(size_limit).send().await;
            return accepted(operation, answer.map(|created| created.invalidation));
        }
        let call = self.client.create_invalidation().distribution_id(distribution_id).invalidation_batch(batch);
        let answer = call.customize().interceptor(size_limit).send().await;
        accepted(operation, answer.map(|created| created.invalidation))
    }

    /// Returns the status of an invalidation that was created (`GetInvalidation`, or its variant for a distribution
    /// tenant).
    ///
    /// # Errors
    /// The error of the call, or a response without a known status.
    pub async fn progress(
        &self,
        distribution: &DistributionId,
        invalidation: &InvalidationId,
    ) -> Result<Progress, CallError> {
        let (distribution_id, id) = (distribution.as_str(), invalidation.as_str());
        if distribution.is_tenant() {
            let call =
                self.client.get_invalidation_for_distribution_tenant().distribution_tenant_id(distribution_id).id(id);
            let answer = call.send().await;
            return progress_of("GetInvalidationForDistributionTenant", answer.map(|got| got.invalidation));
        }
        let answer = self.client.get_invalidation().distribution_id(distribution_id).id(id).send().await;
        progress_of("GetInvalidation", answer.map(|got| got.invalidation))
    }
}

/// Maps CloudFront's response to a new invalidation. A response without an ID, for example from a proxy, does not
/// prove that the invalidation was accepted.
fn accepted<E: ProvideErrorMetadata + Error + 'static>(
    operation: &str,
    answer: Result<Option<SdkInvalidation>, SdkError<E>>,
) -> Result<Accepted, CallError> {
    match answer {
        Ok(created) => match created.and_then(|it| InvalidationId::new(&it.id).ok()) {
            Some(id) => Ok(Accepted::Created { id }),
            None => Err(invalid_response(operation, "the invalidation ID is missing or malformed")),
        },
        Err(error)
            if is_complete_response_with_status(&error, 400) && is_reference_used(error.code(), error.message()) =>
        {
            Ok(Accepted::AlreadyExists)
        }
        Err(error) => Err(call_error(operation, &error)),
    }
}

/// Whether an error means that the caller reference was used before.
fn is_reference_used(code: Option<&str>, message: Option<&str>) -> bool {
    match code {
        Some("InvalidationBatchAlreadyExists") => true,
        Some("InvalidArgument") => message.is_some_and(|message| message.contains(REFERENCE_USED)),
        _ => false,
    }
}

/// The longest response to this new invalidation, in bytes. CloudFront repeats the items.
fn max_response_bytes(invalidation: &Invalidation) -> usize {
    let items =
        invalidation.items.iter().map(|item| item.as_str().len() * MAX_XML_BYTES_PER_BYTE + MAX_MARKUP_BYTES_PER_ITEM);
    items.sum::<usize>() + SMALL_RESPONSE_BYTES
}

/// Maps CloudFront's response to a request for an invalidation's status.
fn progress_of<E: ProvideErrorMetadata + Error + 'static>(
    operation: &str,
    answer: Result<Option<SdkInvalidation>, SdkError<E>>,
) -> Result<Progress, CallError> {
    match answer {
        Ok(got) => match got.as_ref().map(|it| it.status.as_str()) {
            Some("Completed") => Ok(Progress::Completed),
            Some("InProgress") => Ok(Progress::InProgress),
            _ => Err(invalid_response(operation, "the invalidation status is missing or unknown")),
        },
        Err(error) => Err(call_error(operation, &error)),
    }
}

/// Builds the request's batch. `Paths` does not derive `quantity` from its items.
fn batch(invalidation: &Invalidation) -> Result<InvalidationBatch, BuildError> {
    let items: Vec<_> = invalidation.items.iter().map(|item| item.as_str().to_owned()).collect();
    let quantity = i32::try_from(items.len()).unwrap_or(i32::MAX);
    let paths = Paths::builder().quantity(quantity).set_items(Some(items)).build()?;
    InvalidationBatch::builder().paths(paths).caller_reference(invalidation.caller_reference.as_str()).build()
}

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

    /// Returns a distribution tenant (`GetDistributionTenant`).
    ///
    /// # Errors
    /// The error of the call, or an incomplete tenant.
    pub async fn tenant(&self, tenant: &DistributionId) -> Result<Tenant, CallError> {
        let client: &Client = &self.client;
        let call = client.get_distribution_tenant().identifier(tenant.as_str()).customize();
        let answer = call.interceptor(SizeLimit(SMALL_RESPONSE_BYTES)).send().await;
        let tenant =
            answer.map_err(|error| call_error_unless_denied("GetDistributionTenant", &error))?.distribution_tenant;
        tenant.and_then(to_tenant).ok_or_else(|| {
            invalid_response("GetDistributionTenant", "the distribution ID or a parameter is missing or malformed")
        })
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
    let definitions = config.tenant_config.iter().flat_map(TenantConfig::parameter_definitions);
    Ok(DistributionConfig {
        origins: collect_all(origins.items.iter().map(origin))?,
        origin_groups: collect_all(groups.map(group))?,
        behaviors: collect_all(behaviors.chain([to_default_behavior(default)]))?,
        default_root_object: DistributionConfig::root_object(config.default_root_object.as_deref()),
        is_multi_tenant: config.connection_mode == Some(ConnectionMode::TenantOnly),
        parameter_defaults: parameter_defaults(definitions.map(to_definition)).map_err(|error| error.to_string())?,
    })
}

/// The name and the default value of a parameter.
fn to_definition(it: &ParameterDefinition) -> (&str, Option<&str>) {
    (it.name(), it.definition().and_then(|it| it.string_schema()?.default_value()))
}

/// Converts the SDK's distribution tenant; `None` if it is incomplete. A value that is missing would make another
/// folder the tenant's.
fn to_tenant(tenant: DistributionTenant) -> Option<Tenant> {
    let distribution = DistributionId::new(&tenant.distribution_id?).ok().filter(|it| !it.is_tenant())?;
    let parameters = tenant.parameters.unwrap_or_default().into_iter();
    // The SDK fills in missing required members with empty values.
    let parameter = |it: aws_sdk_cloudfront::types::Parameter| {
        (!it.name.is_empty() && !it.value.is_empty()).then_some((it.name, it.value))
    };
    Some(Tenant { distribution, parameters: parameters.map(parameter).collect::<Option<_>>()? })
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_config::BehaviorVersion;
    use aws_sdk_cloudfront::config::{Credentials, Region};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;

    /// Records the URL and the credential scope of each request, and fails it.
    #[derive(Clone, Debug, Default)]
    struct Recorder(Arc<Mutex<Vec<(String, String)>>>);

    impl HttpConnector for Recorder {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let authorization = request.headers().get("authorization").unwrap();
            let scope = authorization.split('/').skip(2).take(2).collect::<Vec<_>>().join("/");
            self.0.lock().unwrap().push((request.uri().to_owned(), scope));
            HttpConnectorFuture::ready(Err(ConnectorError::io("no network".into())))
        }
    }

    /// Only the function's Region is known. CloudFront has one endpoint in each partition, with a signing Region.
    #[tokio::test]
    async fn the_endpoint_and_the_signing_region_are_those_of_the_regions_partition() {
        for (region, host, signing_region) in [
            ("eu-central-1", "cloudfront.amazonaws.com", "us-east-1"),
            ("cn-north-1", "cloudfront.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"),
            ("cn-northwest-1", "cloudfront.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"),
            ("eusc-de-east-1", "cloudfront.amazonaws.eu", "eusc-de-east-1"),
        ] {
            let recorder = Recorder::default();
            let connector = SharedHttpConnector::new(recorder.clone());
            let config = aws_config::defaults(BehaviorVersion::v2026_01_12())
                .region(Region::new(region))
                .credentials_provider(Credentials::new("AKID", "secret", None, None, "test"))
                .http_client(http_client_fn(move |_, _| connector.clone()))
                .load()
                .await;
            let call = CloudFront::new(&config).client.list_invalidations().distribution_id("E1").send();
            assert!(call.await.is_err());
            let url = format!("https://{host}/2020-05-31/distribution/E1/invalidation");
            assert_eq!(*recorder.0.lock().unwrap(), [(url, format!("{signing_region}/cloudfront"))], "{region}");
        }
    }
}

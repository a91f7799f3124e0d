//! The subset of CloudFront that returns distribution configs, distribution tenants and cache policies.
//!
//! Sources: CloudFront API reference, `GetDistributionConfig`, `GetDistributionTenant` and `GetCachePolicy`.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::ACCOUNT;
use super::cloudfront::InvalidationTarget;
use super::denial::denied;
use super::request::Service::CloudFront;
use super::request::{ApiRequest, ApiResponse};
use super::state::{FakeTenant, State};
use super::xml::document;

/// `GetDistributionConfig`.
pub(super) fn get_distribution_config(state: &mut State, request: &ApiRequest) -> ApiResponse {
    match InvalidationTarget::Distribution.find(&mut state.distributions, &request.target) {
        Err(missing) => missing,
        Ok(distribution) => match &distribution.config {
            None => denied(request),
            Some(config) => answer("DistributionConfig", config),
        },
    }
}

/// `GetDistributionTenant`, by the id of the tenant.
pub(super) fn get_distribution_tenant(state: &mut State, request: &ApiRequest) -> ApiResponse {
    let id = &request.target;
    let FakeTenant { distribution_id, parameters } =
        match InvalidationTarget::Tenant.find(&mut state.distributions, id).map(|it| &it.tenant) {
            Err(missing) => return missing,
            Ok(None) => return denied(request),
            Ok(Some(tenant)) => tenant,
        };
    let parameters: Vec<_> = parameters.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect();
    let tenant = json!({
        "Id": id,
        "DistributionId": distribution_id,
        "Name": id.to_ascii_lowercase(),
        "Arn": format!("arn:aws:cloudfront::{ACCOUNT}:distribution-tenant/{id}"),
        "Domains": [{ "Domain": "tenant.example.com", "Status": "active" }],
        "Parameters": parameters,
        "ConnectionGroupId": "cg_example",
        "CreatedTime": "2026-01-02T03:04:05.006Z",
        "LastModifiedTime": "2026-01-02T03:04:05.006Z",
        "Enabled": true,
        "Status": "Deployed",
    });
    answer("DistributionTenant", &tenant)
}

/// `GetCachePolicy`.
pub(super) fn get_cache_policy(state: &State, request: &ApiRequest) -> ApiResponse {
    let Some(config) = state.cache_policies.get(&request.target) else {
        return CloudFront.error(404, "NoSuchCachePolicy", "The specified cache policy does not exist.");
    };
    let policy = json!({
        "CachePolicyConfig": config,
        "Id": request.target,
        "LastModifiedTime": "2026-01-02T03:04:05.006Z",
    });
    answer("CachePolicy", &policy)
}

/// A response with an `ETag`, the version that CloudFront requires in an update.
fn answer(root: &str, value: &Value) -> ApiResponse {
    match document(root, value) {
        Ok(body) => {
            let mut hasher = DefaultHasher::new();
            body.hash(&mut hasher);
            let version = format!("E{:016X}", hasher.finish());
            ApiResponse { status: 200, code: None, headers: vec![("ETag", version)], body }
        }
        // The test's fixture is wrong; no request can cause this.
        Err(reason) => CloudFront.error(500, "InternalError", &reason),
    }
}

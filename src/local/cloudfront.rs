//! The subset of CloudFront that handles invalidations, under the documented rules and quotas.
//!
//! Sources: CloudFront API reference, `CreateInvalidation`, `GetInvalidation` and the same `ForDistributionTenant`;
//! developer guide, "Quotas".

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use quick_xml::escape::escape;
use serde::Deserialize;

use super::path_rules::{PathStatus, classify};
use super::quota::{Quota, QuotaError};
use super::request::Service::CloudFront;
use super::request::{ApiRequest, ApiResponse};
use super::state::{AcceptedInvalidation, FakeDistribution, State};

/// The most paths in a request, and the most in progress per distribution, wildcards not counted.
const MAX_PATHS_IN_PROGRESS: usize = 3000;

/// The most wildcard paths in progress per distribution.
const MAX_WILDCARDS_IN_PROGRESS: usize = 15;

/// The prefix of a distribution tenant's id.
const TENANT_PREFIX: &str = "dt_";

/// The status of an invalidation until it has completed.
const IN_PROGRESS: &str = "InProgress";

/// The status of an invalidation that has completed.
const COMPLETED: &str = "Completed";

/// The kind of resource that is invalidated. An operation for one kind does not find a resource of the other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum InvalidationTarget {
    Distribution,
    Tenant,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InvalidationBatch {
    paths: Paths,
    caller_reference: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Paths {
    quantity: usize,
    #[serde(default)]
    items: Items,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    #[serde(default)]
    path: Vec<String>,
}

/// `CreateInvalidation` and `CreateInvalidationForDistributionTenant`, which differ only in the kind of resource.
pub(super) fn create_invalidation(state: &mut State, request: &ApiRequest) -> ApiResponse {
    let now = Instant::now();
    if let (Some(min_interval), Some(last)) = (state.throttle, state.last_create_call)
        && now.duration_since(last) < min_interval
    {
        return quota_error(QuotaError::Throttling);
    }
    state.last_create_call = Some(now);
    let target_kind = InvalidationTarget::of(request.operation);
    let distribution = match target_kind.find(&mut state.distributions, &request.target) {
        // Source: domits1/Domits#3250.
        Ok(distribution) if distribution.is_multi_tenant() => return target_kind.missing(),
        Ok(distribution) => distribution,
        Err(missing) => return missing,
    };
    let Ok(Ok(batch)) = std::str::from_utf8(&request.body).map(quick_xml::de::from_str::<InvalidationBatch>) else {
        return CloudFront.error(400, "MalformedXML", "The XML document is malformed.");
    };
    let paths = batch.paths.items.path;
    if batch.paths.quantity != paths.len() {
        return CloudFront.error(
            400,
            "InconsistentQuantities",
            "The value of Quantity and the size of Items don't match.",
        );
    }
    if paths.is_empty() || batch.caller_reference.is_empty() {
        return CloudFront.error(400, "MissingBody", "This operation requires a body.");
    }
    if let Some(earlier) = distribution.invalidations.iter().find(|it| it.caller_reference == batch.caller_reference) {
        return if earlier.paths.iter().collect::<BTreeSet<_>>() == paths.iter().collect() {
            created(earlier, &target_kind.path(&request.target), distribution.status(earlier, now))
        } else {
            let message = "Your request contains a caller reference that was used for a previous invalidation batch for \
                           the same distribution.";
            CloudFront.error(400, "InvalidArgument", message)
        };
    }
    if paths.len() > MAX_PATHS_IN_PROGRESS {
        return CloudFront.error(413, "BatchTooLarge", "Invalidation batch specified is too large.");
    }
    let statuses: Vec<_> = paths.iter().map(|path| classify(path)).collect();
    if statuses.contains(&PathStatus::Rejected) {
        return CloudFront.error(
            400,
            "InvalidArgument",
            "Your request contains one or more invalid invalidation paths.",
        );
    }
    let exceeded = match state.quota {
        Quota::InProgress => {
            (!distribution.is_within_quota(&paths, now)).then_some(QuotaError::TooManyInvalidationsInProgress)
        }
        Quota::Rates(rates) => (!rates.admit(&mut state.consumption, &paths, now)).then_some(rates.error),
    };
    if let Some(error) = exceeded {
        return quota_error(error);
    }
    let ineffective = paths.iter().zip(&statuses).filter(|(_, status)| **status == PathStatus::Ineffective);
    let invalidation = AcceptedInvalidation {
        id: format!("I{:013}", distribution.invalidations.len() + 1),
        caller_reference: batch.caller_reference,
        ineffective: ineffective.map(|(path, _)| path.clone()).collect(),
        paths,
        created: now,
    };
    // A new invalidation is always reported as in progress, even if its delay is zero.
    let answer = created(&invalidation, &target_kind.path(&request.target), IN_PROGRESS);
    distribution.invalidations.push(invalidation);
    answer
}

/// `GetInvalidation` and `GetInvalidationForDistributionTenant`.
pub(super) fn get_invalidation(state: &mut State, request: &ApiRequest) -> ApiResponse {
    let target_kind = InvalidationTarget::of(request.operation);
    let distribution = match target_kind.find(&mut state.distributions, &request.target) {
        Ok(distribution) => distribution,
        Err(missing) => return missing,
    };
    let Some(invalidation) = distribution.invalidations.iter().find(|it| it.id == request.argument) else {
        return CloudFront.error(404, "NoSuchInvalidation", "The specified invalidation does not exist.");
    };
    let body = document(invalidation, distribution.status(invalidation, Instant::now()));
    ApiResponse { status: 200, code: None, headers: Vec::new(), body }
}

impl InvalidationTarget {
    /// Returns the kind of resource that an operation works on.
    fn of(operation: &str) -> Self {
        if operation.ends_with("ForDistributionTenant") { Self::Tenant } else { Self::Distribution }
    }

    /// Returns the resource with this id, or the not-found response of its kind.
    pub(super) fn find<'s>(
        self,
        distributions: &'s mut BTreeMap<String, FakeDistribution>,
        id: &str,
    ) -> Result<&'s mut FakeDistribution, ApiResponse> {
        let fits = id.starts_with(TENANT_PREFIX) == (self == Self::Tenant);
        distributions.get_mut(id).filter(|_| fits).ok_or_else(|| self.missing())
    }

    /// The not-found response of this kind.
    fn missing(self) -> ApiResponse {
        match self {
            Self::Distribution => {
                CloudFront.error(404, "NoSuchDistribution", "The specified distribution does not exist.")
            }
            Self::Tenant => CloudFront.error(404, "EntityNotFound", "The entity was not found."),
        }
    }

    /// The path of the resource below the API version, as in a `Location` header.
    fn path(self, id: &str) -> String {
        match self {
            Self::Distribution => format!("distribution/{id}"),
            Self::Tenant => format!("distribution-tenant/{id}"),
        }
    }
}

impl FakeDistribution {
    fn is_within_quota(&self, paths: &[String], now: Instant) -> bool {
        let in_progress = self.invalidations.iter().filter(|it| self.status(it, now) == IN_PROGRESS);
        let (wildcards, files): (Vec<_>, Vec<_>) =
            in_progress.flat_map(|it| &it.paths).chain(paths).partition(|path| path.ends_with('*'));
        wildcards.len() <= MAX_WILDCARDS_IN_PROGRESS && files.len() <= MAX_PATHS_IN_PROGRESS
    }

    fn status(&self, invalidation: &AcceptedInvalidation, now: Instant) -> &'static str {
        if now.duration_since(invalidation.created) < self.delay { IN_PROGRESS } else { COMPLETED }
    }
}

fn quota_error(error: QuotaError) -> ApiResponse {
    let (code, message) = match error {
        QuotaError::Throttling => ("Throttling", "Rate exceeded"),
        QuotaError::TooManyInvalidationsInProgress => (
            "TooManyInvalidationsInProgress",
            "You have exceeded the maximum number of allowable InProgress invalidation batch requests, or invalidation \
             objects.",
        ),
    };
    CloudFront.error(400, code, message)
}

/// The response of `CreateInvalidation` for an existing invalidation; `path` is that of its distribution or tenant.
fn created(invalidation: &AcceptedInvalidation, path: &str, status: &str) -> ApiResponse {
    let location = format!("https://cloudfront.amazonaws.com/2020-05-31/{path}/invalidation/{}", invalidation.id);
    let body = document(invalidation, status);
    ApiResponse { status: 201, code: None, headers: vec![("Location", location)], body }
}

/// An invalidation as a CloudFront XML document.
fn document(invalidation: &AcceptedInvalidation, status: &str) -> String {
    let items: Vec<_> = invalidation.paths.iter().map(|path| format!("<Path>{}</Path>", escape(path))).collect();
    let items = items.concat();
    format!(
        "<?xml version=\"1.0\"?>\n<Invalidation xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Id>{}</Id>\
         <Status>{status}</Status><CreateTime>2026-01-02T03:04:05.006Z</CreateTime><InvalidationBatch><Paths><Quantity>{}</Quantity>\
         <Items>{items}</Items></Paths><CallerReference>{}</CallerReference></InvalidationBatch></Invalidation>",
        invalidation.id,
        invalidation.paths.len(),
        escape(&invalidation.caller_reference)
    )
}

//! Identifies the operation of a request from its signature, headers, method and path.

use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Bytes;

use super::http::Reply;
use super::{cloudfront, codepipeline, listing, s3};

/// A service. All share one port; the credential scope of a request selects one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    S3,
    CloudFront,
    CodePipeline,
}

/// A request for a supported operation.
pub(super) struct ApiRequest {
    pub(super) service: Service,
    pub(super) operation: &'static str,
    /// The name or id of the bucket, distribution, tenant, cache policy or job.
    pub(super) target: String,
    /// The id of an invalidation, or the query string of a listing. Empty for other operations.
    pub(super) argument: String,
    /// The Region that the request is signed for.
    pub(super) region: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A request that is unsigned or not supported.
pub(super) struct UnknownRequest {
    /// The service in whose format the error is sent. An unsigned request gets S3's: there it is anonymous, not
    /// malformed.
    pub(super) service: Service,
    pub(super) reason: String,
}

/// A response before it is serialized.
pub(super) struct ApiResponse {
    pub(super) status: u16,
    pub(super) code: Option<String>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Service {
    /// Returns the service with this name in a credential scope.
    fn of_scope(name: &str) -> Option<Self> {
        match name {
            "s3" => Some(Self::S3),
            "cloudfront" => Some(Self::CloudFront),
            "codepipeline" => Some(Self::CodePipeline),
            _ => None,
        }
    }

    /// An error response in the service's own format.
    pub(super) fn error(self, status: u16, code: &str, message: &str) -> ApiResponse {
        match self {
            Self::S3 => s3::error(status, code, message),
            Self::CloudFront => cloudfront::error(status, code, message),
            Self::CodePipeline => codepipeline::error(status, code, message),
        }
    }

    /// Serializes a response, with the headers that the service sets.
    pub(super) fn write(self, answer: ApiResponse) -> Reply {
        let (content_type, request_id) = match self {
            Self::S3 => ("application/xml", "x-amz-request-id"),
            Self::CloudFront => ("text/xml", "x-amzn-requestid"),
            Self::CodePipeline => (codepipeline::CONTENT_TYPE, "x-amzn-requestid"),
        };
        let mut response = Response::builder()
            .status(answer.status)
            .header("Content-Type", content_type)
            .header(request_id, "LOCALREQUEST");
        for (name, value) in answer.headers {
            response = response.header(name, value);
        }
        response.body(Full::new(answer.body.into())).ok()
    }
}

impl ApiRequest {
    /// Parses a request. It must be signed for a supported service and be one of its supported calls.
    pub(super) fn of(request: Request<Bytes>) -> Result<Self, UnknownRequest> {
        let (parts, body) = request.into_parts();
        let unknown = |service, reason| UnknownRequest { service, reason };
        let authorization = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
        let scope = authorization
            .and_then(|value| value.strip_prefix("AWS4-HMAC-SHA256 Credential="))
            .and_then(|value| value.split(',').next())
            .ok_or_else(|| unknown(Service::S3, "the request is not signed".to_owned()))?;
        let [_key, _date, region, service, "aws4_request"] = scope.split('/').collect::<Vec<_>>()[..] else {
            return Err(unknown(Service::S3, format!("\"{scope}\" is no credential scope")));
        };
        let Some(service) = Service::of_scope(service) else {
            return Err(unknown(Service::S3, format!("no such service: \"{service}\"")));
        };
        let path = parts.uri.path();
        let segments: Vec<_> = path.trim_matches('/').split('/').collect();
        let (method, query) = (parts.method.as_str(), parts.uri.query());
        let call = match service {
            Service::S3 => s3_call(method, &segments, query),
            Service::CloudFront => cloudfront_call(method, &segments, query),
            Service::CodePipeline => match (method, segments.as_slice(), query) {
                ("POST", [""], None) => codepipeline::operation(&parts.headers)
                    .map(|operation| (operation, codepipeline::job_id(&body), String::new())),
                _ => None,
            },
        };
        let Some((operation, target, argument)) = call else {
            let amz_target =
                parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let reason = format!("no such call: {} {} {amz_target}", parts.method, parts.uri);
            return Err(unknown(service, reason.trim_end().to_owned()));
        };
        let region = region.to_owned();
        Ok(Self { service, operation, target, argument, region, headers: parts.headers, body })
    }
}

/// The operation, its target and its argument.
type CallParts = (&'static str, String, String);

fn s3_call(method: &str, segments: &[&str], query: Option<&str>) -> Option<CallParts> {
    match (method, segments, query) {
        ("GET", &[bucket], Some("tagging")) => Some(("GetBucketTagging", bucket.to_owned(), String::new())),
        ("GET", &[bucket], Some(query)) if listing::is_listing(query) => {
            Some(("ListObjectsV2", bucket.to_owned(), query.to_owned()))
        }
        _ => None,
    }
}

fn cloudfront_call(method: &str, segments: &[&str], query: Option<&str>) -> Option<CallParts> {
    let (&"2020-05-31", segments, None) = (segments.first()?, segments.get(1..)?, query) else { return None };
    let (operation, target, argument) = match (method, segments) {
        ("POST", &["distribution", id, "invalidation"]) => ("CreateInvalidation", id, ""),
        ("GET", &["distribution", id, "invalidation", invalidation]) => ("GetInvalidation", id, invalidation),
        ("POST", &["distribution-tenant", id, "invalidation"]) => ("CreateInvalidationForDistributionTenant", id, ""),
        ("GET", &["distribution-tenant", id, "invalidation", invalidation]) => {
            ("GetInvalidationForDistributionTenant", id, invalidation)
        }
        ("GET", &["distribution", id, "config"]) => ("GetDistributionConfig", id, ""),
        ("GET", &["cache-policy", id]) => ("GetCachePolicy", id, ""),
        _ => return None,
    };
    Some((operation, target.to_owned(), argument.to_owned()))
}

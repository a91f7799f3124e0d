//! Requests and responses of the services: identifies the operation of a request from its signature, headers,
//! method and path, and writes each service's error format.

use std::collections::HashSet;

use http::{HeaderMap, Request, Response};
use http_body_util::Full;
use hyper::body::Bytes;
use percent_encoding::percent_decode_str;
use quick_xml::escape::escape;
use serde_json::{Value, json};

use super::http::Reply;

/// The content type of CodePipeline's requests and responses.
const AWS_JSON_1_1: &str = "application/x-amz-json-1.1";

/// The content type of SQS's requests and responses.
const AWS_JSON_1_0: &str = "application/x-amz-json-1.0";

/// The errors of SQS that have two names: that of the shape, which is in the body, and the code, which SDKs take from
/// the header `x-amzn-query-error`. Source: SQS API model, `awsQueryError`.
const SQS_ERRORS: [(&str, &str); 8] = [
    ("AccessDeniedException", "AccessDenied"),
    ("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
    ("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong"),
    ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest"),
    ("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId"),
    ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
    ("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
    ("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation"),
];

/// The first segment of the paths of S3 Control.
const S3_CONTROL_VERSION: &str = "v20180820";

/// The XML namespace of STS's documents.
pub(super) const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The supported query parameters of `ListObjectsV2`. `fetch-owner` is not supported: no caller here reads an object's
/// owner.
const LISTING_PARAMETERS: [&str; 7] =
    ["continuation-token", "delimiter", "encoding-type", "list-type", "max-keys", "prefix", "start-after"];

/// A service. All share one port; the credential scope of a request selects one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    S3,
    /// S3 Control, whose requests are signed for S3.
    S3Control,
    CloudFront,
    CodePipeline,
    Sqs,
    Sts,
}

/// A request for a supported operation.
pub(super) struct ApiRequest {
    pub(super) service: Service,
    pub(super) operation: &'static str,
    /// The name or id of the bucket, distribution, tenant, cache policy, job or queue.
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
            "sqs" => Some(Self::Sqs),
            "sts" => Some(Self::Sts),
            _ => None,
        }
    }

    /// An error response in the service's own format. An error of SQS can be given by either of its names, and is
    /// recorded by its code.
    pub(super) fn error(self, status: u16, code: &str, message: &str) -> ApiResponse {
        let names = SQS_ERRORS.into_iter().find(|&(shape, name)| self == Self::Sqs && [shape, name].contains(&code));
        let (shape, code) = names.unwrap_or((code, code));
        let (escaped, text) = (escape(code), escape(message));
        let mut headers = Vec::new();
        let body = match self {
            Self::S3 => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{escaped}</Code><Message>{text}</Message>\
                 <RequestId>LOCALREQUEST</RequestId><HostId>local</HostId></Error>"
            ),
            Self::S3Control => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorResponse><Error><Code>{escaped}</Code><Message>{text}\
                 </Message></Error><RequestId>LOCALREQUEST</RequestId><HostId>local</HostId></ErrorResponse>"
            ),
            Self::Sts => format!(
                "<ErrorResponse xmlns=\"{STS_NAMESPACE}\"><Error><Type>Sender</Type><Code>{escaped}</Code><Message>{text}\
                 </Message></Error><RequestId>LOCALREQUEST</RequestId></ErrorResponse>"
            ),
            Self::CloudFront => format!(
                "<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Error>\
                 <Type>Sender</Type><Code>{escaped}</Code><Message>{text}</Message></Error><RequestId>LOCALREQUEST\
                 </RequestId></ErrorResponse>"
            ),
            Self::CodePipeline => {
                headers.push(("x-amzn-errortype", code.to_owned()));
                json!({ "__type": code, "message": message }).to_string()
            }
            Self::Sqs => {
                let fault = if status < 500 { "Sender" } else { "Receiver" };
                headers.push(("x-amzn-query-error", format!("{code};{fault}")));
                json!({ "__type": format!("com.amazonaws.sqs#{shape}"), "message": message }).to_string()
            }
        };
        ApiResponse { status, code: Some(code.to_owned()), headers, body }
    }

    /// Serializes a response, with the headers that the service sets.
    pub(super) fn write(self, answer: ApiResponse) -> Reply {
        let (content_type, request_id) = match self {
            Self::S3 | Self::S3Control => ("application/xml", "x-amz-request-id"),
            Self::CloudFront | Self::Sts => ("text/xml", "x-amzn-requestid"),
            Self::CodePipeline => (AWS_JSON_1_1, "x-amzn-requestid"),
            Self::Sqs => (AWS_JSON_1_0, "x-amzn-requestid"),
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
        let is_s3_control = service == Service::S3 && segments.first() == Some(&S3_CONTROL_VERSION);
        let service = if is_s3_control { Service::S3Control } else { service };
        let (method, query) = (parts.method.as_str(), parts.uri.query());
        let call = match service {
            Service::S3 => s3_call(method, &segments, query),
            Service::S3Control => s3_control_call(method, &segments, query),
            Service::Sts => sts_call(method, &segments, query, &body),
            Service::CloudFront => cloudfront_call(method, &segments, query),
            Service::CodePipeline | Service::Sqs => match (method, segments.as_slice(), query) {
                ("POST", [""], None) => json_call(service, &parts.headers, &body),
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
        ("GET", &[bucket], Some(query)) if is_listing(query) => {
            Some(("ListObjectsV2", bucket.to_owned(), query.to_owned()))
        }
        _ => None,
    }
}

/// A call about the tags of a bucket, whose ARN is in the path. The argument is the query string.
fn s3_control_call(method: &str, segments: &[&str], query: Option<&str>) -> Option<CallParts> {
    let &[_, "tags", arn] = segments else { return None };
    let arn = percent_decode_str(arn).decode_utf8().ok()?;
    let bucket = arn.strip_prefix("arn:aws:s3:::")?.to_owned();
    let is_tag_keys = |query: &str| form_urlencoded::parse(query.as_bytes()).all(|(name, _)| name == "tagKeys");
    match (method, query) {
        ("POST", None) => Some(("TagResource", bucket, String::new())),
        ("DELETE", Some(query)) if is_tag_keys(query) => Some(("UntagResource", bucket, query.to_owned())),
        _ => None,
    }
}

fn sts_call(method: &str, segments: &[&str], query: Option<&str>, body: &Bytes) -> Option<CallParts> {
    let ("POST", [""], None) = (method, segments, query) else { return None };
    let pairs: Vec<_> = form_urlencoded::parse(body).collect();
    let is_known = pairs == [("Action".into(), "GetCallerIdentity".into()), ("Version".into(), "2011-06-15".into())];
    is_known.then(|| ("GetCallerIdentity", String::new(), String::new()))
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
        ("GET", &["distribution-tenant", id]) => ("GetDistributionTenant", id, ""),
        ("GET", &["cache-policy", id]) => ("GetCachePolicy", id, ""),
        _ => return None,
    };
    Some((operation, target.to_owned(), argument.to_owned()))
}

/// Whether a query string is that of `ListObjectsV2` with supported parameters only, each given at most once.
fn is_listing(query: &str) -> bool {
    let mut seen = HashSet::new();
    let is_supported = form_urlencoded::parse(query.as_bytes())
        .all(|(name, _)| LISTING_PARAMETERS.contains(&name.as_ref()) && seen.insert(name.into_owned()));
    is_supported && form_urlencoded::parse(query.as_bytes()).any(|pair| pair == ("list-type".into(), "2".into()))
}

/// A call over AWS JSON: the headers name the operation, and the body its target.
fn json_call(service: Service, headers: &HeaderMap, body: &Bytes) -> Option<CallParts> {
    let (content_type, prefix) = match service {
        Service::Sqs => (AWS_JSON_1_0, "AmazonSQS."),
        _ => (AWS_JSON_1_1, "CodePipeline_20150709."),
    };
    if headers.get("content-type")? != content_type {
        return None;
    }
    let operation = match (service, headers.get("x-amz-target")?.to_str().ok()?.strip_prefix(prefix)?) {
        (Service::CodePipeline, "PutJobSuccessResult") => "PutJobSuccessResult",
        (Service::CodePipeline, "PutJobFailureResult") => "PutJobFailureResult",
        (Service::Sqs, "ReceiveMessage") => "ReceiveMessage",
        (Service::Sqs, "DeleteMessageBatch") => "DeleteMessageBatch",
        (Service::Sqs, "SendMessage") => "SendMessage",
        (Service::Sqs, "SendMessageBatch") => "SendMessageBatch",
        _ => return None,
    };
    // The target is known even if the body is otherwise invalid; it is empty if the body does not name it.
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let member = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let target = match service {
        Service::Sqs => member("QueueUrl").rsplit('/').next().unwrap_or_default(),
        _ => member("jobId"),
    };
    Some((operation, target.to_owned(), String::new()))
}

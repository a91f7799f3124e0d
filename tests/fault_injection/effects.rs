//! The kinds of faults that a call to the fake AWS can have.

use std::time::Duration;

use fastrand::Rng;
use s3_cloudfront_invalidator::local::connection::ConnectionFault;
use s3_cloudfront_invalidator::local::fault::Effect;

/// A delay longer than any shortened function timeout, which is less than 3 s.
const LONG_DELAY: Duration = Duration::from_secs(4);

/// The size of an oversized response, in bytes.
const LARGE_BODY_BYTES: usize = 256 << 10;

/// A random fault for a call of `operation`. A call that reads a distribution config, a distribution tenant or a
/// cache policy is denied, with `AccessDenied` or without an error code, only if `may_deny`.
pub(crate) fn random_effect(rng: &mut Rng, operation: &'static str, may_deny: bool) -> (&'static str, Effect) {
    let short_delay = Duration::from_millis(rng.u64(5..150));
    let connection_fault = |ends_after, stays_open, reset| {
        Effect::ConnectionFault(ConnectionFault { ends_after: Some(ends_after), stays_open, reset, drip: None })
    };
    match rng.u8(0..32) {
        0..10 => random_error(rng, operation, may_deny),
        10 if reads_config(operation) && !may_deny => {
            ("HTML page", page(*rng.choice(&[200, 502, 503]).unwrap_or(&502), "text/html"))
        }
        10 => ("HTML page", page(*rng.choice(&[200, 403, 502, 503]).unwrap_or(&502), "text/html")),
        11 => ("HTML page as JSON", page(*rng.choice(&[200, 201, 500]).unwrap_or(&500), "application/json")),
        12 => ("wrong content type", Effect::WithContentType("text/html; charset=nonsense")),
        13 => ("empty success", Effect::Raw { status: *rng.choice(&[200, 201]).unwrap_or(&200), body: String::new() }),
        14 => ("no content", Effect::Raw { status: 204, body: String::new() }),
        15 => ("large response", large_response(rng)),
        16 | 17 => ("truncated response with matching length", Effect::TruncatedBody(rng.usize(0..2000))),
        18 => ("truncated response, connection closed", connection_fault(rng.usize(0..700), Duration::ZERO, false)),
        19 => ("truncated response, connection left open", connection_fault(rng.usize(0..700), short_delay, false)),
        20 | 21 => ("connection reset in the response", connection_fault(rng.usize(0..700), Duration::ZERO, true)),
        22 => ("slow response", slow_response(rng)),
        23 => ("delay before the operation", Effect::Delay(short_delay)),
        24 => ("delay after the operation", after(Effect::Delay(short_delay))),
        25 => ("disconnected before the operation", Effect::Disconnect),
        26 => ("disconnected after the operation", Effect::SucceedThenDisconnect),
        27 => ("server error after the operation", after(error(500, "InternalError"))),
        28 if creates_invalidation(operation) => {
            ("caller reference already used", after(error(400, "InvalidationBatchAlreadyExists")))
        }
        28 => ("HTML page", page(502, "text/html")),
        29 => ("delay longer than a short timeout", Effect::Delay(LONG_DELAY)),
        30 => {
            ("response without content", Effect::Raw { status: 200, body: empty_document(rng, operation).to_owned() })
        }
        _ => ("redirect", Effect::Raw { status: 302, body: String::new() }),
    }
}

/// A random fault for a call that puts a job's result. Any response with a success status counts as success, whatever
/// its body, so a malformed one is sent only after the fake AWS has accepted the result.
pub(crate) fn random_job_effect(rng: &mut Rng, operation: &'static str) -> (&'static str, Effect) {
    match rng.u8(0..8) {
        0 => ("throttling", error(400, "ThrottlingException")),
        1 => ("validation", error(400, "ValidationException")),
        2 => ("job already has a result", after(error(400, "InvalidJobStateException"))),
        3 => ("access denied", error(400, "AccessDeniedException")),
        _ => match random_effect(rng, operation, false) {
            (kind, malformed @ (Effect::Raw { status: 200..300, .. } | Effect::Page { status: 200..300, .. })) => {
                (kind, after(malformed))
            }
            other => other,
        },
    }
}

/// A random fault for a call to SQS. A receive is not delayed for long: its wait ends with the poll, which must respond.
pub(crate) fn random_queue_effect(rng: &mut Rng, operation: &'static str) -> (&'static str, Effect) {
    match rng.u8(0..12) {
        0 => ("throttling", error(403, "RequestThrottled")),
        1 => ("service unavailable", error(503, "ServiceUnavailable")),
        2 => ("internal error", error(500, "InternalFailure")),
        3 => ("access denied", error(403, "AccessDenied")),
        4 => ("no such queue", error(400, "QueueDoesNotExist")),
        5 if operation == "ReceiveMessage" => ("too many in flight", error(403, "OverLimit")),
        _ => match random_effect(rng, operation, false) {
            ("slow response" | "delay longer than a short timeout", _) if operation == "ReceiveMessage" => {
                ("delay after the operation", after(Effect::Delay(Duration::from_millis(rng.u64(5..150)))))
            }
            other => other,
        },
    }
}

/// Whether an operation reads a distribution config, a distribution tenant or a cache policy.
pub(crate) fn reads_config(operation: &str) -> bool {
    ["GetDistributionConfig", "GetDistributionTenant", "GetCachePolicy"].contains(&operation)
}

/// Whether an operation creates an invalidation, of a distribution or of a distribution tenant.
pub(crate) fn creates_invalidation(operation: &str) -> bool {
    operation.starts_with("CreateInvalidation")
}

/// An error that the service of `operation` may return.
fn random_error(rng: &mut Rng, operation: &'static str, may_deny: bool) -> (&'static str, Effect) {
    let reads_config = reads_config(operation);
    let is_s3 = ["GetBucketTagging", "ListObjectsV2"].contains(&operation);
    match rng.u8(0..10) {
        0 | 1 if is_s3 => ("slow down", error(503, "SlowDown")),
        0 | 1 => ("throttling", error(400, "Throttling")),
        2 => ("service unavailable", error(503, "ServiceUnavailable")),
        3 => ("internal error", error(500, "InternalError")),
        4 if reads_config && !may_deny => ("expired credentials", error(403, "ExpiredToken")),
        4 => ("access denied", error(403, "AccessDenied")),
        5 if is_s3 => ("no such bucket", error(404, "NoSuchBucket")),
        5 if operation == "GetCachePolicy" => ("no such policy", error(404, "NoSuchCachePolicy")),
        5 if operation.ends_with("Tenant") => ("no such tenant", error(404, "EntityNotFound")),
        5 => ("no such distribution", error(404, "NoSuchDistribution")),
        6 if is_s3 => ("request timeout", error(400, "RequestTimeout")),
        6 if reads_config => ("expired credentials", error(403, "ExpiredToken")),
        6 => ("invalid argument", error(400, "InvalidArgument")),
        7 if is_s3 => ("wrong Region", error(301, "PermanentRedirect")),
        7 if reads_config && !may_deny => ("internal error", error(500, "InternalError")),
        7 if reads_config => ("access denied without a body", Effect::Raw { status: 403, body: String::new() }),
        7 => ("batch too large", error(413, "BatchTooLarge")),
        8 if !creates_invalidation(operation) => ("unknown error code", error(400, "InventedLater")),
        _ => ("too many in progress", error(400, "TooManyInvalidationsInProgress")),
    }
}

/// A well-formed document without content, or a truncated listing without keys.
fn empty_document(rng: &mut Rng, operation: &str) -> &'static str {
    match operation {
        "GetBucketTagging" => "<Tagging></Tagging>",
        "GetDistributionConfig" => {
            let documents = [
                "<DistributionConfig></DistributionConfig>",
                "<DistributionConfig><Origins><Quantity>0</Quantity></Origins><Comment>no <Id/></Comment></DistributionConfig>",
                "<DistributionConfig><Origins><Items><Origin><Id>s3</Id></Origin></Items></Origins></DistributionConfig>",
            ];
            documents[rng.usize(0..documents.len())]
        }
        "GetDistributionTenant" => {
            let documents = [
                "<DistributionTenant><Id>tenant</Id></DistributionTenant>",
                "<DistributionTenant><Id/><DistributionId>E1</DistributionId><Parameters><member><Name>folder</Name></member></Parameters></DistributionTenant>",
            ];
            documents[rng.usize(0..documents.len())]
        }
        "GetCachePolicy" => "<CachePolicy><Id>policy</Id></CachePolicy>",
        "ListObjectsV2" => {
            let documents = [
                "<ListBucketResult></ListBucketResult>",
                "<ListBucketResult><KeyCount>0</KeyCount><IsTruncated>true</IsTruncated></ListBucketResult>",
            ];
            documents[rng.usize(0..documents.len())]
        }
        "ReceiveMessage" | "DeleteMessageBatch" | "SendMessage" => "{}",
        _ => "<Invalidation></Invalidation>",
    }
}

fn error(status: u16, code: &str) -> Effect {
    Effect::Error { status, code: code.to_owned() }
}

fn after(effect: Effect) -> Effect {
    Effect::After(Box::new(effect))
}

fn page(status: u16, content_type: &'static str) -> Effect {
    let body = "<!DOCTYPE html>\n<html><head><title>Bad gateway</title></head><body><h1>502</h1></body></html>\n";
    Effect::Page { status, content_type, body: body.to_owned() }
}

fn large_response(rng: &mut Rng) -> Effect {
    let status = *rng.choice(&[200, 400, 503]).unwrap_or(&200);
    Effect::Raw { status, body: "<Error><Code>".to_owned() + &"x".repeat(LARGE_BODY_BYTES) }
}

/// A response sent in small pieces. One of about 600 bytes takes up to half a second.
fn slow_response(rng: &mut Rng) -> Effect {
    let drip = Some((rng.usize(5..40), Duration::from_millis(rng.u64(1..4))));
    Effect::ConnectionFault(ConnectionFault { drip, ..ConnectionFault::default() })
}

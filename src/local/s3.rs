//! The subset of S3 that returns a bucket's tags, and what its operations share.

use quick_xml::escape::escape;

use super::request::Service::S3;
use super::request::{ApiRequest, ApiResponse};
use super::state::{FakeBucket, State};

/// The XML namespace of S3's documents.
pub(super) const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// The bucket of a request. It must exist, be in the Region that the request is signed for, and have the expected
/// owner.
pub(super) fn bucket<'s>(state: &'s State, request: &ApiRequest) -> Result<&'s FakeBucket, ApiResponse> {
    let Some(bucket) = state.buckets.get(&request.target) else {
        return Err(S3.error(404, "NoSuchBucket", "The specified bucket does not exist"));
    };
    if bucket.region != request.region {
        let message = "The bucket you are attempting to access must be addressed using the specified endpoint.";
        let mut answer = S3.error(301, "PermanentRedirect", message);
        answer.headers.push(("x-amz-bucket-region", bucket.region.clone()));
        return Err(answer);
    }
    let expected_owner = request.headers.get("x-amz-expected-bucket-owner");
    if expected_owner.is_some_and(|owner| owner.as_bytes() != bucket.owner.as_bytes()) {
        return Err(S3.error(403, "AccessDenied", "Access Denied"));
    }
    Ok(bucket)
}

/// `GetBucketTagging`. Source: S3 API reference.
pub(super) fn get_bucket_tagging(state: &State, request: &ApiRequest) -> ApiResponse {
    let bucket = match bucket(state, request) {
        Ok(bucket) => bucket,
        Err(refusal) => return refusal,
    };
    if bucket.tags.is_empty() {
        return S3.error(404, "NoSuchTagSet", "The TagSet does not exist");
    }
    let tags: Vec<_> = bucket
        .tags
        .iter()
        .map(|(key, value)| format!("<Tag><Key>{}</Key><Value>{}</Value></Tag>", escape(key), escape(value)))
        .collect();
    let tags = tags.concat();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Tagging xmlns=\"{NAMESPACE}\"><TagSet>{tags}</TagSet></Tagging>"
    );
    ApiResponse { status: 200, code: None, headers: Vec::new(), body }
}

//! The subset of S3 that returns a bucket's tags, and what its operations share.

use quick_xml::escape::escape;

use super::fake_aws::{FakeBucket, State};
use super::request::{ApiRequest, ApiResponse};

/// The XML namespace of S3's documents.
pub(super) const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// The bucket of a request. It must exist, be in the Region that the request is signed for, and have the expected
/// owner.
pub(super) fn bucket<'s>(state: &'s State, request: &ApiRequest) -> Result<&'s FakeBucket, ApiResponse> {
    let Some(bucket) = state.buckets.get(&request.target) else {
        return Err(error(404, "NoSuchBucket", "The specified bucket does not exist"));
    };
    if bucket.region != request.region {
        let message = "The bucket you are attempting to access must be addressed using the specified endpoint.";
        let mut answer = error(301, "PermanentRedirect", message);
        answer.headers.push(("x-amz-bucket-region", bucket.region.clone()));
        return Err(answer);
    }
    let expected_owner = request.headers.get("x-amz-expected-bucket-owner");
    if expected_owner.is_some_and(|owner| owner.as_bytes() != bucket.owner.as_bytes()) {
        return Err(error(403, "AccessDenied", "Access Denied"));
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
        return error(404, "NoSuchTagSet", "The TagSet does not exist");
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

/// An error response in S3's format.
pub(super) fn error(status: u16, code: &str, message: &str) -> ApiResponse {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message><RequestId>LOCALREQUEST</RequestId>\
         <HostId>local</HostId></Error>",
        escape(code),
        escape(message)
    );
    ApiResponse { status, code: Some(code.to_owned()), headers: Vec::new(), body }
}

//! The subset of S3 Control that writes single tags of a general purpose bucket, and of STS that returns the account of its caller.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ACCOUNT;
use super::request::Service::S3Control;
use super::request::{ApiRequest, ApiResponse, STS_NAMESPACE};
use super::state::{FakeBucket, State};

/// The most tags of a bucket, and the longest key and value in characters. Source: S3 user guide, "Using cost allocation S3
/// bucket tags".
const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

/// The prefix of keys that only AWS may set and remove.
const SYSTEM_PREFIX: &str = "aws:";

#[derive(Deserialize)]
#[serde(rename = "TagResourceRequest", rename_all = "PascalCase")]
struct TagResourceRequest {
    tags: TagList,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagList {
    #[serde(default)]
    tag: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

/// `TagResource`: adds tags, or replaces their values. Source: S3 Control API reference.
pub(super) fn tag_resource(state: &mut State, request: &ApiRequest) -> ApiResponse {
    let bucket = match bucket(state, request) {
        Ok(bucket) => bucket,
        Err(refusal) => return refusal,
    };
    let Ok(Ok(TagResourceRequest { tags })) = std::str::from_utf8(&request.body).map(quick_xml::de::from_str) else {
        return S3Control.error(400, "MalformedXML", "The XML you provided was not well-formed");
    };
    let count = tags.tag.len();
    let tags: BTreeMap<_, _> = tags.tag.into_iter().map(|tag| (tag.key, tag.value)).collect();
    let is_valid = |(key, value): (&String, &String)| {
        (1..=MAX_KEY).contains(&key.chars().count())
            && value.chars().count() <= MAX_VALUE
            && !key.starts_with(SYSTEM_PREFIX)
            && key.chars().chain(value.chars()).all(is_allowed)
    };
    if count == 0 || tags.len() != count || !tags.iter().all(is_valid) {
        return S3Control.error(400, "InvalidTag", "The tag provided was not a valid tag.");
    }
    let mut all = bucket.tags.clone();
    all.extend(tags);
    if all.keys().filter(|key| !key.starts_with(SYSTEM_PREFIX)).count() > MAX_TAGS {
        return S3Control.error(400, "TooManyTags", "The number of tags exceeds the limit of 50 tags.");
    }
    bucket.tags = all;
    done()
}

/// Whether a tag may contain a character. Source: as for [`MAX_TAGS`].
fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || " +-=._:/@".contains(character)
}

/// `UntagResource`: removes tags. One that the bucket does not have is no error. Source: S3 Control API reference.
pub(super) fn untag_resource(state: &mut State, request: &ApiRequest) -> ApiResponse {
    let bucket = match bucket(state, request) {
        Ok(bucket) => bucket,
        Err(refusal) => return refusal,
    };
    let keys: Vec<_> = form_urlencoded::parse(request.argument.as_bytes()).map(|(_, key)| key.into_owned()).collect();
    if keys.iter().any(|key| key.starts_with(SYSTEM_PREFIX)) {
        return S3Control.error(400, "InvalidTag", "System tags cannot be removed by requester");
    }
    bucket.tags.retain(|key, _| !keys.contains(key));
    done()
}

/// The bucket of a request, which must exist and belong to the account in the header.
fn bucket<'s>(state: &'s mut State, request: &ApiRequest) -> Result<&'s mut FakeBucket, ApiResponse> {
    let account = request.headers.get("x-amz-account-id").map(|it| it.as_bytes().to_vec()).unwrap_or_default();
    if account != ACCOUNT.as_bytes() {
        return Err(S3Control.error(403, "AccessDenied", "Access Denied"));
    }
    match state.buckets.get_mut(&request.target) {
        Some(bucket) if bucket.owner != ACCOUNT => Err(S3Control.error(403, "AccessDenied", "Access Denied")),
        Some(bucket) if bucket.region == request.region => Ok(bucket),
        _ => Err(S3Control.error(404, "NoSuchResource", "The specified resource doesn't exist.")),
    }
}

fn done() -> ApiResponse {
    ApiResponse { status: 204, code: None, headers: Vec::new(), body: String::new() }
}

/// `GetCallerIdentity`. Source: STS API reference.
pub(super) fn get_caller_identity() -> ApiResponse {
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"{STS_NAMESPACE}\"><GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/\
         operator</Arn><UserId>AIDALOCAL</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult><ResponseMetadata>\
         <RequestId>LOCALREQUEST</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    );
    ApiResponse { status: 200, code: None, headers: Vec::new(), body }
}

//! Reads bucket tags from S3.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;

use super::CallError;
use super::error::call_error;
use super::response::{CompleteXml, SMALL_RESPONSE_BYTES, SizeLimit, is_complete_response_with_status};
use super::s3::S3;
use crate::change::{AccountId, Bucket};
use crate::path::Tags;

/// A bucket to send a request about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketQuery {
    /// The bucket.
    pub bucket: Bucket,
    /// The account that must own the bucket (`ExpectedBucketOwner`), or S3 denies the request; `None` accepts any
    /// owner.
    pub expected_owner: Option<AccountId>,
}

impl S3 {
    /// Returns the bucket's tags (`GetBucketTagging`); empty if it has none.
    ///
    /// # Errors
    /// The error of the call, or an incomplete response.
    pub async fn bucket_tags(&self, query: &BucketQuery) -> Result<Tags, CallError> {
        let client: Client = self.client(query.bucket.region.as_ref());
        let answer = client
            .get_bucket_tagging()
            .bucket(query.bucket.name.as_str())
            .set_expected_bucket_owner(query.expected_owner.as_ref().map(|id| id.as_str().to_owned()))
            .customize()
            .interceptor(CompleteXml("<TagSet"))
            // At most 50 tags, with keys of up to 128 and values of up to 256 characters.
            .interceptor(SizeLimit(SMALL_RESPONSE_BYTES))
            .send()
            .await;
        match answer {
            Ok(tagging) => Ok(tagging.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect()),
            // S3's answer for a bucket without tags; the SDK does not model it.
            Err(error) if error.code() == Some("NoSuchTagSet") && is_complete_response_with_status(&error, 404) => {
                Ok(Tags::new())
            }
            Err(error) => Err(call_error("GetBucketTagging", &error)),
        }
    }
}

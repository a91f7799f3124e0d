//! Buckets and their tags.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{BucketAbacStatus, BucketLocationConstraint, Tag, Tagging};

use super::{OperatorClients, retry_while_busy};
use crate::aws::error::{call_error, invalid_response};
use crate::aws::response::{CompleteXml, is_complete_with_status};
use crate::aws::{CallError, ErrorClass};
use crate::change::BucketName;
use crate::path::Tags;

/// Where S3 tells a bucket's Region, also to those who asked the wrong one.
const REGION_HEADER: &str = "x-amz-bucket-region";

/// The Region of buckets that S3 tells none of. Source: S3 API reference, `GetBucketLocation`.
const FIRST_REGION: &str = "us-east-1";

impl OperatorClients {
    pub(super) async fn list_buckets(&self) -> Result<Vec<BucketName>, CallError> {
        let mut pages = self.s3.list_buckets().bucket_region(&self.region).into_paginator().send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| call_error("ListBuckets", &error))?;
            let here = |it: &aws_sdk_s3::types::Bucket| it.bucket_region().is_none_or(|region| region == self.region);
            let found = page.buckets().iter().filter(|it| here(it)).filter_map(|it| it.name());
            // Names that are none here are those of other kinds of buckets, which have no tags.
            names.extend(found.filter_map(|name| BucketName::new(name).ok()));
        }
        Ok(names)
    }

    pub(super) async fn region_of(&self, bucket: &BucketName) -> Result<String, CallError> {
        let output = self.s3.head_bucket().bucket(bucket.as_str()).send().await;
        let region = match &output {
            Ok(head) => head.bucket_region(),
            Err(error) => error.raw_response().and_then(|answer| answer.headers().get(REGION_HEADER)),
        };
        if let Some(region) = region.filter(|it| !it.is_empty()) {
            return Ok(region.to_owned());
        }
        output.map_err(|error| match call_error("HeadBucket", &error) {
            // An answer without a body has no words.
            missing if missing.class == ErrorClass::NotFound => {
                CallError { message: format!("there is no bucket \"{bucket}\"; correct its name"), ..missing }
            }
            other => other,
        })?;
        let output = self.s3.get_bucket_location().bucket(bucket.as_str()).send().await;
        let location = output.map_err(|error| call_error("GetBucketLocation", &error))?.location_constraint;
        Ok(match location.as_ref().map(BucketLocationConstraint::as_str) {
            None | Some("") => FIRST_REGION.to_owned(),
            Some("EU") => "eu-west-1".to_owned(),
            Some(region) => region.to_owned(),
        })
    }

    pub(super) async fn read_tags(&self, bucket: &BucketName) -> Result<Tags, CallError> {
        let owner = self.caller_account().await?.as_str();
        let call = self.s3.get_bucket_tagging().bucket(bucket.as_str()).expected_bucket_owner(owner);
        match call.customize().interceptor(CompleteXml("<TagSet")).send().await {
            Ok(tagging) => Ok(tagging.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect()),
            Err(error) if error.code() == Some("NoSuchTagSet") && is_complete_with_status(&error, 404) => {
                Ok(Tags::new())
            }
            Err(error) => Err(call_error("GetBucketTagging", &error)),
        }
    }

    pub(super) async fn write_tags(&self, bucket: &BucketName, tags: &Tags) -> Result<(), CallError> {
        let owner = self.caller_account().await?.as_str();
        if tags.is_empty() {
            // A set without tags cannot be put.
            let call = || self.s3.delete_bucket_tagging().bucket(bucket.as_str()).expected_bucket_owner(owner).send();
            return retry_while_busy(call).await.map(|_| ()).map_err(|error| call_error("DeleteBucketTagging", &error));
        }
        let unfit = |error| invalid_response("PutBucketTagging", &format!("{error}"));
        let tag = |(key, value)| Tag::builder().key(key).value(value).build();
        let tags = tags.iter().map(tag).collect::<Result<Vec<_>, _>>().map_err(unfit)?;
        let tagging = Tagging::builder().set_tag_set(Some(tags)).build().map_err(unfit)?;
        let call = self.s3.put_bucket_tagging().bucket(bucket.as_str()).expected_bucket_owner(owner).tagging(tagging);
        retry_while_busy(|| call.clone().send())
            .await
            .map(|_| ())
            .map_err(|error| call_error("PutBucketTagging", &error))
    }

    pub(super) async fn has_abac(&self, bucket: &BucketName) -> Result<bool, CallError> {
        let owner = self.caller_account().await?.as_str();
        let call = self.s3.get_bucket_abac().bucket(bucket.as_str()).expected_bucket_owner(owner);
        let output = call.send().await.map_err(|error| call_error("GetBucketAbac", &error))?;
        Ok(output.abac_status.and_then(|it| it.status) == Some(BucketAbacStatus::Enabled))
    }
}

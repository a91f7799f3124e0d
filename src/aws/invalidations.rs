//! Creates invalidations in CloudFront and reads their status, for distributions and distribution tenants.

use std::error::Error;

use aws_config::SdkConfig;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::config::Builder;
use aws_sdk_cloudfront::config::retry::RetryConfig;
use aws_sdk_cloudfront::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_cloudfront::types::{Invalidation as SdkInvalidation, InvalidationBatch, Paths};

use super::CallError;
use super::error::{call_error, invalid_response};
use super::response::{CompleteXml, SMALL_RESPONSE_BYTES, SizeLimit, is_complete_response_with_status};
use crate::change::{DistributionId, InvalidationId};
use crate::plan::Invalidation;

/// CloudFront's response to an invalidation that it accepted, now or earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// CloudFront returned an ID. For a repeated request with the same caller reference and paths it returns the
    /// existing invalidation and bills nothing.
    Created {
        /// CloudFront's ID of the invalidation.
        id: InvalidationId,
    },
    /// CloudFront rejected the request because the caller reference was used before. The reference is derived from the
    /// paths, so the same invalidation was accepted earlier.
    AlreadyExists,
}

/// The status of an invalidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Progress {
    /// Some edge locations may still serve the invalidated objects.
    InProgress,
    /// No edge location serves the invalidated objects any longer.
    Completed,
}

/// Part of CloudFront's message if the caller reference was used before. The API model names a dedicated error code
/// (`InvalidationBatchAlreadyExists`); in practice the code is `InvalidArgument` (aws-cdk#3878).
const REFERENCE_USED: &str = "caller reference that was used for a previous invalidation batch";

/// The longest response that is read, in bytes: `GetInvalidation` repeats up to 3,000 paths of up to 4,000 characters.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// The most bytes of a response for each byte of an item: `'` takes six in XML (`&apos;`).
const MAX_XML_BYTES_PER_BYTE: usize = 6;
/// The most bytes of a response for the markup around an item.
const MAX_MARKUP_BYTES_PER_ITEM: usize = 64;

/// A CloudFront client for invalidations, distribution configs and cache policies.
pub struct CloudFront {
    pub(crate) client: Client,
}

impl CloudFront {
    /// Builds the client, without connecting. CloudFront's endpoint is global.
    ///
    /// The SDK's retries are disabled: the sender decides which of several invalidations to retry when.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let builder = Builder::from(config);
        Self::from_builder(builder.interceptor(CompleteXml("<Id")).retry_config(RetryConfig::disabled()))
    }

    /// Builds the client with the SDK's retries, for callers that make few calls and wait for each.
    #[cfg(feature = "cli")]
    pub(crate) fn with_sdk_retries(config: &SdkConfig) -> Self {
        Self::from_builder(Builder::from(config))
    }

    fn from_builder(builder: Builder) -> Self {
        Self { client: Client::from_conf(builder.interceptor(SizeLimit(MAX_RESPONSE_BYTES)).build()) }
    }

    /// Creates an invalidation (`CreateInvalidation`, or its variant for a distribution tenant).
    ///
    /// # Errors
    /// The error of the call, or a response without an ID.
    pub async fn create(&self, invalidation: &Invalidation) -> Result<Accepted, CallError> {
        let batch = batch(invalidation)?;
        let distribution_id = invalidation.distribution.as_str();
        let size_limit = SizeLimit(max_response_bytes(invalidation));
        if invalidation.distribution.is_tenant() {
            let call = self.client.create_invalidation_for_distribution_tenant().id(distribution_id);
            let answer = call.invalidation_batch(batch).customize().interceptor(size_limit).send().await;
            return accepted("CreateInvalidationForDistributionTenant", answer.map(|created| created.invalidation));
        }
        let call = self.client.create_invalidation().distribution_id(distribution_id).invalidation_batch(batch);
        let answer = call.customize().interceptor(size_limit).send().await;
        accepted("CreateInvalidation", answer.map(|created| created.invalidation))
    }

    /// Returns the status of an invalidation that was created (`GetInvalidation`, or its variant for a distribution
    /// tenant).
    ///
    /// # Errors
    /// The error of the call, or a response without a known status.
    pub async fn progress(
        &self,
        distribution: &DistributionId,
        invalidation: &InvalidationId,
    ) -> Result<Progress, CallError> {
        let (distribution_id, id) = (distribution.as_str(), invalidation.as_str());
        if distribution.is_tenant() {
            let call =
                self.client.get_invalidation_for_distribution_tenant().distribution_tenant_id(distribution_id).id(id);
            let answer = call.send().await;
            return progress_of("GetInvalidationForDistributionTenant", answer.map(|got| got.invalidation));
        }
        let answer = self.client.get_invalidation().distribution_id(distribution_id).id(id).send().await;
        progress_of("GetInvalidation", answer.map(|got| got.invalidation))
    }
}

/// Maps CloudFront's response to a new invalidation. A response without an ID, for example from a proxy, does not
/// prove that the invalidation was accepted.
fn accepted<E: ProvideErrorMetadata + Error + 'static>(
    operation: &str,
    answer: Result<Option<SdkInvalidation>, SdkError<E>>,
) -> Result<Accepted, CallError> {
    match answer {
        Ok(created) => match created.and_then(|it| InvalidationId::new(&it.id).ok()) {
            Some(id) => Ok(Accepted::Created { id }),
            None => Err(invalid_response(operation, "the invalidation ID is missing or malformed")),
        },
        Err(error)
            if is_complete_response_with_status(&error, 400) && is_reference_used(error.code(), error.message()) =>
        {
            Ok(Accepted::AlreadyExists)
        }
        Err(error) => Err(call_error(operation, &error)),
    }
}

/// Whether an error means that the caller reference was used before.
fn is_reference_used(code: Option<&str>, message: Option<&str>) -> bool {
    match code {
        Some("InvalidationBatchAlreadyExists") => true,
        Some("InvalidArgument") => message.is_some_and(|message| message.contains(REFERENCE_USED)),
        _ => false,
    }
}

/// The longest response to this new invalidation, in bytes. CloudFront repeats the items.
fn max_response_bytes(invalidation: &Invalidation) -> usize {
    let items =
        invalidation.items.iter().map(|item| item.as_str().len() * MAX_XML_BYTES_PER_BYTE + MAX_MARKUP_BYTES_PER_ITEM);
    items.sum::<usize>() + SMALL_RESPONSE_BYTES
}

/// Maps CloudFront's response to a request for an invalidation's status.
fn progress_of<E: ProvideErrorMetadata + Error + 'static>(
    operation: &str,
    answer: Result<Option<SdkInvalidation>, SdkError<E>>,
) -> Result<Progress, CallError> {
    match answer {
        Ok(got) => match got.as_ref().map(|it| it.status.as_str()) {
            Some("Completed") => Ok(Progress::Completed),
            Some("InProgress") => Ok(Progress::InProgress),
            _ => Err(invalid_response(operation, "the invalidation status is missing or unknown")),
        },
        Err(error) => Err(call_error(operation, &error)),
    }
}

/// Builds the request's batch. `Paths` does not derive `quantity` from its items.
fn batch(invalidation: &Invalidation) -> Result<InvalidationBatch, BuildError> {
    let items: Vec<_> = invalidation.items.iter().map(|item| item.as_str().to_owned()).collect();
    let quantity = i32::try_from(items.len()).unwrap_or(i32::MAX);
    let paths = Paths::builder().quantity(quantity).set_items(Some(items)).build()?;
    InvalidationBatch::builder().paths(paths).caller_reference(invalidation.caller_reference.as_str()).build()
}

//! Invalidations to CloudFront, and how far they are.

use aws_config::SdkConfig;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::config::retry::RetryConfig;
use aws_sdk_cloudfront::error::{BuildError, ProvideErrorMetadata};
use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};

use super::error::{call_error, not_understood};
use super::whole::{BoundedAnswer, WholeAnswer};
use crate::distribution::{DistributionId, InvalidationId};
use crate::plan::PlannedInvalidation;
use crate::ports::{Accepted, CallError, ErrorClass, Invalidations, Progress};

/// What CloudFront's message says, among other words, when a caller reference was used before. It has a code of its own
/// only in the API model; in practice it is an `InvalidArgument` (aws-cdk#3878).
const REFERENCE_USED: &str = "caller reference that was used for a previous invalidation batch";

/// Sends invalidations by `CreateInvalidation`, and asks for them by `GetInvalidation`.
pub struct CloudFront {
    client: Client,
}

impl CloudFront {
    /// Makes the client; CloudFront's endpoint is global. Nothing is connected yet. It makes one attempt: whoever sends
    /// several invalidations knows better than the SDK when to try which again.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_cloudfront::config::Builder::from(config)
            .interceptor(WholeAnswer("<Id"))
            .interceptor(BoundedAnswer)
            .retry_config(RetryConfig::disabled())
            .build();
        Self { client: Client::from_conf(config) }
    }
}

impl Invalidations for CloudFront {
    async fn create(&self, invalidation: &PlannedInvalidation) -> Result<Accepted, CallError> {
        let batch = batch(invalidation)
            .map_err(|error| CallError { class: ErrorClass::Other, message: format!("CreateInvalidation: {error}") })?;
        let answer = self
            .client
            .create_invalidation()
            .distribution_id(invalidation.distribution.as_str())
            .invalidation_batch(batch)
            .send()
            .await;
        match answer {
            // An answer without an id, from a proxy perhaps, is no promise that anything was taken.
            Ok(created) => match created.invalidation.and_then(|it| InvalidationId::new(&it.id)) {
                Some(id) => Ok(Accepted::Created { id }),
                None => Err(not_understood("CreateInvalidation", "it names no invalidation")),
            },
            Err(error)
                if error.code() == Some("InvalidationBatchAlreadyExists")
                    || error.message().is_some_and(|message| message.contains(REFERENCE_USED)) =>
            {
                Ok(Accepted::AlreadyExists)
            }
            Err(error) => Err(call_error("CreateInvalidation", &error)),
        }
    }

    async fn progress(
        &self,
        distribution: &DistributionId,
        invalidation: &InvalidationId,
    ) -> Result<Progress, CallError> {
        let answer = self
            .client
            .get_invalidation()
            .distribution_id(distribution.as_str())
            .id(invalidation.as_str())
            .send()
            .await;
        match answer {
            Ok(got) => match got.invalidation.as_ref().map(|it| it.status.as_str()) {
                Some("Completed") => Ok(Progress::Completed),
                Some("InProgress") => Ok(Progress::InProgress),
                _ => Err(not_understood("GetInvalidation", "it tells no status")),
            },
            Err(error) => Err(call_error("GetInvalidation", &error)),
        }
    }
}

/// `Paths` does not count its items by itself.
fn batch(invalidation: &PlannedInvalidation) -> Result<InvalidationBatch, BuildError> {
    let items: Vec<_> = invalidation.items.iter().map(|item| item.as_str().to_owned()).collect();
    let quantity = i32::try_from(items.len()).unwrap_or(i32::MAX);
    let paths = Paths::builder().quantity(quantity).set_items(Some(items)).build()?;
    InvalidationBatch::builder().paths(paths).caller_reference(invalidation.caller_reference.as_str()).build()
}

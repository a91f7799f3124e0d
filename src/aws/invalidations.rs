//! Invalidations to CloudFront.

use aws_config::SdkConfig;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::error::{BuildError, ProvideErrorMetadata};
use aws_sdk_cloudfront::types::{InvalidationBatch, Paths};

use super::error::{call_error, not_understood};
use super::whole::WholeAnswer;
use crate::plan::PlannedInvalidation;
use crate::ports::{Accepted, CallError, ErrorClass, Invalidations};

/// What CloudFront's message says, among other words, when a caller reference was used before. It has a code of its own
/// only in the API model; in practice it is an `InvalidArgument` (aws-cdk#3878).
const REFERENCE_USED: &str = "caller reference that was used for a previous invalidation batch";

/// Sends invalidations by `CreateInvalidation`.
pub struct CloudFront {
    client: Client,
}

impl CloudFront {
    /// Makes the client; CloudFront's endpoint is global. Nothing is connected yet.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_cloudfront::config::Builder::from(config).interceptor(WholeAnswer("<Id")).build();
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
            Ok(created) => match created.invalidation.map(|it| it.id).filter(|id| !id.is_empty()) {
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
}

/// `Paths` does not count its items by itself.
fn batch(invalidation: &PlannedInvalidation) -> Result<InvalidationBatch, BuildError> {
    let items: Vec<_> = invalidation.paths.iter().map(|path| path.as_str().to_owned()).collect();
    let quantity = i32::try_from(items.len()).unwrap_or(i32::MAX);
    let paths = Paths::builder().quantity(quantity).set_items(Some(items)).build()?;
    InvalidationBatch::builder().paths(paths).caller_reference(invalidation.caller_reference.as_str()).build()
}

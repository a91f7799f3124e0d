//! Invalidations to CloudFront, and how far they are.

use std::future::Future;

use std::error::Error;

use aws_config::SdkConfig;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::config::Builder;
use aws_sdk_cloudfront::config::http::HttpResponse;
use aws_sdk_cloudfront::config::retry::RetryConfig;
use aws_sdk_cloudfront::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_cloudfront::types::{Invalidation as SdkInvalidation, InvalidationBatch, Paths};

use super::error::{call_error, invalid_response};
use super::response::{CompleteXml, SMALL_RESPONSE_BYTES, SizeLimit, is_complete_with_status};
use super::{CallError, ErrorClass};
use crate::change::{DistributionId, InvalidationId};
use crate::plan::Invalidation;

/// Takes invalidations.
pub trait Invalidations {
    /// Sends one invalidation.
    fn create(&self, invalidation: &Invalidation) -> impl Future<Output = Result<Accepted, CallError>>;

    /// Tells how far one is that was sent.
    fn progress(
        &self,
        distribution: &DistributionId,
        invalidation: &InvalidationId,
    ) -> impl Future<Output = Result<Progress, CallError>>;
}

/// An invalidation that CloudFront has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It took it, under this id; it answers the same again, and bills nothing, for one that it already had.
    Created {
        /// CloudFront's id of the invalidation.
        id: InvalidationId,
    },
    /// It says that it had one under this caller reference before.
    AlreadyExists,
}

/// How far an invalidation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Progress {
    /// Some edges may still serve what it removes.
    InProgress,
    /// No edge does.
    Completed,
}

/// What CloudFront's message says, among other words, when a caller reference was used before. It has a code of its own
/// only in the API model; in practice it is an `InvalidArgument` (aws-cdk#3878).
const REFERENCE_USED: &str = "caller reference that was used for a previous invalidation batch";

/// The longest answer that is read, in bytes: that of `GetInvalidation`, which repeats 3,000 paths of 4,000 characters.
const MAX_RESPONSE_BYTES: usize = 16 * 1024 * 1024;

/// How many bytes an answer has at the most for each of an item, and for what is around an item: `&` is five in XML.
const BYTES_PER_BYTE: usize = 6;
const BYTES_PER_ITEM: usize = 64;

/// Sends invalidations by `CreateInvalidation`, and asks for them by `GetInvalidation`.
pub struct CloudFront {
    pub(crate) client: Client,
}

impl CloudFront {
    /// Makes the client; CloudFront's endpoint is global. Nothing is connected yet. It makes one attempt: whoever sends
    /// several invalidations knows better than the SDK when to try which again.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let builder = Builder::from(config);
        Self::id_of_distribution(builder.interceptor(CompleteXml("<Id")).retry_config(RetryConfig::disabled()))
    }

    /// The same with the SDK's own retries, for whoever asks little and waits for it.
    #[cfg(feature = "cli")]
    pub(crate) fn with_sdk_retries(config: &SdkConfig) -> Self {
        Self::id_of_distribution(Builder::from(config))
    }

    fn id_of_distribution(builder: Builder) -> Self {
        Self { client: Client::from_conf(builder.interceptor(SizeLimit(MAX_RESPONSE_BYTES)).build()) }
    }
}

impl Invalidations for CloudFront {
    async fn create(&self, invalidation: &Invalidation) -> Result<Accepted, CallError> {
        let batch = batch(invalidation)
            .map_err(|error| CallError { class: ErrorClass::Other, message: format!("CreateInvalidation: {error}") })?;
        let id = invalidation.distribution.as_str();
        let bounded = SizeLimit(max_response_bytes(invalidation));
        if invalidation.distribution.is_tenant() {
            let call = self.client.create_invalidation_for_distribution_tenant().id(id);
            let answer = call.invalidation_batch(batch).customize().interceptor(bounded).send().await;
            return accepted("CreateInvalidationForDistributionTenant", answer.map(|created| created.invalidation));
        }
        let call = self.client.create_invalidation().distribution_id(id).invalidation_batch(batch);
        let answer = call.customize().interceptor(bounded).send().await;
        accepted("CreateInvalidation", answer.map(|created| created.invalidation))
    }

    async fn progress(
        &self,
        distribution: &DistributionId,
        invalidation: &InvalidationId,
    ) -> Result<Progress, CallError> {
        let (id_of_distribution, id) = (distribution.as_str(), invalidation.as_str());
        if distribution.is_tenant() {
            let call = self
                .client
                .get_invalidation_for_distribution_tenant()
                .distribution_tenant_id(id_of_distribution)
                .id(id);
            let answer = call.send().await;
            return progress_of("GetInvalidationForDistributionTenant", answer.map(|got| got.invalidation));
        }
        let answer = self.client.get_invalidation().distribution_id(id_of_distribution).id(id).send().await;
        progress_of("GetInvalidation", answer.map(|got| got.invalidation))
    }
}

/// What CloudFront's answer to a new invalidation says. One without an id, from a proxy perhaps, is no promise that anything
/// was taken.
fn accepted<E>(
    operation: &str,
    answer: Result<Option<SdkInvalidation>, SdkError<E, HttpResponse>>,
) -> Result<Accepted, CallError>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match answer {
        Ok(created) => match created.and_then(|it| InvalidationId::new(&it.id)) {
            Some(id) => Ok(Accepted::Created { id }),
            None => Err(invalid_response(operation, "it names no invalidation")),
        },
        Err(error) if is_complete_with_status(&error, 400) && is_reference_used(error.code(), error.message()) => {
            Ok(Accepted::AlreadyExists)
        }
        Err(error) => Err(call_error(operation, &error)),
    }
}

/// Whether an error says that the caller reference was used before.
fn is_reference_used(code: Option<&str>, message: Option<&str>) -> bool {
    match code {
        Some("InvalidationBatchAlreadyExists") => true,
        Some("InvalidArgument") => message.is_some_and(|message| message.contains(REFERENCE_USED)),
        _ => false,
    }
}

/// The longest answer to a new invalidation, in bytes. It repeats the items.
fn max_response_bytes(invalidation: &Invalidation) -> usize {
    let items = invalidation.items.iter().map(|item| item.as_str().len() * BYTES_PER_BYTE + BYTES_PER_ITEM);
    items.sum::<usize>() + SMALL_RESPONSE_BYTES
}

/// What CloudFront's answer says of an invalidation.
fn progress_of<E>(
    operation: &str,
    answer: Result<Option<SdkInvalidation>, SdkError<E, HttpResponse>>,
) -> Result<Progress, CallError>
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match answer {
        Ok(got) => match got.as_ref().map(|it| it.status.as_str()) {
            Some("Completed") => Ok(Progress::Completed),
            Some("InProgress") => Ok(Progress::InProgress),
            _ => Err(invalid_response(operation, "it tells no status")),
        },
        Err(error) => Err(call_error(operation, &error)),
    }
}

/// `Paths` does not count its items by itself.
fn batch(invalidation: &Invalidation) -> Result<InvalidationBatch, BuildError> {
    let items: Vec<_> = invalidation.items.iter().map(|item| item.as_str().to_owned()).collect();
    let quantity = i32::try_from(items.len()).unwrap_or(i32::MAX);
    let paths = Paths::builder().quantity(quantity).set_items(Some(items)).build()?;
    InvalidationBatch::builder().paths(paths).caller_reference(invalidation.caller_reference.as_str()).build()
}

//! Finds the distributions of a bucket by their origins.

use super::api::{ListedDistribution, OperatorApi};
use super::deployment::Deployment;
use super::error::LinkError;
use crate::aws::CallError;
use crate::change::{Bucket, BucketName, Region};

/// Returns the account's distributions.
///
/// # Errors
/// If they cannot be listed, with the remedy.
pub async fn list_distributions(
    api: &impl OperatorApi,
    deployment: &Deployment,
) -> Result<Vec<ListedDistribution>, LinkError> {
    api.distributions().await.map_err(|error| match LinkError::of_cloud_front(error, deployment) {
        LinkError::Call(error) => LinkError::NoList(error),
        error => error,
    })
}

/// Returns the distributions of the list with an origin that is the bucket. The cache of a multi-tenant one is
/// invalidated per tenant, so it is none of them. Nor are disabled and staging distributions.
///
/// # Errors
/// If the bucket's Region cannot be read.
pub async fn serving<'l>(
    api: &impl OperatorApi,
    listed: &'l [ListedDistribution],
    bucket: &BucketName,
) -> Result<Vec<&'l ListedDistribution>, CallError> {
    let region = api.bucket_region(bucket).await?;
    let bucket = Bucket { name: bucket.clone(), region: Region::new(&region).ok() };
    // Only certain ones: an origin with the bucket's own name can also be another server.
    let is_origin = |it: &&ListedDistribution| it.config.origins_of(&bucket).next().is_some();
    Ok(listed.iter().filter(|it| it.is_live && !it.config.is_multi_tenant).filter(is_origin).collect())
}

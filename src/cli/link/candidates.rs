//! Finds the distributions of a bucket by their origins.

use super::api::{ListedDistribution, OperatorApi};
use super::plan::origin_paths;
use crate::aws::CallError;
use crate::change::{Bucket, BucketName, Region};

/// Returns the distributions of the list with an origin that is the bucket. The cache of a multi-tenant one is
/// invalidated per tenant, so it is none of them.
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
    let is_served =
        |it: &&ListedDistribution| !it.config.is_multi_tenant && !origin_paths(&it.config, &bucket).is_empty();
    Ok(listed.iter().filter(is_served).collect())
}

//! A resolved bucket: which distributions serve it, and how they map its keys.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::change::{Bucket, DistributionId};
use crate::path::{BucketOptions, Mapping};

/// The result of looking up a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The bucket is tagged with distributions.
    Served {
        /// The bucket's options.
        options: Arc<BucketOptions>,
        /// The mapping of each distribution; `None` if its config is unavailable, so that no URL is known.
        mappings: Vec<(DistributionId, Option<Mapping>)>,
    },
    /// The bucket does not have the tag that names a distribution.
    Untagged,
    /// The bucket's tags could not be read or are invalid.
    Failed,
}

/// The resolution of each bucket.
pub type Resolutions = BTreeMap<Bucket, Resolution>;

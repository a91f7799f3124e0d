//! What is known of a bucket: which distributions serve it, and how.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::change::{Bucket, DistributionId};
use crate::path::{BucketOptions, Mapping};

/// What is known of where a bucket's changes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// To distributions.
    Served {
        /// What the bucket's tags say.
        options: Arc<BucketOptions>,
        /// How each distribution shows the bucket; `None` where its settings could not be learnt, so that no URL is known.
        mappings: Vec<(DistributionId, Option<Mapping>)>,
    },
    /// Nowhere: the bucket does not have the tag.
    Untagged,
    /// It could not be learnt.
    Failed,
}

/// The destinations of buckets.
pub type Resolutions = BTreeMap<Bucket, Resolution>;

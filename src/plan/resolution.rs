//! What is known of a bucket: which distributions serve it, and how.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::change::{Bucket, DistributionId};
use crate::path::{Route, View};

/// What is known of where a bucket's changes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// To distributions.
    Shown {
        /// What the bucket's tags say.
        route: Arc<Route>,
        /// How each distribution shows the bucket; `None` where its settings could not be learnt, so that no URL is known.
        views: Vec<(DistributionId, Option<View>)>,
    },
    /// Nowhere: the bucket does not have the tag.
    Untagged,
    /// It could not be learnt.
    Unknown,
}

/// The destinations of buckets.
pub type Destinations = BTreeMap<Bucket, Destination>;

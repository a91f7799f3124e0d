//! Why a change needs no invalidation.

use serde::Serialize;

/// Why a change needs no invalidation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum SkipReason {
    /// The bucket does not have the tag that names a distribution.
    BucketNotTagged {
        /// The bucket.
        bucket: String,
    },
    /// The key lies outside the bucket's origin path, where CloudFront never looks.
    OutsideOriginPath {
        /// The bucket.
        bucket: String,
    },
    /// Requests for the object's URLs go to other origins of the distribution.
    ServedElsewhere {
        /// The bucket.
        bucket: String,
    },
    /// The bucket's tag `invalidation:ignore` names the end of the key.
    IgnoredSuffix {
        /// The bucket.
        bucket: String,
        /// The end.
        suffix: String,
    },
    /// The event is not about an object's content.
    NotAContentChange {
        /// Its name.
        event_name: String,
    },
    /// `DRY_RUN` is on.
    DryRun,
    /// The message that S3 sends when a notification is set up. It is about no change.
    TestEvent,
}

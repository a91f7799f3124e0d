//! Why a change is skipped.

use serde::Serialize;

/// Why a change is skipped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum SkipReason {
    /// The bucket does not have the tag that names a distribution.
    BucketNotTagged {
        /// The bucket.
        bucket: String,
    },
    /// The key is outside every origin path under which the distributions serve the bucket.
    OutsideOriginPath {
        /// The bucket.
        bucket: String,
    },
    /// Requests for the object's URLs go to other origins of the distribution.
    OtherOrigin {
        /// The bucket.
        bucket: String,
    },
    /// The key ends with a suffix that the bucket's tag `invalidation:ignore` names.
    IgnoredSuffix {
        /// The bucket.
        bucket: String,
        /// The suffix.
        suffix: String,
    },
    /// The event does not change an object's content.
    NotAContentChange {
        /// The name of the event.
        event_name: String,
    },
    /// `DRY_RUN` is on.
    DryRun,
    /// The test event that S3 sends when an event notification is configured. It concerns no object.
    TestEvent,
}

//! What changed, in S3's own terms, and the checked names that everything else is built from.

mod batch;
mod distribution;
mod name;
pub mod text;
mod timestamp;

pub use self::batch::{Batch, EventSource, Message, RecordError, SkippedRecord};
pub use self::distribution::{DistributionId, DistributionIdError, InvalidationId};
pub use self::name::{AccountId, BucketName, MAX_BUCKET_NAME_LENGTH, MAX_KEY_BYTES, NameError, ObjectKey, Region};
pub use self::timestamp::Timestamp;

/// A bucket as an event names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bucket {
    /// Its name.
    pub name: BucketName,
    /// Its Region; `None` where the event does not tell, which means the function's own.
    pub region: Option<Region>,
}

/// One object whose content changed: created, overwritten or removed. Which of them makes no difference to a cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// The bucket that holds, or held, the object.
    pub bucket: Bucket,
    /// The object's key.
    pub key: ObjectKey,
}

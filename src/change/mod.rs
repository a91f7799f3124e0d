//! Changes to S3 objects, the batches they arrive in, and the validated names that all other modules use: bucket, key,
//! Region, account, distribution and invalidation.

mod batch;
pub mod text;

pub use self::batch::{Batch, EventSource, FieldError, Message, SkippedRecord, Timestamp};
pub use self::text::{
    AccountId, BucketName, DistributionId, InvalidationId, MAX_BUCKET_NAME_LENGTH, MAX_KEY_BYTES, NameError, ObjectKey,
    PolicyId, Region,
};
pub(crate) use self::text::{MAX_ID_LENGTH, checked_name};

/// A bucket, as an event identifies it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bucket {
    /// The bucket's name.
    pub name: BucketName,
    /// The bucket's Region. `None` if the event names none, which means the function's own Region.
    pub region: Option<Region>,
}

/// One object whose content changed: created, overwritten or deleted. A cache treats all three alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// The bucket that contains, or contained, the object.
    pub bucket: Bucket,
    /// The object's key.
    pub key: ObjectKey,
}

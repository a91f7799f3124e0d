//! What the events of S3 change for a viewer: one table for the names of event notifications, the detail types of
//! EventBridge, and the API calls that CloudTrail records.
//!
//! An event that is in none of these lists is unknown: it may be a change, so it fails.

use crate::change::FieldError;
use crate::change::text::excerpt;

/// What an event changes for a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The content of the object.
    Content,
    /// The content, unless the event names the version that is gone. Lifecycle deletes only versions that are not
    /// current, and delete markers without versions. Source: S3 user guide, "Expiring objects".
    ContentWithoutVersion,
    /// Nothing.
    Nothing,
}

use Effect::{Content, ContentWithoutVersion, Nothing};

/// The event names of notifications: a family, or a whole name where it differs from its family. Source: S3 user guide,
/// "Supported event types for SQS, SNS, and Lambda".
const EVENT_NAMES: [(&str, Effect); 14] = [
    ("ObjectCreated", Content),
    ("ObjectRemoved", Content),
    ("LifecycleExpiration:Delete", ContentWithoutVersion),
    ("LifecycleExpiration", Content),
    ("LifecycleTransition", Nothing),
    ("IntelligentTiering", Nothing),
    ("ObjectAcl", Nothing),
    ("ObjectAnnotation", Nothing),
    ("ObjectRestore", Nothing),
    ("ObjectRetention", Nothing),
    ("ObjectTagging", Nothing),
    ("ReducedRedundancyLostObject", Nothing),
    ("Replication", Nothing),
    // Some S3-compatible stores report reads. Source: MinIO documentation, "Bucket Notifications".
    ("ObjectAccessed", Nothing),
];

/// The detail types of S3's own events. Source: EventBridge events reference, "Amazon Simple Storage Service events".
const DETAIL_TYPES: [(&str, Effect); 10] = [
    ("Object Created", Content),
    // What Lifecycle deletes has its own reason.
    ("Object Deleted", Content),
    ("Object ACL Updated", Nothing),
    ("Object Access Tier Changed", Nothing),
    ("Object Restore Completed", Nothing),
    ("Object Restore Expired", Nothing),
    ("Object Restore Initiated", Nothing),
    ("Object Storage Class Changed", Nothing),
    ("Object Tags Added", Nothing),
    ("Object Tags Deleted", Nothing),
];

/// The API calls that CloudTrail records as data events and that are not marked as read-only. Source: S3 user guide,
/// "Amazon S3 CloudTrail events".
const API_CALLS: [(&str, Effect); 58] = [
    ("CompleteMultipartUpload", Content),
    ("CopyObject", Content),
    ("DeleteObject", Content),
    ("PostObject", Content),
    ("PutObject", Content),
    ("AbortMultipartUpload", Nothing),
    ("CreateBucket", Nothing),
    ("CreateBucketMetadataConfiguration", Nothing),
    ("CreateBucketMetadataTableConfiguration", Nothing),
    ("CreateMultipartUpload", Nothing),
    ("DeleteAccountPublicAccessBlock", Nothing),
    ("DeleteBucket", Nothing),
    ("DeleteBucketAnalyticsConfiguration", Nothing),
    ("DeleteBucketCors", Nothing),
    ("DeleteBucketEncryption", Nothing),
    ("DeleteBucketIntelligentTieringConfiguration", Nothing),
    ("DeleteBucketInventoryConfiguration", Nothing),
    ("DeleteBucketLifecycle", Nothing),
    ("DeleteBucketMetadataConfiguration", Nothing),
    ("DeleteBucketMetadataTableConfiguration", Nothing),
    ("DeleteBucketMetricsConfiguration", Nothing),
    ("DeleteBucketOwnershipControls", Nothing),
    ("DeleteBucketPolicy", Nothing),
    ("DeleteBucketPublicAccessBlock", Nothing),
    ("DeleteBucketReplication", Nothing),
    ("DeleteBucketTagging", Nothing),
    ("DeleteObjectAnnotation", Nothing),
    ("DeleteObjectTagging", Nothing),
    ("PutAccelerateConfiguration", Nothing),
    ("PutAccountPublicAccessBlock", Nothing),
    ("PutBucketAcl", Nothing),
    ("PutBucketAnalyticsConfiguration", Nothing),
    ("PutBucketCors", Nothing),
    ("PutBucketEncryption", Nothing),
    ("PutBucketIntelligentTieringConfiguration", Nothing),
    ("PutBucketInventoryConfiguration", Nothing),
    ("PutBucketLifecycle", Nothing),
    ("PutBucketLifecycleConfiguration", Nothing),
    ("PutBucketLogging", Nothing),
    ("PutBucketMetricsConfiguration", Nothing),
    ("PutBucketNotification", Nothing),
    ("PutBucketObjectLockConfiguration", Nothing),
    ("PutBucketOwnershipControls", Nothing),
    ("PutBucketPolicy", Nothing),
    ("PutBucketPublicAccessBlock", Nothing),
    ("PutBucketReplication", Nothing),
    ("PutBucketRequestPayment", Nothing),
    ("PutBucketTagging", Nothing),
    ("PutBucketVersioning", Nothing),
    ("PutObjectAcl", Nothing),
    ("PutObjectAnnotation", Nothing),
    ("PutObjectLegalHold", Nothing),
    ("PutObjectRetention", Nothing),
    ("PutObjectTagging", Nothing),
    ("RestoreObject", Nothing),
    ("SelectObjectContent", Nothing),
    ("UploadPart", Nothing),
    ("UploadPartCopy", Nothing),
];

impl Effect {
    /// Returns the effect of the event with this name in a notification. Some S3-compatible stores prefix it with
    /// `s3:`.
    pub(super) fn of_event_name(event_name: &str) -> Result<Self, FieldError> {
        let name = event_name.strip_prefix("s3:").unwrap_or(event_name);
        let family = name.split_once(':').map_or(name, |(family, _)| family);
        find(&EVENT_NAMES, name).or_else(|| find(&EVENT_NAMES, family)).ok_or_else(|| {
            let remedy =
                "restrict the notification to s3:ObjectCreated:*, s3:ObjectRemoved:* and s3:LifecycleExpiration:*";
            unknown("eventName", event_name, "event of S3", remedy)
        })
    }

    /// Returns the effect of S3's own event with this detail type.
    pub(super) fn of_detail_type(detail_type: &str) -> Result<Self, FieldError> {
        find(&DETAIL_TYPES, detail_type).ok_or_else(|| {
            let remedy = "restrict the rule to the detail types \"Object Created\" and \"Object Deleted\"";
            unknown("detail-type", detail_type, "event of S3", remedy)
        })
    }

    /// Returns the effect of an API call that CloudTrail recorded, whose fields errors name behind `at`.
    pub(super) fn of_api_call(name: &str, at: &str) -> Result<Self, FieldError> {
        let field = format!("{at}eventName");
        let remedy = "use a rule for S3's own events, with the detail types \"Object Created\" and \"Object Deleted\"";
        if name == "DeleteObjects" {
            let reason = format!("CloudTrail does not name the objects of \"{name}\"; {remedy}");
            return Err(FieldError::new(field, &reason));
        }
        find(&API_CALLS, name).ok_or_else(|| unknown(&field, name, "call of S3", remedy))
    }

    /// Returns whether the event changes the content of an object of which it names this version, if any.
    pub(super) fn changes_content(self, version: Option<&str>) -> bool {
        match self {
            Content => true,
            ContentWithoutVersion => version.is_none_or(str::is_empty),
            Nothing => false,
        }
    }
}

fn find(effects: &[(&str, Effect)], name: &str) -> Option<Effect> {
    effects.iter().find(|(known, _)| *known == name).map(|(_, effect)| *effect)
}

fn unknown(field: &str, name: &str, what: &str, remedy: &str) -> FieldError {
    FieldError::new(field, &format!("\"{}\" is no known {what}, so it may be a change; {remedy}", excerpt(name)))
}

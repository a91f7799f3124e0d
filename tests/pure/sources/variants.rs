//! What events are decoded to that AWS, or people, make of other events: API calls from CloudTrail, and what EventBridge
//! Pipes, input transformers, the `InputPath` of a rule and the AWS CLI write.

use super::Expected;

/// Messages of queues and topics.
pub(super) const MESSAGES: &[Expected] = &[
    ("sns-plain-text", &["paths of own: /*"]),
    (
        "sns-truncated-notification",
        &["failed Records[0].Sns.Message: not JSON: EOF while parsing an object at line 1 column 35"],
    ),
    (
        "cloudtrail",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000112 changes 0..1 failed 0..0",
            "message 059f36b4-87a3-44ab-83d2-000000000113 changes 1..1 failed 0..1",
            "change example-site eu-central-1 trail/queue.html",
            r#"failed Records[1].body.detail.eventName: CloudTrail does not name the objects of "DeleteObjects"; use a rule for S3's own events, with the detail types "Object Created" and "Object Deleted""#,
        ],
    ),
    (
        "detail",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000119 changes 0..1 failed 0..0",
            "change example-site anywhere bus/logo.png",
        ],
    ),
    (
        "input-transformer",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000114 changes 0..1 failed 0..0",
            "message 059f36b4-87a3-44ab-83d2-000000000115 changes 1..2 failed 0..0",
            "message 059f36b4-87a3-44ab-83d2-000000000116 changes 2..2 failed 0..1",
            "message 059f36b4-87a3-44ab-83d2-000000000117 changes 2..2 failed 1..2",
            "message 059f36b4-87a3-44ab-83d2-000000000118 changes 2..2 failed 2..3",
            "change example-site anywhere queue/a b.txt",
            "change example-site anywhere queue/c+d.txt",
            r#"failed Records[2].body: an invalidation request other than of "bucket" with "key" or "keys" is not accepted in an SQS or SNS message; invoke the function directly"#,
            r#"failed Records[3].body: an invalidation request other than of "bucket" with "key" or "keys" is not accepted in an SQS or SNS message; invoke the function directly"#,
            r#"failed Records[4].body: size: is unknown; the fields are distributionId, bucket, paths, keys, key, wait, waitSeconds, dryRun; for example {"distributionId":"E2EXAMPLE1ABCD","paths":["/*"]}"#,
        ],
    ),
    (
        "pipes",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000130 changes 0..2 failed 0..0",
            "change example-site eu-central-1 queue/red flower.jpg",
            "change example-site eu-central-1 queue/b+c.txt",
        ],
    ),
    (
        "pipes-one-message-is-junk",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000110 changes 0..0 failed 0..1",
            "message 059f36b4-87a3-44ab-83d2-000000000111 changes 0..2 failed 1..1",
            "change example-site eu-central-1 queue/red flower.jpg",
            "change example-site eu-central-1 queue/b+c.txt",
            "failed [0].body: not JSON: expected value at line 1 column 1",
        ],
    ),
    (
        "received-messages",
        &["change example-site eu-central-1 queue/red flower.jpg", "change example-site eu-central-1 queue/b+c.txt"],
    ),
    (
        "received-messages-one-is-junk",
        &[
            "change example-site eu-central-1 queue/red flower.jpg",
            "failed Messages[0].Body: not JSON: expected value at line 1 column 1",
        ],
    ),
];

/// Events of EventBridge.
pub(super) const EVENTBRIDGE: &[Expected] = &[
    ("cloudtrail-bucket-call", &["skipped PutBucketTagging"]),
    ("cloudtrail-complete-multipart-upload", &["change example-site eu-central-1 trail/film.mp4"]),
    ("cloudtrail-copy-object", &["change example-site eu-central-1 trail/new.html"]),
    ("cloudtrail-delete-object", &["change example-site eu-central-1 trail/gone.html"]),
    (
        "cloudtrail-delete-objects",
        &[
            r#"failed detail.eventName: CloudTrail does not name the objects of "DeleteObjects"; use a rule for S3's own events, with the detail types "Object Created" and "Object Deleted""#,
        ],
    ),
    ("cloudtrail-failed-call", &["skipped PutObject"]),
    ("cloudtrail-put-object", &["change example-site eu-central-1 trail/a b+c%20.txt"]),
    ("cloudtrail-put-object-tagging", &["skipped PutObjectTagging"]),
    ("cloudtrail-read-only-call", &["skipped GetObject"]),
    (
        "cloudtrail-unknown-call",
        &[
            r#"failed detail.eventName: "RenameObject" is no known call of S3, so it may be a change; use a rule for S3's own events, with the detail types "Object Created" and "Object Deleted""#,
        ],
    ),
    ("detail-of-object-created", &["change example-site anywhere bus/a b+c.txt"]),
    (
        "detail-of-object-tags-added",
        &[r#"failed reason: is missing; restrict the rule to the detail types "Object Created" and "Object Deleted""#],
    ),
    ("detail-of-object-version-deleted-by-lifecycle-expiration", &["skipped Object Deleted"]),
    ("object-version-deleted-by-lifecycle-expiration", &["skipped Object Deleted"]),
    (
        "own-application-that-names-paths",
        &[
            r#"error the event may name what to invalidate in "detail.paths", where that is not read; send {"distributionId": …, "paths": […]} or {"bucket": …, "keys": […]} as the whole event: in a rule by the InputPath "$.detail", and to Lambda's API instead of a function URL"#,
        ],
    ),
    (
        "unknown-detail-type",
        &[
            r#"failed detail-type: "Object Renamed" is no known event of S3, so it may be a change; restrict the rule to the detail types "Object Created" and "Object Deleted""#,
        ],
    ),
];

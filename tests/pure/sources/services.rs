//! What events of SNS and EventBridge, and nested events, are decoded to.

use super::Expected;

/// SNS events, as Lambda receives them.
pub(super) const SNS: &[Expected] = &[
    ("eventbridge", &["change example-site eu-central-1 topic/bus 100%.html"]),
    (
        "one-message-is-not-json",
        &[
            "change example-site eu-central-1 topic/before.html",
            "change example-site eu-central-1 topic/after.html",
            "failed Records[1].Sns.Message: not JSON: expected value at line 1 column 1",
        ],
    ),
    ("s3-notification", &["change example-site eu-central-1 topic/red flower.jpg"]),
    (
        "several-records",
        &[
            "change example-site eu-central-1 topic/first.html",
            "change example-docs us-east-1 topic/second.html",
            "change example-site eu-central-1 topic/third.html",
        ],
    ),
    ("test-event", &["test events 1"]),
];

/// EventBridge events.
pub(super) const EVENTBRIDGE: &[Expected] = &[
    ("another-source", &["paths of own: /*"]),
    ("key-with-plus-and-percent", &["change example-site eu-central-1 bus/a+b%20c%2Bd 100%.html"]),
    ("object-access-tier-changed", &["skipped Object Access Tier Changed"]),
    ("object-acl-updated", &["skipped Object ACL Updated"]),
    ("object-created-without-key", &["failed detail.object.key: missing"]),
    ("object-created", &["change example-site eu-central-1 bus/logo.png"]),
    ("object-deleted-by-a-delete-marker", &["change example-site eu-central-1 bus/marked.png"]),
    ("object-deleted-by-lifecycle-expiration", &["change example-site eu-central-1 bus/expired.png"]),
    ("object-deleted-permanently", &["change example-site eu-central-1 bus/gone.png"]),
    ("object-restore-completed", &["skipped Object Restore Completed"]),
    ("object-restore-expired", &["skipped Object Restore Expired"]),
    ("object-restore-initiated", &["skipped Object Restore Initiated"]),
    ("object-storage-class-changed", &["skipped Object Storage Class Changed"]),
    ("object-tags-added", &["skipped Object Tags Added"]),
    ("object-tags-deleted", &["skipped Object Tags Deleted"]),
    (
        "own-application",
        &[
            r#"error the event may name what to invalidate in "detail.bucket", where that is not read; send {"distributionId": …, "paths": […]} or {"bucket": …, "keys": […]} as the whole event: in a rule by the InputPath "$.detail", and to Lambda's API instead of a function URL"#,
        ],
    ),
    ("scheduled-event", &["schedule"]),
];

/// Events in several envelopes, among them the records of failed invocations.
pub(super) const NESTED: &[Expected] = &[
    (
        "failed-invocation-as-eventbridge-event-in-sqs",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000104 changes 0..1 failed 0..0",
            "change example-site eu-central-1 failed/eventbridge-in-sqs.html",
        ],
    ),
    ("failed-invocation-as-eventbridge-event", &["change example-site eu-central-1 failed/as-eventbridge-event.html"]),
    ("failed-invocation-in-sns", &["change example-site eu-central-1 failed/in-sns.html"]),
    (
        "failed-invocation-in-sqs",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000100 changes 0..1 failed 0..0",
            "change example-site eu-central-1 failed/in-sqs.html",
        ],
    ),
    (
        "failed-invocation-of-a-bad-record-in-sqs",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000105 changes 0..1 failed 0..1",
            "change example-site eu-central-1 failed/good.html",
            r#"failed Records[0].body.requestPayload.Records[0].Sns.Message.Records[1].s3.object.key: "failed/bad%2.html": "%" at byte 10 is not followed by two hex digits"#,
        ],
    ),
    (
        "failed-invocation-of-a-job-in-sqs",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000102 changes 0..0 failed 0..1",
            "message 059f36b4-87a3-44ab-83d2-000000000103 changes 0..1 failed 1..1",
            "change example-site eu-central-1 failed/beside-a-job.html",
            "failed Records[0].body: a CodePipeline job is not accepted in an SQS or SNS message; invoke the function directly",
        ],
    ),
    (
        "failed-invocation-of-a-job",
        &["job 11111111-abcd-1111-abcd-000000000010", "paths of E2EXAMPLE1ABCD: /failed/job.html"],
    ),
    ("failed-invocation-of-a-request", &["paths of E2EXAMPLE1ABCD: /failed/request.html"]),
    ("failed-invocation-of-a-schedule", &["schedule"]),
    ("failed-invocation-of-eventbridge", &["change example-site eu-central-1 failed/eventbridge +.html"]),
    ("failed-invocation-of-s3", &["change example-site eu-central-1 failed/s3.html"]),
    (
        "failed-invocation-of-sns-in-sqs",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000101 changes 0..1 failed 0..0",
            "change example-site eu-central-1 failed/sns-in-sqs.html",
        ],
    ),
    (
        "failed-invocation-of-sqs",
        &[
            "change example-site eu-central-1 failed/sqs.html",
            "failed requestPayload.Records[1].body: not JSON: expected value at line 1 column 1",
        ],
    ),
    ("failed-invocation-of-sns", &["change example-site eu-central-1 failed/sns.html"]),
    (
        "sns-in-sns-in-sqs",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000107 changes 0..1 failed 0..0",
            "change example-site eu-central-1 failed/twice.html",
        ],
    ),
    ("succeeded-invocation-as-eventbridge-event", &["error the event is not recognized"]),
    (
        "succeeded-invocation-in-sqs",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000106 changes 0..0 failed 0..1",
            "failed Records[0].body: the event is not recognized",
        ],
    ),
    ("succeeded-invocation", &["error the event is not recognized"]),
    (
        "too-deep",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000108 changes 0..0 failed 0..1",
            "message 059f36b4-87a3-44ab-83d2-000000000109 changes 0..1 failed 1..1",
            "change example-site eu-central-1 failed/beside-too-deep.html",
            "failed Records[0].body: the event is nested too deeply in SQS, SNS or invocation records",
        ],
    ),
];

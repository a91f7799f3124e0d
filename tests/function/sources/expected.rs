//! The expected outcome of each event.

use super::Expected;

/// The error for an event that would be for the function's own distribution, if there is none.
const NO_DISTRIBUTION: &str = "UnrecognizedEvent: the event names no distribution; add \"distributionId\", or \
    \"bucket\" for a tagged bucket, or set DISTRIBUTION_ID";

pub(super) const EXPECTED: &[Expected] = &[
    ("sqs/eventbridge", &["E2EXAMPLE1ABCD /queue/bus%20a%2Bb.html /queue/bus+a%2Bb.html"], None),
    ("sqs/eventbridge-dead-letter", &["E2EXAMPLE1ABCD /dead/eventbridge.html"], None),
    ("sqs/fifo-attributes", &["E2EXAMPLE1ABCD /queue/fifo.html"], None),
    ("sqs/lambda-dead-letter", &["E2EXAMPLE1ABCD /dead/lambda.html"], None),
    (
        "sqs/message-without-body",
        &["again 059f36b4-87a3-44ab-83d2-0000000000b0", "E2EXAMPLE1ABCD /queue/with-body.html"],
        None,
    ),
    (
        "sqs/message-without-id",
        &[
            "ChangesNotInvalidated: 1 of 2 changes failed: Records[1].messageId: missing",
            "E2EXAMPLE1ABCD /id/with.html",
        ],
        None,
    ),
    (
        "sqs/no-requests-through-a-queue",
        &[
            "again 059f36b4-87a3-44ab-83d2-0000000000c0",
            "again 059f36b4-87a3-44ab-83d2-0000000000c1",
            "again 059f36b4-87a3-44ab-83d2-0000000000c2",
            "again 059f36b4-87a3-44ab-83d2-0000000000c3",
            "again 059f36b4-87a3-44ab-83d2-0000000000c4",
        ],
        None,
    ),
    ("sqs/raw-sns-delivery", &["E2EXAMPLE1ABCD /queue/raw.html"], None),
    ("sqs/s3-notification", &["E2EXAMPLE1ABCD /queue/b%2Bc.txt /queue/red%20flower.jpg /queue/red+flower.jpg"], None),
    (
        "sqs/several-messages-some-junk",
        &[
            "again 059f36b4-87a3-44ab-83d2-000000000081",
            "again 059f36b4-87a3-44ab-83d2-000000000083",
            "again 059f36b4-87a3-44ab-83d2-000000000084",
            "again 059f36b4-87a3-44ab-83d2-000000000085",
            "again 059f36b4-87a3-44ab-83d2-000000000086",
            "E2EXAMPLE1ABCD /several/fifth.html /several/first.html /several/fourth.html /several/third.html",
            "E2EXAMPLE2EFGH /several/second.html",
        ],
        None,
    ),
    ("sqs/sns-wrapped-eventbridge-of-another-region", &["E2EXAMPLE2EFGH /queue/topic/bus.html"], None),
    ("sqs/sns-wrapped-s3", &["E2EXAMPLE1ABCD /queue/topic/caf%C3%A9.html"], None),
    ("sqs/sns-wrapped-test-event", &[], None),
    ("sqs/test-event", &[], None),
    ("sns/eventbridge", &["E2EXAMPLE1ABCD /topic/bus%20100%25.html /topic/bus+100%25.html"], None),
    (
        "sns/one-message-is-not-json",
        &[
            "ChangesNotInvalidated: 1 of 3 changes failed: Records[1].Sns.Message: not JSON: expected value at line 1 column 1",
            "E2EXAMPLE1ABCD /topic/after.html /topic/before.html",
        ],
        None,
    ),
    ("sns/s3-notification", &["E2EXAMPLE1ABCD /topic/red%20flower.jpg /topic/red+flower.jpg"], None),
    (
        "sns/several-records",
        &["E2EXAMPLE1ABCD /topic/first.html /topic/third.html", "E2EXAMPLE2EFGH /topic/second.html"],
        None,
    ),
    ("sns/test-event", &["skipped 0 test-event"], None),
    ("eventbridge/another-source", &[NO_DISTRIBUTION], Some(&["E2EXAMPLE3IJKL /*"])),
    (
        "eventbridge/key-with-plus-and-percent",
        &["E2EXAMPLE1ABCD /bus/a%2Bb%2520c%252Bd%20100%25.html /bus/a%2Bb%2520c%252Bd+100%25.html"],
        None,
    ),
    (
        "eventbridge/object-access-tier-changed",
        &[r#"skipped 1 not-a-content-change "Object Access Tier Changed""#],
        None,
    ),
    ("eventbridge/object-acl-updated", &[r#"skipped 1 not-a-content-change "Object ACL Updated""#], None),
    ("eventbridge/object-created", &["E2EXAMPLE1ABCD /bus/logo.png"], None),
    (
        "eventbridge/object-created-without-key",
        &["ChangesNotInvalidated: 1 of 1 change failed: detail.object.key: missing"],
        None,
    ),
    ("eventbridge/object-deleted-by-a-delete-marker", &["E2EXAMPLE1ABCD /bus/marked.png"], None),
    ("eventbridge/object-deleted-by-lifecycle-expiration", &["E2EXAMPLE1ABCD /bus/expired.png"], None),
    ("eventbridge/object-deleted-permanently", &["E2EXAMPLE1ABCD /bus/gone.png"], None),
    ("eventbridge/object-restore-completed", &[r#"skipped 1 not-a-content-change "Object Restore Completed""#], None),
    ("eventbridge/object-restore-expired", &[r#"skipped 1 not-a-content-change "Object Restore Expired""#], None),
    ("eventbridge/object-restore-initiated", &[r#"skipped 1 not-a-content-change "Object Restore Initiated""#], None),
    (
        "eventbridge/object-storage-class-changed",
        &[r#"skipped 1 not-a-content-change "Object Storage Class Changed""#],
        None,
    ),
    ("eventbridge/object-tags-added", &[r#"skipped 1 not-a-content-change "Object Tags Added""#], None),
    ("eventbridge/object-tags-deleted", &[r#"skipped 1 not-a-content-change "Object Tags Deleted""#], None),
    ("eventbridge/own-application", &[NO_DISTRIBUTION], Some(&["E2EXAMPLE3IJKL /*"])),
    ("eventbridge/scheduled-event", &[NO_DISTRIBUTION], Some(&["E2EXAMPLE3IJKL /*"])),
    ("codepipeline/continuation-token", &["job succeeded: E2EXAMPLE1ABCD: invalidated /pipeline/*"], None),
    (
        "codepipeline/continuation-token-of-another-function",
        &["job failed: JobFailed: the job's continuation token was not written by this function; retry the action"],
        None,
    ),
    (
        "codepipeline/parameters-that-are-not-json",
        &["job failed: ConfigurationError: UserParameters: not a JSON object: expected value at line 1 column 1"],
        None,
    ),
    ("codepipeline/parameters-that-wait", &["job continued", "E2EXAMPLE1ABCD /pipeline/ /pipeline/index.html"], None),
    (
        "codepipeline/parameters-with-an-unknown-field",
        &[
            "job failed: ConfigurationError: UserParameters.path: is unknown; the fields are distributionId, bucket, paths, keys, wait, waitSeconds",
        ],
        None,
    ),
    (
        "codepipeline/with-parameters",
        &[
            "job succeeded: E2EXAMPLE1ABCD: invalidated /a%20b.html /pipeline/*",
            "E2EXAMPLE1ABCD /a%20b.html /pipeline/*",
        ],
        None,
    ),
    (
        "codepipeline/without-id",
        &[
            r#"UnrecognizedEvent: the CodePipeline job has no valid ID ("CodePipeline.job"."id"), so the function cannot report a job result"#,
        ],
        None,
    ),
    (
        "codepipeline/without-parameters",
        &[
            r#"job failed: ConfigurationError: the event names no distribution; add "distributionId", or "bucket" for a tagged bucket, or set DISTRIBUTION_ID"#,
        ],
        Some(&["job succeeded: E2EXAMPLE3IJKL: invalidated /*", "E2EXAMPLE3IJKL /*"]),
    ),
    ("direct/bucket-and-paths", &["E2EXAMPLE1ABCD /direct/manual.html"], None),
    ("direct/bucket-and-keys", &["E2EXAMPLE1ABCD /direct/ /direct/a%2Bb%2520c.html /direct/index.html"], None),
    (
        "direct/bucket-of-another-region",
        &[
            r#"RequestFailed: bucket "example-docs": its tags could not be read: GetBucketTagging: PermanentRedirect: The bucket you are attempting to access must be addressed using the specified endpoint. (HTTP 301); the bucket is not in the Region that the event names (by default the function's Region); use the function in the bucket's Region"#,
        ],
        None,
    ),
    ("direct/cache-tag", &["E2EXAMPLE1ABCD #news"], None),
    ("direct/distribution-alone", &["E2EXAMPLE1ABCD /*"], None),
    ("direct/distribution-and-paths", &["E2EXAMPLE1ABCD /direct%20page.html /direct/*"], None),
    ("direct/empty-object", &[NO_DISTRIBUTION], Some(&["E2EXAMPLE3IJKL /*"])),
    ("direct/hello-world", &[NO_DISTRIBUTION], Some(&["E2EXAMPLE3IJKL /*"])),
    ("direct/items-alone", &[NO_DISTRIBUTION], Some(&["E2EXAMPLE3IJKL /direct/own.html"])),
    (
        "direct/keys-with-distribution",
        &[
            r#"InvalidRequest: keys: are invalidated in the distributions that the bucket's tags name; remove "paths" and "distributionId""#,
        ],
        None,
    ),
    ("direct/null", &[NO_DISTRIBUTION], Some(&["E2EXAMPLE3IJKL /*"])),
    (
        "direct/unknown-field",
        &["InvalidRequest: path: is unknown; the fields are distributionId, bucket, paths, keys, wait, waitSeconds"],
        None,
    ),
    ("direct/wait", &[r#"waited until "Completed""#, "E2EXAMPLE1ABCD /direct/wait.html"], None),
    ("nested/failed-invocation-as-eventbridge-event", &["E2EXAMPLE1ABCD /failed/as-eventbridge-event.html"], None),
    ("nested/failed-invocation-as-eventbridge-event-in-sqs", &["E2EXAMPLE1ABCD /failed/eventbridge-in-sqs.html"], None),
    ("nested/failed-invocation-in-sns", &["E2EXAMPLE1ABCD /failed/in-sns.html"], None),
    ("nested/failed-invocation-in-sqs", &["E2EXAMPLE1ABCD /failed/in-sqs.html"], None),
    (
        "nested/failed-invocation-of-a-bad-record-in-sqs",
        &["again 059f36b4-87a3-44ab-83d2-000000000105", "E2EXAMPLE1ABCD /failed/good.html"],
        None,
    ),
    (
        "nested/failed-invocation-of-a-job",
        &["job succeeded: E2EXAMPLE1ABCD: invalidated /failed/job.html", "E2EXAMPLE1ABCD /failed/job.html"],
        None,
    ),
    (
        "nested/failed-invocation-of-a-job-in-sqs",
        &["again 059f36b4-87a3-44ab-83d2-000000000102", "E2EXAMPLE1ABCD /failed/beside-a-job.html"],
        None,
    ),
    ("nested/failed-invocation-of-a-request", &["E2EXAMPLE1ABCD /failed/request.html"], None),
    ("nested/failed-invocation-of-a-schedule", &[NO_DISTRIBUTION], Some(&["E2EXAMPLE3IJKL /*"])),
    (
        "nested/failed-invocation-of-eventbridge",
        &["E2EXAMPLE1ABCD /failed/eventbridge%20%2B.html /failed/eventbridge+%2B.html"],
        None,
    ),
    ("nested/failed-invocation-of-s3", &["E2EXAMPLE1ABCD /failed/s3.html"], None),
    (
        "nested/failed-invocation-of-sqs",
        &[
            "ChangesNotInvalidated: 1 of 2 changes failed: requestPayload.Records[1].body: not JSON: expected value at line 1 column 1",
            "E2EXAMPLE1ABCD /failed/sqs.html",
        ],
        None,
    ),
    ("nested/failed-invocation-of-sns", &["E2EXAMPLE1ABCD /failed/sns.html"], None),
    ("nested/failed-invocation-of-sns-in-sqs", &["E2EXAMPLE1ABCD /failed/sns-in-sqs.html"], None),
    ("nested/sns-in-sns-in-sqs", &["E2EXAMPLE1ABCD /failed/twice.html"], None),
    ("nested/succeeded-invocation", &["UnrecognizedEvent: the event is not recognized"], None),
    ("nested/succeeded-invocation-as-eventbridge-event", &["UnrecognizedEvent: the event is not recognized"], None),
    ("nested/succeeded-invocation-in-sqs", &["again 059f36b4-87a3-44ab-83d2-000000000106"], None),
    (
        "nested/too-deep",
        &["again 059f36b4-87a3-44ab-83d2-000000000108", "E2EXAMPLE1ABCD /failed/beside-too-deep.html"],
        None,
    ),
];

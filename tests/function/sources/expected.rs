//! The expected outcome of each event.

use super::Expected;

/// The error for an event that would be for the function's own distribution, if there is none.
const NO_DISTRIBUTION: &str = "UnrecognizedEvent: the event names no distribution; add \"distributionId\", or \
    \"bucket\" for a tagged bucket, or set DISTRIBUTION_ID";

pub(super) const EXPECTED: &[Expected] = &[
    (
        "codepipeline/distribution-id-alone",
        &["job succeeded: E2EXAMPLE1ABCD: invalidated /*", "E2EXAMPLE1ABCD /*"],
        None,
    ),
    (
        "codepipeline/parameters-in-capitals",
        &["job succeeded: E2EXAMPLE1ABCD: invalidated /*", "E2EXAMPLE1ABCD /*"],
        None,
    ),
    (
        "codepipeline/parameters-with-a-single-path",
        &["job succeeded: E2EXAMPLE1ABCD: invalidated /news/*", "E2EXAMPLE1ABCD /news/*"],
        None,
    ),
    (
        "codepipeline/parameters-with-object-paths",
        &["job succeeded: E2EXAMPLE1ABCD: invalidated /*", "E2EXAMPLE1ABCD /*"],
        None,
    ),
    (
        "codepipeline/parameters-with-paths-in-one-string",
        &[
            r#"job failed: ConfigurationError: UserParameters.paths: "/a.html /b.html" is not a list of strings, such as ["/*"]"#,
        ],
        None,
    ),
    ("direct/bucket-and-key", &["E2EXAMPLE1ABCD /direct/a%2Bb%20c.html /direct/a%2Bb+c.html"], None),
    ("direct/flush", &[NO_DISTRIBUTION], Some(&["E2EXAMPLE3IJKL /*"])),
    ("direct/http-request", &[NO_DISTRIBUTION], Some(&["E2EXAMPLE3IJKL /*"])),
    (
        "direct/http-request-that-names-paths",
        &[
            r#"UnrecognizedEvent: the event may name what to invalidate in "body.paths", where that is not read; send {"distributionId": …, "paths": […]} or {"bucket": …, "keys": […]} as the whole event: in a rule by the InputPath "$.detail", and to Lambda's API instead of a function URL"#,
        ],
        None,
    ),
    (
        "direct/misspelled-distribution",
        &[
            r#"InvalidRequest: distribution: is unknown ("distributionId"?); the fields are distributionId, bucket, paths, keys, key, wait, waitSeconds, dryRun; for example {"distributionId":"E2EXAMPLE1ABCD","paths":["/*"]}"#,
        ],
        None,
    ),
    ("direct/names-of-published-functions", &["E2EXAMPLE1ABCD /direct/one.html"], None),
    ("direct/string", &[NO_DISTRIBUTION], Some(&["E2EXAMPLE3IJKL /*"])),
    ("eventbridge-variants/cloudtrail-bucket-call", &[r#"skipped 1 not-a-content-change "PutBucketTagging""#], None),
    ("eventbridge-variants/cloudtrail-complete-multipart-upload", &["E2EXAMPLE1ABCD /trail/film.mp4"], None),
    ("eventbridge-variants/cloudtrail-copy-object", &["E2EXAMPLE1ABCD /trail/new.html"], None),
    ("eventbridge-variants/cloudtrail-delete-object", &["E2EXAMPLE1ABCD /trail/gone.html"], None),
    (
        "eventbridge-variants/cloudtrail-delete-objects",
        &[
            r#"ChangesNotInvalidated: 1 of 1 change failed: detail.eventName: CloudTrail does not name the objects of "DeleteObjects"; use a rule for S3's own events, with the detail types "Object Created" and "Object Deleted""#,
        ],
        None,
    ),
    ("eventbridge-variants/cloudtrail-failed-call", &[r#"skipped 1 not-a-content-change "PutObject""#], None),
    (
        "eventbridge-variants/cloudtrail-put-object",
        &["E2EXAMPLE1ABCD /trail/a%20b%2Bc%2520.txt /trail/a+b%2Bc%2520.txt"],
        None,
    ),
    (
        "eventbridge-variants/cloudtrail-put-object-tagging",
        &[r#"skipped 1 not-a-content-change "PutObjectTagging""#],
        None,
    ),
    ("eventbridge-variants/cloudtrail-read-only-call", &[r#"skipped 1 not-a-content-change "GetObject""#], None),
    (
        "eventbridge-variants/cloudtrail-unknown-call",
        &[
            r#"ChangesNotInvalidated: 1 of 1 change failed: detail.eventName: "RenameObject" is no known call of S3, so it may be a change; use a rule for S3's own events, with the detail types "Object Created" and "Object Deleted""#,
        ],
        None,
    ),
    ("eventbridge-variants/detail-of-object-created", &["E2EXAMPLE1ABCD /bus/a%20b%2Bc.txt /bus/a+b%2Bc.txt"], None),
    (
        "eventbridge-variants/detail-of-object-tags-added",
        &[
            r#"ChangesNotInvalidated: 1 of 1 change failed: reason: is missing; restrict the rule to the detail types "Object Created" and "Object Deleted""#,
        ],
        None,
    ),
    (
        "eventbridge-variants/detail-of-object-version-deleted-by-lifecycle-expiration",
        &[r#"skipped 1 not-a-content-change "Object Deleted""#],
        None,
    ),
    (
        "eventbridge-variants/object-version-deleted-by-lifecycle-expiration",
        &[r#"skipped 1 not-a-content-change "Object Deleted""#],
        None,
    ),
    (
        "eventbridge-variants/own-application-that-names-paths",
        &[
            r#"UnrecognizedEvent: the event may name what to invalidate in "detail.paths", where that is not read; send {"distributionId": …, "paths": […]} or {"bucket": …, "keys": […]} as the whole event: in a rule by the InputPath "$.detail", and to Lambda's API instead of a function URL"#,
        ],
        None,
    ),
    (
        "eventbridge-variants/unknown-detail-type",
        &[
            r#"ChangesNotInvalidated: 1 of 1 change failed: detail-type: "Object Renamed" is no known event of S3, so it may be a change; restrict the rule to the detail types "Object Created" and "Object Deleted""#,
        ],
        None,
    ),
    (
        "message-variants/cloudtrail",
        &["again 059f36b4-87a3-44ab-83d2-000000000113", "E2EXAMPLE1ABCD /trail/queue.html"],
        None,
    ),
    ("message-variants/detail", &["E2EXAMPLE1ABCD /bus/logo.png"], None),
    (
        "message-variants/input-transformer",
        &[
            "again 059f36b4-87a3-44ab-83d2-000000000116",
            "again 059f36b4-87a3-44ab-83d2-000000000117",
            "again 059f36b4-87a3-44ab-83d2-000000000118",
            "E2EXAMPLE1ABCD /queue/a%20b.txt /queue/a+b.txt /queue/c%2Bd.txt",
        ],
        None,
    ),
    (
        "message-variants/pipes",
        &["E2EXAMPLE1ABCD /queue/b%2Bc.txt /queue/red%20flower.jpg /queue/red+flower.jpg"],
        None,
    ),
    (
        "message-variants/pipes-one-message-is-junk",
        &[
            "again 059f36b4-87a3-44ab-83d2-000000000110",
            "E2EXAMPLE1ABCD /queue/b%2Bc.txt /queue/red%20flower.jpg /queue/red+flower.jpg",
        ],
        None,
    ),
    (
        "message-variants/received-messages",
        &["E2EXAMPLE1ABCD /queue/b%2Bc.txt /queue/red%20flower.jpg /queue/red+flower.jpg"],
        None,
    ),
    (
        "message-variants/received-messages-one-is-junk",
        &[
            "ChangesNotInvalidated: 1 of 2 changes failed: Messages[0].Body: not JSON: expected value at line 1 column 1",
            "E2EXAMPLE1ABCD /queue/red%20flower.jpg /queue/red+flower.jpg",
        ],
        None,
    ),
    ("message-variants/sns-plain-text", &[NO_DISTRIBUTION], Some(&["E2EXAMPLE3IJKL /*"])),
    (
        "message-variants/sns-truncated-notification",
        &[
            "ChangesNotInvalidated: 1 of 1 change failed: Records[0].Sns.Message: not JSON: EOF while parsing an object at line 1 column 35",
        ],
        None,
    ),
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
    (
        "eventbridge/own-application",
        &[
            r#"UnrecognizedEvent: the event may name what to invalidate in "detail.bucket", where that is not read; send {"distributionId": …, "paths": […]} or {"bucket": …, "keys": […]} as the whole event: in a rule by the InputPath "$.detail", and to Lambda's API instead of a function URL"#,
        ],
        None,
    ),
    ("eventbridge/scheduled-event", &[NO_DISTRIBUTION], Some(&["E2EXAMPLE3IJKL /*"])),
    ("codepipeline/continuation-token", &["job succeeded: E2EXAMPLE1ABCD: invalidated /pipeline/*"], None),
    (
        "codepipeline/continuation-token-of-another-function",
        &["job failed: JobFailed: the job's continuation token was not written by this function; retry the action"],
        None,
    ),
    (
        "codepipeline/parameters-that-are-not-json",
        &[
            r#"job failed: ConfigurationError: UserParameters: "E2EXAMPLE1ABCD /pipeline/*" is neither a distribution ID nor an object such as {"distributionId":"E2EXAMPLE1ABCD","paths":["/*"]}"#,
        ],
        None,
    ),
    ("codepipeline/parameters-that-wait", &["job continued", "E2EXAMPLE1ABCD /pipeline/ /pipeline/index.html"], None),
    (
        "codepipeline/parameters-with-an-unknown-field",
        &[
            r#"job failed: ConfigurationError: UserParameters.path: is unknown ("paths"?); the fields are distributionId, bucket, paths, keys, key, wait, waitSeconds, dryRun; for example {"distributionId":"E2EXAMPLE1ABCD","paths":["/*"]}"#,
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
            r#"RequestFailed: bucket "example-docs": its tags could not be read: GetBucketTagging: PermanentRedirect: The bucket you are attempting to access must be addressed using the specified endpoint. (HTTP 301); the bucket is not in the Region that the event names (by default that of the function or command); use the function in the bucket's Region, or the command's --region"#,
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
        &[
            r#"InvalidRequest: path: is unknown ("paths"?); the fields are distributionId, bucket, paths, keys, key, wait, waitSeconds, dryRun; for example {"distributionId":"E2EXAMPLE1ABCD","paths":["/*"]}"#,
        ],
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

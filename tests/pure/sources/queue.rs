//! What SQS batches are decoded to.

use super::Expected;

/// The files in `tests/fixtures/sqs`.
pub(super) const SQS: &[Expected] = &[
    (
        "eventbridge-dead-letter",
        &[
            "message 059f36b4-87a3-44ab-83d2-0000000000d1 changes 0..1 failed 0..0",
            "change example-site eu-central-1 dead/eventbridge.html",
        ],
    ),
    (
        "eventbridge",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000004 changes 0..1 failed 0..0",
            "change example-site eu-central-1 queue/bus a+b.html",
        ],
    ),
    (
        "fifo-attributes",
        &[
            "message 059f36b4-87a3-44ab-83d2-0000000000a0 changes 0..1 failed 0..0",
            "change example-site eu-central-1 queue/fifo.html",
        ],
    ),
    (
        "lambda-dead-letter",
        &[
            "message 059f36b4-87a3-44ab-83d2-0000000000d0 changes 0..1 failed 0..0",
            "change example-site eu-central-1 dead/lambda.html",
        ],
    ),
    (
        "message-without-body",
        &[
            "message 059f36b4-87a3-44ab-83d2-0000000000b0 changes 0..0 failed 0..1",
            "message 059f36b4-87a3-44ab-83d2-0000000000b1 changes 0..1 failed 1..1",
            "change example-site eu-central-1 queue/with-body.html",
            "failed Records[0].body: missing",
        ],
    ),
    (
        "message-without-id",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000090 changes 0..1 failed 0..0",
            "change example-site eu-central-1 id/with.html",
            "failed Records[1].messageId: missing",
        ],
    ),
    (
        "no-requests-through-a-queue",
        &[
            "message 059f36b4-87a3-44ab-83d2-0000000000c0 changes 0..0 failed 0..1",
            "message 059f36b4-87a3-44ab-83d2-0000000000c1 changes 0..0 failed 1..2",
            "message 059f36b4-87a3-44ab-83d2-0000000000c2 changes 0..0 failed 2..3",
            "message 059f36b4-87a3-44ab-83d2-0000000000c3 changes 0..0 failed 3..4",
            "message 059f36b4-87a3-44ab-83d2-0000000000c4 changes 0..0 failed 4..5",
            "failed Records[0].body: an invalidation request other than of \"bucket\" with \"key\" or \"keys\" is not accepted in an SQS or SNS message; invoke the function directly",
            "failed Records[1].body: a CodePipeline job is not accepted in an SQS or SNS message; invoke the function directly",
            "failed Records[2].body: an event without an object change is not accepted in an SQS or SNS message; invoke the function directly",
            "failed Records[3].body: an event without an object change is not accepted in an SQS or SNS message; invoke the function directly",
            "failed Records[4].body: an event without an object change is not accepted in an SQS or SNS message; invoke the function directly",
        ],
    ),
    (
        "raw-sns-delivery",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000003 changes 0..1 failed 0..0",
            "change example-site eu-central-1 queue/raw.html",
        ],
    ),
    (
        "s3-notification",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000001 changes 0..2 failed 0..0",
            "change example-site eu-central-1 queue/red flower.jpg",
            "change example-site eu-central-1 queue/b+c.txt",
        ],
    ),
    (
        "several-messages-some-junk",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000080 changes 0..1 failed 0..0",
            "message 059f36b4-87a3-44ab-83d2-000000000081 changes 1..1 failed 0..1",
            "message 059f36b4-87a3-44ab-83d2-000000000082 changes 1..2 failed 1..1",
            "message 059f36b4-87a3-44ab-83d2-000000000083 changes 2..2 failed 1..2",
            "message 059f36b4-87a3-44ab-83d2-000000000084 changes 2..2 failed 2..3",
            "message 059f36b4-87a3-44ab-83d2-000000000085 changes 2..4 failed 3..4",
            "message 059f36b4-87a3-44ab-83d2-000000000086 changes 4..4 failed 4..5",
            "message 059f36b4-87a3-44ab-83d2-000000000087 changes 4..4 failed 5..5",
            "message 059f36b4-87a3-44ab-83d2-000000000088 changes 4..5 failed 5..5",
            "change example-site eu-central-1 several/first.html",
            "change example-docs us-east-1 several/second.html",
            "change example-site eu-central-1 several/third.html",
            "change example-site eu-central-1 several/fourth.html",
            "change example-site eu-central-1 several/fifth.html",
            "skipped ObjectTagging:Put",
            "failed Records[1].body: not JSON: expected value at line 1 column 1",
            "failed Records[3].body: not JSON: EOF while parsing an object at line 1 column 36",
            "failed Records[4].body.Message: not JSON: expected value at line 1 column 1",
            r#"failed Records[5].body.Records[1].s3.object.key: "several/%FF.html": the decoded key is not UTF-8 from byte 8 on"#,
            "failed Records[6].body: the event is not recognized",
        ],
    ),
    (
        "sns-wrapped-eventbridge-of-another-region",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000005 changes 0..1 failed 0..0",
            "change example-docs us-east-1 queue/topic/bus.html",
        ],
    ),
    (
        "sns-wrapped-s3",
        &[
            "message 059f36b4-87a3-44ab-83d2-000000000002 changes 0..1 failed 0..0",
            "change example-site eu-central-1 queue/topic/café.html",
        ],
    ),
    (
        "sns-wrapped-test-event",
        &["message 059f36b4-87a3-44ab-83d2-000000000007 changes 0..0 failed 0..0", "test events 1"],
    ),
    ("test-event", &["message 059f36b4-87a3-44ab-83d2-000000000006 changes 0..0 failed 0..0", "test events 1"]),
];

"""The questions of scripts/smoke, in the order in which they are asked, and what is not asked."""

from dataclasses import dataclass
from typing import Callable

import account
import delivery
import edge
import limits


@dataclass
class Question:
    """`ask` returns what was measured, as Markdown. `paths` is the most that it takes from the budget."""

    name: str
    title: str
    believed: str
    paths: int
    ask: Callable


# CloudFront deploys distributions in minutes, so what needs none comes first.
QUESTIONS = [
    Question(
        "bucket-order",
        "A distribution before and after its bucket",
        "accepted in both orders; `site.yaml` creates the distribution first. CloudFront's API has an error `InvalidOrigin`.",
        0,
        account.bucket_order,
    ),
    Question(
        "tag-resource",
        "TagResource on a general purpose bucket",
        "it adds one tag and keeps the others.",
        0,
        account.tag_resource,
    ),
    Question("policy", "`arn:*:` in policy.json", "IAM accepts it, and it matches the ARNs of the account's partition.", 1, account.policy),
    Question(
        "stack-tags",
        "A change of a stack's tags, where `link` tagged a bucket of the stack",
        "unknown whether the tag `distributionId` remains.",
        0,
        account.stack_tags,
    ),
    Question(
        "wildcards",
        "2, 7, 15 and 16 wildcards in one invalidation",
        "at most 15 wildcards in progress, then `TooManyInvalidationsInProgress`; or, in readings of 2026, one wildcard a second.",
        41,
        limits.wildcards,
    ),
    Question(
        "wildcard-rate",
        "Four invalidations of one wildcard at once",
        "accepted if 15 may be in progress; one a second if the rate holds. The error is unknown.",
        4,
        limits.wildcard_rate,
    ),
    Question(
        "paths",
        "151 paths in one invalidation, and one more",
        "accepted if 3,000 may be in progress; refused if the rate is 150 paths a second.",
        152,
        limits.paths,
    ),
    Question(
        "requests",
        "Six invalidations of one path at once",
        "`Throttling` with HTTP 400 after a few: about 0.5 requests a second for each account.",
        6,
        limits.requests,
    ),
    Question(
        "eviction",
        "`'`, `+`, a space and an accent in a path",
        "the paths that the function sends evict each spelling of the URL that viewers use; `'` is not encoded in a path.",
        20,
        edge.eviction,
    ),
    Question(
        "directories",
        "The default root object, and directories behind a CloudFront function",
        "`/` and `/index.html` are entries of their own; a function at viewer-request makes both URLs of a directory one entry.",
        6,
        edge.directories,
    ),
    Question("queue", "500 uploads through the queue", "one or two polls, each with one invalidation.", 90, delivery.queue),
    Question(
        "direct",
        "A burst of 40 uploads directly to the function",
        "CloudFront throttles the first ones, and the function sends the others to the queue. Nothing fails.",
        40,
        delivery.direct,
    ),
    Question(
        "dead-letter",
        "Messages moved from the dead-letter queue",
        "SQS moves them only with a destination, because it does not know the source of what Lambda sent.",
        2,
        delivery.dead_letter,
    ),
    Question(
        "schedule",
        "The precision of the schedule",
        "each poll starts within 60 s after its time. Source: EventBridge Scheduler user guide, *Schedule types*.",
        0,
        delivery.schedule,
    ),
    # S3 needs minutes to send events to EventBridge; by now they have passed.
    Question(
        "pipeline",
        "A pipeline of pipeline.yaml",
        "the upload of the zip starts it, and it succeeds after the invalidation is complete.",
        3,
        delivery.pipeline,
    ),
    Question("status", "`invalidator status` of the linked bucket", "no problem.", 0, delivery.status),
]

NOT_ASKED = [
    "3,001 paths at once: if CloudFront accepted them, they would cost 15 USD.",
    "Lambda@Edge: its replicas remain for hours, so nothing could be removed at the end. A CloudFront function is used instead.",
    "Directories behind a website endpoint: it needs a public bucket.",
    "Distribution tenants: they need a domain name with a certificate.",
]

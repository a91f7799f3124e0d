"""A typical handler for this purpose, as in tutorials and gists.

It creates its clients at module level. For each record it reads the bucket's tags once and creates one invalidation with one path.
The caller reference is the current time. An error is raised, so that Lambda retries the event.
"""

import json
import time
import urllib.parse

import boto3

s3 = boto3.client("s3")
cloudfront = boto3.client("cloudfront")


def handler(event, context):
    for record in event["Records"]:
        if "body" in record:
            for inner in json.loads(record["body"])["Records"]:
                invalidate(inner)
        else:
            invalidate(record)


def invalidate(record):
    bucket = record["s3"]["bucket"]["name"]
    key = urllib.parse.unquote_plus(record["s3"]["object"]["key"])
    tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    distribution = next((tag["Value"] for tag in tags if tag["Key"] == "distributionId"), None)
    if distribution is None:
        return
    cloudfront.create_invalidation(
        DistributionId=distribution,
        InvalidationBatch={
            "Paths": {"Quantity": 1, "Items": ["/" + key]},
            "CallerReference": str(time.time()),
        },
    )

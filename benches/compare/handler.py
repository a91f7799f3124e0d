"""The handler that is usually written for this, as tutorials and gists have it.

Clients at module level; for each record one tag lookup and one invalidation of one path, under the clock's time as reference.
What goes wrong raises, so that Lambda delivers the event again.
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

"""A custom resource that sets tags of a bucket and does not change the bucket's other tags.

PutBucketTagging replaces all tags of a bucket and rejects a set without the system tags (aws:…), so the handler sends back the
tags that it read. A Delete request does not remove tags: if a construct moves, CloudFormation creates the new resource before it
deletes the old one, and the deletion would remove the tags of the new one.
"""

import json
import time
import urllib.request

import boto3
from botocore.exceptions import ClientError


def handler(event, _context):
    properties = event["ResourceProperties"]
    response = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    response |= {"Status": "SUCCESS", "PhysicalResourceId": properties["Bucket"]}
    try:
        if event["RequestType"] != "Delete":
            old = event.get("OldResourceProperties", {})
            previous = old.get("Tags", {}) if old.get("Bucket") == properties["Bucket"] else {}
            s3 = boto3.client("s3", region_name=properties["Region"])
            update_with_retries(s3, properties["Bucket"], properties["Tags"], previous)
    except Exception as error:
        # Without a response, CloudFormation would wait for an hour.
        print(repr(error))
        response |= {"Status": "FAILED", "Reason": str(error)}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(response).encode(), {"Content-Type": ""}, method="PUT")
    urllib.request.urlopen(request, timeout=30)


def update_with_retries(s3, bucket, tags, previous):
    """Calls `update` with retries: S3 rejects concurrent changes of a bucket, and a new policy takes some seconds to be effective."""
    for delay in (1, 2, 4, 8, 16, None):
        try:
            return update(s3, bucket, tags, previous)
        except ClientError as error:
            if delay is None or error.response["Error"]["Code"] not in ("OperationAborted", "AccessDenied"):
                raise
            time.sleep(delay)


def update(s3, bucket, tags, previous):
    """Sets the tags, and removes those of the previous ones that are no longer among them."""
    before = read(s3, bucket)
    after = {key: value for key, value in before.items() if key not in previous} | tags
    if after != before:
        tag_set = [{"Key": key, "Value": value} for key, value in after.items()]
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_set})


def read(s3, bucket):
    try:
        return {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchTagSet":
            return {}
        raise

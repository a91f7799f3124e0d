"""A custom resource: sets tags of a bucket and leaves its others as they are.

S3 replaces all tags of a bucket at once, and refuses a set without CloudFormation's own (aws:…), so they are sent back as they
were read. A deletion leaves the tags: a construct that was moved is made under its new name before it is deleted under its old
one, and what it set must not go with that.
"""

import json
import time
import urllib.request

import boto3
from botocore.exceptions import ClientError


def handler(event, _context):
    properties = event["ResourceProperties"]
    answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    answer |= {"Status": "SUCCESS", "PhysicalResourceId": properties["Bucket"]}
    try:
        if event["RequestType"] != "Delete":
            old = event.get("OldResourceProperties", {})
            stale = old.get("Set", {}) if old.get("Bucket") == properties["Bucket"] else {}
            tag(boto3.client("s3", region_name=properties["Region"]), properties["Bucket"], properties["Set"], stale)
    except Exception as error:
        # Without an answer CloudFormation would wait for an hour.
        print(repr(error))
        answer |= {"Status": "FAILED", "Reason": str(error)}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), {"Content-Type": ""}, method="PUT")
    urllib.request.urlopen(request, timeout=30)


def tag(s3, bucket, wanted, stale):
    """The same as `write`, again for a while: S3 takes one change of a bucket at a time, and a new permission takes some seconds to
    be known."""
    for pause in (1, 2, 4, 8, 16, None):
        try:
            return write(s3, bucket, wanted, stale)
        except ClientError as error:
            if pause is None or error.response["Error"]["Code"] not in ("OperationAborted", "AccessDenied"):
                raise
            time.sleep(pause)


def write(s3, bucket, wanted, stale):
    """Sets the wanted tags, and takes away those of the stale ones that are not wanted any more."""
    before = read(s3, bucket)
    after = {key: value for key, value in before.items() if key not in stale} | wanted
    if after != before:
        tags = [{"Key": key, "Value": value} for key, value in after.items()]
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})


def read(s3, bucket):
    try:
        return {it["Key"]: it["Value"] for it in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchTagSet":
            return {}
        raise

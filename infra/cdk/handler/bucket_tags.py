"""A custom resource that sets tags of a bucket and does not change the bucket's other tags.

TagResource and UntagResource write single tags, so that no tag of others is lost. Where they are refused, PutBucketTagging replaces
all tags. It rejects a set without the system tags (aws:…), so the handler sends back the tags that it read. A Delete request does not remove tags: if a construct moves, CloudFormation creates the new resource before it
deletes the old one, and the deletion would remove the tags of the new one.
"""

import json
import time
import urllib.request

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError


def handler(event, context):
    properties = event["ResourceProperties"]
    response = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    response |= {"Status": "SUCCESS", "PhysicalResourceId": properties["Bucket"]}
    try:
        if event["RequestType"] != "Delete":
            old = event.get("OldResourceProperties", {})
            previous = old.get("Tags", {}) if old.get("Bucket") == properties["Bucket"] else {}
            update_with_retries(Bucket(properties, context.invoked_function_arn), properties["Tags"], previous)
    except Exception as error:
        # Without a response, CloudFormation would wait for an hour.
        print(repr(error))
        response |= {"Status": "FAILED", "Reason": str(error)}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(response).encode(), {"Content-Type": ""}, method="PUT")
    urllib.request.urlopen(request, timeout=30)


class Bucket:
    def __init__(self, properties, function_arn):
        _, partition, _, _, account, *_ = function_arn.split(":")
        self.name = properties["Bucket"]
        self.resource = {"AccountId": account, "ResourceArn": f"arn:{partition}:s3:::{self.name}"}
        self.s3, self.control = (boto3.client(it, region_name=properties["Region"]) for it in ("s3", "s3control"))

    def tags(self):
        try:
            return {tag["Key"]: tag["Value"] for tag in self.s3.get_bucket_tagging(Bucket=self.name)["TagSet"]}
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchTagSet":
                return {}
            raise

    def set_single(self, tags, removed):
        if tags:
            self.control.tag_resource(**self.resource, Tags=as_list(tags))
        if removed:
            self.control.untag_resource(**self.resource, TagKeys=removed)

    def replace_all(self, tags):
        self.s3.put_bucket_tagging(Bucket=self.name, Tagging={"TagSet": as_list(tags)})


def as_list(tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def update_with_retries(bucket, tags, previous):
    """Calls `update` with retries: S3 rejects concurrent changes of a bucket, and a new policy takes some seconds to be effective."""
    for delay in (1, 2, 4, 8, 16, None):
        try:
            return update(bucket, tags, previous)
        except ClientError as error:
            if delay is None or error.response["Error"]["Code"] not in ("OperationAborted", "AccessDenied"):
                raise
            time.sleep(delay)


def update(bucket, tags, previous):
    """Sets the tags, and removes those of the previous ones that are no longer among them."""
    before = bucket.tags()
    changed = {key: value for key, value in tags.items() if before.get(key) != value}
    removed = [key for key in previous if key in before and key not in tags]
    try:
        bucket.set_single(changed, removed)
    except (ClientError, EndpointConnectionError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "OperationAborted":
            raise
        # The permission is missing, or the service at a custom endpoint has no such call or no host for each account.
        print(repr(error))
        after = {key: value for key, value in bucket.tags().items() if key not in removed} | changed
        bucket.replace_all(after)

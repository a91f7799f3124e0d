"""A custom resource that sets tags of a bucket and does not change the bucket's other tags.

TagResource and UntagResource write single tags, so that no tag of others is lost. Where they cannot be used, PutBucketTagging replaces
all tags. It rejects a set without the system tags (aws:…), so the handler sends back the tags that it read. A Delete request does not
remove tags: if a construct moves, CloudFormation creates the new resource before it deletes the old one, and the deletion would remove
the tags of the new one.
"""

import json
import time
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

# A concurrent change of the bucket, a policy that is not effective yet, and too many requests.
RETRIED = ("OperationAborted", "AccessDenied", "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded")

# MethodNotAllowed and NotImplemented: the service at a custom endpoint has no such call.
HAS_NO_CALL = (405, 501)

# The retries of `update_with_retries` must end within the function's timeout of a minute, so the SDK adds one to each at most.
CONFIG = Config(retries={"total_max_attempts": 2})


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
        self.s3, self.control = (boto3.client(it, region_name=properties["Region"], config=CONFIG) for it in ("s3", "s3control"))

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
    """Calls `update`, at most six times."""
    for delay in (1, 2, 4, 8, 16, None):
        try:
            return update(bucket, tags, previous, is_last=delay is None)
        except ClientError as error:
            if delay is None or not is_retryable(error):
                raise
            time.sleep(delay)


def is_retryable(error):
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return error.response["Error"]["Code"] in RETRIED or status == 429 or status >= 500


def update(bucket, tags, previous, is_last):
    """Sets the tags, and removes those of the previous ones that are no longer among them."""
    before = bucket.tags()
    changed = {key: value for key, value in tags.items() if before.get(key) != value}
    removed = [key for key in previous if key in before and key not in tags]
    try:
        bucket.set_single(changed, removed)
    except (ClientError, EndpointConnectionError) as error:
        if not replaces_all(error, is_last):
            raise
        print(repr(error))
        after = {key: value for key, value in bucket.tags().items() if key not in removed} | changed
        bucket.replace_all(after)


def replaces_all(error, is_last):
    """Whether single tags cannot be written: the service at a custom endpoint has no host for each account or no such call, or the
    permission is missing. A new policy takes some seconds to be effective, so only the last AccessDenied counts."""
    if isinstance(error, EndpointConnectionError):
        return True
    denied = is_last and error.response["Error"]["Code"] == "AccessDenied"
    return denied or error.response["ResponseMetadata"]["HTTPStatusCode"] in HAS_NO_CALL

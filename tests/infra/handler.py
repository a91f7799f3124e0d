"""Tests the custom resource that tags a bucket, with a fake bucket that rejects what S3 rejects."""

import contextlib
import importlib.util
import io
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

HANDLER = Path(__file__).resolve().parents[2] / "infra/cdk/handler/bucket_tags.py"
SYSTEM = {"aws:cloudformation:stack-name": "site"}


class Bucket:
    """Follows S3's rules: PutBucketTagging replaces all tags and requires the unchanged system tags."""

    def __init__(self, tags):
        self.tags = tags
        self.calls = []

    def get_bucket_tagging(self, Bucket):
        if not self.tags:
            raise ClientError({"Error": {"Code": "NoSuchTagSet"}}, "GetBucketTagging")
        return {"TagSet": [{"Key": key, "Value": value} for key, value in self.tags.items()]}

    def put_bucket_tagging(self, Bucket, Tagging):
        tags = {it["Key"]: it["Value"] for it in Tagging["TagSet"]}
        system = lambda of: {key: value for key, value in of.items() if key.startswith("aws:")}
        if system(tags) != system(self.tags):
            raise ClientError({"Error": {"Code": "InvalidTag"}}, "PutBucketTagging")
        self.tags = tags
        self.calls.append(tags)


def respond(handler, bucket, kind, tags, old=None):
    """Calls the handler as CloudFormation does and returns its response."""
    responses = []

    class ResponseHandler(BaseHTTPRequestHandler):
        def do_PUT(self):
            responses.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), ResponseHandler) as server:
        waiting = threading.Thread(target=server.handle_request)
        waiting.start()
        properties = lambda tags: {"Bucket": "site", "Region": "eu-central-1", "Tags": tags}
        event = {"RequestType": kind, "StackId": "S", "RequestId": "R", "LogicalResourceId": "L"}
        event |= {"ResponseURL": f"http://127.0.0.1:{server.server_port}/", "ResourceProperties": properties(tags)}
        event |= {"OldResourceProperties": properties(old)} if old is not None else {}
        boto3.client = lambda service, region_name: bucket
        handler(event, None)
        waiting.join()
    [response] = responses
    assert (response["StackId"], response["RequestId"], response["LogicalResourceId"]) == ("S", "R", "L")
    return response


def main():
    spec = importlib.util.spec_from_file_location("bucket_tags", HANDLER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    delays = []
    module.time.sleep = delays.append
    run = lambda *arguments: respond(module.handler, *arguments)

    bare = Bucket({})
    assert run(bare, "Create", {"distributionId": "E1"})["Status"] == "SUCCESS"
    assert bare.tags == {"distributionId": "E1"}

    bucket = Bucket(SYSTEM | {"team": "web"})
    run(bucket, "Create", {"distributionId": "E1", "invalidation:originPath": "/web"})
    assert bucket.tags == SYSTEM | {"team": "web", "distributionId": "E1", "invalidation:originPath": "/web"}, bucket.tags
    # The update removes tags that it no longer sets, and keeps all others.
    response = run(bucket, "Update", {"distributionId": "E2"}, {"distributionId": "E1", "invalidation:originPath": "/web"})
    assert bucket.tags == SYSTEM | {"team": "web", "distributionId": "E2"}, bucket.tags
    assert response["PhysicalResourceId"] == "site"
    # Without a change there is no call, and a deletion keeps the tags.
    calls = len(bucket.calls)
    run(bucket, "Update", {"distributionId": "E2"}, {"distributionId": "E2"})
    run(bucket, "Delete", {"distributionId": "E2"})
    assert len(bucket.calls) == calls

    # S3 rejects two calls because of a concurrent change.
    put, busy = bucket.put_bucket_tagging, [True, True]

    def in_turn(**tagging):
        if busy:
            busy.pop()
            raise ClientError({"Error": {"Code": "OperationAborted"}}, "PutBucketTagging")
        put(**tagging)

    bucket.put_bucket_tagging = in_turn
    assert run(bucket, "Update", {"distributionId": "E3"}, {"distributionId": "E2"})["Status"] == "SUCCESS"
    assert bucket.tags["distributionId"] == "E3" and delays == [1, 2], delays

    def refused(**_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetBucketTagging")

    bucket.get_bucket_tagging = refused
    with contextlib.redirect_stdout(io.StringIO()):
        response = run(bucket, "Create", {"distributionId": "E1"})
    assert response["Status"] == "FAILED" and "AccessDenied" in response["Reason"], response
    print("the custom resource keeps other tags and responds in every case")


if __name__ == "__main__":
    sys.exit(main())

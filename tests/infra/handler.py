"""The custom resource that tags a bucket, against a bucket that refuses what S3 does."""

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
    """Knows S3's rules: one call replaces all tags, and the system's must come along as they are."""

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


def called(handler, bucket, kind, tags, old=None):
    """Calls the handler as CloudFormation does; what it answers."""
    answers = []

    class Answered(BaseHTTPRequestHandler):
        def do_PUT(self):
            answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answered) as server:
        waiting = threading.Thread(target=server.handle_request)
        waiting.start()
        properties = lambda tags: {"Bucket": "site", "Region": "eu-central-1", "Set": tags}
        event = {"RequestType": kind, "StackId": "S", "RequestId": "R", "LogicalResourceId": "L"}
        event |= {"ResponseURL": f"http://127.0.0.1:{server.server_port}/", "ResourceProperties": properties(tags)}
        event |= {"OldResourceProperties": properties(old)} if old is not None else {}
        boto3.client = lambda service, region_name: bucket
        handler(event, None)
        waiting.join()
    [answer] = answers
    assert (answer["StackId"], answer["RequestId"], answer["LogicalResourceId"]) == ("S", "R", "L")
    return answer


def main():
    spec = importlib.util.spec_from_file_location("bucket_tags", HANDLER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pauses = []
    module.time.sleep = pauses.append
    run = lambda *arguments: called(module.handler, *arguments)

    bare = Bucket({})
    assert run(bare, "Create", {"distributionId": "E1"})["Status"] == "SUCCESS"
    assert bare.tags == {"distributionId": "E1"}

    bucket = Bucket(SYSTEM | {"team": "web"})
    run(bucket, "Create", {"distributionId": "E1", "invalidation:originPath": "/web"})
    assert bucket.tags == SYSTEM | {"team": "web", "distributionId": "E1", "invalidation:originPath": "/web"}, bucket.tags
    # Tags that are no longer set are removed; those of others stay.
    answer = run(bucket, "Update", {"distributionId": "E2"}, {"distributionId": "E1", "invalidation:originPath": "/web"})
    assert bucket.tags == SYSTEM | {"team": "web", "distributionId": "E2"}, bucket.tags
    assert answer["PhysicalResourceId"] == "site"
    # Nothing to do, nothing is called; a deletion leaves the tags.
    calls = len(bucket.calls)
    run(bucket, "Update", {"distributionId": "E2"}, {"distributionId": "E2"})
    run(bucket, "Delete", {"distributionId": "E2"})
    assert len(bucket.calls) == calls

    # S3 works on another change twice.
    put, busy = bucket.put_bucket_tagging, [True, True]

    def in_turn(**tagging):
        if busy:
            busy.pop()
            raise ClientError({"Error": {"Code": "OperationAborted"}}, "PutBucketTagging")
        put(**tagging)

    bucket.put_bucket_tagging = in_turn
    assert run(bucket, "Update", {"distributionId": "E3"}, {"distributionId": "E2"})["Status"] == "SUCCESS"
    assert bucket.tags["distributionId"] == "E3" and pauses == [1, 2], pauses

    def refused(**_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetBucketTagging")

    bucket.get_bucket_tagging = refused
    with contextlib.redirect_stdout(io.StringIO()):
        answer = run(bucket, "Create", {"distributionId": "E1"})
    assert answer["Status"] == "FAILED" and "AccessDenied" in answer["Reason"], answer
    print("the custom resource keeps other tags, and always responds")


if __name__ == "__main__":
    sys.exit(main())

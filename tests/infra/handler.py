"""Tests the custom resource that tags a bucket, with a fake bucket that rejects what S3 rejects."""

import contextlib
import importlib.util
import io
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError

HANDLER = Path(__file__).resolve().parents[2] / "infra/cdk/handler/bucket_tags.py"
SYSTEM = {"aws:cloudformation:stack-name": "site"}


def error(code, operation, status=400):
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}, operation)


class Bucket:
    """Follows S3's rules: PutBucketTagging replaces all tags and requires the unchanged system tags. With attribute-based access
    control it is rejected. It is the client of S3 and that of S3 Control."""

    def __init__(self, tags, abac=False):
        self.tags = tags
        self.calls = []
        self.abac = abac
        # The errors of the next calls that write single tags.
        self.refusals = []
        # What another process does between the read and the write.
        self.meanwhile = {}

    def get_bucket_tagging(self, Bucket):
        if not self.tags:
            raise error("NoSuchTagSet", "GetBucketTagging")
        tags = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        self.tags |= self.meanwhile
        return {"TagSet": tags}

    def put_bucket_tagging(self, Bucket, Tagging):
        tags = {it["Key"]: it["Value"] for it in Tagging["TagSet"]}
        system = lambda of: {key: value for key, value in of.items() if key.startswith("aws:")}
        if system(tags) != system(self.tags) or self.abac:
            raise error("InvalidTag", "PutBucketTagging")
        self.tags = tags
        self.calls.append("PutBucketTagging")

    def tag_resource(self, AccountId, ResourceArn, Tags):
        self.write("TagResource", AccountId, ResourceArn)
        self.tags |= {it["Key"]: it["Value"] for it in Tags}

    def untag_resource(self, AccountId, ResourceArn, TagKeys):
        self.write("UntagResource", AccountId, ResourceArn)
        self.tags = {key: value for key, value in self.tags.items() if key not in TagKeys}

    def write(self, operation, account, arn):
        assert (account, arn) == ("111122223333", "arn:aws-cn:s3:::site"), (account, arn)
        self.calls.append(operation)
        if self.refusals:
            raise self.refusals.pop(0)


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
        boto3.client = lambda service, region_name, config: {"s3": bucket, "s3control": bucket}[service]
        handler(event, SimpleNamespace(invoked_function_arn="arn:aws-cn:lambda:cn-north-1:111122223333:function:f"))
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

    # S3 rejects two calls because of a concurrent change. Other tags that are set meanwhile stay.
    assert set(bucket.calls) == {"TagResource", "UntagResource"}, bucket.calls
    bucket.refusals = [error("OperationAborted", "TagResource")] * 2
    bucket.meanwhile = {"cost": "7"}
    assert run(bucket, "Update", {"distributionId": "E3"}, {"distributionId": "E2"})["Status"] == "SUCCESS"
    assert bucket.tags == SYSTEM | {"team": "web", "distributionId": "E3", "cost": "7"} and delays == [1, 2], (bucket.tags, delays)

    # With attribute-based access control, only single tags can be written.
    guarded = Bucket(dict(SYSTEM), abac=True)
    run(guarded, "Create", {"distributionId": "E1", "invalidation:originPath": "/web"})
    run(guarded, "Update", {"distributionId": "E2"}, {"distributionId": "E1", "invalidation:originPath": "/web"})
    assert guarded.tags == SYSTEM | {"distributionId": "E2"}, guarded.tags

    # What S3 may accept later is tried again. All tags are never replaced then: the tags that others set meanwhile would be lost.
    passing = [("SlowDown", 503), ("InternalError", 500), ("ServiceUnavailable", 503), ("ThrottlingException", 400), ("AccessDenied", 403)]
    for code, status in [*passing, ("Unknown", 502)]:
        busy = Bucket({"distributionId": "E1"})
        busy.refusals, busy.meanwhile = [error(code, "TagResource", status)] * 2, {"cost": "7"}
        delays.clear()
        assert run(busy, "Update", {"distributionId": "E2"}, {"distributionId": "E1"})["Status"] == "SUCCESS"
        assert busy.calls == ["TagResource"] * 3 and delays == [1, 2], (code, busy.calls, delays)
        assert busy.tags == {"distributionId": "E2", "cost": "7"}, (code, busy.tags)

    # If it never accepts, the resource fails, and so it does at once for what no retry changes.
    for code, status, attempts in (("SlowDown", 503, 6), ("InternalError", 500, 6), ("InvalidTag", 400, 1), ("NoSuchBucket", 404, 1)):
        never = Bucket({"distributionId": "E1"})
        never.refusals = [error(code, "TagResource", status)] * 6
        with contextlib.redirect_stdout(io.StringIO()):
            response = run(never, "Update", {"distributionId": "E2"}, {"distributionId": "E1"})
        assert response["Status"] == "FAILED" and code in response["Reason"], response
        assert never.calls == ["TagResource"] * attempts and never.tags == {"distributionId": "E1"}, (code, never.calls, never.tags)

    # Where single tags cannot be written, all tags are replaced. AccessDenied says so only if it lasts.
    no_host = EndpointConnectionError(endpoint_url="http://111122223333.localhost")
    refusals = [[error("AccessDenied", "TagResource", 403)] * 6, [error("MethodNotAllowed", "TagResource", 405)], [no_host]]
    for refusal in [*refusals, [error("NotImplemented", "TagResource", 501)], [error("501", "TagResource", 501)]]:
        for position in (0, 1):
            old = Bucket(SYSTEM | {"team": "web", "distributionId": "E1", "invalidation:ignore": "a/"})
            old.refusals = list(refusal)
            previous = {"invalidation:ignore": "a/"} if position else {}
            tags = {} if position else {"distributionId": "E2"}
            with contextlib.redirect_stdout(io.StringIO()):
                assert run(old, "Update", tags, previous)["Status"] == "SUCCESS"
            expected = {"distributionId": "E1"} if position else {"distributionId": "E2", "invalidation:ignore": "a/"}
            assert old.tags == SYSTEM | {"team": "web"} | expected, old.tags
            operation = "UntagResource" if position else "TagResource"
            assert old.calls == [operation] * len(refusal) + ["PutBucketTagging"], old.calls

    def refused(**_):
        raise error("AccessDenied", "GetBucketTagging")

    bucket.get_bucket_tagging = refused
    with contextlib.redirect_stdout(io.StringIO()):
        response = run(bucket, "Create", {"distributionId": "E1"})
    assert response["Status"] == "FAILED" and "AccessDenied" in response["Reason"], response
    print("the custom resource keeps other tags and responds in every case")


if __name__ == "__main__":
    sys.exit(main())

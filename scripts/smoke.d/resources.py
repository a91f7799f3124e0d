"""The resources that the questions of scripts/smoke share: buckets, distributions, and the deployment of the function."""

import http.client
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from aws import WAIT_FACTOR, AwsError, pause, until
from report import NotAnswered
from scratch import MAX_WAIT, TAG, json_file

TOP = Path(__file__).resolve().parents[2]

# S3 starts to send the events of a new configuration after about five minutes, to EventBridge too.
# Source: S3 user guide, "Event notifications" and "Enabling Amazon EventBridge".
EVENTS_START = 330

# How long to wait for a line of the function's log, in seconds: several polls, and the time until CloudWatch Logs shows it.
QUIET = max(30, 300 * WAIT_FACTOR)

# The most paths that a run may cause. CloudFront bills 0.005 USD each beyond the account's first 1,000 of a month.
MAX_PATHS = 380
PATH_PRICE = 0.005

# CachingOptimized
CACHE_POLICY = "658327ea-f89d-4fab-a63d-7e88639e58f6"

# Runs before the cache lookup, so a directory and its index document share an entry.
REWRITE = """function handler(event) {
  var request = event.request;
  if (request.uri.endsWith('/')) request.uri += 'index.html';
  return request;
}
"""


class Budget:
    """The paths that may still be sent. Each question takes what it can cause at most, before it causes anything."""

    def __init__(self, most=MAX_PATHS):
        self.most, self.taken = most, 0
        self.lock = threading.Lock()

    def take(self, paths):
        with self.lock:
            if self.taken + paths > self.most:
                raise NotAnswered(f"{paths} more paths would exceed the limit of {self.most} paths ({self.most * PATH_PRICE:.2f} USD)")
            self.taken += paths


class Site:
    """Makes each resource when it is first needed."""

    def __init__(self, aws, scratch, options, account, region, partition):
        self.aws, self.scratch, self.options = aws, scratch, options
        self.account, self.region, self.partition = account, region, partition
        self.budget = Budget()
        self.made, self.events_from = {}, 0.0

    def once(self, key, make):
        """The result of `make` for this key, or its error: what failed is not tried again."""
        if key not in self.made:
            try:
                self.made[key] = make()
            except (AwsError, NotAnswered) as error:
                self.made[key] = error
        if isinstance(self.made[key], Exception):
            raise self.made[key]
        return self.made[key]

    def bucket(self, part):
        return self.once(("bucket", part), lambda: self.new_bucket(part))

    def new_bucket(self, part):
        name = self.scratch.name(part)
        # us-east-1 is the only Region that must not be a LocationConstraint. Source: S3 API reference, CreateBucket.
        location = ["--create-bucket-configuration", f"LocationConstraint={self.region}"] if self.region != "us-east-1" else []
        self.aws("s3api", "create-bucket", "--bucket", name, *location)
        self.aws("s3api", "put-bucket-tagging", "--bucket", name, "--tagging", f"TagSet=[{{Key={TAG},Value={self.scratch.run}}}]")
        return name

    def distribution(self, part):
        """The distribution of the bucket of this name, as CloudFront describes it. It may not be deployed yet."""
        return self.once(("distribution", part), lambda: self.new_distribution(part, self.bucket(part)))

    def new_distribution(self, part, bucket, enabled=True):
        name = self.scratch.name(part)
        behavior = {"TargetOriginId": "bucket", "ViewerProtocolPolicy": "redirect-to-https", "CachePolicyId": CACHE_POLICY}
        origin = {"Id": "bucket", "DomainName": f"{bucket}.s3.{self.region}.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
        config = {
            "CallerReference": name,
            "Comment": name,
            "Enabled": enabled,
            "DefaultRootObject": "index.html",
            "Origins": {"Quantity": 1, "Items": [origin | {"OriginAccessControlId": self.access_control()}]},
            "DefaultCacheBehavior": behavior,
        }
        if part == "site":
            association = {"FunctionARN": self.rewrite_function(), "EventType": "viewer-request"}
            pages = behavior | {"PathPattern": "/pages/*", "FunctionAssociations": {"Quantity": 1, "Items": [association]}}
            config["CacheBehaviors"] = {"Quantity": 1, "Items": [pages]}
        tagged = {"DistributionConfig": config, "Tags": {"Items": [{"Key": TAG, "Value": self.scratch.run}]}}
        with json_file(tagged) as request:
            made = self.aws("cloudfront", "create-distribution-with-tags", "--distribution-config-with-tags", request)["Distribution"]
        if enabled:
            self.allow_reading(bucket, made["ARN"])
        return made

    def allow_reading(self, bucket, distribution_arn):
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": [f"arn:{self.partition}:s3:::{bucket}", f"arn:{self.partition}:s3:::{bucket}/*"],
            "Condition": {"StringEquals": {"aws:SourceArn": distribution_arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.aws("s3api", "put-bucket-policy", "--bucket", bucket, "--policy", policy)

    def access_control(self):
        def make():
            config = {"Name": self.scratch.name("access"), "Description": TAG, "OriginAccessControlOriginType": "s3"}
            config |= {"SigningBehavior": "always", "SigningProtocol": "sigv4"}
            request = ["--origin-access-control-config", json.dumps(config)]
            return self.aws("cloudfront", "create-origin-access-control", *request)["OriginAccessControl"]["Id"]

        return self.once("access", make)

    def rewrite_function(self):
        def make():
            name = self.scratch.name("rewrite")
            with tempfile.NamedTemporaryFile("w", suffix=".js") as file:
                file.write(REWRITE)
                file.flush()
                config = ["--function-config", f"Comment={TAG},Runtime=cloudfront-js-2.0", "--function-code", f"fileb://{file.name}"]
                etag = self.aws("cloudfront", "create-function", "--name", name, *config)["ETag"]
            published = self.aws("cloudfront", "publish-function", "--name", name, "--if-match", etag)
            return published["FunctionSummary"]["FunctionMetadata"]["FunctionARN"]

        return self.once("rewrite", make)

    def deployed(self, part):
        """The distribution of this name, once CloudFront has deployed it."""

        def wait():
            id = self.distribution(part)["Id"]
            get = lambda: self.aws("cloudfront", "get-distribution", "--id", id)["Distribution"]
            if not until(lambda: get()["Status"] == "Deployed", MAX_WAIT, 15):
                raise NotAnswered(f"the distribution is not deployed after {MAX_WAIT} s")
            return id

        return self.once(("deployed", part), wait)

    def stack(self):
        """The outputs of the function's stack."""

        def make():
            name = self.scratch.name("function")
            source = ["--zip", self.options.zip] if self.options.zip else ["--release", self.options.release]
            command = [TOP / "scripts/deploy", *source, "--stack", name, "--bucket", self.bucket("uploads")]
            # At DEBUG, the function also logs polls of an empty queue.
            self.aws.run(*map(str, command), "--tag", f"{TAG}={self.scratch.run}", "LogLevel=DEBUG")
            stack = self.aws("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"][0]
            described = self.aws("cloudformation", "describe-stack-resource", "--stack-name", name, "--logical-resource-id", "LogGroup")
            outputs = {it["OutputKey"]: it["OutputValue"] for it in stack["Outputs"]}
            return outputs | {"StackName": name, "LogGroup": described["StackResourceDetail"]["PhysicalResourceId"]}

        return self.once("stack", make)

    def invalidator(self, *arguments):
        return self.aws.run(str(self.options.invalidator), *arguments, "--stack", self.stack()["StackName"])

    def linked(self, part, via):
        """The bucket of this name, linked to its distribution. S3 sends its events from `events_from` on."""

        def link():
            bucket = self.bucket(part)
            self.invalidator("link", bucket, self.distribution(part)["Id"], "--via", via, "--yes")
            self.events_from = time.monotonic() + EVENTS_START
            return bucket

        return self.once(("linked", part), link)

    def sends_events(self, part, via):
        """The linked bucket, once S3 sends its events and its distribution is deployed."""
        bucket = self.linked(part, via)
        self.deployed(part)
        self.wait_for_events()
        return bucket

    def sends_to_eventbridge(self, part):
        """The bucket of this name, with versions of its objects. S3 sends its events to EventBridge from `events_from` on."""

        def enable():
            bucket = self.bucket(part)
            self.aws("s3api", "put-bucket-versioning", "--bucket", bucket, "--versioning-configuration", "Status=Enabled")
            notify = ["--notification-configuration", '{"EventBridgeConfiguration":{}}']
            self.aws("s3api", "put-bucket-notification-configuration", "--bucket", bucket, *notify)
            self.events_from = time.monotonic() + EVENTS_START
            return bucket

        return self.once(("eventbridge", part), enable)

    def wait_for_events(self):
        """Waits until S3 sends the events of all buckets that were configured so far."""
        pause(max(0.0, self.events_from - time.monotonic()))
        self.events_from = 0.0

    def upload(self, bucket, files):
        """Uploads texts by their keys, with one command; the time at which it ended."""
        with tempfile.TemporaryDirectory() as directory:
            for key, text in files.items():
                file = Path(directory, key)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            self.aws("s3", "cp", "--recursive", "--quiet", "--content-type", "text/plain", directory, f"s3://{bucket}")
        return time.time()

    def reports(self, since):
        """What the function logged of its invocations since a time (seconds since 1970), each with its time of starting."""
        arguments = ["--log-group-name", self.stack()["LogGroup"], "--start-time", str(int(since * 1000))]
        found = []
        for event in self.aws("logs", "filter-log-events", *arguments).get("events", []):
            # An emulator does not set Lambda's JSON format: there, other text precedes the object.
            try:
                report = json.loads(event["message"][event["message"].index("{") :])
            except ValueError:
                continue
            if "changes" in report and "totals" in report:
                found.append(report | {"startedAt": event["timestamp"] / 1000 - report["durationMs"] / 1000})
        return sorted(found, key=lambda it: it["startedAt"])

    def handled(self, since, changes):
        """The reports of the invocations that finished this many changes, after CloudFront completed their invalidations."""
        reports = self.reported(since, changes)
        if finished(reports) < changes:
            totals = [{name: count for name, count in it["changes"].items() if count} for it in reports]
            raise NotAnswered(f"the function did not finish {changes} changes in time; its invocations: {totals}")
        return reports

    def reported(self, since, changes):
        """As `handled`, but also ends when the function logs nothing new: a line of the log may be missing."""
        reports, newest = [], time.monotonic()

        def is_end():
            nonlocal newest
            found = [it for it in self.reports(since) if any(it["changes"].values())]
            if len(found) > len(reports):
                newest = time.monotonic()
            reports[:] = found
            return finished(reports) >= changes or time.monotonic() > newest + QUIET

        until(is_end, MAX_WAIT)
        for id, distribution in invalidations(reports):
            self.completed(distribution, id)
        return reports

    def completed(self, distribution, id):
        """An invalidation once it is complete, or `None` if it is not within ten minutes."""
        get = lambda: self.aws("cloudfront", "get-invalidation", "--distribution-id", distribution, "--id", id)["Invalidation"]
        return until(lambda: (it := get())["Status"] == "Completed" and it, 600, 2)

    def read(self, distribution, path):
        """A viewer's request at the edge: status, `X-Cache` and body."""
        domain = self.distribution(distribution)["DomainName"]
        # For tests: the URL of an HTTP server that answers as the edge.
        edge = urlsplit(os.environ.get("SMOKE_EDGE_URL") or f"https://{domain}")
        kind = http.client.HTTPSConnection if edge.scheme == "https" else http.client.HTTPConnection
        connection = kind(edge.netloc, timeout=30)
        try:
            connection.request("GET", path, headers={"Host": domain})
            response = connection.getresponse()
            return response.status, response.headers.get("X-Cache", ""), response.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def read_cached(self, distribution, path):
        """As `read`, again until the edge answers from its cache, at most ten times."""
        for _ in range(10):
            answer = self.read(distribution, path)
            if answer[1].startswith("Hit") or answer[0] != 200:
                break
            pause(1)
        return answer


def finished(reports):
    """The number of changes that were invalidated or skipped. Those that were sent to the queue are counted when a poll finishes them."""
    return sum(it["changes"]["invalidated"] + it["changes"]["skipped"] for it in reports)


def invalidations(reports):
    """The invalidations of reports, as pairs of their ID and distribution."""
    sent = [it for report in reports for it in report.get("invalidations", [])]
    return [(it["invalidationId"], it["distributionId"]) for it in sent if "invalidationId" in it]

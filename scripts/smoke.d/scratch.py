"""What a run of scripts/smoke makes: recorded in a file before it is made, and found again for removal by that file, or by name and tag."""

import fcntl
import json
import os
import re
import secrets
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aws import AwsError, pause, until

TAG = "invalidator-smoke"

# The errors of expired credentials. Source: the common errors of each service's API reference.
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")

# CloudFront deploys a distribution in minutes; a stack of functions and queues takes less.
MAX_WAIT = 1800


class Scratch:
    """The resources of one name in one account and Region."""

    def __init__(self, directory, name):
        directory.mkdir(parents=True, exist_ok=True)
        self.file, self.of_a_run = directory / f"{name}.json", re.compile(rf"{re.escape(name)}-[0-9a-f]{{6}}-")
        self.run = f"{name}-{secrets.token_hex(3)}"
        self.lock = os.open(directory / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        self.names = []

    def acquire(self):
        """Waits until no other run of this name, and no command of one that was killed, is left: commands inherit the lock."""
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another run of this name, or for a command that it started.", flush=True)
            fcntl.flock(self.lock, fcntl.LOCK_EX)

    def open(self, aws, account, region):
        """Reads the names that an earlier run recorded."""
        self.aws, self.owner = aws, {"account": account, "region": region}
        if self.file.exists():
            recorded = json.loads(self.file.read_text())
            if {key: recorded[key] for key in self.owner} != self.owner:
                remedy = "run scripts/smoke --remove with its profile and Region first"
                raise SystemExit(f"{self.file} is of another account or Region: {remedy}")
            self.names = recorded["names"]

    def name(self, part):
        """The name of a resource, which is recorded from now on. The caller makes the resource afterwards."""
        return self.record(f"{self.run}-{part}")

    def record(self, name):
        if name in self.names:
            return name
        self.names.append(name)
        with tempfile.NamedTemporaryFile("w", dir=self.file.parent, delete=False) as file:
            json.dump(self.owner | {"names": self.names}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, self.file)
        return name

    def unrecorded(self):
        """The names of the resources of other runs of this name: of another machine, or whose record was lost."""
        return [name for kind in KINDS for name, _ in kind.unrecorded(self)]

    def remove(self, unrecorded=False):
        """Removes what the record has, and with `unrecorded` also the resources of other runs of this name, until nothing is left;
        what is left after all attempts. Expired credentials end them."""
        self.removes_unrecorded = unrecorded
        for _ in range(5):
            errors = []
            for step in STEPS:
                try:
                    step(self)
                except AwsError as error:
                    if error.code in EXPIRED:
                        return [*errors, f"{error}; renew the credentials first"]
                    errors.append(str(error))
            if not errors:
                self.names = []
                self.file.unlink(missing_ok=True)
                return []
            pause(30)
        return errors


class Kind:
    """A kind of resource. `found` lists those of a scratch name as pairs of their name and what their deletion needs."""

    def found(self, scratch):
        """Those to remove."""
        recorded = [it for it in self.listed(scratch.aws) if it[0] in scratch.names]
        return recorded + (self.unrecorded(scratch) if scratch.removes_unrecorded else [])

    def unrecorded(self, scratch):
        """Those that the record does not have, but that have the name of a run and the tag."""
        others = [it for it in self.listed(scratch.aws) if it[0] not in scratch.names and scratch.of_a_run.match(it[0])]
        return [it for it in others if self.is_tagged(scratch.aws, *it)]

    def remove(self, scratch):
        found = self.found(scratch)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda it: self.delete(scratch.aws, *it), found))
        for name, _ in found:
            print(f"Removed {name}", flush=True)


class Stacks(Kind):
    def listed(self, aws):
        stacks = aws("cloudformation", "describe-stacks")["Stacks"]
        return [(it["StackName"], it) for it in stacks]

    def is_tagged(self, aws, name, handle):
        return any(it["Key"] == TAG for it in handle.get("Tags", []))

    def remove(self, scratch):
        # The stack that exports the function is deleted last, because the pipeline's imports it.
        for name, handle in sorted(self.found(scratch), key=lambda it: it[0].endswith("-function")):
            for it in scratch.aws("cloudformation", "describe-stack-resources", "--stack-name", name)["StackResources"]:
                if it["ResourceType"] == "AWS::S3::Bucket" and it.get("PhysicalResourceId"):
                    # The pipeline's stack retains its bucket; another stack cannot delete one that has objects.
                    empty(scratch.aws, scratch.record(it["PhysicalResourceId"]))
            self.delete(scratch.aws, name, handle)
            print(f"Removed the stack {name}", flush=True)

    def delete(self, aws, name, handle):
        aws("cloudformation", "delete-stack", "--stack-name", name)
        if not until(lambda: self.is_gone(aws, handle["StackId"]), MAX_WAIT):
            raise AwsError("DeleteStack", "", f"the stack {name} still exists")

    def is_gone(self, aws, stack_id):
        stack = aws("cloudformation", "describe-stacks", "--stack-name", stack_id)["Stacks"][0]
        if stack["StackStatus"] == "DELETE_FAILED":
            raise AwsError("DeleteStack", "DELETE_FAILED", stack.get("StackStatusReason", "no reason given"))
        return stack["StackStatus"] == "DELETE_COMPLETE"


class Buckets(Kind):
    def listed(self, aws):
        return [(it["Name"], None) for it in aws("s3api", "list-buckets").get("Buckets", [])]

    def is_tagged(self, aws, name, handle):
        return any(it["Key"] == TAG for it in bucket_tags(aws, name))

    def delete(self, aws, name, handle):
        empty(aws, name)
        aws("s3api", "delete-bucket", "--bucket", name)


class Roles(Kind):
    def listed(self, aws):
        return [(it["RoleName"], None) for it in aws("iam", "list-roles")["Roles"]]

    def is_tagged(self, aws, name, handle):
        return any(it["Key"] == TAG for it in aws("iam", "list-role-tags", "--role-name", name)["Tags"])

    def delete(self, aws, name, handle):
        for policy in aws("iam", "list-role-policies", "--role-name", name)["PolicyNames"]:
            aws("iam", "delete-role-policy", "--role-name", name, "--policy-name", policy)
        aws("iam", "delete-role", "--role-name", name)


class Distributions(Kind):
    """CloudFront assigns their IDs; the name is their comment."""

    def listed(self, aws):
        items = aws("cloudfront", "list-distributions").get("DistributionList", {}).get("Items", [])
        return [(it["Comment"], it) for it in items]

    def is_tagged(self, aws, name, handle):
        tags = aws("cloudfront", "list-tags-for-resource", "--resource", handle["ARN"])["Tags"].get("Items", [])
        return any(it["Key"] == TAG for it in tags)

    def disable(self, scratch):
        """Disables all, because only a disabled distribution can be deleted, and that takes minutes to deploy."""
        for _, handle in self.found(scratch):
            if handle["Enabled"]:
                answer = scratch.aws("cloudfront", "get-distribution-config", "--id", handle["Id"])
                with json_file(answer["DistributionConfig"] | {"Enabled": False}) as config:
                    update = ["--id", handle["Id"], "--if-match", answer["ETag"], "--distribution-config", config]
                    scratch.aws("cloudfront", "update-distribution", *update)

    def delete(self, aws, name, handle):
        get = lambda: aws("cloudfront", "get-distribution", "--id", handle["Id"])
        deployed = until(lambda: (it := get())["Distribution"]["Status"] == "Deployed" and it, MAX_WAIT, 15)
        if not deployed:
            raise AwsError("GetDistribution", "", f"the distribution {name} is not deployed after {MAX_WAIT} s")
        aws("cloudfront", "delete-distribution", "--id", handle["Id"], "--if-match", deployed["ETag"])


class OriginAccessControls(Kind):
    """They have no tags; the description is ours."""

    def listed(self, aws):
        items = aws("cloudfront", "list-origin-access-controls").get("OriginAccessControlList", {}).get("Items", [])
        return [(it["Name"], it) for it in items]

    def is_tagged(self, aws, name, handle):
        return handle.get("Description") == TAG

    def delete(self, aws, name, handle):
        etag = aws("cloudfront", "get-origin-access-control", "--id", handle["Id"])["ETag"]
        aws("cloudfront", "delete-origin-access-control", "--id", handle["Id"], "--if-match", etag)


class Functions(Kind):
    """CloudFront functions. Their comment is ours."""

    def listed(self, aws):
        items = aws("cloudfront", "list-functions", "--stage", "DEVELOPMENT").get("FunctionList", {}).get("Items", [])
        return [(it["Name"], it) for it in items]

    def is_tagged(self, aws, name, handle):
        return handle["FunctionConfig"].get("Comment") == TAG

    def delete(self, aws, name, handle):
        etag = aws("cloudfront", "describe-function", "--name", name, "--stage", "DEVELOPMENT")["ETag"]
        aws("cloudfront", "delete-function", "--name", name, "--if-match", etag)


# The function's stack is removed before the buckets, so that no deletion of an object is invalidated.
KINDS = [Stacks(), Buckets(), Roles(), Distributions(), OriginAccessControls(), Functions()]
STEPS = [Distributions().disable, *(kind.remove for kind in KINDS)]


def bucket_tags(aws, bucket):
    """A bucket's tags; none if it has none."""
    try:
        return aws("s3api", "get-bucket-tagging", "--bucket", bucket)["TagSet"]
    except AwsError as error:
        if error.code in ("NoSuchTagSet", "NoSuchBucket"):
            return []
        raise


def empty(aws, bucket):
    """Deletes all objects of a bucket, in all versions."""
    while True:
        try:
            listed = aws("s3api", "list-object-versions", "--bucket", bucket, "--max-items", "1000")
        except AwsError as error:
            if error.code == "NoSuchBucket":
                return
            raise
        versions = listed.get("Versions", []) + listed.get("DeleteMarkers", [])
        if not versions:
            return
        objects = [{"Key": it["Key"], "VersionId": it["VersionId"]} for it in versions]
        with json_file({"Objects": objects, "Quiet": True}) as request:
            errors = aws("s3api", "delete-objects", "--bucket", bucket, "--delete", request).get("Errors", [])
        if errors:
            raise AwsError("DeleteObjects", errors[0]["Code"], errors[0].get("Message", ""))


class json_file:
    """A temporary file with JSON, as an argument of the AWS CLI."""

    def __init__(self, value):
        self.value = value

    def __enter__(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
            json.dump(self.value, file)
        self.path = Path(file.name)
        return f"file://{self.path}"

    def __exit__(self, *_):
        self.path.unlink()

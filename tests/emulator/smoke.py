"""Tests scripts/smoke on an emulator of AWS: every answer, the limit on paths, and that nothing is left, also after it is killed."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from botocore.exceptions import ClientError

from cloudfront import CloudFront
from emulator import ROOT, Emulator, until

ZIP = ROOT / "target/package/function.zip"
NAME = "smoke-test"
STATE = ROOT / "target/smoke" / f"{NAME}.json"


def main(invalidator):
    with tempfile.TemporaryDirectory() as directory:
        workdir = Path(directory)
        cloudfront = CloudFront()
        # Functions inherit the emulator's environment.
        emulator = Emulator(workdir, AWS_ENDPOINT_URL_CLOUDFRONT=cloudfront.url)
        cloudfront.use(emulator)
        stopped = threading.Event()
        threading.Thread(target=poll, args=(emulator, stopped), daemon=True).start()
        try:
            smoke = Smoke(emulator, cloudfront, workdir, invalidator)
            play(smoke)
        finally:
            stopped.set()
            emulator.stop()
            cloudfront.stop()


def poll(emulator, stopped):
    """The schedule, faster than every minute."""
    while not stopped.wait(2):
        try:
            emulator.poll()
        except (ClientError, AssertionError):
            # The stack is being created or deleted.
            continue


class Smoke:
    def __init__(self, emulator, cloudfront, workdir, invalidator):
        self.emulator, self.report = emulator, workdir / "report.md"
        own = {
            "SMOKE_EDGE_URL": cloudfront.url,
            "SMOKE_WAIT_FACTOR": "0.02",
            "AWS_ENDPOINT_URL_SQS": cloudfront.url,
            "AWS_ENDPOINT_URL_S3_CONTROL": "http://s3-control.invalid",
            "HTTP_PROXY": cloudfront.url,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        self.environment = emulator.environment | own
        self.command = [ROOT / "scripts/smoke", "--name", NAME, "--report", self.report]
        self.deployment = ["--zip", ZIP, "--invalidator", invalidator, "--yes"]

    def start(self, *arguments):
        self.report.unlink(missing_ok=True)
        output = open(self.report.with_suffix(".log"), "w")
        return subprocess.Popen([*self.command, *arguments], env=self.environment, stdout=output, stderr=subprocess.STDOUT)

    def __call__(self, *arguments, code=0):
        """What the script printed."""
        process = self.start(*arguments)
        process.wait()
        assert process.returncode == code, (process.returncode, self.printed())
        return self.printed()

    def printed(self):
        return self.report.with_suffix(".log").read_text()

    def remaining(self):
        """The names of everything in the emulator that the script, its stacks or the function can make."""
        client = self.emulator.client
        stacks = client("cloudformation").list_stacks()["StackSummaries"]
        cloudfront = client("cloudfront")
        found = {
            "buckets": [it["Name"] for it in client("s3").list_buckets()["Buckets"]],
            "stacks": [it["StackName"] for it in stacks if it["StackStatus"] != "DELETE_COMPLETE"],
            "distributions": [it["Comment"] for it in cloudfront.list_distributions()["DistributionList"].get("Items", [])],
            "access controls": cloudfront.list_origin_access_controls()["OriginAccessControlList"].get("Items", []),
            "edge functions": cloudfront.list_functions()["FunctionList"].get("Items", []),
            "queues": client("sqs").list_queues().get("QueueUrls", []),
            "functions": [it["FunctionName"] for it in client("lambda").list_functions()["Functions"]],
            "roles": [it["RoleName"] for it in client("iam").list_roles()["Roles"]],
            "schedules": [it["Name"] for it in client("scheduler").list_schedules()["Schedules"]],
            "rules": [it["Name"] for it in client("events").list_rules()["Rules"]],
            "log groups": [it["logGroupName"] for it in client("logs").describe_log_groups()["logGroups"]],
            "alarms": [it["AlarmName"] for it in client("cloudwatch").describe_alarms()["MetricAlarms"]],
        }
        return {kind: names for kind, names in found.items() if names}


def play(smoke):
    began = time.monotonic()
    arguments_are_checked(smoke)
    before = smoke.remaining()
    # It has neither the tag nor a record: only its name looks like ours.
    smoke.emulator.bucket(f"{NAME}-of-another")
    with_another = smoke.remaining()
    everything(smoke)
    assert smoke.remaining() == with_another, smoke.remaining()
    smoke.emulator.client("s3").delete_bucket(Bucket=f"{NAME}-of-another")
    full = time.monotonic() - began
    killed_during_the_deployment(smoke, before)
    killed_during_a_question(smoke, before)
    terminated(smoke, before)
    print(f"smoke: all questions in {full:.0f} s; killed twice and terminated once, nothing is left; {time.monotonic() - began:.0f} s in all")


def arguments_are_checked(smoke):
    assert "--release" in smoke("--help")
    assert "--zip FILE or --release VERSION is required" in smoke(code=2)
    assert "use --yes" in smoke("--zip", ZIP, "--invalidator", sys.executable, code=1)
    assert "use 4 to 26" in smoke("--name", "A", code=2)
    assert not STATE.exists()


def everything(smoke):
    printed = smoke(*smoke.deployment)
    report = smoke.report.read_text()
    print(report)
    assert report in printed

"""An emulator of AWS by another author (ministack) as a process, the AWS CLI beside it, and what the tests on it share.

It checks neither paths nor quotas, and knows no CodePipeline: those are the fake AWS's.
"""

import contextlib
import datetime
import fcntl
import importlib.util
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from urllib.parse import quote

import botocore.session
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
REGION = "eu-central-1"

# How long changes may take to be invalidated, in seconds.
MAX_WAIT = 120

# What EventBridge Scheduler replaces in the input of a schedule.
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Emulator:
    """The emulator as a process, and the AWS CLI that talks to it."""

    def __init__(self, workdir, auth=False, **environment):
        """`environment`: further variables of the emulator and of all commands."""
        # Without it, the emulator answers CloudWatch's protocol in JSON.
        if not importlib.util.find_spec("cbor2"):
            raise SystemExit("the Python package cbor2 is not installed; delete target/tools/emulator, and run scripts/test again")
        self.clients = {}
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        # Functions inherit its environment.
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(workdir),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        } | environment
        own = {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "PERSIST_STATE": "0",
            "DOCKER_HOST": "unix:///nonexistent",
            # Whether policies count.
            "AUTH": "true" if auth else "false",
        }
        config = workdir / ".aws"
        config.mkdir(exist_ok=True)
        (config / "config").write_text("[default]\ns3 =\n  addressing_style = path\n")
        program = Path(sys.executable).parent / "ministack"
        self.log = open(workdir / "emulator.log", "ab")
        self.process = subprocess.Popen(
            [program], env=self.environment | own, cwd=workdir, stdout=self.log, stderr=self.log, start_new_session=True
        )
        until(f"the emulator responds at {self.url}", self.is_up)

    def is_up(self):
        if self.process.poll() is not None:
            raise SystemExit(f"the emulator exited with {self.process.returncode}")
        try:
            return urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=2).status == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self):
        # The group: functions are its children.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def run(self, *command, fails=False, notes=False, **environment):
        """Runs a command; what it printed, with `notes` also beside its output. `fails`: it must end with 1, or with the given
        status, and its errors are part of what it printed."""
        environment = self.environment | environment
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != int(fails):
            raise SystemExit(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr if fails or notes else done.stdout

    def screen(self, *command, columns=80, color=False, answer="", fails=False, **environment):
        """Runs a command on a terminal of this width; everything that it printed there. `answer` is typed at its prompt."""
        environment = self.environment | {"TERM": "xterm-256color"} | ({} if color else {"NO_COLOR": "1"}) | environment
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdin=terminal, stdout=terminal, stderr=terminal)
        os.close(terminal)
        os.write(controller, answer.encode())
        printed = b""
        # Linux reports an error once nobody has the terminal open any more.
        with contextlib.suppress(OSError):
            while part := os.read(controller, 65536):
                printed += part
        os.close(controller)
        printed = printed.decode().replace("\r\n", "\n")
        assert process.wait() == int(fails), (command, process.returncode, printed)
        return printed

    def invalidator(self, *arguments, **options):
        """The operator's command line."""
        return self.run(ROOT / "target/debug/invalidator", *arguments, **options)

    def client(self, service, key="test", secret="test"):
        """The SDK that the CLI is made of."""
        made = self.clients.get((service, key))
        if not made:
            # It reads large models, so it is made once.
            made = self.clients[service, key] = botocore.session.get_session().create_client(
                service,
                endpoint_url=self.url,
                region_name=REGION,
                aws_access_key_id=key,
                aws_secret_access_key=secret,
                config=Config(s3={"addressing_style": "path"}),
            )
        return made

    def bucket(self, name):
        """A new bucket."""
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})

    def outputs(self, stack):
        """The outputs of a stack."""
        outputs = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
        return {it["OutputKey"]: it["OutputValue"] for it in outputs}

    def schedules(self):
        """The schedules that invoke functions."""
        scheduler = self.client("scheduler")
        listed = scheduler.list_schedules()["Schedules"]
        return [scheduler.get_schedule(Name=it["Name"], GroupName=it["GroupName"]) for it in listed]

    def poll(self):
        """Does at once what each schedule does at its next time: invokes the function with the schedule's own input."""
        for schedule in self.schedules():
            target = schedule["Target"]
            assert SCHEDULED_TIME in target["Input"], target
            now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            event = target["Input"].replace(SCHEDULED_TIME, now)
            assert json.loads(event)["scheduledTime"] == now, event
            answer = self.client("lambda").invoke(FunctionName=target["Arn"], Payload=event)
            # A poll never fails its invocation.
            assert "FunctionError" not in answer, answer["Payload"].read()

    def count_empty_receives(self, queue_url, count, minutes_ago):
        """Counts empty receives of a queue in CloudWatch, as SQS does; the emulator's SQS has no metrics."""
        at = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=minutes_ago)
        of_queue = [{"Name": "QueueName", "Value": queue_url.rsplit("/", 1)[1]}]
        datum = {"MetricName": "NumberOfEmptyReceives", "Dimensions": of_queue, "Timestamp": at, "Value": count}
        self.client("cloudwatch").put_metric_data(Namespace="AWS/SQS", MetricData=[datum])
        return at.strftime("%Y-%m-%d %H:%M UTC")

    def distribution(self, bucket, origin_path=""):
        """A new distribution that shows a bucket; its id."""
        config = {
            "CallerReference": bucket,
            "Comment": "",
            "Enabled": True,
            "DefaultRootObject": "index.html",
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {
                        "Id": "s3",
                        "DomainName": f"{bucket}.s3.{REGION}.amazonaws.com",
                        "OriginPath": origin_path,
                        "CustomHeaders": {"Quantity": 0},
                        "S3OriginConfig": {"OriginAccessIdentity": ""},
                    }
                ],
            },
            "DefaultCacheBehavior": {
                "TargetOriginId": "s3",
                "ViewerProtocolPolicy": "redirect-to-https",
                "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
            },
        }
        return self.client("cloudfront").create_distribution(DistributionConfig=config)["Distribution"]["Id"]

    def invalidations(self, distribution):
        """The items of each of its invalidations, by their ids."""
        cloudfront = self.client("cloudfront")
        pages = cloudfront.get_paginator("list_invalidations").paginate(DistributionId=distribution)
        ids = [summary["Id"] for page in pages for summary in page["InvalidationList"].get("Items", [])]
        found = {id: cloudfront.get_invalidation(DistributionId=distribution, Id=id)["Invalidation"] for id in ids}
        return {id: it["InvalidationBatch"]["Paths"]["Items"] for id, it in found.items()}


def until(what, is_so, max_wait=MAX_WAIT):
    """Waits; how long it took, in seconds."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > max_wait:
            raise SystemExit(f"timed out after {max_wait} s, waiting until {what}")
        time.sleep(0.5)
    return time.monotonic() - began


def zip_of(workdir, bootstrap):
    """The function's zip, as scripts/package makes it."""
    zip_file = workdir / "function.zip"
    with zipfile.ZipFile(zip_file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(bootstrap, "bootstrap")
        version = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)
        archive.comment = f"s3-cloudfront-invalidator {version}".encode()
    return zip_file


def url_of(key):
    """A viewer's request for a key, spelt by another encoder than ours."""
    return "/" + quote(key, safe="/!$&'()*,:=@;-._~")


def is_covered(url, items):
    """CloudFront's rule: equal, or below the prefix before a last `*`."""
    return any(url.startswith(item[:-1]) if item.endswith("*") else url == item for item in items)


def site(workdir):
    """Some hundred files with odd names, as keys."""
    keys = ["index.html", "404.html", "docs/index.html", "robots.txt", "a+b/c d.txt", "ünïcode/日本.txt", "100%.txt"]
    keys += ["js/runtime~main.js", "tilde~/x", "paren(1)/[2].txt", "quote's/&amp;.txt", "semi;colon=1,2.txt", "🎉/party.png"]
    keys += [f"posts/{year}/{number:03}.html" for year in (2024, 2025) for number in range(60)]
    for key in keys:
        file = workdir / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(key)
    return keys

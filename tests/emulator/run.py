"""Deploys the template to an emulator of AWS by another author, and lets buckets change there.

`scripts/test` runs this with the emulator (ministack) and the AWS CLI in an environment of their own. The function is the real
binary, given as the first argument; S3, SQS, EventBridge, Lambda, IAM, CloudFormation and CloudFront are the emulator's. It
checks neither paths nor quotas, never gives a queue's batch more than ten messages, and knows no CodePipeline: those are the
stand-in's.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
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
STACK = "cloudfront-invalidator"

# How long changes may take to be covered, in seconds; the emulator polls its queue once a second, ten messages at a time.
PATIENCE = 120


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Emulator:
    """The emulator as a process, and the AWS CLI that talks to it."""

    def __init__(self, place, auth=False):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        # Functions inherit its environment.
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(place),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }
        own = {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "PERSIST_STATE": "0",
            "DOCKER_HOST": "unix:///nonexistent",
        }
        config = place / ".aws"
        config.mkdir(exist_ok=True)
        (config / "config").write_text("[default]\ns3 =\n  addressing_style = path\n")
        program = Path(sys.executable).parent / "ministack"
        self.log = open(place / "emulator.log", "ab")
        self.process = subprocess.Popen(
            [program], env=self.environment | own, cwd=place, stdout=self.log, stderr=self.log, start_new_session=True
        )
        until(f"the emulator answers at {self.url}", self.is_up)

    def is_up(self):
        if self.process.poll() is not None:
            raise SystemExit(f"the emulator has ended with {self.process.returncode}")
        try:
            return urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=2).status == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self):
        # The group: functions are its children.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def run(self, *command):
        done = subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
        return done.stdout

    def client(self, service):
        """The SDK that the CLI is made of."""
        return botocore.session.get_session().create_client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(s3={"addressing_style": "path"}),
        )

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
        answer = cloudfront.list_invalidations(DistributionId=distribution)["InvalidationList"]
        assert not answer.get("IsTruncated"), "more than a page of invalidations"
        ids = [summary["Id"] for summary in answer.get("Items", [])]
        found = {id: cloudfront.get_invalidation(DistributionId=distribution, Id=id)["Invalidation"] for id in ids}
        return {id: it["InvalidationBatch"]["Paths"]["Items"] for id, it in found.items()}


def until(what, is_so, patience=PATIENCE):
    """Waits; how long it took, in seconds."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > patience:
            raise SystemExit(f"not within {patience} s: {what}")
        time.sleep(0.5)
    return time.monotonic() - began


def url_of(key):
    """A viewer's request for a key, spelt by another encoder than ours."""
    return "/" + quote(key, safe="/!$&'()*,:=@;-._~")


def is_covered(url, items):
    """CloudFront's rule: equal, or below the prefix before a last `*`."""
    return any(url.startswith(item[:-1]) if item.endswith("*") else url == item for item in items)


def site(place):
    """Some hundred files with odd names, as keys."""
    keys = ["index.html", "404.html", "docs/index.html", "robots.txt", "a+b/c d.txt", "ünïcode/日本.txt", "100%.txt"]
    keys += ["js/runtime~main.js", "tilde~/x", "paren(1)/[2].txt", "quote's/&amp;.txt", "semi;colon=1,2.txt", "🎉/party.png"]
    keys += [f"posts/{year}/{number:03}.html" for year in (2024, 2025) for number in range(60)]
    for key in keys:
        file = place / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(key)
    return keys


def main(bootstrap):
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        zip_file = place / "function.zip"
        with zipfile.ZipFile(zip_file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(bootstrap, "bootstrap")
        emulator = Emulator(place)
        try:
            play(emulator, zip_file, place)
        finally:
            emulator.stop()


def play(emulator, zip_file, place):
    deploy = [ROOT / "scripts/deploy", "--stack", STACK, "--zip", zip_file, "BatchingWindowSeconds=1"]
    printed = emulator.run(*deploy, "EventBridgeBuckets=by-eventbridge", "Alarms=true", "Dashboard=true")
    outputs = dict(line.split("\t") for line in printed.splitlines() if "\t" in line)
    events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    ways = {
        "by-queue": {"QueueConfigurations": [{"QueueArn": outputs["QueueArn"], "Events": events}]},
        "by-function": {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": outputs["FunctionArn"], "Events": events}]},
        "by-eventbridge": {"EventBridgeConfiguration": {}},
    }
    files = place / "site"
    keys = site(files)
    distributions = {}
    s3 = emulator.client("s3")
    for bucket, notification in ways.items():
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        # One of them lies behind an origin path, which only the distribution's settings tell.
        folder = "/web" if bucket == "by-queue" else ""
        distributions[bucket] = emulator.distribution(bucket, folder)
        tags = [{"Key": "distributionId", "Value": distributions[bucket]}]
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notification)
        target = f"s3://{bucket}{folder}"
        urls = {url_of(key) for key in keys} | {"/"}
        sync(emulator, bucket, files, target, distributions[bucket], urls)
        # Some are written again, some are removed.
        (files / "docs/index.html").write_text("again " + bucket)
        (files / "posts/2024/007.html").unlink()
        changed = {"/docs/index.html", "/posts/2024/007.html"}
        sync(emulator, bucket, files, target, distributions[bucket], changed)
        (files / "posts/2024/007.html").write_text("back")
    # A bucket and its distribution from one template.
    template = ["--template-file", "infra/cloudformation/site.yaml", "--stack-name", "site"]
    parameters = ["--parameter-overrides", "BucketName=by-template", f"InvalidatorStack={STACK}"]
    emulator.run("aws", "cloudformation", "deploy", *template, *parameters)
    described = emulator.client("cloudformation").describe_stacks(StackName="site")["Stacks"][0]["Outputs"]
    distribution = next(it["OutputValue"] for it in described if it["OutputKey"] == "DistributionId")
    # The emulator's CloudFormation gives buckets no tags.
    s3.put_bucket_tagging(Bucket="by-template", Tagging={"TagSet": [{"Key": "distributionId", "Value": distribution}]})
    sync(emulator, "by-template", files, "s3://by-template", distribution, {url_of(key) for key in keys} | {"/"})
    failed = dead_letters(emulator, outputs)
    assert failed == 0, f"{failed} dead letters"


def dead_letters(emulator, outputs):
    """How many changes failed for good."""
    sqs = emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=outputs["DeadLetterQueueArn"].rsplit(":", 1)[1])["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def sync(emulator, bucket, files, target, distribution, urls):
    """Syncs, and waits until every URL that shows something new is covered by what was sent since."""
    before = emulator.invalidations(distribution)
    emulator.run("aws", "s3", "sync", "--quiet", "--delete", files, target)
    sent = []

    def covered():
        nonlocal sent
        sent = [items for id, items in emulator.invalidations(distribution).items() if id not in before]
        return all(is_covered(url, [item for items in sent for item in items]) for url in urls)

    seconds = until(f"all of {bucket} is covered", covered)
    paths = sum(map(len, sent))
    print(f"{bucket}: {len(urls)} URLs covered by {len(sent)} invalidations of {paths} paths, {seconds:.0f} s after the sync")
    for items in sent:
        assert len(items) <= 30 and len(items) == len(set(items)), items


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

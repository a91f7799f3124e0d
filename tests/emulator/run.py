"""Deploys the template to an emulator of AWS by another author, and lets buckets change there.

`scripts/test` runs this with the emulator and the AWS CLI in an environment of their own. The function is the real binary, given
as the first argument; S3, SQS, EventBridge, Lambda, IAM, CloudFormation and CloudFront are the emulator's.
"""

import sys
import tempfile
from pathlib import Path

from emulator import REGION, ROOT, Emulator, is_covered, site, until, url_of, zip_of

STACK = "cloudfront-invalidator"


def main(bootstrap):
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        zip_file = zip_of(place, bootstrap)
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
    failed = dead_letters(emulator, outputs["DeadLetterQueueArn"].rsplit(":", 1)[1])
    assert failed == 0, f"{failed} dead letters"


def dead_letters(emulator, queue):
    """How many changes failed for good."""
    sqs = emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
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

"""Deploys the CDK example to an emulator of AWS, changes objects in its bucket, and checks the invalidations.

The templates are those that a user gets. The test itself does what `cdk bootstrap` and `cdk deploy` do: it sets the parameter with
the bootstrap version and uploads the assets.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import burst
from emulator import REGION, ROOT, Emulator, site, url_of, zip_of
from run import dead_letters, sync

CDK = ROOT / "infra/cdk"


def main(bootstrap):
    if not (CDK / "dist/example/app.js").exists():
        # In CI, tests/infra/equality.py requires the build.
        print("SKIPPED: the CDK example is not built", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as directory:
        workdir = Path(directory)
        emulator = Emulator(workdir)
        try:
            play(emulator, workdir, zip_of(workdir, bootstrap))
        finally:
            emulator.stop()


def synth(emulator, workdir, zip_file):
    """The cloud assembly of the example, which `npm ci && npm run build` compiled."""
    out = workdir / "cdk.out"
    own = {"FUNCTION_ZIP": str(zip_file), "CDK_OUTDIR": str(out)}
    command = ["node", CDK / "dist/example/app.js"]
    subprocess.run(command, env=emulator.environment | own, cwd=workdir, check=True)
    return out


def bootstrap_of(emulator, out):
    """Uploads the assets of the stacks, except the templates, to the buckets in their manifests."""
    account = emulator.client("sts").get_caller_identity()["Account"]
    emulator.client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Type="String", Value="99")
    s3 = emulator.client("s3")
    for manifest in sorted(out.glob("*.assets.json")):
        for asset in json.loads(manifest.read_text())["files"].values():
            if asset["source"]["packaging"] != "file" or asset["source"]["path"].endswith(".template.json"):
                continue
            for there in asset["destinations"].values():
                bucket = there["bucketName"].replace("${AWS::AccountId}", account).replace("${AWS::Region}", REGION)
                s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
                s3.put_object(Bucket=bucket, Key=there["objectKey"], Body=(out / asset["source"]["path"]).read_bytes())


def deploy(emulator, out, stack):
    file = ["--template-file", out / f"{stack}.template.json", "--stack-name", stack, "--capabilities", "CAPABILITY_IAM"]
    emulator.run("aws", "cloudformation", "deploy", *file)
    described = emulator.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    return {it.get("ExportName", it["OutputKey"]): it["OutputValue"] for it in described}


def play(emulator, workdir, zip_file):
    began = time.monotonic()
    out = synth(emulator, workdir, zip_file)
    bootstrap_of(emulator, out)
    deploy(emulator, out, "Invalidator")
    outputs = deploy(emulator, out, "Site")
    print(f"cdk: two stacks deployed in {time.monotonic() - began:.0f} s")
    assert [it["ScheduleExpression"] for it in emulator.schedules()] == ["rate(1 minute)"], emulator.schedules()
    bucket, distribution = outputs["Site-BucketName"], outputs["Site-DistributionId"]
    tags = {it["Key"]: it["Value"] for it in emulator.client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"]}
    assert tags == {"distributionId": distribution, "invalidation:ignore": ".map"}, tags
    files = workdir / "site"
    keys = site(files)
    sync(emulator, bucket, files, f"s3://{bucket}", distribution, {url_of(key) for key in keys} | {"/"})
    (files / "robots.txt").unlink()
    sync(emulator, bucket, files, f"s3://{bucket}", distribution, {"/robots.txt"})
    [url] = [it for it in emulator.client("sqs").list_queues()["QueueUrls"] if "DeadLetterQueue" in it]
    failed = dead_letters(emulator, url.rsplit("/", 1)[1])
    assert failed == 0, f"{failed} messages in the dead-letter queue"
    burst.play(emulator, "cdk")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

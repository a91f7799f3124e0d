"""Tests the files that `scripts/release --dry-run` made: their names, their contents, and that they deploy without Rust.

A release has files of other machines too, which only the workflow makes.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "emulator"))

from awscli.customizations.cloudformation.yamlhelper import yaml_parse
from deploy import VERSION, Deploy
from emulator import ROOT, Emulator

FILES = ROOT / "target/release-files"
ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
ZIP = f"cloudfront-invalidator-{VERSION}-{ARCHITECTURE}.zip"
COMMAND_LINE = f"invalidator-{VERSION}-linux-{ARCHITECTURE}"
TEMPLATE = f"template-{VERSION}.yaml"
CDK = f"s3-cloudfront-invalidator-cdk-{VERSION}.tgz"
SBOMS = [f"{product}-{VERSION}.cdx.json" for product in ("function", "invalidator")]
LICENSES = f"licenses-{VERSION}.txt"


def main():
    if not FILES.exists():
        print("SKIPPED: scripts/release --dry-run did not run", file=sys.stderr)
        assert not os.environ.get("CI"), "the files of a release are required in CI"
        return
    files_are_complete()
    the_template_takes_the_zip_of_its_release()
    the_sboms_list_what_is_compiled_in()
    the_cdk_package_is_complete()
    the_workflow_makes_each_file()
    with tempfile.TemporaryDirectory() as directory:
        workdir = Path(directory)
        emulator = Emulator(workdir)
        try:
            deploys_without_rust(emulator, workdir)
        finally:
            emulator.stop()
    print(f"release: {len(list(FILES.iterdir()))} files of version {VERSION} are complete, and deploy without Rust")


def files_are_complete():
    expected = {ZIP, f"{COMMAND_LINE}.tar.gz", TEMPLATE, CDK, *SBOMS, LICENSES, "SHA256SUMS"}
    assert {it.name for it in FILES.iterdir()} == expected, sorted(FILES.iterdir())
    sums = dict(reversed(line.split()) for line in (FILES / "SHA256SUMS").read_text().splitlines())
    assert sums == {name: sha256((FILES / name).read_bytes()).hexdigest() for name in expected - {"SHA256SUMS"}}, sums
    with zipfile.ZipFile(FILES / ZIP) as archive:
        assert archive.namelist() == ["bootstrap"] and archive.comment.decode() == f"s3-cloudfront-invalidator {VERSION}", archive.comment


def the_template_takes_the_zip_of_its_release():
    """In the console only the bucket must be given. No other version and no other architecture can be deployed with the template."""
    template = yaml_parse((FILES / TEMPLATE).read_text())
    source = yaml_parse((ROOT / "infra/cloudformation/template.yaml").read_text())
    prefix = template["Parameters"].pop("CodeS3KeyPrefix")
    key = template["Resources"]["Function"]["Properties"]["Code"].pop("S3Key")
    assert key == {"Fn::Sub": f"${{CodeS3KeyPrefix}}cloudfront-invalidator-{VERSION}-${{Architecture}}.zip"}, key
    assert template["Parameters"]["Architecture"]["AllowedValues"] == ["x86_64", "arm64"]
    accepts = lambda value: re.fullmatch(prefix["AllowedPattern"], value)
    assert prefix["Default"] == "" and all(map(accepts, ["", "a/", "a/b/"])) and not any(map(accepts, ["a", "/", "a/b.zip"])), prefix
    assert [name for name, it in template["Parameters"].items() if "Default" not in it] == ["CodeS3Bucket"]
    source["Parameters"].pop("CodeS3Key")
    source["Resources"]["Function"]["Properties"]["Code"].pop("S3Key")
    for it in (template, source):
        group = it["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"][0]
        group["Parameters"] = [name for name in group["Parameters"] if not name.startswith("CodeS3Key")]
    assert template == source, "the template of the release differs in more than the key of the zip"


def the_sboms_list_what_is_compiled_in():
    locked = {it["name"]: it for it in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
    licenses = (FILES / LICENSES).read_text()
    names = []
    for file in SBOMS:
        bom = json.loads((FILES / file).read_text())
        assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.5"), file
        assert bom["metadata"]["component"]["version"] == VERSION, file
        names.append({it["name"] for it in bom["components"]})
        for it in bom["components"]:
            assert it["purl"] == f"pkg:cargo/{it['name']}@{it['version']}", it
            assert it["hashes"][0]["content"] in (ROOT / "Cargo.lock").read_text(), it
            assert f"{it['name']} {it['version']}" in licenses, it
    function, command_line = names
    assert {"lambda_runtime", "aws-sdk-cloudfront", "aws-lc-sys"} <= function and "clap" not in function, function
    assert {"clap", "aws-sdk-lambda", "windows-sys"} <= command_line and "criterion" not in command_line, command_line
    assert function | command_line <= locked.keys()


def the_cdk_package_is_complete():
    with tarfile.open(FILES / CDK) as archive:
        names = archive.getnames()
        package = json.load(archive.extractfile("package/package.json"))
    assert package["version"] == VERSION, package
    assert {"package/dist/lib/index.js", "package/dist/lib/index.d.ts", "package/handler/bucket_tags.py"} <= set(names), names
    assert not [it for it in names if "/test/" in it or "/example/" in it], names


def the_workflow_makes_each_file():
    """Every part is made by some job, and `publish` requires the files that this machine made."""
    workflow = (ROOT / ".github/workflows/release.yml").read_text()
    assert "parts: function cli common }" in workflow and "scripts/release sums" in workflow and "scripts/release publish" in workflow

    def publish(tag):
        environment = os.environ | {"GITHUB_REF_NAME": tag}
        done = subprocess.run([ROOT / "scripts/release", "publish"], capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 1, done
        return done

    assert f"the tag v0.0.1 is not v{VERSION}" in publish("v0.0.1").stderr
    refused = publish(f"v{VERSION}")
    assert "these files are missing" in refused.stderr, refused
    listed = [line for line in refused.stdout.splitlines() if line[0] in "<>"]
    machines = ["x86_64.zip", "arm64.zip", "linux-x86_64.tar.gz", "linux-arm64.tar.gz", "macos-x86_64.tar.gz", "macos-arm64.tar.gz"]
    others = [it for it in [*machines, "windows-x86_64.tar.gz"] if not (it == f"{ARCHITECTURE}.zip" or it == f"linux-{ARCHITECTURE}.tar.gz")]
    assert len(listed) == len(others) and all(any(line[0] == "<" and line.endswith(it) for line in listed) for it in others), refused


def deploys_without_rust(emulator, workdir):
    """The released function, template and command line: deployed from the releases, linked and checked."""
    deploy = Deploy(emulator, workdir)
    releases = workdir / "releases/download"
    releases.mkdir(parents=True)
    (releases / f"v{VERSION}").symlink_to(FILES)
    with tarfile.open(FILES / f"{COMMAND_LINE}.tar.gz") as archive:
        archive.extractall(workdir, filter="data")
    invalidator = workdir / COMMAND_LINE / "invalidator"
    assert emulator.run(invalidator, "--version", PATH="/usr/bin:/bin").strip() == f"invalidator {VERSION}"
    printed = deploy("--release", VERSION, RELEASES_URL=f"file://{workdir}/releases")
    assert f"Version\t{VERSION}" in printed, printed
    emulator.bucket("my-site")
    distribution = emulator.distribution("my-site")
    emulator.run(invalidator, "link", "my-site", distribution, "--yes")
    status = emulator.run(invalidator, "status", "my-site", notes=True)
    assert f"Version of the function: {VERSION}" in status and "Warning:" not in status, status
    # As in the console: the zip with its name in a bucket, and the template with only the bucket given.
    s3, cloudformation = emulator.client("s3"), emulator.client("cloudformation")
    emulator.bucket("uploads")
    s3.put_object(Bucket="uploads", Key=ZIP, Body=(FILES / ZIP).read_bytes())
    given = {"CodeS3Bucket": "uploads"} | ({"Architecture": ARCHITECTURE} if ARCHITECTURE != "x86_64" else {})
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
    template = (FILES / TEMPLATE).read_text()
    cloudformation.create_stack(StackName="console", TemplateBody=template, Parameters=parameters, Capabilities=["CAPABILITY_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName="console", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    answer = emulator.client("lambda").invoke(FunctionName=emulator.outputs("console")["FunctionArn"], Payload='{"pollQueue":true}')
    assert "FunctionError" not in answer, answer["Payload"].read()


if __name__ == "__main__":
    main()

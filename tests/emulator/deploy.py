"""Tests scripts/deploy on an emulator of AWS: what it refuses, what it says, and that it deploys a zip and a release without Rust."""

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path

from emulator import REGION, ROOT, Emulator, is_covered, until, url_of, zip_of

ACCOUNT = "000000000000"
UPLOADS = f"cloudfront-invalidator-{ACCOUNT}-{REGION}"
VERSION = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.MULTILINE).group(1)


def main(bootstrap):
    with tempfile.TemporaryDirectory() as directory:
        workdir = Path(directory)
        emulator = Emulator(workdir)
        try:
            play(emulator, workdir, zip_of(workdir, bootstrap))
        finally:
            emulator.stop()


def play(emulator, workdir, zip_file):
    deploy = Deploy(emulator, workdir)
    arguments_are_checked(deploy, workdir, zip_file)
    assert not emulator.client("s3").list_buckets()["Buckets"], "a refused deployment changed something"
    from_a_zip_without_rust(emulator, deploy, zip_file)
    the_bucket_must_fit(emulator, deploy, workdir, zip_file)
    tags_are_kept(emulator, deploy, zip_file)
    from_a_release(emulator, deploy, workdir, zip_file)
    after_a_failed_creation(emulator, deploy, zip_file)
    is_removed_alone(emulator, deploy, zip_file)
    print("deploy: a zip and a release without Rust, failed stacks, buckets, tags, and the removal of one of two stacks")


class Deploy:
    """scripts/deploy in a copy of the files that it needs, which has neither sources nor a Rust toolchain."""

    def __init__(self, emulator, workdir):
        self.emulator, self.copy = emulator, workdir / "checkout"
        for part in ["scripts", "infra/cloudformation"]:
            shutil.copytree(ROOT / part, self.copy / part)
        self.path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        assert not shutil.which("cargo", path=self.path), "cargo is in a directory of the system"

    def __call__(self, *arguments, code=0, **environment):
        """What the script printed, both to standard output and to standard error."""
        command = [self.copy / "scripts/deploy", *arguments]
        environment = self.emulator.environment | {"PATH": self.path} | environment
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, (command, done.returncode, done.stdout, done.stderr)
        return done.stdout if code == 0 and arguments == ("--help",) else done.stdout + done.stderr


def arguments_are_checked(deploy, workdir, zip_file):
    assert "--release" in deploy("--help")
    # CloudFormation ignores a parameter that the template does not have.
    printed = deploy("--zip", zip_file, "MaxPath=100", code=1)
    assert "the template has no parameter MaxPath" in printed and " MaxPaths " in printed, printed
    # A name is compared as it is, not as a pattern.
    assert "the template has no parameter M.xPaths" in deploy("--zip", zip_file, "M.xPaths=100", code=1)
    assert "use --arch" in deploy("--zip", zip_file, "Architecture=arm64", code=2)
    assert "is for x86_64, not for arm64" in deploy("--zip", zip_file, "--arch", "arm64", code=1)
    assert "--tag needs KEY=VALUE" in deploy("--zip", zip_file, "--tag", "team", code=2)
    other = workdir / "other.zip"
    for name, content in [("function", b"\x7fELF"), ("bootstrap", b"#!/bin/sh\n"), ("bootstrap", b"")]:
        with zipfile.ZipFile(other, "w") as archive:
            archive.writestr(name, content)
        assert "is not a zip file of the function" in deploy("--zip", other, code=1)
    other.write_bytes(b"no zip")
    assert "is not a zip file of the function" in deploy("--zip", other, code=1)


def from_a_zip_without_rust(emulator, deploy, zip_file):
    """The zip and the command line are all that is built from the sources. Tags of the stack are those of its bucket."""
    printed = deploy("--zip", zip_file, "--tag", "team=web, infra", "--tag", "cost-center=1=2")
    assert f"Deploying the stack cloudfront-invalidator to account {ACCOUNT} in Region {REGION}" in printed, printed
    tags = {it["Key"]: it["Value"] for it in emulator.client("s3").get_bucket_tagging(Bucket=UPLOADS)["TagSet"]}
    assert f"Version\t{VERSION}" in printed, printed
    expected = {"created-by": "s3-cloudfront-invalidator", "team": "web, infra", "cost-center": "1=2"}
    assert tags == expected, tags
    stack = emulator.client("cloudformation").describe_stacks(StackName="cloudfront-invalidator")["Stacks"][0]
    assert {it["Key"]: it["Value"] for it in stack["Tags"]} == {"team": "web, infra", "cost-center": "1=2"}, stack["Tags"]
    emulator.bucket("my-site")
    distribution = emulator.distribution("my-site")
    emulator.invalidator("link", "my-site", distribution, "--yes")
    sample = ROOT / "tests/fixtures/sample-site"
    emulator.run("aws", "s3", "sync", "--quiet", sample, "s3://my-site")
    urls = {url_of(str(file.relative_to(sample))) for file in sample.rglob("*") if file.is_file()}

    def invalidated():
        emulator.poll()
        items = [item for items in emulator.invalidations(distribution).values() for item in items]
        return all(is_covered(url, items) for url in urls)

    until("all URLs of the sample site are invalidated", invalidated)
    printed = emulator.invalidator("status", "my-site", notes=True)
    assert f"\nVersion of the function: {VERSION}\n" in printed and "Warning:" not in printed, printed


def the_bucket_must_fit(emulator, deploy, workdir, zip_file):
    """The script creates no bucket but the default one, and changes no bucket that exists."""
    s3 = emulator.client("s3")
    stack = ["--zip", zip_file, "--stack", "bucket"]
    assert "the bucket missing does not exist: create it in Region eu-central-1" in deploy(*stack, "--bucket", "missing", code=1)
    location = ["--region", "eu-west-1", "--create-bucket-configuration", "LocationConstraint=eu-west-1"]
    emulator.run("aws", "s3api", "create-bucket", "--bucket", "far", *location)
    assert "the bucket far is in Region eu-west-1, not in eu-central-1" in deploy(*stack, "--bucket", "far", code=1)
    # Early versions of AWS CLI 2 do not print the bucket's Region.
    early = fake_aws(workdir, "early", "[ \"$2\" != head-bucket ] || exec echo None")
    deploy("--zip", zip_file, PATH=f"{early}:{deploy.path}")
    # Access denied to the default bucket, which has other tags by now.
    tags = [{"Key": "owner", "Value": "web"}]
    s3.put_bucket_tagging(Bucket=UPLOADS, Tagging={"TagSet": tags})
    error = "An error occurred (403) when calling the HeadBucket operation: Forbidden"
    denied = fake_aws(workdir, "denied", f"[ \"$2\" != head-bucket ] || {{ echo '{error}' >&2; exit 254; }}")
    printed = deploy(*stack, code=1, PATH=f"{denied}:{deploy.path}")
    assert f"cannot use the bucket {UPLOADS}: {error}" in printed, printed
    assert s3.get_bucket_tagging(Bucket=UPLOADS)["TagSet"] == tags
    assert {it["Name"] for it in s3.list_buckets()["Buckets"]} >= {UPLOADS, "far"}
    stacks = emulator.client("cloudformation").describe_stacks()["Stacks"]
    assert "bucket" not in {it["StackName"] for it in stacks}, stacks


def fake_aws(workdir, name, first):
    """A directory with an AWS CLI that runs a line of a script before it calls the real one."""
    directory = workdir / name
    directory.mkdir()
    (directory / "aws").write_text(f"#!/bin/bash\n{first}\nexec {Path(sys.executable).parent}/aws \"$@\"\n")
    (directory / "aws").chmod(0o755)
    return directory


def tags_are_kept(emulator, deploy, zip_file):
    """`aws cloudformation deploy` removes the tags that it is not given."""
    cloudformation = emulator.client("cloudformation")

    def tags():
        [stack] = cloudformation.describe_stacks(StackName="cloudfront-invalidator")["Stacks"]
        return {it["Key"]: it["Value"] for it in stack["Tags"]}

    before = tags()
    assert len(before) == 2, before
    deploy("--zip", zip_file, "MaxPaths=40")
    assert tags() == before, tags()
    deploy("--zip", zip_file, "--tag", "team=web", "MaxPaths=41")
    assert tags() == {"team": "web"}, tags()
    function = emulator.outputs("cloudfront-invalidator")["FunctionArn"]
    configuration = emulator.client("lambda").get_function_configuration(FunctionName=function)
    assert configuration["Environment"]["Variables"]["MAX_PATHS"] == "41", configuration


def from_a_release(emulator, deploy, workdir, zip_file):
    """The files come from the releases of a repository, and are those that SHA256SUMS names."""
    version = "9.8.7"
    files = workdir / "releases/download" / f"v{version}"
    files.mkdir(parents=True)
    function, template = files / f"cloudfront-invalidator-{version}-x86_64.zip", files / f"template-{version}.yaml"
    shutil.copy(zip_file, function)
    with zipfile.ZipFile(function, "a") as archive:
        archive.comment = f"s3-cloudfront-invalidator {version}".encode()
    text = (ROOT / "infra/cloudformation/template.yaml").read_text()
    template.write_text(text.replace("\n  MaxPaths:\n", "\n  AnotherParameter: { Type: String }\n  MaxPaths:\n"))
    sums = [f"{sha256(it.read_bytes()).hexdigest()}  {it.name}" for it in (function, template)]
    url = {"RELEASES_URL": f"file://{workdir}/releases"}
    release = ["--release", f"v{version}", "--arch", "x86_64", "--stack", "released"]
    (files / "SHA256SUMS").write_text("\n".join([sums[0], sums[1].replace(sums[1][:8], "00000000")]) + "\n")
    printed = deploy(*release, code=1, **url)
    assert f"the SHA-256 of {template.name} differs from SHA256SUMS" in printed, printed
    template.write_text(text)
    (files / "SHA256SUMS").write_text(f"{sums[0]}\n{sha256(template.read_bytes()).hexdigest()}  {template.name}\n")
    assert "the template has no parameter Nothing" in deploy(*release, "Nothing=1", code=1, **url)
    deploy(*release, "MaxPaths=7", **url)
    outputs = emulator.outputs("released")
    configuration = emulator.client("lambda").get_function_configuration(FunctionName=outputs["FunctionArn"])
    assert configuration["Environment"]["Variables"]["VERSION"] == outputs["Version"] == version, outputs
    printed = emulator.invalidator("status", "--stack", "released", notes=True)
    assert f"Warning: the function has version {version}, and this command line has version {VERSION}" in printed, printed
    assert configuration["Environment"]["Variables"]["MAX_PATHS"] == "7", configuration
    # A repository that is not on GitHub has no releases that the script knows.
    assert "set RELEASES_URL" in deploy(*release, code=1)
    assert "cannot download" in deploy("--release", "9.9.9", code=1, **url)


def after_a_failed_creation(emulator, deploy, zip_file):
    """A stack whose creation failed cannot be updated. The script says so, and what to do."""
    cloudformation = emulator.client("cloudformation")
    template = '{"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 99999}}}}'
    cloudformation.create_stack(StackName="failed", TemplateBody=template)
    status = lambda: cloudformation.describe_stacks(StackName="failed")["Stacks"][0]["StackStatus"]
    until("the creation of the stack is rolled back", lambda: status() == "ROLLBACK_COMPLETE")
    printed = deploy("--zip", zip_file, "--stack", "failed", code=1)
    assert "the stack failed is in ROLLBACK_COMPLETE" in printed and "Queue\t" in printed, printed
    commands = [line for line in printed.splitlines() if line.startswith("  aws cloudformation ")]
    assert len(commands) == 2, printed
    emulator.run("bash", "-euc", "\n".join(commands))
    deploy("--zip", zip_file, "--stack", "failed")
    # A stack without rollback can be updated.
    cloudformation.create_stack(StackName="kept", TemplateBody=template, DisableRollback=True)
    kept = lambda: cloudformation.describe_stacks(StackName="kept")["Stacks"][0]["StackStatus"]
    until("the creation of the stack fails", lambda: kept() == "CREATE_FAILED")
    printed = deploy("--zip", zip_file, "--stack", "kept", code=1)
    assert "the stack kept is in CREATE_FAILED: run this script again with `-- --disable-rollback`" in printed, printed
    deploy("--zip", zip_file, "--stack", "kept", "--", "--disable-rollback")
    assert kept() == "UPDATE_COMPLETE", kept()


def is_removed_alone(emulator, deploy, zip_file):
    """The commands of docs/operations.md remove a stack with its packages, and no packages of another stack."""
    s3 = emulator.client("s3")

    def packages():
        return {it["Key"].split("/")[0] for it in s3.list_objects_v2(Bucket=UPLOADS)["Contents"] if it["Key"].endswith(".zip")}

    deploy("--zip", zip_file, "--stack", "cloudfront-invalidator-2", "--bucket", UPLOADS)
    before = packages()
    assert {"cloudfront-invalidator", "cloudfront-invalidator-2"} <= before, before
    document = (ROOT / "docs/operations.md").read_text()
    [block] = re.findall(r"<!-- remove -->\n *```sh\n(.*?)```", document, re.DOTALL)
    emulator.invalidator("unlink", "my-site", "--yes")
    emulator.run("bash", "-euc", f"STACK=cloudfront-invalidator\n{block}")
    assert packages() == before - {"cloudfront-invalidator"}, packages()
    # CloudFormation needs the old package to roll back to it.
    deploy("--zip", zip_file, "--stack", "cloudfront-invalidator-2", "MaxPaths=8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

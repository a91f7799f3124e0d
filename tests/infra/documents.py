"""Checks facts about the documents and the scripts that no other tool checks."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [it for it in ROOT.rglob("*.md") if not {"node_modules", "target"} & set(it.parts)]

# The permissions that each command of the AWS CLI in scripts/deploy needs. `aws sts get-caller-identity` needs none.
# Sources: the permissions of each operation in the S3 API reference; the source code of the AWS CLI for `cloudformation deploy`.
PERMISSIONS = {
    "cloudformation continue-update-rollback": ["cloudformation:ContinueUpdateRollback"],
    "cloudformation delete-stack": ["cloudformation:DeleteStack"],
    "cloudformation deploy": [f"cloudformation:{it}" for it in ("CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet")]
    + ["cloudformation:DescribeStacks"],
    "cloudformation describe-stack-events": ["cloudformation:DescribeStackEvents"],
    "cloudformation describe-stacks": ["cloudformation:DescribeStacks"],
    "cloudformation wait": ["cloudformation:DescribeStacks"],
    "s3api create-bucket": ["s3:CreateBucket"],
    "s3api head-bucket": ["s3:ListBucket"],
    "s3api put-bucket-tagging": ["s3:PutBucketTagging"],
    "s3api put-object": ["s3:PutObject"],
    "s3api put-public-access-block": ["s3:PutBucketPublicAccessBlock"],
    "sts get-caller-identity": [],
}
# The permissions that CloudFormation needs for the tags of a stack, by the types of the template's resources that have tags.
# Source: the `tagging` permissions of each type in the CloudFormation registry.
TAGS = {
    "AWS::CloudWatch::Alarm": "cloudwatch:TagResource",
    "AWS::Events::Rule": "events:TagResource",
    "AWS::IAM::Role": "iam:TagRole",
    "AWS::Lambda::Function": "lambda:TagResource",
    "AWS::Logs::LogGroup": "logs:TagResource",
    "AWS::SQS::Queue": "sqs:TagQueue",
}


def no_document_deletes_the_packages_of_other_stacks():
    """The bucket for uploads is that of all stacks in the Region."""
    deleting = [str(it.relative_to(ROOT)) for it in DOCUMENTS if re.search(r"\bs3 rb\b[^\n]*--force", it.read_text())]
    assert len(DOCUMENTS) > 10 and not deleting, deleting


def every_permission_to_deploy_is_documented():
    script = (ROOT / "scripts/deploy").read_text()
    commands = {" ".join(it) for it in re.findall(r"\baws ((?!configure)[a-z0-9]+) ([a-z-]+)", script.partition("set -euo pipefail")[2])}
    assert commands - {"cloudformation deploy"} and commands <= PERMISSIONS.keys(), commands - PERMISSIONS.keys()
    section = (ROOT / "docs/operations.md").read_text().partition("\n## Permissions to deploy\n")[2].partition("\n## ")[0]
    documented = set(re.findall(r"`([a-z0-9]+:[A-Za-z]+)`", section))
    needed = {permission for command in commands for permission in PERMISSIONS[command]} | set(TAGS.values())
    assert needed <= documented, sorted(needed - documented)


def line_endings_do_not_depend_on_the_system():
    """Git for Windows converts them by default: bash then rejects scripts, and scripts/release reads no version."""
    if not (ROOT / ".git").exists():
        return
    listed = subprocess.run(["git", "ls-files", "--eol", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    attributes = {}
    for line in filter(None, listed.split("\0")):
        how, _, name = line.partition("\t")
        attributes[name] = how.split()[0], how.partition("attr/")[2].split()
    # A file with other line endings is test data that must not be changed.
    verbatim = {name for name, (index, _) in attributes.items() if index in ("i/crlf", "i/mixed", "i/-text")}
    changed = [name for name in verbatim if attributes[name][1] != ["-text"]]
    assert verbatim and not changed, changed
    others = {tuple(it) for name, (_, it) in attributes.items() if not name.startswith("tests/")}
    assert others == {("text=auto", "eol=lf")}, others


FACTS = [
    no_document_deletes_the_packages_of_other_stacks,
    every_permission_to_deploy_is_documented,
    line_endings_do_not_depend_on_the_system,
]


def main():
    failed = 0
    for fact in FACTS:
        try:
            fact()
        except AssertionError as error:
            failed += 1
            print(f"{fact.__name__}: {error!r}", file=sys.stderr)
    print(f"documents: {len(FACTS) - failed} of {len(FACTS)} facts hold")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

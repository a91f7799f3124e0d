"""Compares the Terraform module and the CDK construct with the CloudFormation template, and the template with policy.json.

The test resolves the template, synthesizes the construct, applies the module to an emulator of AWS with the real provider and reads
its state. For each of `CONFIGURATIONS` it compares all resources with their properties, all permissions and the outputs. It also
compares the names and constraints of the parameters, and checks the schedule and the alarms that exist by default.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "emulator"))

from awscli.customizations.cloudformation.yamlhelper import yaml_parse
from emulator import REGION, ROOT, Emulator, zip_of
from terraform import Missing, Terraform

import limits
import state
from template import Template, policy, text

TEMPLATE = ROOT / "infra/cloudformation/template.yaml"
CDK = ROOT / "infra/cdk"
ACCOUNT = "000000000000"

# Parameters that only one of the three has, in PascalCase.
NOT_CDK = {"CodeS3Bucket", "CodeS3Key"}  # the CDK has Code
ONLY_TERRAFORM = {"Zip", "Name", "Tags"}  # CloudFormation generates the names, and it and the CDK tag all resources of a stack
ONLY_CDK = {"Code"}  # as above
CDK_NAMES = {"AlarmTopicArn": "AlarmTopic", "KmsKeyArn": "EncryptionKey"}  # a topic and a key, not their ARNs

# The statements of the role that name a resource of the template.
OWN_RESOURCES = {"WriteLogs": "<LogGroup.Arn>", "PollQueue": "<Queue.Arn>", "SendToQueue": "<Queue.Arn>"}
OWN_RESOURCES |= {"SendToDeadLetterQueue": "<DeadLetterQueue.Arn>"}

CONFIGURATIONS = {
    "defaults": {},
    # One distribution, for a pipeline or a person.
    "smallest": {"Buckets": False, "DistributionId": "E2EXAMPLE1ABCD"},
    "everything": {
        "Architecture": "arm64",
        "MemorySize": 512,
        "LogRetentionDays": 90,
        "LogLevel": "DEBUG",
        "ReservedConcurrency": 5,
        # In another partition, because the stack's own becomes `<Partition>`.
        "AllowedDistributions": [f"arn:aws-cn:cloudfront::111111111111:distribution/E{it}EXAMPLE1ABCD" for it in "23"],
        "DistributionId": "E2EXAMPLE1ABCD",
        "DistributionTag": "cdn:id",
        "ExpectedBucketOwner": "222222222222",
        "Tenants": True,
        "PermissionsBoundary": "arn:aws-cn:iam::111111111111:policy/boundary",
        "RolePath": "/service/",
        "KmsKeyArn": "arn:aws-cn:kms:cn-north-1:111111111111:key/11111111-2222-3333-4444-555555555555",
        "MaxPaths": 100,
        "MaxWildcards": 3,
        "EvictionsPerPath": 1000000,
        "ListingMaxRequests": 300,
        "CacheTtlSeconds": 600,
        "NegativeCacheTtlSeconds": 120,
        "StaleIfErrorSeconds": 86400,
        "RetryBaseDelayMs": 500,
        "DirectRetrySeconds": 900,
        "IndexDocuments": "index.html index.htm",
        "DryRun": True,
        "PollIntervalMinutes": 60,
        "EventBridgeBuckets": ["one", "two"],
        "Alarms": True,
        "PathsAlarmThreshold": 500,
        "AlarmTopicArn": f"arn:aws:sns:{REGION}:111111111111:alarms",
        "Dashboard": True,
    },
    # Without optional statements, with the alarm that replaces the one on ChangesFailed, and with buckets of any account.
    "minimal": {
        "LogLevel": "ERROR",
        "ExpectedBucketOwner": "any",
        "IndexDocuments": "",
        "DistributionConfig": "off",
        "BucketListing": "off",
        "ListingMaxRequests": 1,
        "CacheTtlSeconds": 0,
        "NegativeCacheTtlSeconds": 0,
        "StaleIfErrorSeconds": 0,
        "RetryBaseDelayMs": 1,
        "DirectRetrySeconds": 0,
        "Pipelines": False,
        "PollIntervalMinutes": 5,
        "EventBridgeBuckets": ["*"],
        "Metrics": "off",
        "AlarmOnQueueAge": False,
        "Alarms": True,
    },
}


def camel(name):
    return "".join(part[0].upper() + part[1:] for part in name.split("_"))


def cloudformation(values):
    parameters = {name: ",".join(it) if isinstance(it, list) else text(it) for name, it in values.items()}
    return Template(yaml_parse(TEMPLATE.read_text()), parameters)


def cdk():
    """The model of each configuration."""
    props = []
    for values in CONFIGURATIONS.values():
        renamed = {CDK_NAMES.get(name, name): it for name, it in values.items()}
        props.append({name[0].lower() + name[1:]: it for name, it in renamed.items()})
    command = ["node", CDK / "dist/test/synthesize.js", json.dumps(props)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return {name: Template(it).model() for name, it in zip(CONFIGURATIONS, json.loads(done.stdout), strict=True)}


def terraform(emulator, workdir, zip_file, name, values):
    (workdir / name).mkdir()
    module = Terraform(workdir / name, ".", emulator.environment)
    variables = {"name": name} | {limits.snake(key): it for key, it in values.items()}
    if name == "everything":
        emulator.bucket("code")
        emulator.client("s3").put_object(Bucket="code", Key="function.zip", Body=zip_file.read_bytes())
        variables |= {"code_s3_bucket": "code", "code_s3_key": "function.zip", "tags": {"team": "web"}}
    else:
        variables["zip"] = str(zip_file)
    planned = module.plan(variables)
    state.check(module.written)
    # The emulator returns few attributes of an alarm, so the plan is compared.
    alarms = {address: it for address, it in planned.items() if address.startswith("aws_cloudwatch_metric_alarm.")}
    outputs = module.apply(variables)
    if name == "everything":
        drift = module.plan().keys() - alarms.keys()
        assert not drift, drift
        # The provider does not read the tags of an event rule and of an alarm from the emulator.
        tagged = {it["type"] for it in module.state()["resources"] if it["values"].get("tags") == {"team": "web"}}
        assert tagged >= {"aws_cloudwatch_log_group", "aws_iam_role", "aws_lambda_function", "aws_sqs_queue"}, tagged
    found = state.model(module.state(), alarms, outputs, REGION, ACCOUNT)
    return found | {"outputs": {camel(key): it for key, it in found["outputs"].items()}}


def differences(expected, found, path=""):
    """The places where two values differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted(expected.keys() | found.keys()):
            yield from differences(expected.get(key), found.get(key), f"{path}/{key}")
    elif expected != found:
        yield f"{path}: {found} instead of {expected}"


def compare_names(failures, which):
    """Compares the names of the parameters."""
    parameters = set(yaml_parse(TEMPLATE.read_text())["Parameters"])
    if which == "terraform":
        variables = (ROOT / "infra/terraform/variables.tf").read_text()
        found = {camel(it) for it in re.findall(r'^variable "(\w+)"', variables, re.MULTILINE)} - ONLY_TERRAFORM
    else:
        parameters -= NOT_CDK
        props = (CDK / "lib/props.ts").read_text()
        original = {it: name for name, it in CDK_NAMES.items()}
        found = {original.get(camel(it), camel(it)) for it in re.findall(r"^  readonly (\w+)\??:", props, re.MULTILINE)} - ONLY_CDK
    failures += [f"{which}: {it} is not a parameter of both" for it in sorted(parameters ^ found)]


def compare_policy(failures):
    """The role has the statements of policy.json, limited to the account, to the log group and to the queues."""
    role = cloudformation(CONFIGURATIONS["defaults"] | {"Tenants": True}).model()["resources"]["Role"]["Policies"]["invalidator"]
    full = text(policy(json.loads((ROOT / "policy.json").read_text())))
    failures += list(differences(sorted(full), sorted(role), "statements of the role"))
    for sid in role.keys() & full.keys():
        ours, theirs = role[sid], full[sid]
        # The template creates the log group itself.
        actions = [it for it in theirs["Action"] if it != "logs:CreateLogGroup"]
        failures += differences(actions, ours["Action"], f"{sid}/Action")
        own = json.dumps(ours["Condition"]).replace("<AccountId>", "${aws:PrincipalAccount}")
        failures += differences(theirs["Condition"], json.loads(own), f"{sid}/Condition")
        for resource in ours["Resource"] if sid not in OWN_RESOURCES else []:
            named = resource.replace("<Partition>", "aws").replace("<AccountId>", "111111111111")
            if not any(fnmatchcase(named, it) for it in theirs["Resource"]):
                failures.append(f"{sid}/Resource: {resource} is not within {theirs['Resource']}")
        if sid in OWN_RESOURCES and ours["Resource"] != [OWN_RESOURCES[sid]]:
            failures.append(f"{sid}/Resource: {ours['Resource']}")
        narrowed = "<AccountId>" in json.dumps(ours) or sid in OWN_RESOURCES or sid == "PutJobResults"
        if not narrowed:
            failures.append(f"{sid}: not limited to the account")


def compare_schedule(failures):
    """A schedule polls the queue, with a role for just this function, and an alarm reports that nobody does."""
    for configuration, values in CONFIGURATIONS.items():
        if not values.get("Buckets", True):
            continue
        minutes = values.get("PollIntervalMinutes", 1)
        resources = cloudformation(values).model()["resources"]
        target = {
            "Arn": "<Function.Arn>",
            "RoleArn": "<ScheduleRole.Arn>",
            "Input": {"pollQueue": True, "scheduledTime": "<aws.scheduler.scheduled-time>", "intervalMinutes": minutes},
            "RetryPolicy": {"MaximumRetryAttempts": "0"},
        }
        found = resources["Schedule"]["Target"]
        failures += differences(target, found | {"Input": json.loads(found["Input"])}, f"{configuration}/Schedule/Target")
        expression = "rate(1 minute)" if minutes == 1 else f"rate({minutes} minutes)"
        failures += differences(expression, resources["Schedule"]["ScheduleExpression"], f"{configuration}/ScheduleExpression")
        invoke = {"Effect": "Allow", "Action": ["lambda:InvokeFunction"], "Resource": ["<Function.Arn>"], "Condition": {}}
        policies = {"schedule": {"InvokeFunction": invoke}}
        failures += differences(policies, resources["ScheduleRole"]["Policies"], f"{configuration}/ScheduleRole")
        trusted = {
            "Effect": "Allow",
            "Action": ["sts:AssumeRole"],
            "Principal": {"Service": "scheduler.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:SourceAccount": ["<AccountId>"]}},
        }
        failures += differences({"-": trusted}, resources["ScheduleRole"]["AssumeRolePolicyDocument"], f"{configuration}/trust")
        queue = {"VisibilityTimeout": "180", "RedrivePolicy": {"deadLetterTargetArn": "<DeadLetterQueue.Arn>", "maxReceiveCount": "10"}}
        failures += differences(queue, {name: resources["Queue"][name] for name in queue}, f"{configuration}/Queue")
        function = resources["Function"]
        of_function = function["Timeout"], function["Environment"]["Variables"]["QUEUE_URL"]
        failures += differences(("60", "<Queue>"), of_function, f"{configuration}/Function")
        alarm = resources.get("Alarm.ApproximateAgeOfOldestMessage", {}).get("Threshold")
        expected = str(60 * minutes + 840) if values.get("AlarmOnQueueAge", True) else None
        failures += differences(expected, alarm, f"{configuration}/QueueAgeAlarm")
        paths = resources.get("Alarm.Paths", {}).get("Threshold")
        has_paths = values.get("Alarms") and values.get("Metrics") != "off"
        failures += differences(str(values.get("PathsAlarmThreshold", 2000)) if has_paths else None, paths, f"{configuration}/PathsAlarm")


def compare_smallest(failures):
    """A deployment without buckets has no queue, schedule or alarm, and may only invalidate, report results and write its log."""
    model = cloudformation(CONFIGURATIONS["smallest"]).model()
    resources = model["resources"]
    failures += differences(["Function", "LogGroup", "Role"], sorted(resources), "smallest/resources")
    statements = ["InvalidateDistributions", "PutJobResults", "WriteLogs"]
    failures += differences(statements, sorted(resources["Role"]["Policies"]["invalidator"]), "smallest/statements")
    failures += differences(["FunctionArn", "FunctionName", "RoleArn", "Version"], sorted(model["outputs"]), "smallest/outputs")
    if "QUEUE_URL" in resources["Function"]["Environment"]["Variables"]:
        failures.append("smallest: QUEUE_URL")


def compare_intervals(failures, parameters):
    """The mapping has what the Terraform module and the CDK construct compute, for each interval."""
    mapping = yaml_parse(TEMPLATE.read_text())["Mappings"]["PollInterval"]
    intervals = parameters["PollIntervalMinutes"]["AllowedValues"]
    computed = {str(it): {"QueueAgeThreshold": 60 * it + 840, "ErrorsPeriod": max(300, 60 * it)} for it in intervals}
    failures += differences(computed, {str(it): values for it, values in mapping.items()}, "Mappings/PollInterval")


def untested(parameters):
    """Every parameter must have another value than its default in at least one of the configurations."""
    for name, it in parameters.items():
        given = [values[name] for values in CONFIGURATIONS.values() if name in values]
        if all(text(value) == text(it["Default"]) for value in given):
            yield f"{name} has its default value in every configuration"


def compare(failures, which, configuration, found):
    expected = cloudformation(CONFIGURATIONS[configuration]).model()
    failures += [f"{which}, {configuration}: {it}" for it in differences(expected, found)]
    with_policies = {"Role", "ScheduleRole", "QueuePolicy", "DeadLetterQueuePolicy"} & expected["resources"].keys()
    statements = sum(len(it) for name in with_policies for it in policies(expected["resources"][name]))
    counts = f"{len(expected['resources'])} resources, {statements} statements, {len(expected['outputs'])} outputs"
    print(f"{which}, {configuration}: compared {counts}")


def policies(properties):
    return [properties["PolicyDocument"]] if "PolicyDocument" in properties else properties["Policies"].values()


def main(bootstrap):
    failures = []
    compare_policy(failures)
    compare_schedule(failures)
    compare_smallest(failures)
    parameters = yaml_parse(TEMPLATE.read_text())["Parameters"]
    variables, props = (ROOT / "infra/terraform/variables.tf").read_text(), (CDK / "lib/props.ts").read_text()
    shared = {name: it for name, it in parameters.items() if name not in NOT_CDK}
    failures += limits.differences(shared, variables, props)
    failures += untested(shared)
    compare_intervals(failures, shared)
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor() as pool:
        workdir = Path(directory)
        emulator = Emulator(workdir)
        try:
            zip_file = zip_of(workdir, bootstrap)
            # The provider waits for a minute after it creates queues, so the modules are applied concurrently.
            applied = {name: pool.submit(terraform, emulator, workdir, zip_file, name, it) for name, it in CONFIGURATIONS.items()}
            if (CDK / "dist/test/synthesize.js").exists() and shutil.which("node"):
                compare_names(failures, "cdk")
                for name, found in cdk().items():
                    compare(failures, "cdk", name, found)
            else:
                print("SKIPPED: the CDK construct is not built, or node is not installed", file=sys.stderr)
                assert not os.environ.get("CI"), "Node.js is required in CI"
            try:
                for name, found in applied.items():
                    compare(failures, "terraform", name, found.result())
                compare_names(failures, "terraform")
            except Missing as missing:
                print(f"SKIPPED: {missing}", file=sys.stderr)
        finally:
            # Running modules need the emulator.
            pool.shutdown()
            emulator.stop()
    for failure in failures:
        print(failure, file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

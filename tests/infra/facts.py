"""Checks facts about the CloudFormation templates that no other tool checks, over the parsed templates."""

import json
import re
import sys
from pathlib import Path

from awscli.customizations.cloudformation.yamlhelper import yaml_parse

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / "infra/cloudformation"
TEMPLATES = {it.stem: yaml_parse(it.read_text()) for it in DIRECTORY.glob("*.yaml")}


def statements(resource):
    """The statements of a role's inline policies, by Sid, including the conditional ones."""
    documents = [it["PolicyDocument"] for it in resource["Properties"]["Policies"]]
    found = [it["Fn::If"][1] if "Fn::If" in it else it for document in documents for it in document["Statement"]]
    return {it["Sid"]: it for it in found}


def of_type(template, kind):
    return {name: it for name, it in TEMPLATES[template]["Resources"].items() if it["Type"] == kind}


def action(provider, category):
    """The configuration of the pipeline's action of a provider."""
    stages = TEMPLATES["pipeline"]["Resources"]["Pipeline"]["Properties"]["Stages"]
    actions = [it for stage in stages for it in stage["Actions"]]
    kinds = [(it["ActionTypeId"]["Provider"], it["ActionTypeId"]["Category"]) for it in actions]
    return actions[kinds.index((provider, category))]["Configuration"]


def a_rule_starts_the_pipeline():
    """CodePipeline stops polling a source after 30 days without activity."""
    assert action("S3", "Source")["PollForSourceChanges"] == "false"
    [rule] = of_type("pipeline", "AWS::Events::Rule").values()
    configuration = action("S3", "Source")
    detail = {"bucket": {"name": [configuration["S3Bucket"]]}, "object": {"key": [configuration["S3ObjectKey"]]}}
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}
    assert rule["Properties"]["EventPattern"] == pattern, rule
    [target] = rule["Properties"]["Targets"]
    [name] = of_type("pipeline", "AWS::CodePipeline::Pipeline")
    arn = {"Fn::Sub": "arn:${AWS::Partition}:codepipeline:${AWS::Region}:${AWS::AccountId}:${" + name + "}"}
    assert target["Arn"] == arn, target
    role = TEMPLATES["pipeline"]["Resources"][target["RoleArn"]["Fn::GetAtt"][0]]
    [start] = statements(role).values()
    assert (start["Action"], start["Resource"]) == ("codepipeline:StartPipelineExecution", arn), start


def the_pipelines_role_has_the_documented_permissions():
    role = statements(TEMPLATES["pipeline"]["Resources"]["Role"])
    assert {"s3:PutObject", "s3:PutObjectTagging"} == set(role["WriteSite"]["Action"]), role
    assert (role["ListFunctions"]["Action"], role["ListFunctions"]["Resource"]) == ("lambda:ListFunctions", "*"), role


def every_role_follows_the_rules_of_the_organization():
    """The parameters for them are the same in both templates, and apply to all roles."""
    names = ["PermissionsBoundary", "RolePath", "KmsKeyArn"]
    declared = [[it["Parameters"][name] for name in names] for it in (TEMPLATES["template"], TEMPLATES["pipeline"])]
    ours, theirs = [[it | {"Description": ""} for it in parameters] for parameters in declared]
    assert ours == theirs, theirs
    boundary = {"Fn::If": ["HasPermissionsBoundary", {"Ref": "PermissionsBoundary"}, {"Ref": "AWS::NoValue"}]}
    for template in TEMPLATES:
        for name, it in of_type(template, "AWS::IAM::Role").items():
            properties = it["Properties"]
            found = properties.get("Path"), properties.get("PermissionsBoundary")
            assert found == ({"Ref": "RolePath"}, boundary), (template, name, found)
    resources = TEMPLATES["pipeline"]["Resources"]
    [encryption] = resources["ArtifactBucket"]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    condition, with_key, _ = encryption["Fn::If"]
    assert (condition, with_key["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]) == ("HasKmsKey", {"Ref": "KmsKeyArn"}), encryption
    store = resources["Pipeline"]["Properties"]["ArtifactStore"]["EncryptionKey"]
    assert store == {"Fn::If": ["HasKmsKey", {"Type": "KMS", "Id": {"Ref": "KmsKeyArn"}}, {"Ref": "AWS::NoValue"}]}, store


def a_pipeline_can_be_the_only_one_that_invalidates():
    """With Linked=false, the bucket sends no events and has no tag, so that only the pipeline's invalidation is billed."""
    site = TEMPLATES["site"]
    assert site["Parameters"]["Linked"]["AllowedValues"] == ["true", "false"]
    assert site["Parameters"]["Linked"]["Default"] == "true"
    assert site["Conditions"]["IsLinked"] == {"Fn::Equals": [{"Ref": "Linked"}, "true"]}
    bucket = site["Resources"]["Bucket"]["Properties"]
    for name in ("Tags", "NotificationConfiguration"):
        condition, _, without = bucket[name]["Fn::If"]
        assert (condition, without) == ("IsLinked", {"Ref": "AWS::NoValue"}), bucket[name]


def a_stack_without_the_code_is_rejected():
    """A parameter without a default must be given, so CloudFormation rejects the request before it creates anything."""
    parameters = TEMPLATES["template"]["Parameters"]
    required = {name for name, it in parameters.items() if "Default" not in it}
    assert required == {"CodeS3Bucket", "CodeS3Key"}, required
    assert all("ConstraintDescription" in parameters[it] for it in required)
    code = TEMPLATES["template"]["Resources"]["Function"]["Properties"]["Code"]
    assert code == {"S3Bucket": {"Ref": "CodeS3Bucket"}, "S3Key": {"Ref": "CodeS3Key"}}, code
    # The limit of create-stack for a template that is not in S3. Source: CloudFormation user guide, "Quotas".
    sizes = {it.name: it.stat().st_size for it in DIRECTORY.glob("*.yaml")}
    assert max(sizes.values()) <= 51_200, sizes


def an_event_pattern_cannot_be_too_long():
    """EventBridge allows 2,048 characters. The longest pattern for a list of a given length has the shortest names."""
    parameter = TEMPLATES["template"]["Parameters"]["EventBridgeBuckets"]
    for name in ("abc", "a-bucket-with-a-name", "x" * 63):
        names = [name] * ((parameter["MaxLength"] + 1) // (len(name) + 1))
        assert re.fullmatch(parameter["AllowedPattern"], ",".join(names))
        pattern = {"source": ["aws.s3"], "detail-type": ["Object Created", "Object Deleted"], "account": ["1" * 12]}
        pattern["detail"] = {"bucket": {"name": names}}
        [rule] = of_type("template", "AWS::Events::Rule").values()
        assert rule["Properties"]["EventPattern"].keys() == pattern.keys(), rule
        length = len(json.dumps(pattern, separators=(",", ":")))
        assert length <= 2048, length


def events_that_a_rule_cannot_deliver_are_kept():
    """The dead-letter queue takes the events of the rule, and of nothing else."""
    [rule] = of_type("template", "AWS::Events::Rule").values()
    [target] = rule["Properties"]["Targets"]
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}}, target
    # What a queue's policy does not allow, EventBridge does not retry. So both policies must exist before the rule.
    assert rule["DependsOn"] == ["QueuePolicy", "DeadLetterQueuePolicy"], rule
    policy = TEMPLATES["template"]["Resources"]["DeadLetterQueuePolicy"]
    assert policy["Condition"] == rule["Condition"], policy
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    arn = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/" + rule["Properties"]["Name"]["Fn::Sub"]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::Sub": arn}}}, statement


def parts(value):
    """A value and everything in it."""
    yield value
    if isinstance(value, (dict, list)):
        for it in value.values() if isinstance(value, dict) else value:
            yield from parts(it)


def stacks_do_not_import_from_each_other():
    """CloudFormation deletes no stack whose export another stack imports, so two that import from each other cannot be deleted."""
    ends = lambda text: text.rsplit("}", 1)[-1]
    exports = {ends(it["Export"]["Name"]["Fn::Sub"]): name for name, of in TEMPLATES.items() for it in of["Outputs"].values() if "Export" in it}
    imports = {}
    for name, template in TEMPLATES.items():
        found = [it["Fn::ImportValue"] for it in parts(template) if isinstance(it, dict) and "Fn::ImportValue" in it]
        imports[name] = {exports[ends(it["Fn::Sub"])] for it in found}
    assert imports == {"template": set(), "site": {"template"}, "pipeline": {"template"}}, imports


def retained_buckets_do_not_block_the_next_creation():
    for template in ("site", "pipeline"):
        [bucket] = of_type(template, "AWS::S3::Bucket").values()
        assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain"), bucket


def no_partition_is_assumed():
    """An ARN begins with aws-cn in China, aws-us-gov in GovCloud and aws-eusc in the European Sovereign Cloud."""
    files = [*DIRECTORY.glob("*.yaml"), *(ROOT / "infra/terraform").rglob("*.tf"), *(ROOT / "infra/cdk/lib").glob("*.ts")]
    files += [ROOT / it for it in ("policy.json", "docs/operator-policy.json", "docs/manual-setup.md", "docs/security.md")]
    named = [it.name for it in files if "arn:aws:" in it.read_text()]
    assert len(files) > 20 and not named, named
    # The domain name of an origin ends with amazonaws.com.cn in China.
    origins = [it["DomainName"] for it in parts(TEMPLATES["site"]) if isinstance(it, dict) and "DomainName" in it]
    assert origins == [{"Fn::Sub": "${BucketName}.s3.${AWS::Region}.${AWS::URLSuffix}"}], origins


FACTS = [
    every_role_follows_the_rules_of_the_organization,
    no_partition_is_assumed,
    stacks_do_not_import_from_each_other,
    retained_buckets_do_not_block_the_next_creation,
    an_event_pattern_cannot_be_too_long,
    events_that_a_rule_cannot_deliver_are_kept,
    a_stack_without_the_code_is_rejected,
    a_rule_starts_the_pipeline,
    the_pipelines_role_has_the_documented_permissions,
    a_pipeline_can_be_the_only_one_that_invalidates,
]


def main():
    failed = 0
    for fact in FACTS:
        try:
            fact()
        except (AssertionError, KeyError, TypeError, ValueError) as error:
            failed += 1
            print(f"{fact.__name__}: {error!r}", file=sys.stderr)
    print(f"templates: {len(FACTS) - failed} of {len(FACTS)} facts hold")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

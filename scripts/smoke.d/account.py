"""Questions about S3, IAM and CloudFormation that need no events."""

import json
import tempfile

from aws import WAIT_FACTOR, AwsError, until
from report import NotAnswered, table
from resources import TOP
from scratch import TAG, bucket_tags

# How long a new policy may take to be effective, in seconds: IAM is eventually consistent, for each service on its own.
# Source: IAM user guide, "Troubleshoot IAM".
POLICY_WAIT = max(10, 120 * WAIT_FACTOR)

BUCKET_TEMPLATE = """AWSTemplateFormatVersion: "2010-09-09"
Parameters: { Name: { Type: String } }
Resources: { Bucket: { Type: "AWS::S3::Bucket", Properties: { BucketName: !Ref Name } } }
"""


def bucket_order(site):
    def result(make):
        try:
            return f"accepted, with the status {make()['Status']}"
        except AwsError as error:
            return f"{error.code}: {error.message}"

    before = result(lambda: site.new_distribution("later", site.scratch.name("later"), enabled=False))
    after = result(lambda: site.distribution("direct"))
    return table(["CreateDistribution", "result"], [["before its bucket exists", before], ["after its bucket exists", after]])


def tag_resource(site):
    bucket = site.bucket("site")
    arn = f"arn:{site.partition}:s3:::{bucket}"
    tag = ["--account-id", site.account, "--resource-arn", arn]
    keys = lambda: {it["Key"] for it in bucket_tags(site.aws, bucket)}
    before = keys()
    site.aws("s3control", "tag-resource", *tag, "--tags", "Key=smoke:added,Value=1")
    tagged = keys()
    site.aws("s3control", "untag-resource", *tag, "--tag-keys", "smoke:added")
    untagged = keys()
    show = lambda found: ", ".join(f"`{key}`" for key in sorted(found))
    rows = [["before", show(before)], ["after TagResource", show(tagged)], ["after UntagResource", show(untagged)]]
    kept = "kept the others" if before <= tagged & untagged else "removed others"
    return f"TagResource and UntagResource were accepted, and {kept}.\n\n{table(['when', 'tags of the bucket'], rows)}"


def policy(site):
    bucket, distribution = site.bucket("site"), site.distribution("site")["Id"]
    name = site.scratch.name("policy")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:{site.partition}:iam::{site.account}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    create = ["--role-name", name, "--assume-role-policy-document", document, "--tags", f"Key={TAG},Value={site.scratch.run}"]
    role = site.aws("iam", "create-role", *create)["Role"]["Arn"]
    policy_file = ["--policy-name", "invalidator", "--policy-document", f"file://{TOP}/policy.json"]
    site.aws("iam", "put-role-policy", "--role-name", name, *policy_file)
    assume = lambda: attempt(site, "sts", "assume-role", "--role-arn", role, "--role-session-name", "smoke")
    assumed = until(lambda: (it := assume())[1] == "allowed" and it, 60)
    if not assumed:
        raise NotAnswered(f"the role could not be assumed: {assume()[1]}")
    given = assumed[0]["Credentials"]
    # Only the environment of the commands below has these credentials.
    credentials = {"AWS_ACCESS_KEY_ID": given["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"]}
    credentials |= {"AWS_SESSION_TOKEN": given["SessionToken"]}
    granted = [("cloudfront", "get-distribution-config", "--id", distribution)]
    granted += [("s3api", "get-bucket-tagging", "--bucket", bucket), ("s3api", "list-objects-v2", "--bucket", bucket)]
    granted += [("cloudfront", "create-invalidation", "--distribution-id", distribution, "--paths", "/policy")]
    site.budget.take(1)
    results = {}

    def are_allowed():
        for call in granted:
            # What was allowed once is not called again: it would send another path.
            if results.get(call) != "allowed":
                results[call] = attempt(site, *call, **credentials)[1]
        return set(results.values()) == {"allowed"}

    until(are_allowed, POLICY_WAIT)
    rows = [[f"{call[0]} {call[1]}", "yes", result] for call, result in results.items()]
    if "allowed" not in results.values():
        refusals = ", ".join(f"{call}: {result}" for call, _, result in rows)
        raise NotAnswered(f"no call was allowed within {POLICY_WAIT:.0f} s after the policy was attached ({refusals})")
    other = attempt(site, "s3api", "get-bucket-policy", "--bucket", bucket, **credentials)[1]
    if other == "allowed":
        raise NotAnswered("the role may also make a call that the policy does not allow: this endpoint does not check policies")
    return table(["call", "in policy.json", "result"], [*rows, ["s3api get-bucket-policy", "no", other]])


def attempt(site, *call, **credentials):
    """The answer and `allowed`, or the error's code."""
    try:
        return site.aws(*call, **credentials), "allowed"
    except AwsError as error:
        return {}, error.code or error.message


def stack_tags(site):
    outputs, distribution = site.stack(), site.distribution("site")["Id"]
    name, bucket = site.scratch.name("tags"), site.scratch.name("tagged")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as template:
        template.write(BUCKET_TEMPLATE)
        template.flush()

        def deploy(team):
            arguments = ["--template-file", template.name, "--stack-name", name, "--parameter-overrides", f"Name={bucket}"]
            site.aws("cloudformation", "deploy", *arguments, "--tags", f"{TAG}={site.scratch.run}", f"team={team}")

        deploy("one")
        link = ["link", bucket, distribution, "--skip-origin-check", "--yes", "--stack", outputs["StackName"]]
        site.aws.run(str(site.options.invalidator), *link)
        linked = bucket_tags(site.aws, bucket)
        deploy("two")
        updated = bucket_tags(site.aws, bucket)
    show = lambda tags: ", ".join(f"`{it['Key']}`" for it in sorted(tags, key=lambda it: it["Key"]) if not it["Key"].startswith("aws:"))
    team = {it["Key"]: it["Value"] for it in updated}.get("team", "absent")
    kept = "kept" if any(it["Key"] == "distributionId" for it in updated) else "removed"
    text = table(["when", "tags of the bucket"], [["after `link`", show(linked)], ["after the stack's tag changed", show(updated)]])
    return f"The stack update {kept} the tag `distributionId`; the stack's tag `team` on the bucket is {team}.\n\n{text}"

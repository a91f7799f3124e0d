"""With policies that count: policy.json is enough for the function, and without one of its statements it is not."""

import json

from emulator import ROOT, is_covered, until

BUCKET = "guarded"
ACCOUNT = "000000000000"


def play(emulator, workdir, archive):
    policy = json.loads((ROOT / "policy.json").read_text())
    emulator.bucket(BUCKET)
    distribution = emulator.distribution(BUCKET)
    s3 = emulator.client("s3")
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "distributionId", "Value": distribution}]})
    outcomes = {}
    for number, without in enumerate([None, "s3:GetBucketTagging", "cloudfront:CreateInvalidation"]):
        answer = invoke(emulator, archive, f"guarded-{number}", narrowed(policy, without))
        outcomes[without] = answer.get("errorMessage")
        if without is None:
            assert answer.get("changes") == {"invalidated": 1, "skipped": 0, "failed": 0}, answer
            [items] = emulator.invalidations(distribution).values()
            assert is_covered("/a%20b.txt", items), items
        else:
            assert without in answer["errorMessage"], answer
    assert len(emulator.invalidations(distribution)) == 1
    as_an_operator(emulator, workdir, archive)
    print("permissions: policy.json is sufficient, but not without s3:GetBucketTagging or cloudfront:CreateInvalidation")


def as_an_operator(emulator, workdir, archive):
    """docs/operator-policy.json is enough for the commands."""
    emulator.run(ROOT / "scripts/deploy", "--zip", archive, "EventBridgeBuckets=own")
    iam = emulator.client("iam")
    iam.create_user(UserName="operator")
    policy = (ROOT / "docs/operator-policy.json").read_text()
    iam.put_user_policy(UserName="operator", PolicyName="operator", PolicyDocument=policy)
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    emulator.bucket("own")
    distribution = emulator.distribution("own")
    (workdir / "keys").write_text("a.txt\n")
    for via in ["queue", "function", "eventbridge"]:
        emulator.invalidator("link", "own", distribution, "--via", via, "--yes", **credentials)
        emulator.invalidator("status", "own", **credentials)
        emulator.invalidator("invalidate", "--keys", workdir / "keys", "--bucket", "own", "--wait", **credentials)
        emulator.invalidator("unlink", "own", "--yes", **credentials)
    emulator.invalidator("status", "--all", fails=True, **credentials)


def narrowed(policy, without):
    """The policy without an action. The emulator knows no variables, so the account takes the place of that."""
    statements = []
    for statement in policy["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        actions = [action for action in actions if action != without]
        if actions:
            statements.append(statement | {"Action": actions})
    text = json.dumps(policy | {"Statement": statements}).replace("${aws:PrincipalAccount}", ACCOUNT)
    assert "${" not in text, text
    return json.loads(text)


def invoke(emulator, archive, name, policy):
    """The answer of a function under a role with this policy to the event of one object."""
    iam, functions = emulator.client("iam"), emulator.client("lambda")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="invalidator", PolicyDocument=json.dumps(policy))
    functions.create_function(
        FunctionName=name,
        Runtime="provided.al2023",
        Handler="bootstrap",
        Role=role,
        Timeout=30,
        Code={"ZipFile": archive.read_bytes()},
    )

    def is_active():
        return functions.get_function_configuration(FunctionName=name)["State"] == "Active"

    until(f"the function {name} is active", is_active)
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": BUCKET}, "object": {"key": "a+b.txt"}},
    }
    answer = functions.invoke(FunctionName=name, Payload=json.dumps({"Records": [record]}))
    return json.loads(answer["Payload"].read())

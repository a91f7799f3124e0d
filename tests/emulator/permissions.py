"""With policies that count: policy.json is enough for the function, and without one of its statements it is not."""

import json

from emulator import ROOT, is_covered, until

BUCKET = "guarded"
ACCOUNT = "000000000000"
RECORD = {
    "eventSource": "aws:s3",
    "eventName": "ObjectCreated:Put",
    "s3": {"bucket": {"name": BUCKET}, "object": {"key": "a+b.txt"}},
}


def play(emulator, workdir, archive):
    policy = json.loads((ROOT / "policy.json").read_text())
    emulator.bucket(BUCKET)
    distribution = emulator.distribution(BUCKET)
    s3 = emulator.client("s3")
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "distributionId", "Value": distribution}]})
    outcomes = {}
    for number, without in enumerate([None, "s3:GetBucketTagging", "cloudfront:CreateInvalidation"]):
        create(emulator, archive, f"guarded-{number}", narrowed(policy, without))
        answer = invoke(emulator, f"guarded-{number}", {"Records": [RECORD]})
        outcomes[without] = answer.get("errorMessage")
        if without is None:
            assert answer.get("changes") == {"invalidated": 1, "skipped": 0, "failed": 0}, answer
            [items] = emulator.invalidations(distribution).values()
            assert is_covered("/a%20b.txt", items), items
        else:
            assert without in answer["errorMessage"], answer
    assert len(emulator.invalidations(distribution)) == 1
    without_config = "because its role may not read the distribution config"
    create(emulator, archive, "guarded-config", narrowed(policy, "cloudfront:GetDistributionConfig"))
    for function, expected in [("guarded-0", False), ("guarded-config", True)]:
        # The bucket sends no events, which is a problem too.
        status = emulator.invalidator("status", BUCKET, "--function", function, fails=True)
        assert (without_config in " ".join(status.split())) == expected, status
    polling(emulator, archive, policy)
    as_an_operator(emulator, workdir, archive)
    print("permissions: policy.json is sufficient, but not without s3:GetBucketTagging or cloudfront:CreateInvalidation")
    print("permissions: policy.json is sufficient to poll the queue, but not without sqs:ReceiveMessage or sqs:DeleteMessage")


def polling(emulator, archive, policy):
    """A poll needs both of its permissions. Without one, the message stays in the queue, and the invocation does not fail."""
    sqs = emulator.client("sqs")
    # The name in policy.json. The timeout is longer than a poll of one message.
    url = sqs.create_queue(QueueName="invalidator", Attributes={"VisibilityTimeout": "30"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"Records": [RECORD]}))

    def messages():
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return [int(attributes[name]) for name in names]

    for number, without in enumerate(["sqs:ReceiveMessage", "sqs:DeleteMessage", None]):
        until("the message is visible", lambda: messages() == [1, 0])
        create(emulator, archive, f"polls-{number}", narrowed(policy, without), {"QUEUE_URL": url})
        answer = invoke(emulator, f"polls-{number}", {"pollQueue": True})
        assert "errorMessage" not in answer, answer
        assert sum(messages()) == (1 if without else 0), (without, answer)


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
        # The emulator does not check cloudwatch:GetMetricData.
        emulator.invalidator("status", "own", **credentials)
        emulator.invalidator("invalidate", "--keys", workdir / "keys", "--bucket", "own", "--wait", **credentials)
        emulator.invalidator("unlink", "own", "--yes", **credentials)
    emulator.invalidator("status", "--all", fails=True, **credentials)
    single_tags(emulator, policy, distribution)
    without_permission(emulator, workdir, policy, distribution)


def single_tags(emulator, policy, distribution):
    """The tags are written one by one, and all at once only where that is not allowed."""
    iam, tags = emulator.client("iam"), ["s3:TagResource", "s3:UntagResource"]
    for user, missing, fails in [("single", ["s3:PutBucketTagging"], False), ("all", tags, False), ("none", [*tags, "s3:PutBucketTagging"], True)]:
        iam.create_user(UserName=user)
        document = json.loads(policy)
        for action in missing:
            document = narrowed(document, action)
        iam.put_user_policy(UserName=user, PolicyName=user, PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=user)["AccessKey"]
        credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        printed = emulator.invalidator("link", "own", distribution, "--yes", fails=fails, **credentials)
        if fails:
            assert "Error: TagResource: " in printed and "s3:PutBucketTagging" in printed and "no changes remain" in printed, printed
        else:
            emulator.invalidator("unlink", "own", "--yes", **credentials)


def without_permission(emulator, workdir, policy, distribution):
    """What was uploaded is not lost if a permission is missing: the command prints it."""
    iam = emulator.client("iam")
    iam.create_user(UserName="uploader")
    denied = json.dumps(narrowed(json.loads(policy), "cloudfront:CreateInvalidation"))
    iam.put_user_policy(UserName="uploader", PolicyName="uploader", PolicyDocument=denied)
    key = iam.create_access_key(UserName="uploader")["AccessKey"]
    credentials = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    (workdir / "uploaded").write_text("upload: site/a b.txt to s3://own/a b.txt\n")
    arguments = ["invalidate", "--sync", workdir / "uploaded", "--distribution", distribution, "--timeout", "10"]
    failed = emulator.invalidator(*arguments, fails=True, **credentials)
    command = f"invalidator invalidate --bucket own --distribution {distribution} --keys - <<'KEYS'\n[\"a b.txt\"]\nKEYS\n"
    assert command in failed and "allow cloudfront:CreateInvalidation" in failed and "Nothing" not in failed, failed


def narrowed(policy, without):
    """The policy without an action. The emulator knows no variables, so the account takes the place of that."""
    statements = []
    for statement in policy["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        actions = [action for action in actions if action != without]
        # AWS checks the batch operations of SQS with these actions too; the emulator has actions of their own for them.
        actions += [f"{action}Batch" for action in actions if action in ("sqs:DeleteMessage", "sqs:SendMessage")]
        if actions:
            statements.append(statement | {"Action": actions})
    text = json.dumps(policy | {"Statement": statements}).replace("${aws:PrincipalAccount}", ACCOUNT)
    assert "${" not in text, text
    return json.loads(text)


def create(emulator, archive, name, policy, variables=None):
    """Creates a function under a role with this policy."""
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
        Timeout=60,
        Code={"ZipFile": archive.read_bytes()},
        Environment={"Variables": variables or {}},
    )

    def is_active():
        return functions.get_function_configuration(FunctionName=name)["State"] == "Active"

    until(f"the function {name} is active", is_active)


def invoke(emulator, name, event):
    """The answer of a function."""
    answer = emulator.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    return json.loads(answer["Payload"].read())

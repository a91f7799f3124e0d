"""A bucket on which others have written before: it is linked, linked again, and as it was after unlink; also where the command
is killed between two of its calls."""

import json
import subprocess
import time

from emulator import REGION, ROOT

ACCOUNT = "000000000000"
BUCKET = "busy-site"


def configuration(emulator, bucket):
    """A bucket's tags and notification configuration, as sets."""
    s3 = emulator.client("s3")
    try:
        tags = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    except s3.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchTagSet", error
        tags = []
    configuration = s3.get_bucket_notification_configuration(Bucket=bucket)
    configuration.pop("ResponseMetadata")
    kinds = {kind: rules for kind, rules in configuration.items() if kind != "EventBridgeConfiguration"}
    rules = {json.dumps([kind, sorted_rule(rule)], sort_keys=True) for kind in kinds for rule in kinds[kind]}
    return {(tag["Key"], tag["Value"]) for tag in tags}, rules, "EventBridgeConfiguration" in configuration


def sorted_rule(rule):
    return rule | {"Events": sorted(rule["Events"])}


def make(emulator):
    """12 tags, and 4 rules of others."""
    emulator.bucket(BUCKET)
    s3 = emulator.client("s3")
    tags = [{"Key": f"key {number}", "Value": f"välue/{number}@x"} for number in range(12)]
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": tags})
    queues = [queue(emulator, name) for name in ("restores", "tagging", "access", "losses")]
    rules = [
        ("s3:ObjectRestore:*", []),
        ("s3:ObjectTagging:*", [{"Name": "prefix", "Value": "in/"}]),
        ("s3:ObjectAcl:Put", [{"Name": "prefix", "Value": "a b/"}, {"Name": "suffix", "Value": ".jpg"}]),
        ("s3:ReducedRedundancyLostObject", []),
    ]
    configurations = []
    for number, (arn, (event, filter_rules)) in enumerate(zip(queues, rules)):
        rule = {"Id": f"theirs {number}", "QueueArn": arn, "Events": [event]}
        if filter_rules:
            rule["Filter"] = {"Key": {"FilterRules": filter_rules}}
        configurations.append(rule)
    configuration = {"QueueConfigurations": configurations}
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=configuration)
    return emulator.distribution(BUCKET)


def queue(emulator, name):
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    principal = {"Service": "s3.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    emulator.client("sqs").create_queue(QueueName=name, Attributes={"Policy": policy})
    return arn


def play(emulator):
    distribution = make(emulator)
    before = configuration(emulator, BUCKET)
    assert (len(before[0]), len(before[1])) == (12, 4)
    emulator.invalidator("link", BUCKET, distribution, "--dry-run")
    assert configuration(emulator, BUCKET) == before
    printed = emulator.invalidator("link", BUCKET, distribution, "--yes")
    assert "Unchanged: 12 tags, 4 event notifications" in printed, printed
    linked = configuration(emulator, BUCKET)
    assert before[0] < linked[0] and before[1] < linked[1] and len(linked[1]) == 5
    assert "No changes" in emulator.invalidator("link", BUCKET, distribution, "--yes")
    assert configuration(emulator, BUCKET) == linked
    emulator.invalidator("unlink", BUCKET, "--yes")
    assert configuration(emulator, BUCKET) == before
    killed = kill(emulator, distribution, before, linked)
    print(f"{BUCKET}: 12 tags and 4 rules unchanged after link, link and unlink; {killed} of 40 links killed halfway and repeated")


def kill(emulator, distribution, before, linked):
    """Kills the command ever later."""
    command = [ROOT / "target/debug/invalidator", "link", BUCKET, distribution, "--yes"]
    states = []
    for attempt in range(40):
        process = subprocess.Popen(command, env=emulator.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.004 * attempt)
        process.kill()
        process.wait()
        # What it had sent by then arrives.
        time.sleep(0.05)
        states.append(configuration(emulator, BUCKET))
        if attempt % 2 == 0:
            emulator.invalidator("link", BUCKET, distribution, "--yes")
            assert configuration(emulator, BUCKET) == linked, attempt
        emulator.invalidator("unlink", BUCKET, "--yes")
        assert configuration(emulator, BUCKET) == before, attempt
    return sum(state not in (before, linked) for state in states)

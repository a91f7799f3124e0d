"""Deploys the template to an emulator of AWS by another author, links buckets there, and lets them change.

`scripts/test` runs this with the emulator and the AWS CLI in an environment of their own, after it has built the package and the
command line. S3, SQS, EventBridge, Lambda, IAM, CloudFormation and CloudFront are the emulator's.
"""

import json
import os
import re
import tempfile
from collections import Counter
from pathlib import Path

import burst
import existing_configuration
import permissions
import screens
import status_problems
from emulator import ROOT, SCHEDULED_TIME, Emulator, is_covered, site, until, url_of

STACK = "cloudfront-invalidator"
ZIP = ROOT / "target/package/function.zip"
# The template as it is, without parameters.
CREATE_STACK = ["aws", "cloudformation", "create-stack", "--stack-name", "bare", "--capabilities", "CAPABILITY_IAM"]
CREATE_STACK += ["--template-body", "file://infra/cloudformation/template.yaml"]


def main():
    with tempfile.TemporaryDirectory() as directory:
        workdir = Path(directory)
        # Each on an emulator of its own: it makes texts of the numbers of a stack that is updated, which the SDK refuses.
        with_emulator(workdir, as_the_readme_says)
        with_emulator(workdir, lambda emulator: play(emulator, workdir))
        with_emulator(workdir, lambda emulator: permissions.play(emulator, workdir, ZIP), auth=True)


def with_emulator(workdir, part, auth=False):
    emulator = Emulator(workdir, auth)
    try:
        part(emulator)
    finally:
        emulator.stop()


def as_the_readme_says(emulator):
    """The commands of the README's deployment, exactly as they stand there."""
    block = re.search(r"<!-- four commands[^>]*-->\n```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    commands = block.group(1).strip()
    assert len(commands.splitlines()) == 4, commands
    emulator.bucket("my-site")
    distribution = emulator.distribution("my-site")
    tags = [{"Key": "team", "Value": "web"}]
    emulator.client("s3").put_bucket_tagging(Bucket="my-site", Tagging={"TagSet": tags})
    home = Path(os.environ["HOME"])
    defaults = [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")]
    own = {name: os.environ.get(name, str(home / default)) for name, default in defaults}
    printed = emulator.screen("bash", "-euc", commands, BUCKET="my-site", **own)
    sample = ROOT / "tests/fixtures/sample-site"
    urls = {url_of(str(file.relative_to(sample))) for file in sample.rglob("*") if file.is_file()} | {"/"}
    wait_for(emulator, "my-site", distribution, {}, urls)
    # After the next poll, as the README says.
    emulator.count_empty_receives(emulator.outputs(STACK)["QueueUrl"], 1, minutes_ago=1)
    invalidator = ROOT / "target/debug/invalidator"
    status = emulator.screen(invalidator, "status", "my-site")
    is_shown("docs/command-line.md", "link", printed, distribution)
    is_shown("docs/command-line.md", "status", status, distribution)
    invalidate = ["invalidate", "--distribution", distribution, "--paths", "/index.html", "/img/*", "--wait"]
    is_shown("docs/command-line.md", "invalidate", emulator.invalidator(*invalidate, notes=True), distribution)
    made_up = {distribution: "E2EXAMPLE1ABCD"}
    emulator.bucket("my-docs")
    made_up[docs := emulator.distribution("my-docs")] = "E2EXAMPLE2ABCD"
    screens.check(emulator, "link", "link", "my-docs", "--dry-run", made_up=made_up)
    screens.check(emulator, "status", "status", "my-site", made_up=made_up)
    screens.check(emulator, "no-stack", "status", "--stack", "other", made_up=made_up, fails=True)
    is_asked(emulator, docs)
    emulator.client("s3").delete_bucket_tagging(Bucket="my-site")
    printed = emulator.screen(invalidator, "status", "my-site", fails=True)
    screens.check(emulator, "status-problem", "status", "my-site", made_up=made_up, fails=True)
    is_shown("docs/command-line.md", "status without the tag", printed, distribution)
    is_removed(emulator)


def is_asked(emulator, distribution):
    """`link` finds the distribution, and asks. A no changes nothing and is no success."""
    command = [ROOT / "target/debug/invalidator", "link", "my-docs"]
    printed = emulator.screen(*command, answer="n\n", fails=True)
    assert "Apply these changes? [y/N]" in printed and "Error: not confirmed; nothing was changed" in printed, printed
    printed = emulator.screen(*command, "--invalidate-now", answer="y\n")
    assert f"{distribution} serves my-docs" in printed and "Linked my-docs." in printed, printed
    assert list(emulator.invalidations(distribution).values()) == [["/*"]], printed
    # Both are linked already, by the name of the distribution and by its origin.
    name = emulator.client("cloudfront").get_distribution(Id=distribution)["Distribution"]["DomainName"]
    emulator.invalidator("link", "my-docs", name, "--yes")
    outcome = json.loads(emulator.invalidator("link", "my-docs", "s3://my-site", "--yes", "--json"))
    assert outcome["ok"] and [(it["bucket"], it["applied"], it["changes"]) for it in outcome["buckets"]] == [
        ("my-docs", False, []),
        ("my-site", False, []),
    ], outcome
    emulator.invalidator("unlink", "my-docs", "--yes")
    # S3 sent a test event to the queue.
    emulator.poll()


def is_removed(emulator):
    """The bucket is unlinked and the stack deleted, and nothing of either is left."""
    s3 = emulator.client("s3")
    printed = emulator.invalidator("unlink", "my-site", "--yes")
    notifications = s3.get_bucket_notification_configuration(Bucket="my-site")
    assert not {it for it in notifications if it.endswith("Configurations")}, (notifications, printed)
    names = [(it["ResourceType"], it["PhysicalResourceId"]) for it in resources(emulator)]
    kinds = ["AWS::Lambda::Function", "AWS::Scheduler::Schedule", "AWS::CloudWatch::Alarm", "AWS::Logs::LogGroup"]
    kinds += ["AWS::SQS::Queue", "AWS::SQS::Queue", "AWS::IAM::Role", "AWS::IAM::Role"]
    assert not Counter(kinds) - Counter(kind for kind, _ in names), names
    emulator.run("aws", "cloudformation", "delete-stack", "--stack-name", STACK)
    emulator.run("aws", "cloudformation", "wait", "stack-delete-complete", "--stack-name", STACK)
    left = emulator.client("lambda").list_functions()["Functions"] + emulator.client("sqs").list_queues().get("QueueUrls", [])
    left += emulator.client("lambda").list_event_source_mappings()["EventSourceMappings"] + emulator.schedules()
    left += [it for it in emulator.client("iam").list_roles()["Roles"] if ("AWS::IAM::Role", it["RoleName"]) in names]
    left += emulator.client("cloudwatch").describe_alarms()["MetricAlarms"]
    for kind, name in names:
        if kind == "AWS::Logs::LogGroup":
            left += emulator.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    assert not left, left
    print(f"{STACK}: unlinked and deleted, no resources remain")


def resources(emulator, stack=STACK):
    return emulator.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]


def is_shown(document, name, printed, distribution):
    """A document shows what was printed, but for names that are made up, times, and the widths that follow of them."""
    found = re.search(rf"<!-- output: {name} -->\n```\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    assert found, f"{document} shows no output of {name}"
    assert all(len(line) <= 80 for line in found.group(1).splitlines() if not line.startswith("!")), document

    def plain(text):
        text = text.replace(distribution, "E2EXAMPLE1ABCD")
        rules = [(r"\bI[A-Z0-9]{13}\b", "I…"), (r"-[0-9A-F]{13}\b", "-…"), (r"\b\d+ s\b", "N s"), ("─+", "─"), (" +", " ")]
        rules.append((r"function: \d+\.\d+\.\d+$", "function: VERSION"))
        rules.append((r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "TIME UTC"))
        for pattern, made_up in rules:
            text = re.sub(pattern, made_up, text)
        return [line.strip() for line in text.splitlines() if line.strip()]

    shown, real = "\n".join(plain(found.group(1))), "\n".join(plain(printed))
    assert shown in real, f"{document}, {name}:\n{shown}\n\nactual output:\n{real}"


def play(emulator, workdir):
    deploy = [ROOT / "scripts/deploy", "--stack", STACK, "--zip", ZIP]
    emulator.run(*deploy, "EventBridgeBuckets=by-eventbridge", "Alarms=true", "Dashboard=true")
    outputs = emulator.outputs(STACK)
    is_polled(emulator, outputs, 1)
    files = workdir / "site"
    keys = site(files)
    buckets = {"by-queue": "queue", "by-function": "function", "by-eventbridge": "eventbridge"}
    distributions = {}
    for bucket, via in buckets.items():
        emulator.bucket(bucket)
        # One of them lies behind an origin path, which only the distribution's config contains.
        folder = "/web" if bucket == "by-queue" else ""
        distributions[bucket] = emulator.distribution(bucket, folder)
        emulator.invalidator("link", bucket, distributions[bucket], "--via", via, "--yes")
        again = emulator.invalidator("link", bucket, distributions[bucket], "--via", via)
        assert f"No changes: {bucket} is already linked." in again, again
        target = f"s3://{bucket}{folder}"
        urls = {url_of(key) for key in keys} | {"/"}
        gathers = via != "function"
        sync(emulator, bucket, files, target, distributions[bucket], urls, gathers)
        # Some are written again, some are removed.
        (files / "docs/index.html").write_text("again " + bucket)
        (files / "posts/2024/007.html").unlink()
        changed = {"/docs/index.html", "/posts/2024/007.html"}
        sync(emulator, bucket, files, target, distributions[bucket], changed, gathers)
        (files / "posts/2024/007.html").write_text("back")
    from_a_template(emulator, files, keys)
    printed = emulator.invalidator("status", "--all")
    assert all(bucket in printed for bucket in buckets) and "!" not in printed, printed
    failed = dead_letters(emulator, outputs["DeadLetterQueueArn"].rsplit(":", 1)[1])
    assert failed == 0, f"{failed} messages in the dead-letter queue"
    burst.play(emulator, "template")
    invalidate(emulator, workdir, distributions["by-function"])
    existing_configuration.play(emulator)
    status_problems.play(emulator, distributions, outputs)
    by_its_own_distribution(emulator)
    without_buckets(emulator)


def is_polled(emulator, outputs, minutes):
    """The schedule invokes the function to poll its queue, and nothing else reads the queue."""
    schedules = {it["Name"]: it for it in emulator.schedules()}
    schedule = schedules[outputs["ScheduleName"]]
    target = schedule["Target"]
    assert (schedule["State"], target["Arn"]) == ("ENABLED", outputs["FunctionArn"]), schedule
    expected = {"pollQueue": True, "scheduledTime": SCHEDULED_TIME, "intervalMinutes": minutes}
    assert json.loads(target["Input"]) == expected, schedule
    assert schedule["ScheduleExpression"] == ("rate(1 minute)" if minutes == 1 else f"rate({minutes} minutes)"), schedule
    assert target["RetryPolicy"]["MaximumRetryAttempts"] == 0, schedule
    functions = emulator.client("lambda")
    configuration = functions.get_function_configuration(FunctionName=outputs["FunctionArn"])
    assert configuration["Environment"]["Variables"]["QUEUE_URL"] == outputs["QueueUrl"], configuration
    assert not functions.list_event_source_mappings()["EventSourceMappings"]


def from_a_template(emulator, files, keys):
    """A bucket and its distribution from one template."""
    template = ["--template-file", "infra/cloudformation/site.yaml", "--stack-name", "site"]
    parameters = ["--parameter-overrides", "BucketName=by-template", f"InvalidatorStack={STACK}"]
    emulator.run("aws", "cloudformation", "deploy", *template, *parameters)
    distribution = emulator.outputs("site")["DistributionId"]
    # The emulator's CloudFormation gives buckets no tags.
    tags = [{"Key": "distributionId", "Value": distribution}]
    emulator.client("s3").put_bucket_tagging(Bucket="by-template", Tagging={"TagSet": tags})
    sync(emulator, "by-template", files, "s3://by-template", distribution, {url_of(key) for key in keys} | {"/"})
    # The template's rules and the tag are all that link would add.
    before = existing_configuration.configuration(emulator, "by-template")
    emulator.invalidator("link", "by-template", distribution)
    assert existing_configuration.configuration(emulator, "by-template") == before
    is_unlinked_by_its_template(emulator, template, parameters)


def is_unlinked_by_its_template(emulator, template, parameters):
    """A site's bucket, which is retained, sends no events after its stack is deleted: as the documents say, or by unlink."""
    s3 = emulator.client("s3")
    rules = lambda: [it for it in s3.get_bucket_notification_configuration(Bucket="by-template") if it.endswith("Configurations")]
    linked = s3.get_bucket_notification_configuration(Bucket="by-template")
    tags = s3.get_bucket_tagging(Bucket="by-template")["TagSet"]
    emulator.run("aws", "cloudformation", "deploy", *template, *parameters, "Linked=false")
    assert not rules(), rules()
    # The same bucket as it is if the stack is deleted without Linked=false.
    linked.pop("ResponseMetadata")
    s3.put_bucket_notification_configuration(Bucket="by-template", NotificationConfiguration=linked)
    emulator.run("aws", "cloudformation", "delete-stack", "--stack-name", "site")
    emulator.run("aws", "cloudformation", "wait", "stack-delete-complete", "--stack-name", "site")
    assert "by-template" in [it["Name"] for it in s3.list_buckets()["Buckets"]] and rules()
    s3.put_bucket_tagging(Bucket="by-template", Tagging={"TagSet": [*tags, {"Key": "team", "Value": "web"}]})
    kept = emulator.invalidator("unlink", "by-template", "--yes", notes=True)
    assert "Kept an event notification" in kept and rules(), kept
    emulator.invalidator("unlink", "by-template", "--everything", "--yes")
    # S3's test event of the configuration that the test wrote.
    emulator.poll()
    assert not rules() and [it["Key"] for it in s3.get_bucket_tagging(Bucket="by-template")["TagSet"]] == ["team"]


def invalidate(emulator, workdir, distribution):
    """What a deploy script does without a deployed function."""
    files = workdir / "sent"
    files.mkdir()
    for name in ["index.html", "a b+c.txt", "ünïcode.txt"]:
        (files / name).write_text("sent")
    emulator.bucket("without-function")
    shown = emulator.distribution("without-function")
    synced = emulator.run("aws", "s3", "sync", "--no-progress", files, "s3://without-function")
    (workdir / "synced").write_text(synced)
    failed = emulator.invalidator("invalidate", "--sync", workdir / "synced", fails=True)
    assert 'does not have the tag "distributionId"' in failed, failed
    failed = emulator.invalidator("invalidate", "--sync", workdir / "synced", "--json", fails=True)
    report = json.loads(failed.splitlines()[0])
    assert not report["ok"] and report["skipped"][0]["code"] == "bucket-not-tagged", report
    pipe = 'cat "$SYNCED" | target/debug/invalidator invalidate --sync - --distribution "$SHOWN" --wait'
    printed = emulator.run("bash", "-euc", pipe, notes=True, SYNCED=str(workdir / "synced"), SHOWN=shown)
    assert "Invalidation completed after" in printed, printed
    [items] = emulator.invalidations(shown).values()
    assert all(is_covered(url, items) for url in ["/", "/index.html", "/a%20b%2Bc.txt", "/%C3%BCn%C3%AFcode.txt"]), items
    before = emulator.invalidations(distribution)
    report = json.loads(emulator.invalidator("invalidate", "--paths", "/a b", "/c/*", "--distribution", distribution, "--json"))
    id = report["invalidations"][0]["invalidationId"]
    assert id not in before and emulator.invalidations(distribution)[id] == ["/a%20b", "/c/*"]
    as_people_type_it(emulator, workdir, shown)


def as_people_type_it(emulator, workdir, distribution):
    """`aws s3 sync | invalidator invalidate`, with 300 files of odd names and the progress of the AWS CLI, which pads lines."""
    files = workdir / "typed"
    odd = ["a b", "ünï", "x+y", "100%", "it's", 'd"q', "semi;c", "t~", "日本", "trail ", " lead", "two  sp", "b to c", "#h", "br[1]", "🎉"]
    names = [f"{odd[number % len(odd)]}/{number}{' ' if number % 7 == 0 else ''}" for number in range(300)]
    for name in names:
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text(name)
    before = emulator.invalidations(distribution)
    typed = 'aws s3 sync "$FILES" s3://without-function | target/debug/invalidator invalidate --sync -'
    # The bucket has no tag. The upload is done, and the command that is printed makes up for it.
    failed = emulator.run("bash", "-euc", typed, fails=True, FILES=str(files))
    assert "300 keys not invalidated" in failed and emulator.invalidations(distribution) == before, failed
    command = failed[failed.index("invalidator invalidate --bucket") : failed.index("\nError: ")]
    tags = [{"Key": "distributionId", "Value": distribution}]
    emulator.client("s3").put_bucket_tagging(Bucket="without-function", Tagging={"TagSet": tags})
    emulator.run("bash", "-euc", f"target/debug/{command}\n")
    are_invalidated(emulator, distribution, before, names)
    # With the tag, in one step.
    before = emulator.invalidations(distribution)
    for name in names:
        (files / name).write_text(name * 2)
    emulator.run("bash", "-euc", typed, FILES=str(files))
    are_invalidated(emulator, distribution, before, names)
    # Deletions that hide progress are not certain: the others are invalidated, and these are saved.
    before = emulator.invalidations(distribution)
    for name in names[:50]:
        (files / name).unlink()
    for name in names[50:80]:
        (files / name).write_text(name * 3)
    typed += ' --save "$SAVED" || target/debug/invalidator invalidate --bucket without-function --keys "$SAVED"'
    emulator.run("bash", "-euc", typed.replace("sync ", "sync --delete ", 1), FILES=str(files), SAVED=str(workdir / "saved.json"))
    are_invalidated(emulator, distribution, before, [name for name in names[:80] if not name.endswith(" ")])


def are_invalidated(emulator, distribution, before, keys):
    """Whether each of the keys is covered by the invalidations that are new."""
    new = [items for id, items in emulator.invalidations(distribution).items() if id not in before]
    items = [item for items in new for item in items]
    missing = [key for key in keys if not is_covered(url_of(key), items)]
    assert items and not missing, (items, missing)


def by_its_own_distribution(emulator):
    """The simplest deployment: one distribution as a parameter, and the Test button of the console. With other settings."""
    emulator.bucket("simple")
    distribution = emulator.distribution("simple")
    deploy = [ROOT / "scripts/deploy", "--stack", "simple", "--zip", ZIP]
    own = ["DistributionTag=cdn:id", "ExpectedBucketOwner=000000000000", "IndexDocuments=index.html index.htm", "LogLevel=DEBUG"]
    emulator.run(*deploy, f"DistributionId={distribution}", "PollIntervalMinutes=5", *own)
    is_polled(emulator, emulator.outputs("simple"), 5)
    function = emulator.outputs("simple")["FunctionArn"]
    configuration = emulator.client("lambda").get_function_configuration(FunctionName=function)
    settings = {"DISTRIBUTION_ID": distribution, "DISTRIBUTION_TAG": "cdn:id", "DRY_RUN": "false"}
    settings |= {"EXPECTED_BUCKET_OWNER": "000000000000", "INDEX_DOCUMENTS": "index.html index.htm"}
    assert settings.items() <= configuration["Environment"]["Variables"].items(), configuration
    assert configuration["LoggingConfig"]["ApplicationLogLevel"] == "DEBUG", configuration
    # The command line reads from the function the tag's name.
    emulator.invalidator("link", "simple", distribution, "--stack", "simple", "--yes")
    # The other stack has not linked the bucket.
    refused = emulator.invalidator("unlink", "simple", "--yes", fails=True)
    assert "run `invalidator unlink simple --function simple-Function-" in refused, refused
    tags = {it["Key"]: it["Value"] for it in emulator.client("s3").get_bucket_tagging(Bucket="simple")["TagSet"]}
    assert tags["cdn:id"] == distribution and "distributionId" not in tags, tags
    event = json.dumps({"key1": "value1", "key2": "value2", "key3": "value3"})
    answer = emulator.client("lambda").invoke(FunctionName=function, Payload=event)
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert list(emulator.invalidations(distribution).values()) == [["/*"]]


def without_buckets(emulator):
    """The smallest deployment: one distribution and the Test button of the console. There is no queue and no schedule."""
    emulator.bucket("by-button")
    distribution = emulator.distribution("by-button")
    refused = emulator.run(*CREATE_STACK, fails=255)
    assert "CodeS3Bucket" in refused, refused
    deploy = [ROOT / "scripts/deploy", "--stack", "smallest", "--zip", ZIP]
    emulator.run(*deploy, "Buckets=false", f"DistributionId={distribution}")
    outputs = emulator.outputs("smallest")
    assert outputs.keys() == {"FunctionArn", "FunctionName", "RoleArn", "Version"}, outputs
    kinds = Counter(it["ResourceType"] for it in resources(emulator, "smallest"))
    assert kinds == Counter(["AWS::Lambda::Function", "AWS::Logs::LogGroup", "AWS::IAM::Role"]), kinds
    answer = emulator.client("lambda").invoke(FunctionName=outputs["FunctionArn"], Payload=json.dumps({"key1": "value1"}))
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert list(emulator.invalidations(distribution).values()) == [["/*"]]
    refused = emulator.invalidator("link", "by-button", distribution, "--stack", "smallest", fails=True)
    assert "has no queue" in refused, refused


def dead_letters(emulator, queue):
    """The number of messages in the dead-letter queue."""
    sqs = emulator.client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def sync(emulator, bucket, files, target, distribution, urls, gathers=True):
    """Syncs, and waits until new invalidations match every URL whose content changed."""
    before = emulator.invalidations(distribution)
    emulator.run("aws", "s3", "sync", "--quiet", "--delete", files, target)
    wait_for(emulator, bucket, distribution, before, urls, gathers)


def wait_for(emulator, bucket, distribution, before, urls, gathers=True):
    """Polls until new invalidations match every URL. `gathers`: the changes are in the queue, so that a poll gathers them."""
    sent = []

    def invalidated():
        nonlocal sent
        if gathers:
            emulator.poll()
        sent = [items for id, items in emulator.invalidations(distribution).items() if id not in before]
        return all(is_covered(url, [item for items in sent for item in items]) for url in urls)

    seconds = until(f"all changed URLs of {bucket} are invalidated", invalidated)
    paths = sum(map(len, sent))
    print(f"{bucket}: {len(urls)} URLs invalidated by {len(sent)} invalidations with {paths} paths, {seconds:.0f} s after the sync")
    # One poll gathers the whole sync. The emulator's schedule may poll in the middle of it, and while this test polls.
    assert len(sent) <= 3 or not gathers, sent
    for items in sent:
        assert len(items) <= 30 and len(items) == len(set(items)), items


if __name__ == "__main__":
    main()

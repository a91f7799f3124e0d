"""Tests scripts/smoke on an emulator of AWS: every answer, the limit on paths, and that nothing is left, also after it is killed."""

import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from botocore.exceptions import ClientError

from cloudfront import CloudFront
from emulator import ROOT, Emulator, until

sys.path.insert(0, str(ROOT / "scripts/smoke.d"))

ZIP = ROOT / "target/package/function.zip"
INVALIDATOR = ROOT / "target/debug/invalidator"

# What the answer to each question contains. The results are those of the emulator and of `cloudfront.py`.
EXPECTED = {
    "bucket-order": ["before its bucket exists | accepted", "after its bucket exists | accepted"],
    "tag-resource": [
        "were accepted, and kept the others",
        "| after TagResource | `distributionId`, `invalidation:link:NAME-function-Function-",
        "`, `invalidator-smoke`, `smoke:added` |",
        "| after UntagResource | `distributionId`, `invalidation:link:NAME-function-Function-",
    ],
    # Without AUTH, the emulator checks no policies.
    "policy": ["Not answered, because", "does not check policies"],
    "stack-tags": ["kept the tag `distributionId`", "after `link` | `distributionId`, `invalidation:link:NAME-function-Function-"],
    "wildcards": [
        "| 2 | nothing | 201 | none |",
        "| 7 | nothing | 201 | none |",
        "| 15 | nothing | 201 | none |",
        "| 1 | 15 wildcards | 400 | TooManyInvalidationsInProgress | Your request exceeds",
        "| 16 | nothing | 400 | TooManyInvalidationsInProgress |",
    ],
    # How many depends on how fast the commands start.
    "wildcard-rate": [" of 4 were accepted", "| 201 | none |"],
    "paths": ["| 151 | 201 | none |", "| 1 | 201 | none |", "The second request was sent"],
    "requests": [" of 6 were accepted", "| 201 | none |", "| 400 | Throttling | Rate exceeded |"],
    # The edge of `cloudfront.py` keeps an entry for each spelling, so it still has those that the function does not send.
    "eviction": [
        "| `edge/plain.html` | `/edge/plain.html` | 200 Hit 1 | 200 Hit 1 | 200 Miss 2 | new object | the same |",
        "| `edge/it's.html` | `/edge/it's.html` | 200 Hit 1 | 200 Hit 1 | 200 Miss 2 | new object |",
        "| `edge/it's.html` | `/edge/it%27s.html` | 200 Hit 1 | 200 Hit 1 | 200 Hit 1 | old object |",
        "| `edge/a+b.html` | `/edge/a%2Bb.html` | 200 Hit 1 | 200 Hit 1 | 200 Miss 2 | new object |",
        "| `edge/a b.html` | `/edge/a%20b.html` | 200 Hit 1 | 200 Hit 1 | 200 Miss 2 | new object |",
        "| `edge/a b.html` | `/edge/a+b.html` | 200 Hit 1 | 200 Hit 1 | 200 Miss 2 | new object |",
        "| `edge/café.html` | `/edge/caf%C3%A9.html` | 200 Hit 1 | 200 Hit 1 | 200 Miss 2 | new object |",
        "| `edge/unchanged.html` | `/edge/unchanged.html` | 200 Hit 1 | 200 Hit 1 | 200 Hit 1 | old object |",
        "Paths sent: `/edge/a%20b.html`, `/edge/a%2Bb.html`, `/edge/a+b.html`, `/edge/caf%C3%A9.html`, `/edge/it's.html`, "
        "`/edge/plain.html`",
    ],
    "directories": [
        "| `index.html` | `/` | 200 Hit 1 | 200 Hit 1 | 200 Miss 2 | new object |",
        "| `pages/a/index.html` | `/pages/a/` | 200 Hit 1 | 200 Hit 1 | 200 Miss 2 | new object |",
        "Paths sent: `/`, `/index.html`, `/pages/a/`, `/pages/a/index.html`",
    ],
    "queue": ["500 objects were uploaded", "Polls that received their changes:", "Invalidations:"],
    "direct": ["| uploads | 40 in", "| changes failed | 0 |", "| polls that received changes |"],
    "dead-letter": [
        "| without a destination | FAILED, 0 messages moved, CouldNotDetermineMessageSource |",
        "| to the stack's queue | COMPLETED, 1 messages moved |",
        "The next poll invalidated the message's change",
    ],
    "schedule": ["(minimum, median and maximum)"],
    # The answers of `codepipeline.py`, which runs no action. The first upload starts nothing there.
    "pipeline": [
        "The execution that CloudWatchEvent started ended as Succeeded",
        "s after upload 2 of the zip.",
        "| Source | Succeeded | Amazon S3 version id: 1 |\n| Deploy | Succeeded | Deployment Succeeded |\n| Invalidate | Succeeded |  |",
    ],
    "status": ["No problem."],
}


def main():
    # nohup ignores it, and commands inherit that.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # Each on an emulator of its own, at the same time, because both wait for most of the time.
    with ThreadPoolExecutor() as pool:
        list(pool.map(with_emulator, [answers_everything, removes_after_a_kill, measures_a_policy]))


def with_emulator(part):
    with tempfile.TemporaryDirectory() as directory:
        workdir = Path(directory)
        cloudfront = CloudFront()
        # Functions inherit the emulator's environment.
        emulator = Emulator(workdir, part is measures_a_policy, AWS_ENDPOINT_URL_CLOUDFRONT=cloudfront.url)
        cloudfront.use(emulator)
        stopped = threading.Event()
        polls = threading.Thread(target=poll, args=(emulator, stopped), daemon=True)
        polls.start()
        began = time.monotonic()
        try:
            part(Smoke(emulator, cloudfront, workdir, part.__name__.replace("_", "-")))
            print(f"smoke {part.__name__.replace('_', ' ')}: {time.monotonic() - began:.0f} s")
        finally:
            stopped.set()
            polls.join()
            emulator.stop()
            cloudfront.stop()


def poll(emulator, stopped):
    """The schedule, faster than every minute."""
    while not stopped.wait(2):
        try:
            emulator.poll()
        except (ClientError, AssertionError):
            # The stack is being created or deleted.
            continue


class Smoke:
    """scripts/smoke with an emulator, under one name."""

    def __init__(self, emulator, cloudfront, workdir, name):
        self.emulator, self.name, self.report = emulator, name, workdir / "report.md"
        self.state = ROOT / "target/smoke" / f"{name}.json"
        own = {
            "SMOKE_EDGE_URL": cloudfront.url,
            "SMOKE_WAIT_FACTOR": "0.02",
            "AWS_ENDPOINT_URL_SQS": cloudfront.url,
            "AWS_ENDPOINT_URL_CLOUDFORMATION": cloudfront.url,
            "AWS_ENDPOINT_URL_CODEPIPELINE": cloudfront.url,
            "AWS_ENDPOINT_URL_S3_CONTROL": "http://s3-control.invalid",
            "HTTP_PROXY": cloudfront.url,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        self.environment = emulator.environment | own
        self.command = [ROOT / "scripts/smoke", "--name", name, "--report", self.report]
        self.deployment = ["--zip", ZIP, "--invalidator", INVALIDATOR, "--yes"]

    def start(self, *arguments):
        self.report.unlink(missing_ok=True)
        output = open(self.report.with_suffix(".log"), "w")
        return subprocess.Popen([*self.command, *arguments], env=self.environment, stdout=output, stderr=subprocess.STDOUT)

    def __call__(self, *arguments, code=0):
        """What the script printed."""
        process = self.start(*arguments)
        process.wait()
        assert process.returncode == code, (process.returncode, self.printed())
        return self.printed()

    def printed(self):
        return self.report.with_suffix(".log").read_text()

    def buckets(self):
        return [it["Name"] for it in self.emulator.client("s3").list_buckets()["Buckets"]]

    def has_uploaded(self):
        """Whether scripts/deploy has uploaded the zip file."""
        s3 = self.emulator.client("s3")
        uploads = [it for it in self.buckets() if it.endswith("-uploads")]
        return any(s3.list_objects_v2(Bucket=it)["KeyCount"] for it in uploads)

    def remaining(self):
        """The names of everything in the emulator that the script and its stacks can make. Log groups are left out: the emulator
        makes one again for an invocation that ends after the stack is deleted, which the function's role does not allow in AWS."""
        client = self.emulator.client
        stacks = client("cloudformation").list_stacks()["StackSummaries"]
        cloudfront = client("cloudfront")
        found = {
            "buckets": self.buckets(),
            "stacks": [it["StackName"] for it in stacks if it["StackStatus"] != "DELETE_COMPLETE"],
            "distributions": [it["Comment"] for it in cloudfront.list_distributions()["DistributionList"].get("Items", [])],
            "access controls": cloudfront.list_origin_access_controls()["OriginAccessControlList"].get("Items", []),
            "edge functions": cloudfront.list_functions()["FunctionList"].get("Items", []),
            "queues": client("sqs").list_queues().get("QueueUrls", []),
            "functions": [it["FunctionName"] for it in client("lambda").list_functions()["Functions"]],
            "roles": [it["RoleName"] for it in client("iam").list_roles()["Roles"]],
            "schedules": [it["Name"] for it in client("scheduler").list_schedules()["Schedules"]],
            "rules": [it["Name"] for it in client("events").list_rules()["Rules"]],
            "alarms": [it["AlarmName"] for it in client("cloudwatch").describe_alarms()["MetricAlarms"]],
        }
        return {kind: names for kind, names in found.items() if names}


def answers_everything(smoke):
    arguments_are_checked(smoke)
    # It has neither the tag nor a record: only its name begins like ours.
    of_another = f"{smoke.name}-of-another"
    smoke.emulator.bucket(of_another)
    before = smoke.remaining()
    printed = smoke(*smoke.deployment)
    assert smoke.remaining() == before, smoke.remaining()
    report = smoke.report.read_text()
    assert report in printed, printed
    is_neutral(report)
    is_documented(report)
    answers = {re.search(r"^`([a-z-]+)`, \d+ s$", it, re.MULTILINE)[1]: it for it in report.split("\n### ")[1:]}
    assert answers.keys() == EXPECTED.keys(), answers.keys()
    for name, expected in EXPECTED.items():
        missing = [text for text in expected if text not in answers[name]]
        assert not missing, (name, missing, answers[name])
    assert "15 of 16 questions answered." in report and "Everything was removed." in report, report
    assert paths_taken(report) <= 380, report
    # The emulator sometimes loses the log of one of several processes that run at the same time.
    direct = {name: int(count) for name, count in re.findall(r"^\| ([^|]+) \| (\d+) \|$", answers["direct"], re.MULTILINE)}
    assert 35 <= direct["invocations by S3 in the function's log"] <= 40, direct
    at_once, queued = direct["changes invalidated at once"], direct["changes sent to the queue"]
    assert at_once + queued == direct["invocations by S3 in the function's log"] and queued > at_once > 0, direct
    smoke.emulator.client("s3").delete_bucket(Bucket=of_another)


def arguments_are_checked(smoke):
    assert "--release" in smoke("--help")
    assert "--zip FILE or --release VERSION is required" in smoke(code=2)
    assert "file not found" in smoke("--zip", "/nonexistent", code=2)
    assert "use --yes" in smoke(*smoke.deployment[:-1], code=1)
    assert "use 4 to 26" in smoke("--name", "A", code=2)
    assert "six hexadecimal digits" in smoke("--name", "smoke-0a1b2c", code=2)
    assert not smoke.state.exists()


def is_neutral(report):
    """It names neither the account nor what was made there."""
    for pattern in (r"\d{12}", r"\bE[A-Z0-9]{13}\b", "answers-everything", r"[a-z0-9]{14}\.cloudfront"):
        assert not re.search(pattern, report), (pattern, report)


def is_documented(report):
    """The excerpt in the document differs from a report in numbers only."""
    [excerpt] = re.findall(r"^````markdown\n(.*?)^````$", (ROOT / "docs/smoke.md").read_text(), re.DOTALL | re.MULTILINE)
    lines = [set(re.sub(r"\d+(\.\d+)?", "N", text).splitlines()) for text in (excerpt, report)]
    assert lines[0] <= lines[1], lines[0] - lines[1]


def paths_taken(report):
    return int(re.search(r"\| paths \| (\d+) at most", report)[1])


def removes_after_a_kill(smoke):
    before = smoke.remaining()
    names_are_masked()
    expired_credentials_end_the_removal(smoke)
    the_budget_is_kept()
    # While scripts/deploy runs, which has just uploaded the zip file: it goes on to make the stack, and the next run waits for it.
    kill(smoke, "queue", smoke.has_uploaded)
    assert "Waiting for another run" in smoke("--remove")
    assert smoke.remaining() == before and not smoke.state.exists(), smoke.remaining()
    # While a question is asked; the next run removes before it makes anything.
    kill(smoke, "wildcards", lambda: "2, 7, 15 and 16 wildcards" in smoke.printed())
    printed = smoke(*smoke.deployment, "--only", "tag-resource")
    assert printed.index("Removed ") < printed.index("TagResource on a general purpose bucket ..."), printed
    assert "1 of 1 questions answered" in printed, printed
    assert smoke.remaining() == before and not smoke.state.exists(), smoke.remaining()
    what_is_not_recorded_is_kept(smoke)
    assert smoke.remaining() == before, smoke.remaining()
    process = smoke.start(*smoke.deployment, "--only", "bucket-order", "--only", "requests")
    until("the second question is asked", lambda: "Six invalidations of one path at once ..." in smoke.printed())
    process.send_signal(signal.SIGHUP)
    until("the removal begins", lambda: "Removed " in smoke.printed())
    for number in (signal.SIGHUP, signal.SIGTERM):
        process.send_signal(number)
    assert process.wait() == 128 + signal.SIGHUP, smoke.printed()
    assert "1 of 1 questions answered." in smoke.report.read_text(), smoke.report.read_text()
    assert smoke.remaining() == before and not smoke.state.exists(), smoke.remaining()


def what_is_not_recorded_is_kept(smoke):
    """Another machine's run of the same name has no record here; only `--remove` removes it."""
    s3 = smoke.emulator.client("s3")
    of_a_run, of_another_name = f"{smoke.name}-0a1b2c-site", f"{smoke.name}-two-0a1b2c-site"
    for bucket in (of_a_run, of_another_name):
        smoke.emulator.bucket(bucket)
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "invalidator-smoke", "Value": "1"}]})
    printed = smoke(*smoke.deployment, "--only", "tag-resource")
    assert f"Other runs of this name made {of_a_run}. " in printed and f"scripts/smoke --remove --name {smoke.name}" in printed, printed
    assert smoke.buckets() == [of_a_run, of_another_name], smoke.buckets()
    smoke("--remove")
    assert smoke.buckets() == [of_another_name], smoke.buckets()
    s3.delete_bucket(Bucket=of_another_name)


def kill(smoke, question, is_so):
    """Runs one question, and kills the script in the middle: what it made is left."""
    process = smoke.start(*smoke.deployment, "--only", question)
    until("the script is in the middle", is_so)
    process.kill()
    process.wait()
    found = smoke.remaining()
    assert found.get("buckets") and found.get("distributions") and smoke.state.exists(), (found, smoke.printed())


def measures_a_policy(smoke):
    """Where policies count. The emulator does not know the variable in the conditions of the statements for S3."""
    before = smoke.remaining()
    smoke(*smoke.deployment, "--only", "policy")
    report = smoke.report.read_text()
    assert "1 of 1 questions answered." in report, report
    assert "| cloudfront get-distribution-config | yes | allowed |" in report, report
    assert "| cloudfront create-invalidation | yes | allowed |" in report, report
    assert "| s3api get-bucket-tagging | yes | AccessDenied |" in report, report
    assert "| s3api get-bucket-policy | no | AccessDenied |" in report, report
    assert smoke.remaining() == before, smoke.remaining()


def expired_credentials_end_the_removal(smoke):
    from aws import AwsError
    from scratch import EXPIRED, Scratch

    calls = []

    def refuse(service, operation, *_):
        calls.append(operation)
        raise AwsError(operation, code, "The security token included in the request is expired")

    for code in EXPIRED:
        scratch = Scratch(smoke.state.parent, smoke.name)
        scratch.open(refuse, "111122223333", "eu-central-1")
        [left] = scratch.remove()
        assert code in left and "renew the credentials" in left and len(calls) == 1, (left, calls)
        calls.clear()


def names_are_masked():
    from report import masked

    denied = "User: arn:aws:sts::111122223333:assumed-role/team/session is not authorized to perform: s3:ListBucket"
    assert masked(denied, "smoke") == "User: arn:aws:sts::ACCOUNT:assumed-role/NAME is not authorized to perform: s3:ListBucket"
    for arn in ("arn:aws:iam::111122223333:user/a/b@example.com", "arn:aws-cn:iam::111122223333:role/deploy"):
        assert re.fullmatch(r"arn:aws(-cn)?:iam::ACCOUNT:(user|role)/NAME", masked(arn, "smoke")), masked(arn, "smoke")
    runs = masked("smoke-0a1b2c-site, smoke-ffffff-site, smoke-other-site", "smoke")
    assert runs == "NAME-site, NAME-site, smoke-other-site", runs


def the_budget_is_kept():
    """What would exceed the limit is refused before it is sent, and all questions together stay within it."""
    from questions import QUESTIONS
    from report import NotAnswered
    from resources import MAX_PATHS, PATH_PRICE, Budget

    assert sum(it.paths for it in QUESTIONS) <= MAX_PATHS and MAX_PATHS * PATH_PRICE < 1.95
    budget = Budget(10)
    budget.take(10)
    try:
        budget.take(1)
    except NotAnswered as error:
        assert "exceed the limit of 10 paths" in str(error), error
    else:
        raise AssertionError("11 of 10 paths were taken")


if __name__ == "__main__":
    main()

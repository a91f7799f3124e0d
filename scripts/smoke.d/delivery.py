"""Questions about the way of a change: S3, the queue, the schedule, the function, and a pipeline."""

import json
import statistics
import tempfile
import time
import zipfile
from pathlib import Path

from aws import WAIT_FACTOR, AwsError, pause, until
from report import NotAnswered, table
from resources import TOP, invalidations
from scratch import MAX_WAIT, TAG

QUEUE_PUTS = 500
DIRECT_PUTS = 40

# How long an upload may take to start the pipeline before the zip is uploaded again, in seconds: five minutes is not a limit of S3.
START_WAIT = 180 * WAIT_FACTOR


def queue(site):
    bucket = site.sends_events("site", "queue")
    site.budget.take(90)
    began = time.time()
    ended = site.upload(bucket, {f"queue/{number % 5}/page {number:03}.html": "new" for number in range(QUEUE_PUTS)})
    reports = site.handled(began, QUEUE_PUTS)
    totals = {name: sum(it["totals"][name] for it in reports) for name in ("invalidations", "paths", "wildcards")}
    text = f"{QUEUE_PUTS} objects were uploaded in {ended - began:.0f} s. Polls that received their changes: {len(reports)}. "
    text += f"Invalidations: {totals['invalidations']}. Paths: {totals['paths']}, of which wildcards: {totals['wildcards']}."
    header = ["poll started after the first upload", "messages", "changes", "paths", "retries", "duration"]
    return f"{text}\n\n{table(header, [row(it, began) for it in reports])}"


def row(report, began):
    messages = report.get("queue", {}).get("messagesReceived", "–")
    seconds = f"{report['startedAt'] - began:.0f} s"
    return [seconds, messages, sum(report["changes"].values()), report["totals"]["paths"], report["retries"], f"{report['durationMs']} ms"]


def direct(site):
    bucket = site.sends_events("direct", "function")
    site.budget.take(DIRECT_PUTS)
    began = time.time()
    ended = site.upload(bucket, {f"direct/page-{number:02}.html": "new" for number in range(DIRECT_PUTS)})
    reports = site.reported(began, DIRECT_PUTS)
    by_event = [it for it in reports if "queue" not in it]
    polls = [it for it in reports if "queue" in it]
    accepted = sum(it["changes"]["invalidated"] for it in by_event)
    queued = sum(it["changes"].get("queued", 0) for it in by_event)
    failed = sum(it["changes"]["failed"] for it in by_event)
    rows = [["uploads", f"{DIRECT_PUTS} in {ended - began:.0f} s"], ["invocations by S3 in the function's log", len(by_event)]]
    rows += [["changes invalidated at once", accepted], ["changes sent to the queue", queued], ["changes failed", failed]]
    rows += [["polls that received changes", len(polls)], ["invalidations", len(invalidations(reports))]]
    rows += [["paths", sum(it["totals"]["paths"] for it in reports)]]
    return table(["direct burst", ""], rows)


def schedule(site):
    site.stack()
    polls = []

    def are_enough():
        polls[:] = [it["startedAt"] for it in site.reports(0) if "queue" in it]
        return len(polls) >= 5

    if not until(are_enough, 420, 15):
        raise NotAnswered(f"the function logged {len(polls)} polls since it was deployed")
    gaps = [after - before for before, after in zip(polls, polls[1:])]
    figures = f"{min(gaps):.1f} s, {statistics.median(gaps):.1f} s and {max(gaps):.1f} s"
    return f"Polls: {len(polls)}. The time between the start of one and of the next was {figures} (minimum, median and maximum)."


def dead_letter(site):
    bucket, outputs = site.sends_events("site", "queue"), site.stack()
    dead_letters, queue_arn = outputs["DeadLetterQueueArn"], outputs["QueueArn"]
    site.budget.take(2)
    url = site.aws("sqs", "get-queue-url", "--queue-name", dead_letters.rsplit(":", 1)[1])["QueueUrl"]
    body = json.dumps({"bucket": bucket, "key": "edge/plain.html"})
    began = time.time()
    # Lambda also sends to this queue directly.
    site.aws("sqs", "send-message", "--queue-url", url, "--message-body", body)
    without = move(site, dead_letters)
    moved = move(site, dead_letters, "--destination-arn", queue_arn)
    site.handled(began, 1)
    rows = [["without a destination", without], ["to the stack's queue", moved]]
    text = table(["StartMessageMoveTask", "result"], rows)
    return f"{text}\n\nThe next poll invalidated the message's change, {time.time() - began:.0f} s after the message was sent."


def move(site, dead_letters, *destination):
    """Moves the messages of the dead-letter queue; the state of the task at its end, or the error."""
    try:
        site.aws("sqs", "start-message-move-task", "--source-arn", dead_letters, *destination)
    except AwsError as error:
        if destination:
            raise
        return f"{error.code}: {error.message}"
    newest = lambda: site.aws("sqs", "list-message-move-tasks", "--source-arn", dead_letters)["Results"][0]
    task = until(lambda: (it := newest())["Status"] not in ("RUNNING", "CANCELLING") and it, 300)
    if not task:
        raise NotAnswered("the task still runs after 300 s")
    reason = f", {task['FailureReason']}" if task.get("FailureReason") else ""
    return f"{task['Status']}, {task.get('ApproximateNumberOfMessagesMoved', 0)} messages moved{reason}"


def status(site):
    bucket = site.linked("site", "queue")
    command = [str(site.options.invalidator), "status", bucket, "--json", "--stack", site.stack()["StackName"]]
    # It ends with 1 if it finds problems.
    _, output, errors = site.aws.execute(command, {})
    try:
        found = json.loads(output)
    except ValueError:
        raise AwsError("invalidator status", "", errors.strip()) from None
    if found["ok"]:
        return "No problem."
    return table(["code", "problem"], [[it["code"], it["message"]] for it in found["problems"]])


def pipeline(site):
    source, target, outputs = site.sends_to_eventbridge("source"), site.bucket("pipeline-site"), site.stack()
    distribution = site.distribution("direct")["Id"]
    name = site.scratch.name("pipeline")
    parameters = [f"SourceBucket={source}", f"SiteBucket={target}", f"DistributionId={distribution}"]
    parameters.append(f"InvalidatorStack={outputs['StackName']}")
    template = str(TOP / "infra/cloudformation/pipeline.yaml")
    deploy = ["--template-file", template, "--stack-name", name, "--capabilities", "CAPABILITY_IAM", "--tags", f"{TAG}={site.scratch.run}"]
    site.aws("cloudformation", "deploy", *deploy, "--parameter-overrides", *parameters)
    described = site.aws("cloudformation", "describe-stacks", "--stack-name", name)["Stacks"][0]
    pipeline_name = next(it["OutputValue"] for it in described["Outputs"] if it["OutputKey"] == "PipelineName")
    # A new EventBridge rule takes effect after a short time.
    pause(60)
    site.wait_for_events()

    def started():
        listed = site.aws("codepipeline", "list-pipeline-executions", "--pipeline-name", pipeline_name)["pipelineExecutionSummaries"]
        # The first execution starts when the pipeline is created, before the zip exists, and fails.
        return [it for it in listed if it.get("trigger", {}).get("triggerType") != "CreatePipeline"]

    def ended():
        newest = started()[:1]
        return newest[0] if newest and newest[0]["status"] not in ("InProgress", "Stopping") else None

    uploads = 0
    for _ in range(3):
        # Each upload can start an execution, which sends one path.
        site.budget.take(1)
        began, uploads = upload_zip(site, source), uploads + 1
        if until(started, START_WAIT, 15):
            break
    else:
        raise NotAnswered(f"{uploads} uploads of the zip started no execution")
    execution = until(ended, MAX_WAIT, 15)
    if not execution:
        raise NotAnswered(f"no execution ended within {MAX_WAIT} s after the upload")
    listed = ["--pipeline-name", pipeline_name, "--filter", f"pipelineExecutionId={execution['pipelineExecutionId']}"]
    actions = site.aws("codepipeline", "list-action-executions", *listed)["actionExecutionDetails"]
    rows = [[it["actionName"], it["status"], failure(it)] for it in reversed(actions)]
    trigger = execution.get("trigger", {}).get("triggerType", "unknown")
    seconds = f"{time.time() - began:.0f} s"
    text = table(["action", "status", "message"], rows)
    result = f"The execution that {trigger} started ended as {execution['status']}, {seconds} after upload {uploads} of the zip."
    return f"{result}\n\n{text}"


def upload_zip(site, bucket):
    """Uploads the zip of the pipeline's site; the time before it."""
    began = time.time()
    with tempfile.TemporaryDirectory() as directory:
        archive = Path(directory, "site.zip")
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("index.html", "from the pipeline")
        site.aws("s3", "cp", "--quiet", str(archive), f"s3://{bucket}/site.zip")
    return began


def failure(action):
    result = action.get("output", {}).get("executionResult", {})
    return result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary", "")

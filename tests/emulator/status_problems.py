"""Broken setups: `status` reports each, the dead-letter queue keeps the failed events, and unlink leaves nothing behind."""

import json

import existing_configuration
from emulator import free_port, until


def play(emulator, distributions, outputs):
    s3, function = emulator.client("s3"), outputs["FunctionArn"]
    # The tag is gone.
    tags = s3.get_bucket_tagging(Bucket="by-queue")["TagSet"]
    s3.delete_bucket_tagging(Bucket="by-queue")
    assert_reports(emulator, "by-queue", "tag-missing", 'the bucket does not have the tag "distributionId"')
    s3.put_bucket_tagging(Bucket="by-queue", Tagging={"TagSet": tags})
    # The queue's policy allows nobody to send messages.
    sqs = emulator.client("sqs")
    queue = {"QueueUrl": outputs["QueueUrl"]}
    policy = sqs.get_queue_attributes(**queue, AttributeNames=["Policy"])["Attributes"]["Policy"]
    sqs.set_queue_attributes(**queue, Attributes={"Policy": ""})
    assert_reports(emulator, "by-queue", "policy-missing", "does not allow S3 to send the bucket's events")
    sqs.set_queue_attributes(**queue, Attributes={"Policy": policy})
    emulator.invalidator("status", "by-queue")
    the_last_poll(emulator, outputs["QueueUrl"])
    the_schedule(emulator, outputs)
    # Nobody may invoke the function; link adds a statement for the bucket, which unlink removes.
    functions = emulator.client("lambda")
    statements = json.loads(functions.get_policy(FunctionName=function)["Policy"])["Statement"]
    for statement in statements:
        functions.remove_permission(FunctionName=function, StatementId=statement["Sid"])
    assert_reports(emulator, "by-function", "policy-missing", "does not allow S3 to invoke it for the bucket")
    emulator.invalidator("link", "by-function", distributions["by-function"], "--via", "function", "--yes")
    emulator.invalidator("status", "by-function")
    # The emulator's CloudFormation leaves the first out, and its Lambda the second, which follows of `LoggingConfig`.
    dead_letters = {"TargetArn": outputs["DeadLetterQueueArn"]}
    variables = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    environment = {"Variables": variables | {"AWS_LAMBDA_LOG_FORMAT": "JSON"}}
    functions.update_function_configuration(FunctionName=function, DeadLetterConfig=dead_letters, Environment=environment)
    # The distribution does not exist: changes fail, are retried, and go to the dead-letter queue.
    gone = distributions["by-function"]
    cloudfront = emulator.client("cloudfront")
    config = cloudfront.get_distribution_config(Id=gone)
    disabled = config["DistributionConfig"] | {"Enabled": False}
    tag = cloudfront.update_distribution(Id=gone, DistributionConfig=disabled, IfMatch=config["ETag"])["ETag"]
    cloudfront.delete_distribution(Id=gone, IfMatch=tag)
    assert_reports(emulator, "by-function", "distribution-not-found", f"distribution {gone} does not exist")
    s3.put_object(Bucket="by-function", Key="lost and found.txt", Body=b"x")
    dead = {"QueueUrl": sqs.get_queue_url(QueueName=outputs["DeadLetterQueueArn"].rsplit(":", 1)[1])["QueueUrl"]}
    received = []

    def has_arrived():
        received.extend(sqs.receive_message(**dead, VisibilityTimeout=0).get("Messages", []))
        return received

    until("the dead-letter queue has the event", has_arrived)
    kept = json.loads(received[0]["Body"])
    # The emulator wraps the event, as AWS does for destinations only.
    kept = kept.get("requestPayload", kept)
    assert kept["Records"][0]["s3"]["object"]["key"] == "lost+and+found.txt", kept
    assert_reports(emulator, "by-function", "dead-letter-queue-not-empty", "the dead-letter queue has 1 message")
    # The function's log has the code of the failure.
    assert_reports(emulator, "by-function", "invocations-failed", ": config-not-found: ")
    sqs.purge_queue(**dead)
    # unlink removes all of it.
    for bucket in distributions:
        emulator.invalidator("unlink", bucket, "--yes")
        assert existing_configuration.configuration(emulator, bucket) == (set(), set(), False), bucket
    left = functions.get_policy(FunctionName=function)["Policy"] if has_policy(functions, function) else ""
    assert "cloudfront-invalidator-by-function" not in left, left
    for statement in statements:
        give_back(functions, function, statement)
    print("problems: status reports tag, queue policy, last poll, schedule, function policy and distribution; the dead-letter queue has the event")


def the_last_poll(emulator, queue_url):
    """`status` reads from the queue's metrics when it was polled last. That there is none is no problem of a new schedule."""

    def last_poll():
        report = json.loads(emulator.invalidator("status", "by-queue", "--json"))
        [queue] = report["function"]["queues"]
        return queue["lastPoll"]

    assert last_poll() == {"ok": True, "state": "unknown: CloudWatch has no metrics of the queue yet"}, last_poll()
    # Of another queue, before the last 3 hours, and none.
    emulator.count_empty_receives(f"{queue_url}-2", 1, minutes_ago=1)
    emulator.count_empty_receives(queue_url, 1, minutes_ago=182)
    emulator.count_empty_receives(queue_url, 0, minutes_ago=1)
    assert last_poll()["state"].startswith("unknown: "), last_poll()
    emulator.count_empty_receives(queue_url, 60, minutes_ago=150)
    time = emulator.count_empty_receives(queue_url, 1, minutes_ago=90)
    assert last_poll() == {"ok": True, "state": time}, (time, last_poll())
    printed = emulator.invalidator("status", "by-queue")
    assert f"\nPolled last: {time}\n" in printed, printed
    # That the metrics cannot be read is no problem.
    printed = emulator.invalidator("status", "by-queue", AWS_ENDPOINT_URL_CLOUDWATCH=f"http://127.0.0.1:{free_port()}")
    assert "\nPolled last: unknown: GetMetricData: " in printed, printed


def the_schedule(emulator, outputs):
    """The schedule that polls the queue is disabled, has another input or target, is missing, or has a mapping beside it."""
    scheduler, functions = emulator.client("scheduler"), emulator.client("lambda")
    found = scheduler.get_schedule(Name=outputs["ScheduleName"])
    names = ["Name", "ScheduleExpression", "FlexibleTimeWindow", "Target", "State"]
    as_deployed = {name: found[name] for name in names}
    function = outputs["FunctionArn"]
    everything = json.dumps({"distributionId": "E2EXAMPLE1ABCD", "paths": ["/*"]})
    for change, code, message in [
        ({"State": "DISABLED"}, "schedule-disabled", "which polls the queue, is disabled; enable it"),
        ({"Target": found["Target"] | {"Input": everything}}, "schedule-input", "its input is another event"),
        ({"Target": found["Target"] | {"Arn": f"{function}-2"}}, "schedule-target", "set its target to the function"),
    ]:
        scheduler.update_schedule(**as_deployed | change)
        assert_reports(emulator, "by-queue", code, message)
    scheduler.delete_schedule(Name=outputs["ScheduleName"])
    assert_reports(emulator, "by-queue", "schedule-missing", "no schedule invokes the function to poll the queue")
    # One that the stack does not name does it as well.
    scheduler.create_schedule(**as_deployed | {"Name": "another"})
    emulator.invalidator("status", "by-queue")
    scheduler.delete_schedule(Name="another")
    scheduler.create_schedule(**as_deployed)
    source = {"EventSourceArn": outputs["QueueArn"], "FunctionName": function}
    mapping = functions.create_event_source_mapping(**source, FunctionResponseTypes=["ReportBatchItemFailures"])
    assert_reports(emulator, "by-queue", "two-pollers", "delete the event source mapping")
    functions.delete_event_source_mapping(UUID=mapping["UUID"])
    emulator.invalidator("status", "by-queue")


def assert_reports(emulator, bucket, code, message):
    """`status` ends with 1 and reports the problem."""
    printed = emulator.invalidator("status", bucket, fails=True)
    assert message in printed, printed
    report = json.loads(emulator.invalidator("status", bucket, "--json", fails=True).splitlines()[0])
    assert not report["ok"], report
    assert any(it["code"] == code and message in it["message"] for it in report["problems"]), report


def has_policy(functions, function):
    try:
        functions.get_policy(FunctionName=function)
    except functions.exceptions.ResourceNotFoundException:
        return False
    return True


def give_back(functions, function, statement):
    conditions = statement.get("Condition", {})
    functions.add_permission(
        FunctionName=function,
        StatementId=statement["Sid"],
        Action=statement["Action"],
        Principal=statement["Principal"]["Service"],
        SourceArn=conditions["ArnLike"]["AWS:SourceArn"],
        SourceAccount=conditions["StringEquals"]["AWS:SourceAccount"],
    )

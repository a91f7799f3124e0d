"""Converts a Terraform state to the model of `template`."""

import json

from template import plain, text


# The attributes of each resource that are compared, or that need no comparison: names, and the location of the code.
KNOWN_ATTRIBUTES = {
    "aws_cloudwatch_dashboard.this": {"dashboard_body", "dashboard_name"},
    "aws_cloudwatch_event_rule.this": {"description", "event_pattern", "name", "tags"},
    "aws_cloudwatch_event_target.this": {"arn", "dead_letter_config", "rule", "target_id"},
    "aws_cloudwatch_log_group.this": {"kms_key_id", "name", "retention_in_days", "tags"},
    "aws_cloudwatch_log_metric_filter.stale_cache_used": {"log_group_name", "metric_transformation", "name", "pattern"},
    "aws_cloudwatch_metric_alarm.this": {"alarm_actions", "alarm_description", "alarm_name", "comparison_operator", "dimensions"}
    | {"datapoints_to_alarm", "evaluation_periods", "metric_name", "namespace", "period", "statistic", "tags", "threshold", "treat_missing_data"},
    "aws_iam_role.schedule": {"assume_role_policy", "name", "path", "permissions_boundary", "tags"},
    "aws_iam_role.this": {"assume_role_policy", "name", "path", "permissions_boundary", "tags"},
    "aws_iam_role_policy.schedule": {"name", "policy", "role"},
    "aws_iam_role_policy.this": {"name", "policy", "role"},
    "aws_lambda_function.this": {"architectures", "dead_letter_config", "description", "environment", "filename", "function_name"}
    | {"handler", "kms_key_arn", "logging_config", "memory_size", "reserved_concurrent_executions", "role", "runtime", "s3_bucket", "s3_key", "source_code_hash", "tags", "timeout"},
    "aws_lambda_permission.s3": {"action", "function_name", "principal", "source_account", "source_arn", "statement_id"},
    "aws_scheduler_schedule.this": {"description", "flexible_time_window", "name", "schedule_expression", "target"},
    "aws_sqs_queue.dead_letter": {"kms_master_key_id", "message_retention_seconds", "name", "sqs_managed_sse_enabled", "tags"},
    "aws_sqs_queue.this": {"kms_master_key_id", "message_retention_seconds", "name", "redrive_policy", "sqs_managed_sse_enabled", "tags"}
    | {"visibility_timeout_seconds"},
    "aws_sqs_queue_policy.dead_letter": {"policy", "queue_url"},
    "aws_sqs_queue_policy.this": {"policy", "queue_url"},
}


def check(written):
    """Fails if the module sets an attribute that is not compared."""
    for address, attributes in written.items():
        unknown = attributes - KNOWN_ATTRIBUTES.get(address, set())
        assert not unknown, f"{address}: not compared: {sorted(unknown)}"


def model(state, alarms, outputs, region, account):
    """Every resource of the module with CloudFormation's property names, and the outputs. Alarms are taken from the plan."""
    found = {}
    for it in state["resources"]:
        if it["mode"] == "managed" and it["address"] not in alarms:
            key = it["name"] if it["name"] != "this" else it["type"].removeprefix("aws_")
            # Resources with `for_each` have a text as index.
            named_by = it["index"] if isinstance(it.get("index"), str) else it["name"] if "index" in it else key
            found[f"{it['type'].removeprefix('aws_')}.{named_by}"] = it["values"]
    take = found.pop
    maybe = lambda key: found.pop(key, None)
    function, role, log = take("lambda_function.lambda_function"), take("iam_role.iam_role"), take("cloudwatch_log_group.cloudwatch_log_group")
    # Absent without buckets.
    queue, dead, schedule = maybe("sqs_queue.this"), maybe("sqs_queue.dead_letter"), maybe("scheduler_schedule.this")
    schedule_role, rule = maybe("iam_role.schedule"), maybe("cloudwatch_event_rule.this")
    known = {function["arn"]: "<Function.Arn>", log["arn"] + ":*": "<LogGroup.Arn>", role["arn"]: "<Role.Arn>"}
    if queue:
        known |= {queue["url"]: "<Queue>", queue["arn"]: "<Queue.Arn>", dead["url"]: "<DeadLetterQueue>", dead["arn"]: "<DeadLetterQueue.Arn>"}
        known |= {schedule_role["arn"]: "<ScheduleRole.Arn>"}
    if rule:
        known[rule["arn"]] = "<Rule.Arn>"

    def named(value):
        """A value in which references replace this deployment's ARNs, account and Region."""
        if isinstance(value, dict):
            return {key: named(it) for key, it in value.items()}
        if isinstance(value, list):
            return [named(it) for it in value]
        if not isinstance(value, str):
            return value
        if value in known:
            return known[value]
        return value.replace("arn:aws:", "arn:<Partition>:").replace(account, "<AccountId>").replace(region, "<Region>")

    def queue_name(name):
        return {queue["name"]: "<Queue.QueueName>", dead["name"]: "<DeadLetterQueue.QueueName>"}[name]

    def document(value):
        return named(json.loads(value))

    resources = {}
    resources["Function"] = {
        "Description": function["description"],
        "Runtime": function["runtime"],
        "Handler": function["handler"],
        "Architectures": function["architectures"],
        "MemorySize": function["memory_size"],
        "Timeout": function["timeout"],
        "Role": named(function["role"]),
        "LoggingConfig": logging(function["logging_config"][0], log["name"]),
        "Environment": {"Variables": named(function["environment"][0]["variables"])},
    }
    if function["dead_letter_config"]:
        resources["Function"]["DeadLetterConfig"] = {"TargetArn": named(function["dead_letter_config"][0]["target_arn"])}
    if function["reserved_concurrent_executions"] != -1:
        resources["Function"]["ReservedConcurrentExecutions"] = function["reserved_concurrent_executions"]
    if function["kms_key_arn"]:
        resources["Function"]["KmsKeyArn"] = named(function["kms_key_arn"])
    resources["LogGroup"] = {"RetentionInDays": log["retention_in_days"]}
    if log["kms_key_id"]:
        resources["LogGroup"]["KmsKeyId"] = named(log["kms_key_id"])
    for name, it, key in (("Role", role, "iam_role_policy"), ("ScheduleRole", schedule_role, "schedule")):
        if not it:
            continue
        inline = take(f"iam_role_policy.{key}")
        assert inline["role"] == it["name"], inline
        resources[name] = {
            "Path": it["path"],
            "AssumeRolePolicyDocument": document(it["assume_role_policy"]),
            "Policies": [{"PolicyName": inline["name"], "PolicyDocument": document(inline["policy"])}],
        }
        if it["permissions_boundary"]:
            resources[name]["PermissionsBoundary"] = named(it["permissions_boundary"])
    if queue:
        for name, it in (("Queue", queue), ("DeadLetterQueue", dead)):
            resources[name] = {"MessageRetentionPeriod": it["message_retention_seconds"]}
            key = it["kms_master_key_id"]
            resources[name] |= {"KmsMasterKeyId": named(key)} if key else {"SqsManagedSseEnabled": it["sqs_managed_sse_enabled"]}
        resources["Queue"] |= {"VisibilityTimeout": queue["visibility_timeout_seconds"], "RedrivePolicy": document(queue["redrive_policy"])}
        queue_policy = take("sqs_queue_policy.this")
        resources["QueuePolicy"] = {"Queues": [named(queue_policy["queue_url"])], "PolicyDocument": document(queue_policy["policy"])}
        resources["Schedule"] = schedule_of(schedule, named)
        permission = take("lambda_permission.s3")
        resources["Permission"] = {
            "FunctionName": "<Function>",
            "Action": permission["action"],
            "Principal": permission["principal"],
            "SourceAccount": named(permission["source_account"]),
            "SourceArn": named(permission["source_arn"]),
        }
    if rule:
        target = take("cloudwatch_event_target.this")
        resources["Rule"] = {
            "Description": rule["description"],
            "EventPattern": document(rule["event_pattern"]),
            "Targets": [
                {
                    "Id": target["target_id"],
                    "Arn": named(target["arn"]),
                    "DeadLetterConfig": {"Arn": named(target["dead_letter_config"][0]["arn"])},
                }
            ],
        }
        policy = take("sqs_queue_policy.dead_letter")
        document_of = document(policy["policy"])
        resources["DeadLetterQueuePolicy"] = {"Queues": [named(policy["queue_url"])], "PolicyDocument": document_of}
    for alarm in alarms.values():
        dimensions = alarm["dimensions"].items()
        resources[f"Alarm.{alarm['metric_name']}"] = {
            "AlarmDescription": alarm["alarm_description"],
            "Namespace": alarm["namespace"],
            "MetricName": alarm["metric_name"],
            "Dimensions": [{"Name": it, "Value": queue_name(of) if it == "QueueName" else "<Function>"} for it, of in dimensions],
            "Statistic": alarm["statistic"],
            "Period": alarm["period"],
            "EvaluationPeriods": alarm["evaluation_periods"],
            "Threshold": alarm["threshold"],
            "ComparisonOperator": alarm["comparison_operator"],
            "TreatMissingData": alarm["treat_missing_data"],
        }
        if alarm["datapoints_to_alarm"] is not None:
            resources[f"Alarm.{alarm['metric_name']}"]["DatapointsToAlarm"] = alarm["datapoints_to_alarm"]
        if alarm["alarm_actions"]:
            # The topic's ARN is a parameter, so it stays literal.
            resources[f"Alarm.{alarm['metric_name']}"]["AlarmActions"] = alarm["alarm_actions"]
    metric = maybe("cloudwatch_log_metric_filter.stale_cache_used")
    if metric:
        [change] = metric["metric_transformation"]
        resources["MetricFilter"] = {
            "LogGroupName": "<LogGroup>" if metric["log_group_name"] == log["name"] else metric["log_group_name"],
            "FilterPattern": metric["pattern"],
            "MetricTransformations": [
                {
                    "MetricNamespace": change["namespace"],
                    "MetricName": change["name"],
                    "MetricValue": change["value"],
                    "Unit": change["unit"],
                }
            ],
        }
    dashboard = maybe("cloudwatch_dashboard.this")
    if dashboard:
        body = json.loads(dashboard["dashboard_body"])
        for widget in body["widgets"]:
            properties = widget["properties"]
            properties["region"] = named(properties["region"])
            if widget["type"] == "log":
                properties["query"] = properties["query"].replace(f"'{log['name']}'", "'<LogGroup>'")
                continue
            names = {queue["name"]: "<Queue.QueueName>", dead["name"]: "<DeadLetterQueue.QueueName>"}
            if properties["metrics"][0][2] == "FunctionName":
                names = {function["function_name"]: "<Function>"}
            properties["metrics"] = [[names.get(it, it) if isinstance(it, str) else it for it in row] for row in properties["metrics"]]
        resources["Dashboard"] = {"DashboardBody": json.dumps(body)}
    assert not found, f"not compared: {sorted(found)}"
    names = {"function_name": (function["function_name"], "<Function>")}
    if schedule:
        names["schedule_name"] = schedule["name"], "<Schedule>"
    for name, (value, _) in names.items():
        assert outputs[name] == value, outputs
    values = {name: names[name][1] if name in names else named(value) for name, value in outputs.items()}
    return {"resources": {name: plain(it, name) for name, it in resources.items()}, "outputs": text(values)}


def logging(config, name):
    group = "<LogGroup>" if config["log_group"] == name else config["log_group"]
    return {"LogFormat": config["log_format"], "ApplicationLogLevel": config["application_log_level"], "LogGroup": group}


def schedule_of(schedule, named):
    """The schedule. The template leaves out the properties whose default these values are."""
    assert (schedule["state"], schedule["group_name"]) == ("ENABLED", "default"), schedule
    [target], [window] = schedule["target"], schedule["flexible_time_window"]
    [retries] = target["retry_policy"]
    assert not target["dead_letter_config"], target
    return {
        "Description": schedule["description"],
        "ScheduleExpression": schedule["schedule_expression"],
        "FlexibleTimeWindow": {"Mode": window["mode"]},
        "Target": {
            "Arn": named(target["arn"]),
            "RoleArn": named(target["role_arn"]),
            "Input": target["input"],
            "RetryPolicy": {"MaximumRetryAttempts": retries["maximum_retry_attempts"]},
        },
    }

# The function polls the queue itself. Lambda's event source mapping starts five pollers, which split a release of the site into
# several batches, each with its own invalidations.
resource "aws_scheduler_schedule" "this" {
  count = var.buckets ? 1 : 0

  #checkov:skip=CKV_AWS_297: EventBridge Scheduler encrypts the input, which contains no secrets; a KMS key costs money.
  name        = var.name
  description = "Invokes the CloudFront invalidator to poll its queue"
  # Source: EventBridge Scheduler API reference, CreateSchedule.
  schedule_expression = var.poll_interval_minutes == 1 ? "rate(1 minute)" : "rate(${var.poll_interval_minutes} minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this.arn
    role_arn = aws_iam_role.schedule[0].arn
    # The function skips a poll that starts later than its interval after the scheduled time. jsonencode would escape the angle brackets, and EventBridge
    # Scheduler would not replace the keyword between them.
    input = join("", [
      "{\"pollQueue\":true,\"scheduledTime\":\"<aws.scheduler.scheduled-time>\",",
      "\"intervalMinutes\":${var.poll_interval_minutes}}",
    ])

    # The next poll is the retry.
    retry_policy {
      maximum_retry_attempts = 0
    }
  }

  # When it is created, the schedule may invoke the function at once.
  depends_on = [aws_iam_role_policy.schedule]
}

resource "aws_lambda_permission" "s3" {
  count = var.buckets ? 1 : 0

  statement_id   = "S3InvokePermission"
  function_name  = aws_lambda_function.this.function_name
  action         = "lambda:InvokeFunction"
  principal      = "s3.amazonaws.com"
  source_account = local.bucket_owner
  source_arn     = local.buckets
}

resource "aws_cloudwatch_event_rule" "this" {
  count = local.has_event_bridge_buckets ? 1 : 0

  name        = var.name
  description = "Sends S3 object changes to the CloudFront invalidator"
  tags        = var.tags

  event_pattern = jsonencode(merge(
    {
      source      = ["aws.s3"]
      detail-type = ["Object Created", "Object Deleted"]
      account     = [local.bucket_owner]
    },
    local.all_event_bridge_buckets ? {} : { detail = { bucket = { name = var.event_bridge_buckets } } },
  ))
}

resource "aws_cloudwatch_event_target" "this" {
  count = local.has_event_bridge_buckets ? 1 : 0

  rule      = aws_cloudwatch_event_rule.this[0].name
  target_id = "queue"
  arn       = local.queue_arn

  # EventBridge sends an event here after 24 hours of retries, or at once if retries cannot help.
  dead_letter_config {
    arn = local.dead_letter_queue_arn
  }

  # EventBridge does not retry what the policy of a queue does not allow. Source: EventBridge user guide, "Using dead-letter queues to
  # process undelivered events".
  depends_on = [aws_sqs_queue_policy.this, aws_sqs_queue_policy.dead_letter]
}

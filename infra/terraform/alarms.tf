locals {
  alarms = {
    dead-letter-queue = {
      description = "The dead-letter queue contains changes that failed permanently. Correct the cause, then redrive the messages."
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = aws_sqs_queue.dead_letter.name }
      statistic   = "Maximum"
      periods     = 1
      threshold   = 0
    }
    queue-age = {
      description = "Messages have waited in the queue for more than 15 minutes."
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = aws_sqs_queue.this.name }
      statistic   = "Maximum"
      periods     = 1
      threshold   = 900
    }
    errors = {
      description = "Changes fail, or invocations if metrics are off. Lambda and SQS retry them before they reach the dead-letter queue."
      # Lambda's metric Errors does not count batch item failures. ChangesFailed does not count invocations that crash or time out:
      # these are retried, and reach the other alarms if they keep failing.
      namespace  = var.metrics == "on" ? "S3CloudFrontInvalidator" : "AWS/Lambda"
      metric     = var.metrics == "on" ? "ChangesFailed" : "Errors"
      dimensions = { FunctionName = aws_lambda_function.this.function_name }
      statistic  = "Sum"
      # A failed message is redelivered after its visibility timeout and the batching window, 8 minutes by default. The periods
      # in between have no data point, or a zero from other changes.
      periods    = 6
      datapoints = 3
      threshold  = 0
    }
    throttles = {
      description = join(" ", [
        "Lambda throttles the function because no concurrency is available.",
        "Lambda retries events from S3 for up to 6 hours; messages stay in the queue.",
      ])
      namespace  = "AWS/Lambda"
      metric     = "Throttles"
      dimensions = { FunctionName = aws_lambda_function.this.function_name }
      statistic  = "Sum"
      periods    = 3
      threshold  = 0
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = { for name, alarm in local.alarms : name => alarm if var.alarms }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.description} See docs/operations.md."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = lookup(each.value, "datapoints", null)
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]
}

# Counts how often the function used a stale cache entry because AWS returned an error.
resource "aws_cloudwatch_log_metric_filter" "stale_cache_used" {
  count = var.alarms ? 1 : 0

  name           = "${var.name}-stale-cache-used"
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = "{ $.level = \"WARN\" && $.message = \"stale cache entry used*\" }"

  metric_transformation {
    namespace = "S3CloudFrontInvalidator"
    name      = "StaleCacheUsed"
    value     = "1"
    unit      = "Count"
  }
}

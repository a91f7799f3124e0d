locals {
  alarms = {
    dead-letter-queue = {
      enabled     = local.has_alarms
      description = "The dead-letter queue contains changes that failed permanently. Correct the cause, then redrive the messages."
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = one(aws_sqs_queue.dead_letter[*].name) }
      statistic   = "Maximum"
      period      = 300
      periods     = 1
      threshold   = 0
    }
    queue-age = {
      enabled     = var.buckets && var.alarm_on_queue_age
      description = "Messages wait in the queue for too long: the function does not poll it."
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = local.queue_name }
      statistic   = "Maximum"
      period      = 300
      periods     = 1
      # A message may wait for the interval, and 14 minutes for retries.
      threshold = 60 * var.poll_interval_minutes + 840
    }
    errors = {
      enabled     = local.has_alarms
      description = "Changes fail, or invocations if metrics are off. Lambda and SQS retry them before they reach the dead-letter queue."
      # Lambda's metric Errors does not count messages that a poll leaves in the queue. ChangesFailed does not count invocations
      # that crash or time out: these are retried, and reach the other alarms if they keep failing.
      namespace  = var.metrics == "on" ? "S3CloudFrontInvalidator" : "AWS/Lambda"
      metric     = var.metrics == "on" ? "ChangesFailed" : "Errors"
      dimensions = { FunctionName = aws_lambda_function.this.function_name }
      statistic  = "Sum"
      # A failed message is redelivered after its visibility timeout of 3 minutes, with the next poll. So it fails in almost every
      # period, because a period contains at least one poll.
      period     = max(300, 60 * var.poll_interval_minutes)
      periods    = 4
      datapoints = 3
      threshold  = 0
    }
    throttles = {
      enabled = local.has_alarms
      description = join(" ", [
        "Lambda throttles the function because no concurrency is available.",
        "Lambda retries events from S3 for up to 6 hours, and may delete them if this goes on for long; messages stay in the queue.",
      ])
      namespace  = "AWS/Lambda"
      metric     = "Throttles"
      dimensions = { FunctionName = aws_lambda_function.this.function_name }
      statistic  = "Sum"
      period     = 300
      periods    = 3
      threshold  = 0
    }
    paths = {
      enabled     = local.has_alarms && var.metrics == "on"
      description = "CloudFront bills the paths of the last day with 0.005 USD each: many objects change all the time."
      namespace   = "S3CloudFrontInvalidator"
      metric      = "Paths"
      dimensions  = { FunctionName = aws_lambda_function.this.function_name }
      statistic   = "Sum"
      period      = 86400
      periods     = 1
      threshold   = var.paths_alarm_threshold
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = { for name, alarm in local.alarms : name => alarm if alarm.enabled }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.description} See docs/operations.md."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = lookup(each.value, "datapoints", null)
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  tags                = var.tags
  alarm_actions       = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]
}

# Counts how often the function used a stale cache entry because AWS returned an error.
resource "aws_cloudwatch_log_metric_filter" "stale_cache_used" {
  count = local.has_alarms ? 1 : 0

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

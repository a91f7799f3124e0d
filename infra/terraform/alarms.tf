locals {
  alarms = {
    dead-letters = {
      description = "Changes failed for good. They are kept in the dead-letter queue, from where they can be sent again."
      namespace   = "AWS/SQS"
      metric      = "ApproximateNumberOfMessagesVisible"
      dimensions  = { QueueName = aws_sqs_queue.dead_letters.name }
      statistic   = "Maximum"
      periods     = 1
      threshold   = 0
    }
    age = {
      description = "Changes have waited for more than 15 minutes."
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = aws_sqs_queue.this.name }
      statistic   = "Maximum"
      periods     = 1
      threshold   = 900
    }
    errors = {
      description = "Changes fail, or invocations if there are no metrics. Lambda and the queue try again before anything is given up."
      # Lambda's metric does not count the messages of a batch that fail. What crashes or times out comes again, and at last the
      # other alarms tell of it.
      namespace  = var.metrics == "on" ? "S3CloudFrontInvalidator" : "AWS/Lambda"
      metric     = var.metrics == "on" ? "ChangesFailed" : "Errors"
      dimensions = { FunctionName = aws_lambda_function.this.function_name }
      statistic  = "Sum"
      # A message that failed comes again after its visibility timeout and the window, 8 minutes by default; in the periods between
      # there is nothing, or a zero of other changes.
      periods   = 6
      of_these  = 3
      threshold = 0
    }
    throttles = {
      description = join(" ", [
        "Lambda has no concurrency for the function.",
        "Events that S3 sends it directly wait for up to 6 hours, messages stay in the queue.",
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
  for_each = { for name, it in local.alarms : name => it if var.alarms }

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.description} What to do: docs/operations.md."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = lookup(each.value, "of_these", null)
  threshold           = each.value.threshold
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arn == "" ? [] : [var.alarm_topic_arn]
}

# How often tags or settings read before had to serve, since AWS could not be asked.
resource "aws_cloudwatch_log_metric_filter" "stale_answers" {
  count = var.alarms ? 1 : 0

  name           = "${var.name}-stale-answers"
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = "{ $.level = \"WARN\" && $.message = \"*could not be read again*\" }"

  metric_transformation {
    namespace = "S3CloudFrontInvalidator"
    name      = "StaleAnswers"
    value     = "1"
    unit      = "Count"
  }
}

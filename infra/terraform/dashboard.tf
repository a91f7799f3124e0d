locals {
  namespace = "S3CloudFrontInvalidator"
  dimension = ["FunctionName", aws_lambda_function.this.function_name]
  changes   = ["ChangesInvalidated", "ChangesSkipped", "ChangesQueued", "ChangesFailed"]
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.buckets && var.dashboard ? 1 : 0

  dashboard_name = "${var.name}-${local.region}"

  dashboard_body = jsonencode({
    widgets = [
      {
        type = "metric", x = 0, y = 0, width = 12, height = 6
        properties = {
          title = "Invocations", region = local.region, stat = "Sum", period = 300
          metrics = [
            ["AWS/Lambda", "Invocations", "FunctionName", aws_lambda_function.this.function_name],
            [".", "Errors", ".", "."],
            [".", "Throttles", ".", "."],
          ]
        }
      },
      {
        type = "metric", x = 12, y = 0, width = 12, height = 6
        properties = {
          title = "Messages waiting", region = local.region, stat = "Maximum", period = 300
          metrics = [
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", local.queue_name],
            [".", ".", ".", aws_sqs_queue.dead_letter[0].name],
            [".", "ApproximateAgeOfOldestMessage", ".", local.queue_name, { yAxis = "right" }],
          ]
        }
      },
      {
        type = "metric", x = 0, y = 6, width = 12, height = 6
        properties = {
          title   = "Changes", region = local.region, stat = "Sum", period = 300
          metrics = [for name in local.changes : concat([local.namespace, name], local.dimension)]
        }
      },
      {
        type = "metric", x = 12, y = 6, width = 12, height = 6
        properties = {
          title = "Time from change to invalidation", region = local.region, period = 300
          metrics = [
            [local.namespace, "InvalidationLag", "FunctionName", aws_lambda_function.this.function_name, { stat = "Maximum" }],
            [local.namespace, "InvalidationLag", "FunctionName", aws_lambda_function.this.function_name, { stat = "p50" }],
          ]
        }
      },
      {
        type = "metric", x = 0, y = 12, width = 12, height = 6
        properties = {
          title   = "Paths", region = local.region, stat = "Sum", period = 3600
          metrics = [for name in ["Paths", "PathsSaved", "UnchangedEvicted"] : concat([local.namespace, name], local.dimension)]
        }
      },
      {
        type = "metric", x = 12, y = 12, width = 12, height = 6
        properties = {
          title = "Invalidations and retries", region = local.region, stat = "Sum", period = 300
          metrics = [
            concat([local.namespace, "Invalidations"], local.dimension),
            concat([local.namespace, "Retries"], local.dimension),
            [local.namespace, "StaleCacheUsed"],
          ]
        }
      },
      {
        type = "log", x = 0, y = 18, width = 24, height = 9
        properties = {
          title = "Latest invalidations", region = local.region, view = "table"
          query = join(" | ", [
            "SOURCE '${aws_cloudwatch_log_group.this.name}'",
            "filter totals.invalidations > 0",
            "fields jsonParse(@message) as line",
            "unnest line.invalidations into sent",
            "display @timestamp, source, sent.distributionId, sent.status, sent.invalidationId, sent.changes, sent.pathCount, sent.paths",
            "sort @timestamp desc",
            "limit 50",
          ])
        }
      },
    ]
  })
}

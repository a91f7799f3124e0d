resource "aws_lambda_event_source_mapping" "this" {
  function_name    = aws_lambda_function.this.function_name
  event_source_arn = aws_sqs_queue.this.arn
  # A batch size above 10 requires a batching window. Source: Lambda API reference, CreateEventSourceMapping.
  batch_size                         = var.batching_window_seconds == 0 ? 10 : 10000
  maximum_batching_window_in_seconds = var.batching_window_seconds
  # Without this, Lambda deletes the messages that the function reports as batch item failures.
  function_response_types = ["ReportBatchItemFailures"]

  # Each batch creates an invalidation for each distribution. Fewer concurrent batches need fewer paths.
  scaling_config {
    maximum_concurrency = 2
  }
}

resource "aws_lambda_permission" "s3" {
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

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created", "Object Deleted"]
    detail      = { bucket = { name = var.event_bridge_buckets } }
  })
}

resource "aws_cloudwatch_event_target" "this" {
  count = local.has_event_bridge_buckets ? 1 : 0

  rule      = aws_cloudwatch_event_rule.this[0].name
  target_id = "queue"
  arn       = aws_sqs_queue.this.arn
}

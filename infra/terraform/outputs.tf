output "function_arn" {
  description = "The function's ARN, for event notifications, pipelines and direct invocations"
  value       = aws_lambda_function.this.arn
  # S3 validates the destination of an event notification when it is configured: it must be allowed to invoke the function.
  depends_on = [aws_lambda_permission.s3]
}

output "function_name" {
  description = "The function's name, for pipelines"
  value       = aws_lambda_function.this.function_name
}

output "queue_arn" {
  description = "The queue's ARN, for event notifications"
  value       = local.queue_arn
  # As above: S3 sends a test event to the queue.
  depends_on = [aws_sqs_queue_policy.this]
}

output "queue_url" {
  description = "The queue's URL"
  value       = one(aws_sqs_queue.this[*].url)
}

output "dead_letter_queue_arn" {
  description = "The ARN of the queue for changes that failed permanently"
  value       = local.dead_letter_queue_arn
}

output "schedule_name" {
  description = "The name of the schedule that polls the queue"
  value       = one(aws_scheduler_schedule.this[*].name)
}

output "role_arn" {
  description = "The ARN of the function's execution role"
  value       = aws_iam_role.this.arn
}

output "version" {
  description = "The version of the function"
  value       = local.version
}

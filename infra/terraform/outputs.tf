output "function_arn" {
  description = "For buckets' notifications, pipelines and direct invocations"
  value       = aws_lambda_function.this.arn
}

output "function_name" {
  description = "For pipelines"
  value       = aws_lambda_function.this.function_name
}

output "queue_arn" {
  description = "For buckets' notifications"
  value       = aws_sqs_queue.this.arn
  # S3 writes a test event to the queue when a notification is set.
  depends_on = [aws_sqs_queue_policy.this]
}

output "queue_url" {
  description = "The queue"
  value       = aws_sqs_queue.this.url
}

output "dead_letter_queue_arn" {
  description = "Where changes end that failed for good"
  value       = aws_sqs_queue.dead_letters.arn
}

output "role_arn" {
  description = "The function's role"
  value       = aws_iam_role.this.arn
}

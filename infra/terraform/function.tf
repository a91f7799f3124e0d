resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_117: It calls public endpoints of AWS only; a VPC would add NAT's price and a way to fail.
  #checkov:skip=CKV_AWS_173: The environment holds settings and no secret; Lambda encrypts it with its own key.
  #checkov:skip=CKV_AWS_272: Who may deploy may also sign; signing is the operator's choice.
  #checkov:skip=CKV_AWS_50: Tracing would need the X-Ray client in the function; each line of the log has the request's id.
  #checkov:skip=CKV_AWS_115: Reserved concurrency is a variable; reserving by default would take it from the account's other functions.
  function_name    = var.name
  description      = "Keeps CloudFront fresh when S3 changes"
  role             = aws_iam_role.this.arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = var.zip
  source_code_hash = filebase64sha256(var.zip)
  memory_size      = var.memory_size
  timeout          = local.timeout

  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)

  # What fails three times is kept as it came, so that it can be sent again as it is.
  dead_letter_config {
    target_arn = aws_sqs_queue.dead_letters.arn
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = var.log_level
    log_group             = aws_cloudwatch_log_group.this.name
  }

  environment {
    variables = merge(
      {
        DISTRIBUTION_SETTINGS = var.distribution_settings
        DISTRIBUTION_TAG      = var.distribution_tag
        DRY_RUN               = tostring(var.dry_run)
        INDEX_DOCUMENTS       = var.index_documents
        INVENTORY             = var.inventory
        MAX_PATHS             = tostring(var.max_paths)
        MAX_WILDCARDS         = tostring(var.max_wildcards)
        METRICS               = var.metrics
      },
      var.expected_bucket_owner == "" ? {} : { EXPECTED_BUCKET_OWNER = var.expected_bucket_owner },
      var.distribution_id == "" ? {} : { DISTRIBUTION_ID = var.distribution_id },
    )
  }

  # Lambda asks whether the role may write to the dead-letter queue when it makes the function.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158: CloudWatch encrypts logs with its own key; there is no secret in them, and a key has a price.
  #checkov:skip=CKV_AWS_338: A month is enough to find a fault; how long is a variable, and logs cost by the month.
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
}

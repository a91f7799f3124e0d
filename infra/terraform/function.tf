resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_117: The function calls public AWS endpoints only. A VPC would add the cost of a NAT gateway.
  #checkov:skip=CKV_AWS_173: The environment variables contain no secrets; without kms_key_arn, Lambda encrypts them with an AWS managed key.
  #checkov:skip=CKV_AWS_272: Code signing needs a signing profile of the account, which the module does not have.
  #checkov:skip=CKV_AWS_50: The function contains no X-Ray client. Every log line has the request ID.
  #checkov:skip=CKV_AWS_115: reserved_concurrency sets it. A default would reduce the concurrency of the account's other functions.
  function_name    = var.name
  description      = "Invalidates CloudFront automatically when S3 objects change"
  role             = aws_iam_role.this.arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = var.zip
  source_code_hash = var.zip == null ? null : filebase64sha256(var.zip)
  s3_bucket        = var.code_s3_bucket
  s3_key           = var.code_s3_key
  memory_size      = var.memory_size
  timeout          = 60
  kms_key_arn      = local.kms_key_arn
  tags             = var.tags

  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)

  # After three failed attempts, Lambda sends the unchanged event here, so that it can be redriven.
  dynamic "dead_letter_config" {
    for_each = aws_sqs_queue.dead_letter

    content {
      target_arn = dead_letter_config.value.arn
    }
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = var.log_level
    log_group             = aws_cloudwatch_log_group.this.name
  }

  environment {
    variables = merge(
      {
        BUCKET_LISTING             = var.bucket_listing
        CACHE_TTL_SECONDS          = tostring(var.cache_ttl_seconds)
        DIRECT_RETRY_SECONDS       = tostring(var.direct_retry_seconds)
        DISTRIBUTION_CONFIG        = var.distribution_config
        DISTRIBUTION_TAG           = var.distribution_tag
        DRY_RUN                    = tostring(var.dry_run)
        EVICTIONS_PER_PATH         = tostring(var.evictions_per_path)
        INDEX_DOCUMENTS            = var.index_documents
        LISTING_MAX_REQUESTS       = tostring(var.listing_max_requests)
        MAX_PATHS                  = tostring(var.max_paths)
        MAX_WILDCARDS              = tostring(var.max_wildcards)
        METRICS                    = var.metrics
        NEGATIVE_CACHE_TTL_SECONDS = tostring(var.negative_cache_ttl_seconds)
        RETRY_BASE_DELAY_MS        = tostring(var.retry_base_delay_ms)
        STALE_IF_ERROR_SECONDS     = tostring(var.stale_if_error_seconds)
        VERSION                    = local.version
      },
      var.buckets ? { QUEUE_URL = aws_sqs_queue.this[0].url } : {},
      var.expected_bucket_owner == "" ? {} : { EXPECTED_BUCKET_OWNER = var.expected_bucket_owner },
      var.distribution_id == "" ? {} : { DISTRIBUTION_ID = var.distribution_id },
    )
  }

  lifecycle {
    precondition {
      condition     = (var.zip == null) == (var.code_s3_bucket != null) && (var.code_s3_bucket == null) == (var.code_s3_key == null)
      error_message = "Set either zip, or code_s3_bucket and code_s3_key."
    }

    precondition {
      condition     = var.buckets || !(var.alarms || var.dashboard || length(var.event_bridge_buckets) > 0)
      error_message = "alarms, dashboard and event_bridge_buckets require buckets = true."
    }
  }

  # When it creates the function, Lambda checks that the role may send to the dead-letter queue.
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158: The log contains no secrets; without kms_key_arn, CloudWatch Logs encrypts it with its own key.
  #checkov:skip=CKV_AWS_338: 30 days are enough to find a fault, and storage costs money. log_retention_days sets the retention.
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-${local.region}"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  path                 = var.role_path
  permissions_boundary = local.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "this" {
  name   = "invalidator"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

# The statements of policy.json, limited to this deployment.
data "aws_iam_policy_document" "this" {
  #checkov:skip=CKV_AWS_356: The actions for CodePipeline job results support no resource-level permissions (Service Authorization Reference).
  #checkov:skip=CKV_AWS_111: As above. All other statements with write actions name their resources.
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }

  dynamic "statement" {
    for_each = var.buckets ? [true] : []

    content {
      sid       = "ReadBucketTags"
      actions   = ["s3:GetBucketTagging"]
      resources = [local.buckets]

      dynamic "condition" {
        for_each = var.expected_bucket_owner == "any" ? [] : [local.bucket_owner]

        content {
          test     = "StringEquals"
          variable = "aws:ResourceAccount"
          values   = [condition.value]
        }
      }
    }
  }

  dynamic "statement" {
    for_each = local.kms_key_arn[*]

    content {
      sid       = "UseKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }

  statement {
    sid       = "InvalidateDistributions"
    actions   = ["cloudfront:CreateInvalidation", "cloudfront:GetInvalidation"]
    resources = local.all_distributions ? ["${local.cloudfront}:distribution/*"] : var.allowed_distributions
  }

  dynamic "statement" {
    for_each = var.tenants ? [true] : []

    content {
      sid = "InvalidateTenants"
      actions = [
        "cloudfront:CreateInvalidationForDistributionTenant",
        "cloudfront:GetInvalidationForDistributionTenant",
      ]
      resources = ["${local.cloudfront}:distribution-tenant/*"]
    }
  }

  dynamic "statement" {
    for_each = var.buckets && var.distribution_config == "auto" ? [true] : []

    content {
      sid     = "ReadDistributionConfigs"
      actions = ["cloudfront:GetCachePolicy", "cloudfront:GetDistributionConfig", "cloudfront:GetDistributionTenant"]
      resources = [
        # AWS managed cache policies belong to no account.
        "arn:${local.partition}:cloudfront::*:cache-policy/*",
        "${local.cloudfront}:distribution/*",
        "${local.cloudfront}:distribution-tenant/*",
      ]
    }
  }

  dynamic "statement" {
    for_each = var.buckets && var.bucket_listing == "auto" ? [true] : []

    content {
      sid       = "ListObjects"
      actions   = ["s3:ListBucket"]
      resources = [local.buckets]

      dynamic "condition" {
        for_each = var.expected_bucket_owner == "any" ? [] : [local.bucket_owner]

        content {
          test     = "StringEquals"
          variable = "aws:ResourceAccount"
          values   = [condition.value]
        }
      }
    }
  }

  dynamic "statement" {
    for_each = var.pipelines ? [true] : []

    content {
      sid       = "PutJobResults"
      actions   = ["codepipeline:PutJobFailureResult", "codepipeline:PutJobSuccessResult"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = aws_sqs_queue.this

    content {
      sid       = "PollQueue"
      actions   = ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
      resources = [statement.value.arn]
    }
  }

  dynamic "statement" {
    for_each = aws_sqs_queue.this

    content {
      sid       = "SendToQueue"
      actions   = ["sqs:SendMessage"]
      resources = [statement.value.arn]
    }
  }

  dynamic "statement" {
    for_each = aws_sqs_queue.dead_letter

    content {
      sid       = "SendToDeadLetterQueue"
      actions   = ["sqs:SendMessage"]
      resources = [statement.value.arn]
    }
  }
}

resource "aws_iam_role" "schedule" {
  count = var.buckets ? 1 : 0

  name                 = "${var.name}-schedule-${local.region}"
  assume_role_policy   = data.aws_iam_policy_document.assume_schedule.json
  path                 = var.role_path
  permissions_boundary = local.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "schedule" {
  count = var.buckets ? 1 : 0

  name   = "schedule"
  role   = aws_iam_role.schedule[0].id
  policy = data.aws_iam_policy_document.schedule.json
}

data "aws_iam_policy_document" "assume_schedule" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

data "aws_iam_policy_document" "schedule" {
  statement {
    sid       = "InvokeFunction"
    actions   = ["lambda:InvokeFunction"]
    resources = [aws_lambda_function.this.arn]
  }
}

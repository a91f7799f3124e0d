resource "aws_sqs_queue" "this" {
  count = var.buckets ? 1 : 0

  name = var.name
  # S3 cannot send to a queue that is encrypted with the AWS managed KMS key for SQS.
  sqs_managed_sse_enabled   = local.kms_key_arn == null ? true : null
  kms_master_key_id         = local.kms_key_arn
  tags                      = var.tags
  message_retention_seconds = 345600
  # Longer than the function's timeout of 60 s, so that a message does not return while its poll runs.
  visibility_timeout_seconds = 180

  # With a poll every minute, a message that keeps failing gets here after half an hour.
  redrive_policy = jsonencode({
    deadLetterTargetArn = local.dead_letter_queue_arn
    maxReceiveCount     = 10
  })
}

resource "aws_sqs_queue" "dead_letter" {
  count = var.buckets ? 1 : 0

  name                      = "${var.name}-dead-letter-queue"
  sqs_managed_sse_enabled   = local.kms_key_arn == null ? true : null
  kms_master_key_id         = local.kms_key_arn
  tags                      = var.tags
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue_policy" "this" {
  count = var.buckets ? 1 : 0

  queue_url = aws_sqs_queue.this[0].id
  policy    = data.aws_iam_policy_document.queue[0].json
}

data "aws_iam_policy_document" "queue" {
  count = var.buckets ? 1 : 0

  statement {
    sid       = "S3SendMessage"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arn]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.bucket_owner]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.buckets]
    }
  }

  dynamic "statement" {
    for_each = local.has_event_bridge_buckets ? [local.event_bridge_rule_arn] : []

    content {
      sid       = "EventBridgeSendMessage"
      actions   = ["sqs:SendMessage"]
      resources = [local.queue_arn]

      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [statement.value]
      }
    }
  }
}

resource "aws_sqs_queue_policy" "dead_letter" {
  count = local.has_event_bridge_buckets ? 1 : 0

  queue_url = aws_sqs_queue.dead_letter[0].id
  policy    = data.aws_iam_policy_document.dead_letter_queue[0].json
}

data "aws_iam_policy_document" "dead_letter_queue" {
  count = local.has_event_bridge_buckets ? 1 : 0

  statement {
    sid       = "EventBridgeSendDeadLetter"
    actions   = ["sqs:SendMessage"]
    resources = [local.dead_letter_queue_arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.event_bridge_rule_arn]
    }
  }
}

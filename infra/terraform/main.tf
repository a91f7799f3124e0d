# Creates the same resources as infra/cloudformation/template.yaml. tests/infra/equality.py compares both.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  # `id`, because version 6 of the provider deprecates `name`, and version 5 does not have `region`.
  region = data.aws_region.current.id

  # The version of the function, and of this module.
  version = "0.1.0"

  cloudfront = "arn:${local.partition}:cloudfront::${local.account}"
  buckets    = "arn:${local.partition}:s3:::*"

  all_distributions = length(var.allowed_distributions) == 1 && var.allowed_distributions[0] == "*"
  # The account whose buckets may send events. With "any", it is the deployment's own account.
  bucket_owner             = contains(["", "any"], var.expected_bucket_owner) ? local.account : var.expected_bucket_owner
  has_event_bridge_buckets = var.buckets && length(var.event_bridge_buckets) > 0
  all_event_bridge_buckets = length(var.event_bridge_buckets) == 1 && contains(var.event_bridge_buckets, "*")
  has_alarms               = var.buckets && var.alarms

  # The ARN of the rule, which waits for the policies that name it.
  event_bridge_rule_arn = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}"

  # Null for the encryption without a key of the operator's own.
  kms_key_arn          = var.kms_key_arn == "" ? null : var.kms_key_arn
  permissions_boundary = var.permissions_boundary == "" ? null : var.permissions_boundary

  # Null without buckets.
  queue_arn             = one(aws_sqs_queue.this[*].arn)
  queue_name            = one(aws_sqs_queue.this[*].name)
  dead_letter_queue_arn = one(aws_sqs_queue.dead_letter[*].arn)
}

# The same deployment as infra/cloudformation/template.yaml, which a test holds them to (tests/infra).

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  # `id`, since `name` is deprecated from version 6 of the provider on, and `region` is not there before.
  region = data.aws_region.current.id

  cloudfront = "arn:${local.partition}:cloudfront::${local.account}"
  buckets    = "arn:${local.partition}:s3:::*"

  all_distributions = length(var.allowed_distributions) == 1 && var.allowed_distributions[0] == "*"
  # With any, that of the senders.
  owner        = contains(["", "any"], var.expected_bucket_owner) ? local.account : var.expected_bucket_owner
  event_bridge = length(var.event_bridge_buckets) > 0

  timeout = 60
}

# A private bucket with a distribution in front of it, kept fresh through the invalidator's queue.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.31"
    }
  }
}

variable "bucket" {
  description = "The name of the site's bucket."
  type        = string
}

variable "zip" {
  description = "The function's zip, as scripts/package makes it."
  type        = string
  default     = "../../../../target/package/function.zip"
}

variable "batching_window_seconds" {
  description = "How long changes are gathered, in seconds."
  type        = number
  default     = 60
}

data "aws_partition" "current" {}
data "aws_region" "current" {}

module "invalidator" {
  source = "../.."

  zip                     = var.zip
  batching_window_seconds = var.batching_window_seconds
  allowed_distributions   = [aws_cloudfront_distribution.site.arn]
}

resource "aws_s3_bucket" "site" {
  #checkov:skip=CKV_AWS_18: Who reads is known to the distribution; log there if you want to know.
  #checkov:skip=CKV_AWS_21: The site is built elsewhere and can be uploaded again; versions would be paid for.
  #checkov:skip=CKV_AWS_144: As above.
  #checkov:skip=CKV_AWS_145: S3's own key encrypts what is public at the edge.
  #checkov:skip=CKV2_AWS_61: Nothing in it grows old.
  bucket = var.bucket

  tags = {
    distributionId = aws_cloudfront_distribution.site.id
  }
}

resource "aws_s3_bucket_public_access_block" "site" {
  bucket = aws_s3_bucket.site.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_notification" "site" {
  bucket = aws_s3_bucket.site.id

  queue {
    id        = "invalidation"
    queue_arn = module.invalidator.queue_arn
    events    = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"]
  }
}

resource "aws_s3_bucket_policy" "site" {
  bucket = aws_s3_bucket.site.id
  policy = data.aws_iam_policy_document.site.json

  # S3 takes one of these calls at a time.
  depends_on = [aws_s3_bucket_public_access_block.site]
}

data "aws_iam_policy_document" "site" {
  statement {
    sid       = "ReadByTheDistribution"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.site.arn}/*"]

    principals {
      type        = "Service"
      identifiers = ["cloudfront.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudfront_distribution.site.arn]
    }
  }

  statement {
    sid       = "NothingUnencrypted"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.site.arn, "${aws_s3_bucket.site.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_cloudfront_origin_access_control" "site" {
  name                              = var.bucket
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

data "aws_cloudfront_cache_policy" "optimized" {
  name = "Managed-CachingOptimized"
}

resource "aws_cloudfront_distribution" "site" {
  #checkov:skip=CKV_AWS_68: A firewall costs 5 USD a month and more, and static files have little to protect.
  #checkov:skip=CKV2_AWS_47: As above.
  #checkov:skip=CKV_AWS_86: Logs need a bucket of their own; add yours.
  #checkov:skip=CKV_AWS_174: The certificate is CloudFront's own, which sets the version; yours can ask for more.
  #checkov:skip=CKV2_AWS_42: As above.
  #checkov:skip=CKV_AWS_310: There is one origin.
  #checkov:skip=CKV_AWS_374: A site is for all countries unless you say otherwise.
  #checkov:skip=CKV2_AWS_32: Which headers a site can bear depends on the site.
  enabled             = true
  comment             = "${var.bucket}, kept fresh as the bucket changes"
  default_root_object = "index.html"
  http_version        = "http2and3"

  origin {
    origin_id = "bucket"
    # By the bucket's name and not by its attribute: the bucket's tag refers to the distribution.
    domain_name              = "${var.bucket}.s3.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}"
    origin_access_control_id = aws_cloudfront_origin_access_control.site.id
  }

  default_cache_behavior {
    target_origin_id       = "bucket"
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    viewer_protocol_policy = "redirect-to-https"
    compress               = true
    cache_policy_id        = data.aws_cloudfront_cache_policy.optimized.id
  }

  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }

  viewer_certificate {
    cloudfront_default_certificate = true
  }
}

output "bucket" {
  description = "Where the site's files go."
  value       = aws_s3_bucket.site.id
}

output "distribution_id" {
  description = "For pipelines and direct invocations."
  value       = aws_cloudfront_distribution.site.id
}

output "dead_letter_queue_arn" {
  description = "Where changes end that failed for good."
  value       = module.invalidator.dead_letter_queue_arn
}

output "url" {
  description = "Where viewers find it."
  value       = "https://${aws_cloudfront_distribution.site.domain_name}/"
}

# A private bucket and the distribution that serves it. The invalidator receives the bucket's event notifications from its queue.

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
  description = "The name of the bucket for the site's files."
  type        = string
}

variable "zip" {
  description = "The path of the function's zip, built by scripts/package."
  type        = string
  default     = "../../../../target/package/function.zip"
}

data "aws_partition" "current" {}
data "aws_region" "current" {}

module "invalidator" {
  source = "../.."

  zip                   = var.zip
  allowed_distributions = [aws_cloudfront_distribution.site.arn]
}

resource "aws_s3_bucket" "site" {
  #checkov:skip=CKV_AWS_18: Only the distribution reads the bucket; enable access logs there if you need them.
  #checkov:skip=CKV_AWS_21: The site can be built and uploaded again; stored versions cost money.
  #checkov:skip=CKV_AWS_144: As above.
  #checkov:skip=CKV_AWS_145: S3 managed keys are enough for public content.
  #checkov:skip=CKV2_AWS_61: The site's objects do not expire.
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

  # S3 rejects concurrent changes of a bucket's configuration.
  depends_on = [aws_s3_bucket_public_access_block.site]
}

data "aws_iam_policy_document" "site" {
  statement {
    sid       = "AllowCloudFrontRead"
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
    sid       = "DenyInsecureTransport"
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
  #checkov:skip=CKV_AWS_68: A web ACL costs 5 USD a month or more, and a site of static files has little to protect.
  #checkov:skip=CKV2_AWS_47: As above.
  #checkov:skip=CKV_AWS_86: Access logs need a bucket; add yours.
  #checkov:skip=CKV_AWS_174: The default CloudFront certificate sets the TLS version; your own can require a later one.
  #checkov:skip=CKV2_AWS_42: As above.
  #checkov:skip=CKV_AWS_310: There is one origin.
  #checkov:skip=CKV_AWS_374: The example is available in all countries; add restrictions if you need them.
  #checkov:skip=CKV2_AWS_32: The right response headers depend on the site.
  enabled             = true
  comment             = "${var.bucket}, invalidated automatically"
  default_root_object = "index.html"
  http_version        = "http2and3"

  origin {
    origin_id = "bucket"
    # A reference to the bucket would be a cycle: the bucket's tag refers to the distribution.
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
  description = "The bucket for the site's files."
  value       = aws_s3_bucket.site.id
}

output "distribution_id" {
  description = "The distribution's ID, for pipelines and direct invocations."
  value       = aws_cloudfront_distribution.site.id
}

output "dead_letter_queue_arn" {
  description = "The ARN of the queue for changes that failed permanently."
  value       = module.invalidator.dead_letter_queue_arn
}

output "url" {
  description = "The URL of the site."
  value       = "https://${aws_cloudfront_distribution.site.domain_name}/"
}

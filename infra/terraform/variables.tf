variable "zip" {
  description = "The path of the function's zip, built by scripts/package. Null with code_s3_bucket and code_s3_key."
  type        = string
  default     = null

  validation {
    condition     = var.zip == null ? true : fileexists(var.zip)
    error_message = "The zip does not exist. Build it with scripts/package."
  }
}

variable "code_s3_bucket" {
  description = "The bucket with the function's zip, in the same Region, instead of zip."
  type        = string
  default     = null
}

variable "code_s3_key" {
  description = <<-EOT
    The object key of the function's zip in code_s3_bucket. Upload each version with another key: the function changes only if a
    variable changes.
  EOT
  type        = string
  default     = null
}

variable "name" {
  description = "The name of the function, and the prefix of the names of its roles, queues, schedule, log group and alarms."
  type        = string
  default     = "cloudfront-invalidator"

  validation {
    # The name of a role, which includes the Region, has at most 64 characters.
    condition     = can(regex("^[A-Za-z0-9_-]{1,40}$", var.name))
    error_message = "The name must have 1 to 40 letters, digits, hyphens and underscores."
  }
}

variable "tags" {
  description = "Tags for all resources that support tags, in addition to the provider's default_tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "architecture" {
  description = "The instruction set architecture that the zip was built for (scripts/package --arch): x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "memory_size" {
  description = "The function's memory in MB. Lambda allocates CPU in proportion to it."
  type        = number
  default     = 256

  validation {
    condition     = var.memory_size >= 128 && var.memory_size <= 10240 && floor(var.memory_size) == var.memory_size
    error_message = "memory_size must be an integer from 128 to 10240."
  }
}

variable "reserved_concurrency" {
  description = <<-EOT
    The function's reserved concurrency (5 or more), or null for none. Set it if S3 invokes the function directly, so that a
    large upload does not use all of the account's concurrency. If the function cannot keep up for a long time, Lambda may delete
    events that wait for it without sending them; messages in the queue are not affected. An account with a concurrency of 10
    cannot reserve any.
  EOT
  type        = number
  default     = null

  validation {
    condition = var.reserved_concurrency == null ? true : (
      var.reserved_concurrency >= 5 && var.reserved_concurrency <= 9999 && floor(var.reserved_concurrency) == var.reserved_concurrency
    )
    error_message = "reserved_concurrency must be an integer from 5 to 9999, or null."
  }
}

variable "log_level" {
  description = <<-EOT
    The lowest level that the function logs: DEBUG, INFO, WARN or ERROR. Invocations without failures are logged at INFO. The
    metric StaleCacheUsed counts log lines at WARN. Metrics are written at every level.
  EOT
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["DEBUG", "INFO", "WARN", "ERROR"], var.log_level)
    error_message = "log_level must be DEBUG, INFO, WARN or ERROR."
  }
}

variable "log_retention_days" {
  description = "How long CloudWatch Logs keeps the function's log, in days."
  type        = number
  default     = 30

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days
    )
    error_message = "log_retention_days must be a retention that CloudWatch Logs supports, such as 7, 14, 30, 90 or 365."
  }
}

variable "distribution_tag" {
  description = "The key of the bucket tag that names the distributions."
  type        = string
  default     = "distributionId"

  validation {
    # The characters that S3 allows in a tag key, with ASCII letters only.
    # Source: S3 user guide, "Using cost allocation S3 bucket tags".
    condition     = can(regex("^[A-Za-z0-9_.:/=+@-]([A-Za-z0-9 _.:/=+@-]{0,126}[A-Za-z0-9_.:/=+@-])?$", var.distribution_tag))
    error_message = "distribution_tag must have 1 to 128 letters (A to Z), digits, _.:/=+-@ and spaces, without a space at either end."
  }
}

variable "distribution_id" {
  description = <<-EOT
    The default distribution, for events that name none (CodePipeline jobs, direct invocations, schedules, the console's test
    events). It does not apply to changes of objects. Empty for none.
  EOT
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Z][A-Z0-9]{0,63}|dt_[A-Za-z0-9]{1,61})?$", var.distribution_id))
    error_message = "distribution_id must be the ID of a distribution (such as E2EXAMPLE1ABCD) or of a distribution tenant (dt_...), or empty."
  }
}

variable "index_documents" {
  description = "File names that are also served at the URL of their directory, separated by spaces. Empty for none."
  type        = string
  default     = "index.html"
  nullable    = false

  validation {
    condition     = can(regex("^[^/,]*$", var.index_documents))
    error_message = "index_documents must be file names separated by spaces, without / and commas, or empty."
  }
}

variable "dry_run" {
  description = "Whether the function plans and logs invalidations without creating them."
  type        = bool
  default     = false
}

variable "allowed_distributions" {
  description = "The ARNs of the distributions that the function may invalidate, or [\"*\"] for all distributions of the account."
  type        = list(string)
  default     = ["*"]

  validation {
    condition     = length(var.allowed_distributions) > 0
    error_message = "allowed_distributions must contain at least one ARN, or \"*\"."
  }
}

variable "expected_bucket_owner" {
  description = <<-EOT
    The ID of the account that must own the buckets. Empty for the deployment's own account, or any for every account. With the ID
    of another account, the function does not accept buckets of the deployment's own account; deploy the module again for them.
    With any, the function may read buckets of every account, but only buckets of the deployment's own account may send events.
  EOT
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([0-9]{12}|any)?$", var.expected_bucket_owner))
    error_message = "expected_bucket_owner must be an account ID (12 digits), any, or empty."
  }
}

variable "distribution_config" {
  description = "Whether the function reads distribution configs to find the URLs of an object: auto or off."
  type        = string
  default     = "auto"

  validation {
    condition     = contains(["auto", "off"], var.distribution_config)
    error_message = "distribution_config must be auto or off."
  }
}

variable "bucket_listing" {
  description = "Whether the function lists buckets where that saves paths or avoids evictions of unchanged objects: auto or off."
  type        = string
  default     = "auto"

  validation {
    condition     = contains(["auto", "off"], var.bucket_listing)
    error_message = "bucket_listing must be auto or off."
  }
}

variable "pipelines" {
  description = "Whether the function may report results to CodePipeline."
  type        = bool
  default     = true
}

variable "tenants" {
  description = "Whether the function may invalidate distribution tenants."
  type        = bool
  default     = false
}

variable "permissions_boundary" {
  description = "The ARN of the managed policy that is the permissions boundary of the roles. Empty for none."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:[^:]+:iam::([0-9]{12}|aws):policy/.+)?$", var.permissions_boundary))
    error_message = "permissions_boundary must be the ARN of a managed policy, or empty."
  }
}

variable "role_path" {
  description = "The path of the roles."
  type        = string
  default     = "/"

  validation {
    condition     = can(regex("^/([!-~]{1,510}/)?$", var.role_path))
    error_message = "role_path must begin and end with a slash, such as /service/."
  }
}

variable "kms_key_arn" {
  description = <<-EOT
    The ARN of the KMS key that encrypts the queues, the log group and the environment variables. Its key policy must allow S3,
    EventBridge and CloudWatch Logs to use it (docs/security.md). Empty for the encryption without a key of your own.
  EOT
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^(arn:[^:]+:kms:[^:]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key (not of an alias), or empty."
  }
}

variable "max_paths" {
  description = "The maximum number of paths in one invalidation."
  type        = number
  default     = 30

  validation {
    condition     = var.max_paths >= 1 && var.max_paths <= 3000 && floor(var.max_paths) == var.max_paths
    error_message = "max_paths must be an integer from 1 to 3000."
  }
}

variable "max_wildcards" {
  description = "The maximum number of wildcards in one invalidation. CloudFront's quota is 15."
  type        = number
  default     = 7

  validation {
    condition     = var.max_wildcards >= 1 && var.max_wildcards <= 15 && floor(var.max_wildcards) == var.max_wildcards
    error_message = "max_wildcards must be an integer from 1 to 15."
  }
}

variable "evictions_per_path" {
  description = "How many URLs of unchanged objects the function may evict to save one path. Applies where a bucket listing counts them."
  type        = number
  default     = 0

  validation {
    condition = (
      var.evictions_per_path >= 0 && var.evictions_per_path <= 1000000
      && floor(var.evictions_per_path) == var.evictions_per_path
    )
    error_message = "evictions_per_path must be an integer from 0 to 1000000."
  }
}

variable "listing_max_requests" {
  description = "The maximum number of ListObjectsV2 requests per invocation. Each request returns up to 1,000 keys."
  type        = number
  default     = 60

  validation {
    condition = (
      var.listing_max_requests >= 1 && var.listing_max_requests <= 300
      && floor(var.listing_max_requests) == var.listing_max_requests
    )
    error_message = "listing_max_requests must be an integer from 1 to 300."
  }
}

variable "cache_ttl_seconds" {
  description = "How long the function caches bucket tags and distribution configs, in seconds."
  type        = number
  default     = 300

  validation {
    condition = (
      var.cache_ttl_seconds >= 0 && var.cache_ttl_seconds <= 86400
      && floor(var.cache_ttl_seconds) == var.cache_ttl_seconds
    )
    error_message = "cache_ttl_seconds must be an integer from 0 to 86400."
  }
}

variable "negative_cache_ttl_seconds" {
  description = <<-EOT
    How long the function caches that a bucket does not have the tag, or that access to a distribution config is denied, in
    seconds.
  EOT
  type        = number
  default     = 60

  validation {
    condition = (
      var.negative_cache_ttl_seconds >= 0 && var.negative_cache_ttl_seconds <= 86400
      && floor(var.negative_cache_ttl_seconds) == var.negative_cache_ttl_seconds
    )
    error_message = "negative_cache_ttl_seconds must be an integer from 0 to 86400."
  }
}

variable "stale_if_error_seconds" {
  description = <<-EOT
    The maximum age of stale bucket tags and distribution configs that the function uses if AWS returns an error, in seconds.
  EOT
  type        = number
  default     = 3600

  validation {
    condition = (
      var.stale_if_error_seconds >= 0 && var.stale_if_error_seconds <= 86400
      && floor(var.stale_if_error_seconds) == var.stale_if_error_seconds
    )
    error_message = "stale_if_error_seconds must be an integer from 0 to 86400."
  }
}

variable "retry_base_delay_ms" {
  description = <<-EOT
    The maximum delay before the first retry of CreateInvalidation, in milliseconds. It doubles with each further retry, up to 20
    seconds.
  EOT
  type        = number
  default     = 2000

  validation {
    condition = (
      var.retry_base_delay_ms >= 1 && var.retry_base_delay_ms <= 60000
      && floor(var.retry_base_delay_ms) == var.retry_base_delay_ms
    )
    error_message = "retry_base_delay_ms must be an integer from 1 to 60000."
  }
}

variable "direct_retry_seconds" {
  description = <<-EOT
    How long the function retries changes that S3, SNS or EventBridge send to it directly, within one invocation, in seconds.
    Applies only without QUEUE_URL. This module always sets QUEUE_URL, so the function sends such changes to the queue instead.
  EOT
  type        = number
  default     = 10

  validation {
    condition = (
      var.direct_retry_seconds >= 0 && var.direct_retry_seconds <= 900
      && floor(var.direct_retry_seconds) == var.direct_retry_seconds
    )
    error_message = "direct_retry_seconds must be an integer from 0 to 900."
  }
}

variable "buckets" {
  description = <<-EOT
    Whether buckets send their events to this deployment. With false, it handles only CodePipeline jobs, direct invocations and
    schedules; it has no queues, no schedule, no alarms and no permission to read buckets and distribution configs.
  EOT
  type        = bool
  default     = true
}

variable "poll_interval_minutes" {
  description = "How often the function polls the queue, in minutes. A longer interval costs less; a shorter one invalidates sooner."
  type        = number
  default     = 1

  validation {
    condition     = contains([1, 2, 3, 4, 5, 10, 15, 20, 30, 60], var.poll_interval_minutes)
    error_message = "poll_interval_minutes must be 1, 2, 3, 4, 5, 10, 15, 20, 30 or 60."
  }
}

variable "event_bridge_buckets" {
  description = <<-EOT
    The names of the buckets whose EventBridge events go to the queue, or ["*"] for all buckets of the account
    (expected_bucket_owner). Empty for none.
  EOT
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    # With more characters, the rule's pattern could exceed 2,048. Source: EventBridge user guide, "Quotas".
    condition     = length(join(",", var.event_bridge_buckets)) < 1271
    error_message = "event_bridge_buckets must have at most 1270 characters in all; use [\"*\"] for all buckets of the account."
  }
}

variable "metrics" {
  description = "Whether the function writes its ten metrics: on or off. An account's first ten custom metrics are free."
  type        = string
  default     = "on"

  validation {
    condition     = contains(["on", "off"], var.metrics)
    error_message = "metrics must be on or off."
  }
}

variable "alarm_on_queue_age" {
  description = <<-EOT
    Whether to create the alarm on the age of the oldest message in the queue (0.10 USD a month). Without it, nothing reports that
    the queue is not polled.
  EOT
  type        = bool
  default     = true
}

variable "alarms" {
  description = "Whether to create four more alarms and the metric StaleCacheUsed (0.70 USD a month in all)."
  type        = bool
  default     = false
}

variable "paths_alarm_threshold" {
  description = <<-EOT
    The number of paths in a day above which an alarm reports the cost, with alarms and metrics. CloudFront bills 2,000 paths with
    10 USD.
  EOT
  type        = number
  default     = 2000

  validation {
    condition = (
      var.paths_alarm_threshold >= 1 && var.paths_alarm_threshold <= 1000000
      && floor(var.paths_alarm_threshold) == var.paths_alarm_threshold
    )
    error_message = "paths_alarm_threshold must be an integer from 1 to 1000000."
  }
}

variable "alarm_topic_arn" {
  description = "The ARN of the SNS topic that the alarms notify. Empty for none."
  type        = string
  default     = ""
  nullable    = false
}

variable "dashboard" {
  description = "Whether to create a dashboard (3 USD a month beyond the account's first three dashboards)."
  type        = bool
  default     = false
}

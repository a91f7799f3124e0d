variable "zip" {
  description = "The function's zip, as scripts/package makes it."
  type        = string

  validation {
    condition     = fileexists(var.zip)
    error_message = "The zip is not there: make it with scripts/package."
  }
}

variable "name" {
  description = "What the function is called, and how the names of its role, queues, log and alarms begin."
  type        = string
  default     = "cloudfront-invalidator"

  validation {
    # A role's name, the longest suffix included, has at most 64 characters.
    condition     = can(regex("^[A-Za-z0-9_-]{1,49}$", var.name))
    error_message = "The name is of 1 to 49 letters, digits, hyphens and underscores."
  }
}

variable "architecture" {
  description = "What the function is built for (scripts/package --arch): x86_64 or arm64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "The architecture is x86_64 or arm64."
  }
}

variable "memory_size" {
  description = "The function's memory in MB, from which its share of processor time follows."
  type        = number
  default     = 256

  validation {
    condition     = var.memory_size >= 128 && var.memory_size <= 10240 && floor(var.memory_size) == var.memory_size
    error_message = "The memory is from 128 to 10240 MB."
  }
}

variable "log_retention_days" {
  description = "How long the function's log is kept, in days."
  type        = number
  default     = 30

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
      var.log_retention_days
    )
    error_message = "CloudWatch keeps logs for certain numbers of days only, such as 7, 14, 30, 90 or 365."
  }
}

variable "log_level" {
  description = <<-EOT
    The least level of the function's own lines: DEBUG, INFO, WARN or ERROR. The lines that tell what was invalidated are INFO, those
    that StaleAnswers counts WARN; metrics are written at each.
  EOT
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["DEBUG", "INFO", "WARN", "ERROR"], var.log_level)
    error_message = "It is DEBUG, INFO, WARN or ERROR."
  }
}

variable "reserved_concurrency" {
  description = <<-EOT
    How many invocations may run at the same time, or null for no limit of its own. With buckets that notify the function
    directly, 5 or more keep a deploy from taking all of the account's concurrency.
  EOT
  type        = number
  default     = null

  validation {
    condition = var.reserved_concurrency == null ? true : (
      var.reserved_concurrency >= 5 && var.reserved_concurrency <= 9999 && floor(var.reserved_concurrency) == var.reserved_concurrency
    )
    error_message = "The reserved concurrency is from 5 to 9999, or null."
  }
}

variable "allowed_distributions" {
  description = "The ARNs of the distributions that may be invalidated, or [\"*\"] for all of the account."
  type        = list(string)
  default     = ["*"]

  validation {
    condition     = length(var.allowed_distributions) > 0
    error_message = "Name one distribution's ARN at least, or \"*\"."
  }
}

variable "distribution_id" {
  description = "The distribution of events that name none (pipelines, direct invocations, the Test button), or empty."
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Z][A-Z0-9]{0,63}|dt_[A-Za-z0-9]{1,61})?$", var.distribution_id))
    error_message = "It is the id of a distribution (such as E2EXAMPLE1ABCD) or of a tenant (dt_...), or empty."
  }
}

variable "distribution_tag" {
  description = "The bucket tag that names the distribution."
  type        = string
  default     = "distributionId"

  validation {
    # What S3 takes as a tag's key, without the letters of other scripts. Source: S3 user guide, "Using cost allocation S3 bucket tags".
    condition     = can(regex("^[A-Za-z0-9_.:/=+@-]([A-Za-z0-9 _.:/=+@-]{0,126}[A-Za-z0-9_.:/=+@-])?$", var.distribution_tag))
    error_message = "It is a tag's key, of 1 to 128 letters from A to Z, digits, _.:/=+-@ and spaces between."
  }
}

variable "expected_bucket_owner" {
  description = <<-EOT
    The account that must own the buckets, empty for this one, or any. With an account this one's own buckets are neither read nor let
    in: take a stack of its own for it. With any, buckets of every account may be read, and only this one's may send.
  EOT
  type        = string
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([0-9]{12}|any)?$", var.expected_bucket_owner))
    error_message = "It is an account's id (12 digits), any, or empty."
  }
}

variable "distribution_settings" {
  description = "Whether the function reads how distributions are set, to tell which URLs an object has: auto or off."
  type        = string
  default     = "auto"

  validation {
    condition     = contains(["auto", "off"], var.distribution_settings)
    error_message = "It is auto or off."
  }
}

variable "inventory" {
  description = "Whether the function lists buckets where that saves paths or evictions: auto or off."
  type        = string
  default     = "auto"

  validation {
    condition     = contains(["auto", "off"], var.inventory)
    error_message = "It is auto or off."
  }
}

variable "pipelines" {
  description = "Whether the function may answer CodePipeline."
  type        = bool
  default     = true
}

variable "tenants" {
  description = "Whether the function may invalidate distribution tenants."
  type        = bool
  default     = false
}

variable "max_paths" {
  description = "The most paths of one invalidation."
  type        = number
  default     = 30

  validation {
    condition     = var.max_paths >= 1 && var.max_paths <= 3000 && floor(var.max_paths) == var.max_paths
    error_message = "The paths are from 1 to 3000."
  }
}

variable "max_wildcards" {
  description = "The most wildcards of one invalidation (CloudFront's limit is 15)."
  type        = number
  default     = 7

  validation {
    condition     = var.max_wildcards >= 1 && var.max_wildcards <= 15 && floor(var.max_wildcards) == var.max_wildcards
    error_message = "The wildcards are from 1 to 15, CloudFront's limit."
  }
}

variable "index_documents" {
  description = "Names of files that are also served as their directory, separated by spaces, or empty for none."
  type        = string
  default     = "index.html"
  nullable    = false

  validation {
    condition     = can(regex("^[^/,]*$", var.index_documents))
    error_message = "They are names of files, separated by spaces, without / and commas, or empty."
  }
}

variable "batching_window_seconds" {
  description = "How long messages are gathered, in seconds. Longer is cheaper, shorter is fresher."
  type        = number
  default     = 60

  validation {
    condition = (
      var.batching_window_seconds >= 0 && var.batching_window_seconds <= 300
      && floor(var.batching_window_seconds) == var.batching_window_seconds
    )
    error_message = "The window is from 0 to 300 seconds."
  }
}

variable "dry_run" {
  description = "Whether the function only plans and logs, and sends nothing."
  type        = bool
  default     = false
}

variable "event_bridge_buckets" {
  description = "Names of buckets whose EventBridge events go to the queue."
  type        = list(string)
  default     = []
  nullable    = false
}

variable "metrics" {
  description = "Whether the function writes metrics: on or off. Nine, which are free if they are among the account's first ten."
  type        = string
  default     = "on"

  validation {
    condition     = contains(["on", "off"], var.metrics)
    error_message = "It is on or off."
  }
}

variable "alarms" {
  description = "Whether four alarms and a metric of stale answers are made (0.70 USD a month in all)."
  type        = bool
  default     = false
}

variable "alarm_topic_arn" {
  description = "The SNS topic that alarms are sent to, or empty."
  type        = string
  default     = ""
  nullable    = false
}

variable "dashboard" {
  description = "Whether a dashboard is made (3 USD a month beyond the account's first three)."
  type        = bool
  default     = false
}

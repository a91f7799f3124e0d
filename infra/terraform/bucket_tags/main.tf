# The tags with which a bucket names its distributions and the options of their invalidation: docs/settings.md, "Tags of a bucket".

terraform {
  required_version = ">= 1.5"
}

variable "distribution_ids" {
  description = "The IDs of the distributions and distribution tenants that serve the bucket."
  type        = list(string)

  validation {
    condition     = length(var.distribution_ids) > 0
    error_message = "Name at least one distribution."
  }

  validation {
    condition = alltrue([
      for it in var.distribution_ids :
      can(regex("^(arn:[^:\\s]+:cloudfront:[^:\\s]*:[^:\\s]*:distribution(-tenant)?/)?([A-Z][A-Z0-9]{0,63}|dt_[A-Za-z0-9]{1,61})$", it))
    ])
    error_message = "Each must be the ID or the ARN of a distribution (such as E2EXAMPLE1ABCD) or of a distribution tenant (dt_...)."
  }
}

variable "distribution_tag" {
  description = "The key of the tag for the IDs: the module's distribution_tag."
  type        = string
  default     = "distributionId"

  validation {
    condition = (
      can(regex("^[A-Za-z0-9_.:/=+@-]([A-Za-z0-9 _.:/=+@-]{0,126}[A-Za-z0-9_.:/=+@-])?$", var.distribution_tag))
      && !can(regex("(?i)^aws:", var.distribution_tag))
    )
    error_message = "Set a tag key of 1 to 128 letters (A to Z), digits, _.:/=+-@ and inner spaces, which does not start with aws:."
  }
}

variable "origin_path" {
  description = "The origin path, such as /web. null for the one in the distribution config."
  type        = string
  default     = null

  validation {
    condition     = var.origin_path == null ? true : can(regex("^(/|/.*[^/])?$", var.origin_path))
    error_message = "An origin path starts with / and does not end with it."
  }
}

variable "max_paths" {
  description = "A lower maximum number of paths for invalidations that include changes of this bucket. null for the module's max_paths."
  type        = number
  default     = null

  validation {
    condition     = var.max_paths == null ? true : var.max_paths >= 1 && var.max_paths <= 3000 && floor(var.max_paths) == var.max_paths
    error_message = "Set an integer from 1 to 3000."
  }
}

variable "index_documents" {
  description = "File names that are also served at the URL of their directory. null for the module's index_documents."
  type        = list(string)
  default     = null

  validation {
    condition     = alltrue([for it in coalesce(var.index_documents, []) : can(regex("^[^/\\s]+$", it))])
    error_message = "An index document is a file name without / and spaces."
  }
}

variable "directory_urls" {
  description = "Whether viewers also request a directory without the trailing slash: slash or both. null for what the distribution config implies."
  type        = string
  default     = null

  validation {
    condition     = var.directory_urls == null ? true : contains(["slash", "both"], var.directory_urls)
    error_message = "Set slash or both."
  }
}

variable "query_strings" {
  description = "Whether the cache key includes query strings: include or ignore. null for the cache policy in the distribution config."
  type        = string
  default     = null

  validation {
    condition     = var.query_strings == null ? true : contains(["include", "ignore"], var.query_strings)
    error_message = "Set include or ignore."
  }
}

variable "urls" {
  description = "The forms of the URLs that viewers request, such as /:key and /:page, if they are not the keys (docs/urls.md)."
  type        = list(string)
  default     = null

  validation {
    condition     = var.urls == null ? true : length(var.urls) > 0
    error_message = "Name at least one form, or set null."
  }

  validation {
    condition = alltrue([
      for it in coalesce(var.urls, []) : can(regex("^/[^:\\s]*(:(key|rest|page|restpage)([^:\\s\\p{Ll}][^:\\s]*)?(:any)?|:any)$", it))
    ])
    error_message = "A form starts with / and contains one of :key, :rest, :page and :restpage. Only :any may stand at its end."
  }
}

variable "ignore" {
  description = "Folders, such as logs/, and suffixes, such as .map, of keys that are never served."
  type        = list(string)
  default     = null

  validation {
    condition = alltrue([
      for it in coalesce(var.ignore, []) : can(regex("^\\S+$", it)) && !(startswith(it, "/") && endswith(it, "/"))
    ])
    error_message = "A folder or suffix has no spaces, and a folder does not start with /."
  }
}

locals {
  values = {
    (var.distribution_tag)        = join(" ", var.distribution_ids)
    "invalidation:originPath"     = var.origin_path
    "invalidation:maxPaths"       = var.max_paths == null ? null : tostring(var.max_paths)
    "invalidation:indexDocuments" = var.index_documents == null ? null : join(" ", var.index_documents)
    "invalidation:directoryUrls"  = var.directory_urls
    "invalidation:queryStrings"   = var.query_strings
    "invalidation:urls"           = var.urls == null ? null : join(" ", var.urls)
    "invalidation:ignore"         = var.ignore == null ? null : join(" ", var.ignore)
  }
}

output "tags" {
  description = "The tags of the bucket, to merge with its other tags."
  value       = { for key, value in local.values : key => value if value != null }

  precondition {
    condition     = alltrue([for it in values(local.values) : can(regex("^[\\p{L}\\p{Z}\\p{N}_.:/=+@-]{0,256}$", it)) if it != null])
    error_message = "A tag value has at most 256 letters, digits, spaces and _.:/=+-@."
  }
}

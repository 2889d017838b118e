variable "access_log_bucket" {
  description = "Bucket that S3 writes a record of each request to the lake to; null means none. An object, so that whether there is one is known before its name is."
  type        = object({ name = string })
  default     = null

  validation {
    condition     = var.access_log_bucket == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.access_log_bucket.name))
    error_message = "access_log_bucket.name: given \"${try(var.access_log_bucket.name, "")}\"; allowed: the name of an S3 bucket."
  }
}

variable "account_id" {
  description = "AWS account id of 12 digits; it makes bucket names unique."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id: given \"${var.account_id}\"; allowed: 12 digits."
  }
}

variable "bytes_scanned_cutoff" {
  description = "Bytes that one Athena query may scan before it is cancelled; Athena's least is 10 MB."
  type        = number
  default     = 10737418240
  nullable    = false

  validation {
    condition     = var.bytes_scanned_cutoff >= 10000000 && var.bytes_scanned_cutoff <= 7696581394432 && floor(var.bytes_scanned_cutoff) == var.bytes_scanned_cutoff
    error_message = "bytes_scanned_cutoff: given ${var.bytes_scanned_cutoff}; allowed: a whole number from 10000000 to 7696581394432."
  }
}

variable "error_expiration_days" {
  description = "Days until the lists of what could not be aggregated are deleted."
  type        = number
  default     = 400
  nullable    = false

  validation {
    condition     = var.error_expiration_days >= 1 && var.error_expiration_days <= 36500 && floor(var.error_expiration_days) == var.error_expiration_days
    error_message = "error_expiration_days: given ${var.error_expiration_days}; allowed: a whole number from 1 to 36500."
  }
}

variable "force_destroy" {
  description = "Whether destroying the module may delete buckets that still hold objects; true only for stacks that are thrown away."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the customer-managed KMS key that encrypts everything at rest."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn: given \"${var.kms_key_arn}\"; allowed: the ARN of a KMS key, not of an alias."
  }
}

variable "lake_expiration_days" {
  description = "Days until usage in the lake is deleted; null keeps it for ever, which billing records usually need."
  type        = number
  default     = null

  validation {
    condition     = var.lake_expiration_days == null ? true : (var.lake_expiration_days >= 91 && var.lake_expiration_days <= 36500 && floor(var.lake_expiration_days) == var.lake_expiration_days)
    error_message = "lake_expiration_days: given ${var.lake_expiration_days == null ? "null" : var.lake_expiration_days}; allowed: null or a whole number from 91 to 36500."
  }
}

variable "lake_noncurrent_days" {
  description = "Days that an overwritten or deleted object of the lake can still be recovered."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.lake_noncurrent_days >= 1 && var.lake_noncurrent_days <= 3650 && floor(var.lake_noncurrent_days) == var.lake_noncurrent_days
    error_message = "lake_noncurrent_days: given ${var.lake_noncurrent_days}; allowed: a whole number from 1 to 3650."
  }
}

variable "lake_transition_days" {
  description = "Days until usage in the lake moves to the infrequent-access class; S3's least is 30."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.lake_transition_days >= 30 && var.lake_transition_days <= 3650 && floor(var.lake_transition_days) == var.lake_transition_days
    error_message = "lake_transition_days: given ${var.lake_transition_days}; allowed: a whole number from 30 to 3650."
  }

  validation {
    condition     = var.lake_expiration_days == null ? true : var.lake_transition_days < var.lake_expiration_days
    error_message = "lake_transition_days: given ${var.lake_transition_days}; allowed: fewer than the ${coalesce(var.lake_expiration_days, 0)} of lake_expiration_days, because S3 moves nothing that it has deleted."
  }
}

variable "prefix" {
  description = "First part of every name, such as `tollgate-dev`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix)) && !can(regex("^(.*--.*|(aws|ssm).*|(amzn-s3-demo|sg|sthree)(-.*)?|default|primary)$", var.prefix))
    error_message = "prefix: given \"${var.prefix}\"; allowed: 3 to 32 lower-case letters, digits and hyphens that start with a letter and do not end with a hyphen, no two hyphens in a row, and nothing that AWS keeps for itself: aws..., ssm..., amzn-s3-demo-..., sg-..., sthree-..., default, primary."
  }
}

variable "report_expiration_days" {
  description = "Days until daily summaries and reports in the lake are deleted; null keeps them for ever."
  type        = number
  default     = null

  validation {
    condition     = var.report_expiration_days == null ? true : (var.report_expiration_days >= 91 && var.report_expiration_days <= 36500 && floor(var.report_expiration_days) == var.report_expiration_days)
    error_message = "report_expiration_days: given ${var.report_expiration_days == null ? "null" : var.report_expiration_days}; allowed: null or a whole number from 91 to 36500."
  }
}

variable "report_transition_days" {
  description = "Days until daily summaries and reports move to the infrequent-access class; S3's least is 30."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.report_transition_days >= 30 && var.report_transition_days <= 3650 && floor(var.report_transition_days) == var.report_transition_days
    error_message = "report_transition_days: given ${var.report_transition_days}; allowed: a whole number from 30 to 3650."
  }

  validation {
    condition     = var.report_expiration_days == null ? true : var.report_transition_days < var.report_expiration_days
    error_message = "report_transition_days: given ${var.report_transition_days}; allowed: fewer than the ${coalesce(var.report_expiration_days, 0)} of report_expiration_days, because S3 moves nothing that it has deleted."
  }
}

variable "results_retention_days" {
  description = "Days until Athena's query results are deleted."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.results_retention_days >= 1 && var.results_retention_days <= 365 && floor(var.results_retention_days) == var.results_retention_days
    error_message = "results_retention_days: given ${var.results_retention_days}; allowed: a whole number from 1 to 365."
  }
}

variable "statement_lock" {
  description = "How issued statements are locked in S3, and for how many years. mode GOVERNANCE: whoever has s3:BypassGovernanceRetention can still delete one. COMPLIANCE: nobody can, nor can the lock be shortened."
  type = object({
    mode  = optional(string, "GOVERNANCE")
    years = optional(number, 10)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.statement_lock.mode)
    error_message = "statement_lock.mode: given \"${var.statement_lock.mode}\"; allowed: GOVERNANCE, COMPLIANCE."
  }

  validation {
    condition     = var.statement_lock.years >= 1 && var.statement_lock.years <= 100 && floor(var.statement_lock.years) == var.statement_lock.years
    error_message = "statement_lock.years: given ${var.statement_lock.years}; allowed: a whole number from 1 to 100."
  }
}

variable "tags" {
  description = "Tags on every resource, merged over the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "access_logged_bucket_arns" {
  description = "Buckets whose requests S3 records in the bucket for access logs, by a name."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for arn in values(var.access_logged_bucket_arns) : can(regex("^arn:[a-z-]+:s3:::[^/]+$", arn))])
    error_message = "access_logged_bucket_arns: got ${join(", ", values(var.access_logged_bucket_arns))}; allowed: ARNs of S3 buckets."
  }
}

variable "access_logs" {
  description = "Whether to make the bucket for S3's access logs."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.access_logs || length(var.access_logged_bucket_arns) > 0
    error_message = "access_logs: got true without access_logged_bucket_arns; allowed: with at least one bucket whose requests are recorded."
  }
}

variable "account_id" {
  description = "AWS account id of 12 digits; it makes bucket names unique."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id: got \"${var.account_id}\"; allowed: 12 digits."
  }
}

variable "archived_log_groups" {
  description = "CloudWatch log groups that the archive copies, by a short name."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in values(var.archived_log_groups) : can(regex("^[A-Za-z0-9_./#-]{1,512}$", name))])
    error_message = "archived_log_groups: got ${join(", ", values(var.archived_log_groups))}; allowed: names of log groups."
  }
}

variable "data_events" {
  description = "What the trail records besides management events, by a name: writes to DynamoDB tables, and reads and writes of S3 objects."
  type = object({
    bucket_arns = optional(map(string), {})
    table_arns  = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue(concat(
      [for arn in values(var.data_events.bucket_arns) : can(regex("^arn:[a-z-]+:s3:::[^/]+$", arn))],
      [for arn in values(var.data_events.table_arns) : can(regex("^arn:[a-z-]+:dynamodb:[^:]+:[0-9]{12}:table/[^/]+$", arn))],
    ))
    error_message = "data_events: got ${jsonencode(var.data_events)}; allowed: ARNs of S3 buckets and of DynamoDB tables."
  }
}

variable "force_destroy" {
  description = "Whether records may be deleted, by anybody with the right to, and by destroying the module; true only for stacks that are thrown away."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "ARN of the deployment's KMS key: encrypts the trail and the archive. Its policy must let CloudTrail use it where the trail is own."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn: got \"${var.kms_key_arn}\"; allowed: the ARN of a KMS key, not of an alias."
  }
}

variable "log_archive" {
  description = "Whether to copy log groups to the audit bucket."
  type        = bool
  default     = false
  nullable    = false
}

variable "log_retention_days" {
  description = "Days that the archive's own error log is kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: got ${var.log_retention_days}; allowed: a retention that CloudWatch Logs offers, such as 30, 90 or 365."
  }
}

variable "management_events" {
  description = "Whether the own trail records management events; an account's first copy is free, so false where another trail has them."
  type        = bool
  default     = true
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary that the account demands on roles; null means none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[^:]+:iam::[0-9]{12}:policy/", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn: got \"${coalesce(var.permissions_boundary_arn, "null")}\"; allowed: the ARN of an IAM policy, or null."
  }
}

variable "prefix" {
  description = "Prefix of every name, unique per deployment in the account and region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix)) && !can(regex("^(.*--.*|(aws|ssm).*|(amzn-s3-demo|sg|sthree)(-.*)?|default|primary)$", var.prefix))
    error_message = "prefix: got \"${var.prefix}\"; allowed: 3 to 32 lower-case letters, digits and hyphens that start with a letter and do not end with a hyphen, no two hyphens in a row, and nothing that AWS keeps for itself: aws..., ssm..., amzn-s3-demo-..., sg-..., sthree-..., default, primary."
  }
}

variable "region" {
  description = "AWS region of the deployment."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region: got \"${var.region}\"; allowed: a region's name, such as us-east-1."
  }
}

variable "retention" {
  description = "Days until records are deleted, by kind, and days until they move to S3's infrequent-access class before that."
  type = object({
    access_log_days = optional(number, 365)
    archive_days    = optional(number, 731)
    trail_days      = optional(number, 2557)
    transition_days = optional(number, 90)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for days in values(var.retention) : try(days >= 30 && days <= 36500 && floor(days) == days, false)])
    error_message = "retention: got ${jsonencode(var.retention)}; allowed: whole numbers from 30 to 36500."
  }

  validation {
    condition     = alltrue([for kind in ["access_log_days", "archive_days", "trail_days"] : try(var.retention[kind] > var.retention.transition_days, false)])
    error_message = "retention: got ${jsonencode(var.retention)}; allowed: transition_days below all the others."
  }
}

variable "tags" {
  description = "Tags on top of the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "trail" {
  description = "own: a CloudTrail trail of this deployment. organization: the organisation's or account's trail records, and the output `event_selectors` is what its owner adds."
  type        = string
  default     = "organization"
  nullable    = false

  validation {
    condition     = contains(["organization", "own"], var.trail)
    error_message = "trail: got \"${var.trail}\"; allowed: organization, own."
  }
}

variable "account_id" {
  description = "AWS account id of 12 digits, which has a QuickSight subscription."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id: got \"${var.account_id}\"; allowed: 12 digits."
  }
}

variable "athena_bucket_name" {
  description = "Bucket that the workgroup writes query results to."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.athena_bucket_name))
    error_message = "athena_bucket_name: given \"${var.athena_bucket_name}\"; allowed: the name of an S3 bucket."
  }
}

variable "authors" {
  description = "QuickSight groups that may change what this module makes; they see no other rows than `viewers` says."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for group in var.authors : can(regex("^[A-Za-z0-9_.@+=-]{1,128}$", group))])
    error_message = "authors: got ${jsonencode(var.authors)}; allowed: names of QuickSight groups."
  }
}

variable "database_name" {
  description = "Glue database with the table `usage`; it gets the table `quicksight_viewers`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9_]{1,255}$", var.database_name))
    error_message = "database_name: got \"${var.database_name}\"; allowed: lower-case letters, digits and underscores."
  }
}

variable "identity_region" {
  description = "Region that the QuickSight account was made in, which has its users and groups; null means `region`."
  type        = string
  default     = null

  validation {
    condition     = var.identity_region == null ? true : can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]+$", var.identity_region))
    error_message = "identity_region: got \"${coalesce(var.identity_region, "null")}\"; allowed: null or the name of an AWS region, such as us-east-1."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the lake and query results."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn: got \"${var.kms_key_arn}\"; allowed: the ARN of a KMS key, not of an alias."
  }
}

variable "lake_bucket_name" {
  description = "Bucket with the usage."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.lake_bucket_name))
    error_message = "lake_bucket_name: given \"${var.lake_bucket_name}\"; allowed: the name of an S3 bucket."
  }
}

variable "months" {
  description = "Months of usage that the dashboard shows, this one included."
  type        = number
  default     = 13
  nullable    = false

  validation {
    condition     = var.months >= 1 && var.months <= 60 && floor(var.months) == var.months
    error_message = "months: got ${var.months}; allowed: a whole number from 1 to 60."
  }
}

variable "namespace" {
  description = "QuickSight namespace of the groups."
  type        = string
  default     = "default"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,64}$", var.namespace))
    error_message = "namespace: got \"${var.namespace}\"; allowed: at most 64 letters, digits, dots, underscores and hyphens."
  }
}

variable "partition" {
  description = "AWS partition, such as `aws`."
  type        = string
  default     = "aws"
  nullable    = false

  validation {
    condition     = can(regex("^aws(-[a-z]+)*$", var.partition))
    error_message = "partition: got \"${var.partition}\"; allowed: aws, aws-cn or aws-us-gov."
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

variable "refresh_at" {
  description = "Time of day, UTC, at which the dashboard's figures are read anew, as HH:MM."
  type        = string
  default     = "05:00"
  nullable    = false

  validation {
    condition     = can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", var.refresh_at))
    error_message = "refresh_at: got \"${var.refresh_at}\"; allowed: a time of day as HH:MM, such as 05:00."
  }
}

variable "region" {
  description = "Region of the lake and the dashboard."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2,4}(-[a-z]+)+-[0-9]+$", var.region))
    error_message = "region: got \"${var.region}\"; allowed: the name of an AWS region, such as us-east-1."
  }
}

variable "service_role_name" {
  description = "Role that QuickSight reads Athena and S3 with; it gets a policy for this lake. QuickSight makes it when access to S3 or Athena is first switched on."
  type        = string
  default     = "aws-quicksight-service-role-v0"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", var.service_role_name))
    error_message = "service_role_name: got \"${var.service_role_name}\"; allowed: the name of an IAM role, without its path."
  }
}

variable "tags" {
  description = "Tags on every resource, merged over the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "viewers" {
  description = "QuickSight groups that see the dashboard, by name: rows of these tenants and business units, or with `all` every row. A group that is not here sees none."
  type = map(object({
    all            = optional(bool, false)
    business_units = optional(list(string), [])
    tenants        = optional(list(string), [])
  }))
  nullable = false

  validation {
    condition     = length(var.viewers) > 0 && alltrue([for group in keys(var.viewers) : can(regex("^[A-Za-z0-9_.@+=-]{1,128}$", group))])
    error_message = "viewers: got ${jsonencode(keys(var.viewers))}; allowed: one or more names of QuickSight groups."
  }

  validation {
    condition     = alltrue([for viewer in var.viewers : viewer.all == (length(viewer.tenants) + length(viewer.business_units) == 0)])
    error_message = "viewers: got ${jsonencode([for group, viewer in var.viewers : group if viewer.all != (length(viewer.tenants) + length(viewer.business_units) == 0)])} with both all and names, or neither; allowed: all = true, or tenants and business_units."
  }
}

variable "workgroup_name" {
  description = "Athena workgroup that queries run in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-zA-Z0-9._-]{1,128}$", var.workgroup_name))
    error_message = "workgroup_name: given \"${var.workgroup_name}\"; allowed: 1 to 128 letters, digits, periods, underscores and hyphens."
  }
}

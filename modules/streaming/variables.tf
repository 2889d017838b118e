variable "account_id" {
  description = "AWS account id of 12 digits; it makes bucket names unique."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id: given \"${var.account_id}\"; allowed: 12 digits."
  }
}

variable "deletion_protection" {
  description = "Whether DynamoDB refuses to delete the tables; false only for stacks that are thrown away."
  type        = bool
  default     = true
  nullable    = false
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

variable "payload_retention_days" {
  description = "Days until S3 deletes what is left of a job's stored request or a stored answer, counted from the next midnight (UTC); no answer is repeated for more than one."
  type        = number
  default     = 1
  nullable    = false

  validation {
    condition     = var.payload_retention_days >= 1 && var.payload_retention_days <= 30 && floor(var.payload_retention_days) == var.payload_retention_days
    error_message = "payload_retention_days: given ${var.payload_retention_days}; allowed: a whole number from 1 to 30."
  }
}

variable "point_in_time_recovery" {
  description = "Whether the tables can be restored to any second of the last 35 days."
  type        = bool
  default     = true
  nullable    = false
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

variable "tags" {
  description = "Tags on every resource, merged over the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

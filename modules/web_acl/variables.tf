variable "kms_key_arn" {
  description = "ARN of the deployment's KMS key: encrypts the log."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn: got \"${var.kms_key_arn}\"; allowed: the ARN of a KMS key."
  }
}

variable "log_retention_days" {
  description = "Days that the log of what was filtered is kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: got ${var.log_retention_days}; allowed: a retention that CloudWatch Logs offers, such as 30, 90 or 365."
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

variable "requests_per_5_minutes" {
  description = "Requests that one address may make in 5 minutes before it is blocked."
  type        = number
  default     = 5000
  nullable    = false

  validation {
    condition     = var.requests_per_5_minutes >= 10 && var.requests_per_5_minutes <= 2000000000 && floor(var.requests_per_5_minutes) == var.requests_per_5_minutes
    error_message = "requests_per_5_minutes: got ${var.requests_per_5_minutes}; allowed: a whole number from 10 to 2000000000."
  }
}

variable "tags" {
  description = "Tags on top of the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

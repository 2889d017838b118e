variable "business_unit" {
  description = "The unit's document as modules/tenant_files makes it. Money is US dollars as a decimal string; null means no budget."
  type = object({
    schema_version = number
    id             = string
    name           = string
    owner          = string
    budget = object({
      month_usd = string
      day_usd   = string
      mode      = string
    })
    shards = number
  })
  nullable = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9_-]{0,30}$", var.business_unit.id))
    error_message = "business_unit.id: given \"${var.business_unit.id}\"; allowed: a name of at most 31 lower-case letters, digits, _ and - that starts with a letter."
  }

  validation {
    condition     = var.business_unit.shards >= 1 && var.business_unit.shards <= 64 && floor(var.business_unit.shards) == var.business_unit.shards
    error_message = "business_unit.shards: given ${var.business_unit.shards}; allowed: a whole number from 1 to 64."
  }
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts the lake."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn: given \"${var.kms_key_arn}\"; allowed: the ARN of a KMS key, not of an alias."
  }
}

variable "lake_bucket_name" {
  description = "Name of the bucket with the usage lake, where reports find the unit."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.lake_bucket_name))
    error_message = "lake_bucket_name: given \"${var.lake_bucket_name}\"; allowed: the name of an S3 bucket."
  }
}

variable "tenants_table_name" {
  description = "Name of the table that functions read policies and key hashes from."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.tenants_table_name))
    error_message = "tenants_table_name: given \"${var.tenants_table_name}\"; allowed: the name of a DynamoDB table."
  }
}

variable "allowed_account_ids" {
  description = "AWS accounts that this environment may be applied to; empty allows any."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.allowed_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "allowed_account_ids: got ${join(", ", var.allowed_account_ids)}; allowed: account ids of twelve digits."
  }
}

variable "business_units" {
  description = "Units of the company by id, which tenants belong to by `business_unit`: budgets as decimal strings in USD hold for all of a unit's tenants together, spread over `shards` accounts."
  type = map(object({
    name  = string
    owner = string
    budget = optional(object({
      month_usd = optional(string)
      day_usd   = optional(string)
      mode      = optional(string)
    }), {})
    shards = optional(number)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for id in keys(var.business_units) : can(regex("^[a-z][a-z0-9_-]{0,30}$", id))])
    error_message = "business_units: got ${join(", ", keys(var.business_units))}; allowed: names of at most 31 lower-case letters, digits, _ and - that start with a letter."
  }
}

variable "environment" {
  description = "Name of the environment, which is the folder of its files in envs/."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.environment))
    error_message = "environment: got \"${var.environment}\"; allowed: 1 to 20 of a-z, 0-9 and -, a letter first."
  }
}

variable "kms_deletion_window_days" {
  description = "Days between destroying a tenant's own key and losing what it encrypts."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.kms_deletion_window_days >= 7 && var.kms_deletion_window_days <= 30
    error_message = "kms_deletion_window_days: got ${var.kms_deletion_window_days}; allowed: 7 to 30."
  }
}

variable "parent" {
  description = "The gateway that the tenants are added to: its prefix as `unit`, or its `rest_api_id`, and the `stage_name` to be sure of it."
  type = object({
    unit        = optional(string)
    rest_api_id = optional(string)
    stage_name  = optional(string)
  })
  nullable = false

  validation {
    condition     = (var.parent.unit == null) != (var.parent.rest_api_id == null)
    error_message = "parent: got ${var.parent.unit == null ? "neither unit nor rest_api_id" : "unit and rest_api_id"}; allowed: one of the two. Tenants alone cannot be deployed: name the gateway that serves them."
  }

  validation {
    condition     = var.parent.unit == null || can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.parent.unit))
    error_message = "parent.unit: got \"${coalesce(var.parent.unit, "null")}\"; allowed: 3 to 32 of a-z, 0-9 and -, a letter first."
  }

  validation {
    condition     = var.parent.rest_api_id == null || can(regex("^[a-z0-9]{1,32}$", var.parent.rest_api_id))
    error_message = "parent.rest_api_id: got \"${coalesce(var.parent.rest_api_id, "null")}\"; allowed: an id of a-z and 0-9."
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

variable "tags" {
  description = "Tags of every resource, besides Environment, ManagedBy and Project."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "tenants_dir" {
  description = "Folder of the tenant files, relative to this one; null means ../../envs/<environment>/tenants."
  type        = string
  default     = null
}

variable "tiers" {
  description = "Defaults by tier: budgets as decimal strings in USD, limits and token counts as whole numbers, the markup as a decimal string; `sla` is what the tier is promised, as a percentage and in milliseconds. A tenant file's own field wins."
  type = map(object({
    budget = optional(object({
      month_usd = optional(string)
      day_usd   = optional(string)
      mode      = optional(string)
    }), {})
    limits = optional(object({
      requests_per_minute = optional(number)
      requests_per_day    = optional(number)
      tokens_per_minute   = optional(number)
      concurrent_requests = optional(number)
    }), {})
    max_tokens = optional(object({
      default = optional(number)
      maximum = optional(number)
      clamp   = optional(bool)
      count   = optional(string)
    }), {})
    shards           = optional(number)
    markup           = optional(string)
    subscription_usd = optional(string)
    sla = optional(object({
      availability       = optional(string)
      latency_p95_ms     = optional(number)
      first_token_p95_ms = optional(number)
    }), {})
    alert_thresholds = optional(list(number))
  }))
  nullable = false

  validation {
    condition     = length(var.tiers) > 0
    error_message = "tiers: got none; at least one tier is required, because every tenant names one."
  }
}

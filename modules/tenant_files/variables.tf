variable "business_units" {
  description = "Units of the company by id, which tenants belong to by `business_unit`: their budget in US dollars, as decimal strings, holds for all of their tenants together, spread over `shards` accounts."
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
}

variable "directory" {
  description = "Folder with one `<tenant_id>.tfvars` file per tenant; other files in it are ignored and an empty or missing folder means no tenants."
  type        = string
  nullable    = false
}

variable "prefix" {
  description = "The unit's first part of every name, such as `tollgate-dev`: a silo tenant's role lies at the path `/tollgate/<prefix>/`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix)) && !can(regex("^(.*--.*|(aws|ssm).*|(amzn-s3-demo|sg|sthree)(-.*)?|default|primary)$", var.prefix))
    error_message = "prefix: given \"${var.prefix}\"; allowed: 3 to 32 lower-case letters, digits and hyphens that start with a letter and do not end with a hyphen, no two hyphens in a row, and nothing that AWS keeps for itself: aws..., ssm..., amzn-s3-demo-..., sg-..., sthree-..., default, primary."
  }
}

variable "tiers" {
  description = "Defaults by tier name; a tenant's own field wins field by field. Money is US dollars and the markup a factor, both as decimal strings; the other values are whole numbers."
  type = map(object({
    budget = optional(object({
      month_usd = optional(string)
      day_usd   = optional(string)
      mode      = optional(string, "hard")
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
}

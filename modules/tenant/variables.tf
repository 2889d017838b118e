variable "keys" {
  description = "API keys by `<app>/<key name>`; `expires` is a date as YYYY-MM-DD or empty."
  type = map(object({
    app_id   = string
    key_name = string
    status   = string
    expires  = string
  }))
  nullable = false

  validation {
    condition     = alltrue([for id, key in var.keys : id == "${key.app_id}/${key.key_name}"])
    error_message = "keys: given ${join(", ", [for id, key in var.keys : "\"${id}\"" if id != "${key.app_id}/${key.key_name}"])}; allowed: <app_id>/<key_name> of the entry itself."
  }

  validation {
    condition     = alltrue([for key in values(var.keys) : contains(["active", "suspended"], key.status)])
    error_message = "keys: ${join(", ", [for id, key in var.keys : "status of ${id}: given \"${key.status}\"" if !contains(["active", "suspended"], key.status)])}; allowed: \"active\" or \"suspended\"."
  }

  validation {
    condition     = alltrue([for key in values(var.keys) : key.expires == "" || can(formatdate("YYYY", "${key.expires}T00:00:00Z"))])
    error_message = "keys: ${join(", ", [for id, key in var.keys : "expires of ${id}: given \"${key.expires}\"" if key.expires != "" && !can(formatdate("YYYY", "${key.expires}T00:00:00Z"))])}; allowed: a date as \"YYYY-MM-DD\" or \"\"."
  }

  validation {
    condition     = alltrue([for key in values(var.keys) : contains(keys(var.policy.apps), key.app_id)])
    error_message = "keys: given an app_id that is not in policy.apps; allowed: ${join(", ", keys(var.policy.apps))}."
  }
}

variable "kms_key_arn" {
  description = "ARN of the customer-managed KMS key that encrypts the stored API keys."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn: given \"${var.kms_key_arn}\"; allowed: the ARN of a KMS key, not of an alias."
  }
}

variable "policy" {
  description = "The tenant's policy as functions read it from the TENANT# item: the tenant file merged with its tier. Money is US dollars as a decimal string; null means no limit."
  type = object({
    schema_version = number
    tenant_id      = string
    name           = string
    kind           = string
    cost_center    = string
    tier           = string
    status         = string
    models         = list(string)
    tags           = map(string)
    budget = object({
      month_usd = string
      day_usd   = string
      mode      = string
    })
    limits = object({
      requests_per_minute = number
      requests_per_day    = number
      tokens_per_minute   = number
      concurrent_requests = number
    })
    max_tokens = object({
      default = number
      maximum = number
      clamp   = bool
      count   = string
    })
    shards     = number
    model_arns = map(string)
    # Model, routing and tier lead to rates, where long_context and units are objects among texts.
    prices = any
    unpriced = object({
      input  = string
      output = string
    })
    apps = map(object({
      status = string
      tags   = map(string)
      budget = object({
        month_usd = string
        day_usd   = string
        mode      = string
      })
      limits = object({
        requests_per_minute = number
        requests_per_day    = number
        tokens_per_minute   = number
        concurrent_requests = number
      })
    }))
  })
  nullable = false

  validation {
    condition     = var.policy.tenant_id == var.tenant_id
    error_message = "policy.tenant_id: given \"${var.policy.tenant_id}\"; allowed: the module's tenant_id, \"${var.tenant_id}\"."
  }
}

variable "prefix" {
  description = "First part of every name, such as `tollgate-dev`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix))
    error_message = "prefix: given \"${var.prefix}\"; allowed: 3 to 32 lower-case letters, digits and hyphens that start with a letter and do not end with a hyphen."
  }
}

variable "quota_requests_per_day" {
  description = "HTTP requests per day that API Gateway lets through; null derives it from the policy's requests_per_day."
  type        = number
  default     = null

  validation {
    condition     = var.quota_requests_per_day == null ? true : var.quota_requests_per_day >= 1 && floor(var.quota_requests_per_day) == var.quota_requests_per_day
    error_message = "quota_requests_per_day: given ${var.quota_requests_per_day == null ? "null" : var.quota_requests_per_day}; allowed: null or a whole number from 1."
  }
}

variable "rest_api_id" {
  description = "Id of the REST API that the usage plan covers."
  type        = string
  nullable    = false
}

variable "stage_name" {
  description = "Name of the deployed stage that the usage plan covers."
  type        = string
  nullable    = false
}

variable "tags" {
  description = "Tags on every resource, merged over the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "tenant_id" {
  description = "The tenant's id; the name of its file."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.tenant_id))
    error_message = "tenant_id: given \"${var.tenant_id}\"; allowed: 3 to 32 lower-case letters, digits and hyphens that start with a letter and do not end with a hyphen."
  }
}

variable "tenants_table_name" {
  description = "Name of the table that functions read policies and key hashes from."
  type        = string
  nullable    = false
}

variable "throttle" {
  description = "HTTP requests per second (`rate_limit`) and at once (`burst_limit`) that API Gateway lets through; null derives both from the policy's requests_per_minute."
  type = object({
    rate_limit  = number
    burst_limit = number
  })
  default = null

  validation {
    condition     = var.throttle == null ? true : var.throttle.rate_limit > 0 && var.throttle.burst_limit >= 1 && floor(var.throttle.burst_limit) == var.throttle.burst_limit
    error_message = "throttle: given ${jsonencode(var.throttle)}; allowed: null, or a rate_limit above 0 with a whole burst_limit from 1."
  }
}

variable "directory" {
  description = "Folder with one `<tenant_id>.tfvars` file per tenant; other files in it are ignored and an empty or missing folder means no tenants."
  type        = string
  nullable    = false
}

variable "tiers" {
  description = "Defaults by tier name; a tenant's own field wins field by field. Money is US dollars as a decimal string, the other values are whole numbers."
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
  }))
  nullable = false
}

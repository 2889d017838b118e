variable "ceiling" {
  description = "Most HTTP requests per second and at once of one API key, whatever its limits; below the stage's throttle. null means none."
  type = object({
    rate_limit  = number
    burst_limit = number
  })
  default = null

  validation {
    condition     = var.ceiling == null ? true : var.ceiling.rate_limit > 0 && var.ceiling.burst_limit >= 1 && floor(var.ceiling.burst_limit) == var.ceiling.burst_limit
    error_message = "ceiling: got ${jsonencode(var.ceiling)}; allowed: rate_limit above 0 with a whole burst_limit from 1, or null."
  }
}

variable "description" {
  description = "Whom the plan is for."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.description) > 0
    error_message = "description: got \"\"; allowed: a text that says whom the plan is for."
  }
}

variable "limits" {
  description = "Model calls that the ledger admits per minute and day, per API key at most; the plan lets ten times as many HTTP requests through. null means no fence."
  type = object({
    requests_per_minute = number
    requests_per_day    = number
  })
  nullable = false

  validation {
    condition = alltrue([
      for limit in values(var.limits) : limit == null ? true : limit >= 1 && floor(limit) == limit
    ])
    error_message = "limits: got ${jsonencode(var.limits)}; allowed: whole numbers from 1, or null."
  }
}

variable "methods" {
  description = "Narrower throttles of single methods by `<path>/<METHOD>`, such as `/invoke_model/POST`: HTTP requests per second (`rate_limit`) and at once (`burst_limit`) of one API key."
  type = map(object({
    rate_limit  = number
    burst_limit = number
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for method in keys(var.methods) : can(regex("^(/[A-Za-z0-9_.{}+-]+)+/(DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT)$", method))])
    error_message = "methods: got ${join(", ", [for method in keys(var.methods) : "\"${method}\""])}; allowed: a path of the API with its method, such as \"/invoke_model/POST\"."
  }

  validation {
    condition = alltrue([
      for throttle in values(var.methods) :
      throttle.rate_limit > 0 && throttle.burst_limit >= 1 && floor(throttle.burst_limit) == throttle.burst_limit
    ])
    error_message = "methods: got ${jsonencode(var.methods)}; allowed: rate_limit above 0 with a whole burst_limit from 1."
  }
}

variable "name" {
  description = "Name of the plan."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9/_-]{0,127}$", var.name))
    error_message = "name: got \"${var.name}\"; allowed: 1 to 128 of a-z, 0-9, /, _ and -, a letter first."
  }
}

variable "rest_api_id" {
  description = "Id of the REST API that the plan covers."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]{1,32}$", var.rest_api_id))
    error_message = "rest_api_id: got \"${var.rest_api_id}\"; allowed: the id of a REST API, such as \"abcde12345\"."
  }
}

variable "stage_name" {
  description = "Name of the deployed stage that the plan covers."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.stage_name))
    error_message = "stage_name: got \"${var.stage_name}\"; allowed: 1 to 128 letters, digits, _ and -."
  }
}

variable "tags" {
  description = "Tags of the plan, merged over the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:")])
    error_message = "tags: got ${join(", ", keys(var.tags))}; allowed: names that do not start with \"aws:\"."
  }
}

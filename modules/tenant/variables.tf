variable "account_id" {
  description = "AWS account id of the deployment."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id: given \"${var.account_id}\"; allowed: 12 digits."
  }
}

variable "api_url" {
  description = "Base URL of the API, which the tenant is told."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^https?://[^/ ]+(/[^ ]*)?$", var.api_url))
    error_message = "api_url: given \"${var.api_url}\"; allowed: a URL, such as https://abcde12345.execute-api.us-east-1.amazonaws.com/v1."
  }
}

variable "business_unit_item_id" {
  description = "Id of the item of the tenant's business unit, which is made before the policy that names it; null where it names none."
  type        = string
  default     = null

  validation {
    condition     = var.business_unit_item_id == null ? true : length(var.business_unit_item_id) > 0
    error_message = "business_unit_item_id: given ${jsonencode(var.business_unit_item_id)}; allowed: null or the output item_id of modules/business_unit."
  }
}

variable "caller_roles" {
  description = "Roles that call models for the tenant, by any name: each may take these actions on the policy's `model_arns`. `is_session_role` says that the role serves all tenants, in sessions with the tag `tenant`."
  type = map(object({
    role_name       = string
    actions         = list(string)
    is_session_role = optional(bool, false)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for role in values(var.caller_roles) : length(role.actions) > 0 && alltrue([for action in role.actions : can(regex("^bedrock:[A-Za-z]+$", action))])])
    error_message = "caller_roles: given actions ${jsonencode({ for name, role in var.caller_roles : name => role.actions })}; allowed: at least one action of bedrock each, without wildcards."
  }
}

variable "key_store" {
  description = "Where keys' values lie: `ssm` (SecureString parameters) or `secrets_manager`, both made here and so in the state, too; or `external`: keys are issued outside Terraform, and none is made."
  type        = string
  default     = "ssm"
  nullable    = false

  validation {
    condition     = contains(["ssm", "secrets_manager", "external"], var.key_store)
    error_message = "key_store: given \"${var.key_store}\"; allowed: \"ssm\", \"secrets_manager\" or \"external\"."
  }
}

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

variable "kms_deletion_window_days" {
  description = "Days between destroying the tenant's own key and losing what it encrypts."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.kms_deletion_window_days >= 7 && var.kms_deletion_window_days <= 30 && floor(var.kms_deletion_window_days) == var.kms_deletion_window_days
    error_message = "kms_deletion_window_days: given ${var.kms_deletion_window_days}; allowed: a whole number from 7 to 30."
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

variable "lake_bucket_name" {
  description = "Name of the bucket with the usage lake, where reports find what kind of tenant this is."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.lake_bucket_name))
    error_message = "lake_bucket_name: given \"${var.lake_bucket_name}\"; allowed: the name of an S3 bucket."
  }
}

variable "partition" {
  description = "AWS partition of the deployment."
  type        = string
  default     = "aws"
  nullable    = false

  validation {
    condition     = contains(["aws", "aws-us-gov", "aws-cn"], var.partition)
    error_message = "partition: given \"${var.partition}\"; allowed: \"aws\", \"aws-us-gov\" or \"aws-cn\"."
  }
}

variable "policy" {
  description = "The tenant's policy as modules/tenant_files makes it: the tenant file merged with its tier. The TENANT# item has it with the ARNs of the tenant's KMS key and inference profiles. Money is US dollars as a decimal string; null means no limit."
  type = object({
    schema_version = number
    tenant_id      = string
    name           = string
    kind           = string
    cost_center    = string
    business_unit  = string
    tier           = string
    status         = string
    isolation      = string
    silo = object({
      role_arn    = string
      external_id = string
    })
    models      = list(string)
    deny_models = list(string)
    compliance  = list(string)
    tags        = map(string)
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
    model_limits = map(object({
      requests_per_minute = number
      requests_per_day    = number
      tokens_per_minute   = number
      concurrent_requests = number
    }))
    max_tokens = object({
      default = number
      maximum = number
      clamp   = bool
      count   = string
    })
    markup           = string
    subscription_usd = string
    sla = object({
      availability       = string
      latency_p95_ms     = number
      first_token_p95_ms = number
    })
    guardrail = object({
      id      = string
      version = string
    })
    system_preamble   = string
    teams             = list(string)
    allow_fields      = list(string)
    alert_thresholds  = list(number)
    retention_minutes = number
    own_kms_key       = bool
    shards            = number
    model_arns        = map(string)
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
      inference_profiles = map(object({
        model       = string
        description = string
        tags        = map(string)
      }))
    }))
  })
  nullable = false

  validation {
    condition     = var.policy.tenant_id == var.tenant_id
    error_message = "policy.tenant_id: given \"${var.policy.tenant_id}\"; allowed: the module's tenant_id, \"${var.tenant_id}\"."
  }

  validation {
    condition     = contains(["active", "suspended", "offboarded"], var.policy.status)
    error_message = "policy.status: given \"${var.policy.status}\"; allowed: \"active\", \"suspended\" or \"offboarded\"."
  }

  validation {
    condition     = var.policy.isolation == "pool" || (var.policy.isolation == "silo" && var.policy.silo != null)
    error_message = "policy.isolation: given \"${var.policy.isolation}\" with silo ${var.policy.silo == null ? "null" : "set"}; allowed: \"pool\", or \"silo\" with silo set."
  }

  validation {
    condition     = var.policy.isolation != "silo" || alltrue([for app in values(var.policy.apps) : length(app.inference_profiles) == 0])
    error_message = "policy.apps: given inference_profiles with isolation = \"silo\"; allowed: none, because they would lie in this account and not in the tenant's."
  }
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

variable "region" {
  description = "AWS region of the deployment."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region: given \"${var.region}\"; allowed: a region's name, such as us-east-1."
  }
}

variable "rest_api_id" {
  description = "Id of the REST API that the usage plan covers."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9]{1,32}$", var.rest_api_id))
    error_message = "rest_api_id: given \"${var.rest_api_id}\"; allowed: the id of a REST API, such as \"abcde12345\"."
  }
}

variable "stage_name" {
  description = "Name of the deployed stage that the usage plan covers."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.stage_name))
    error_message = "stage_name: given \"${var.stage_name}\"; allowed: 1 to 128 letters, digits, _ and -."
  }
}

variable "tags" {
  description = "Tags on every resource, merged over the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:")])
    error_message = "tags: given ${join(", ", keys(var.tags))}; allowed: names that do not start with \"aws:\"."
  }
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

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.tenants_table_name))
    error_message = "tenants_table_name: given \"${var.tenants_table_name}\"; allowed: the name of a DynamoDB table."
  }
}

variable "usage_plan" {
  description = "The usage plan that the tenant's keys are put in, as `{ id }`; null makes one for the tenant."
  type        = object({ id = string })
  default     = null

  validation {
    condition     = var.usage_plan == null ? true : length(var.usage_plan.id) > 0
    error_message = "usage_plan.id: given \"\"; allowed: the id of a usage plan."
  }
}

variable "usage_plan_ceiling" {
  description = "Most HTTP requests per second and at once of one API key in the tenant's own plan; modules/usage_plan checks it. null means none."
  type = object({
    rate_limit  = number
    burst_limit = number
  })
  default = null

  validation {
    condition     = var.usage_plan_ceiling == null ? true : var.usage_plan_ceiling.rate_limit > 0 && var.usage_plan_ceiling.burst_limit >= 1
    error_message = "usage_plan_ceiling: given ${jsonencode(var.usage_plan_ceiling)}; allowed: rate_limit above 0 with burst_limit from 1, or null."
  }
}

variable "usage_plan_methods" {
  description = "Narrower throttles of single methods in the tenant's own plan, by `<path>/<METHOD>`; modules/usage_plan checks them."
  type = map(object({
    rate_limit  = number
    burst_limit = number
  }))
  default  = {}
  nullable = false

  validation {
    condition     = var.usage_plan == null || length(var.usage_plan_methods) == 0
    error_message = "usage_plan_methods: given ${join(", ", keys(var.usage_plan_methods))} with a usage_plan that is made elsewhere; allowed: {}, because they belong to that plan."
  }
}

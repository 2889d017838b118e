variable "authorizer_cache_seconds" {
  description = "Seconds that API Gateway remembers a key's verdict, which is how long a revoked key may still pass; 0 asks every time."
  type        = number
  default     = 60
  nullable    = false

  validation {
    condition     = var.authorizer_cache_seconds >= 0 && var.authorizer_cache_seconds <= 3600 && floor(var.authorizer_cache_seconds) == var.authorizer_cache_seconds
    error_message = "authorizer_cache_seconds: got ${var.authorizer_cache_seconds}; allowed: a whole number from 0 to 3600."
  }
}

variable "endpoint" {
  description = "How the API is reached: REGIONAL from everywhere or PRIVATE through the given `execute-api` VPC endpoints only, and the CIDR blocks that clients may call from (for PRIVATE those in their VPC); none means all."
  type = object({
    type             = optional(string, "REGIONAL")
    allowed_cidrs    = optional(list(string), [])
    vpc_endpoint_ids = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["PRIVATE", "REGIONAL"], var.endpoint.type)
    error_message = "endpoint.type: got \"${var.endpoint.type}\"; allowed: PRIVATE, REGIONAL."
  }

  validation {
    condition     = (var.endpoint.type == "PRIVATE") == (length(var.endpoint.vpc_endpoint_ids) > 0)
    error_message = "endpoint.vpc_endpoint_ids: got ${length(var.endpoint.vpc_endpoint_ids)} for ${var.endpoint.type}; allowed: at least one for PRIVATE, none for REGIONAL."
  }

  validation {
    condition     = alltrue([for cidr in var.endpoint.allowed_cidrs : can(cidrhost(cidr, 0))])
    error_message = "endpoint.allowed_cidrs: got ${join(", ", var.endpoint.allowed_cidrs)}; allowed: CIDR blocks."
  }

  validation {
    # Of the policy's 8,192 characters, what is around the lists takes 512 at most, and an endpoint's id 25.
    condition     = length(jsonencode(var.endpoint.allowed_cidrs)) + 25 * length(var.endpoint.vpc_endpoint_ids) <= 7680
    error_message = "endpoint.allowed_cidrs: got ${length(var.endpoint.allowed_cidrs)} blocks, ${length(jsonencode(var.endpoint.allowed_cidrs))} characters as JSON; allowed: ${7680 - 25 * length(var.endpoint.vpc_endpoint_ids)} characters beside ${length(var.endpoint.vpc_endpoint_ids)} VPC endpoints, which is about ${floor((7680 - 25 * length(var.endpoint.vpc_endpoint_ids)) * length(var.endpoint.allowed_cidrs) / length(jsonencode(var.endpoint.allowed_cidrs)))} blocks like these, because API Gateway takes a resource policy of 8,192. Write neighbouring blocks as one."
  }
}

variable "functions" {
  description = "The Lambda functions by the name that the contract's x-tollgate-function uses, and `authorize`."
  type = map(object({
    invoke_arn = string
    name       = string
  }))
  nullable = false

  validation {
    condition     = contains(keys(var.functions), "authorize")
    error_message = "functions: got ${join(", ", keys(var.functions))}; \"authorize\" is required."
  }
}

variable "kms_key_arn" {
  description = "ARN of the deployment's KMS key: encrypts the log groups."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn: got \"${var.kms_key_arn}\"; allowed: the ARN of a KMS key."
  }
}

variable "log_retention_days" {
  description = "Days that access and execution logs are kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: got ${var.log_retention_days}; allowed: a retention that CloudWatch Logs offers, such as 30, 90 or 365."
  }
}

variable "manage_account_logging_role" {
  description = "Set the account's and region's one role by which API Gateway writes logs. Leave it off where something else sets it."
  type        = bool
  default     = false
  nullable    = false
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary that the account demands on roles; null means none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[^:]+:iam::[0-9]{12}:policy/", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn: got \"${coalesce(var.permissions_boundary_arn, "null")}\"; allowed: the ARN of an IAM policy, or null."
  }
}

variable "prefix" {
  description = "Name of the REST API and prefix of every other name, unique per deployment in the account and region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix)) && !can(regex("^(.*--.*|(aws|ssm).*|(amzn-s3-demo|sg|sthree)(-.*)?|default|primary)$", var.prefix))
    error_message = "prefix: got \"${var.prefix}\"; allowed: 3 to 32 lower-case letters, digits and hyphens that start with a letter and do not end with a hyphen, no two hyphens in a row, and nothing that AWS keeps for itself: aws..., ssm..., amzn-s3-demo-..., sg-..., sthree-..., default, primary."
  }
}

variable "stage_name" {
  description = "Name of the stage, the first segment of every path of the default endpoint."
  type        = string
  default     = "v1"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,128}$", var.stage_name))
    error_message = "stage_name: got \"${var.stage_name}\"; allowed: 1 to 128 letters, digits, _ and -."
  }
}

variable "tags" {
  description = "Tags on top of the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "throttle" {
  description = "Requests per second and burst that the whole stage takes, over all tenants."
  type = object({
    burst_limit = optional(number, 500)
    rate_limit  = optional(number, 250)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.throttle.rate_limit > 0 && var.throttle.burst_limit >= 1 && floor(var.throttle.burst_limit) == var.throttle.burst_limit
    error_message = "throttle: got rate_limit ${var.throttle.rate_limit} and burst_limit ${var.throttle.burst_limit}; allowed: a rate above 0 and a whole burst of 1 or more."
  }
}

variable "web_acl" {
  description = "WAF web ACL of the stage; null means none. An object, so that whether there is one is known before its ARN is."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.web_acl == null || can(regex("^arn:[^:]+:wafv2:[^:]+:[0-9]{12}:regional/webacl/", var.web_acl.arn))
    error_message = "web_acl.arn: got \"${try(var.web_acl.arn, "")}\"; allowed: the ARN of a regional web ACL."
  }
}

variable "alarm_topic_arns" {
  description = "ARNs of the SNS topics that are told when an alarm of the function begins and ends; none means that alarms are seen in CloudWatch alone."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$", arn))])
    error_message = "alarm_topic_arns: given ${jsonencode(var.alarm_topic_arns)}; allowed: ARNs of SNS standard topics."
  }
}

variable "alarms" {
  description = "Alarms by the name of the function's own metric: what it means when a figure of it is above the threshold."
  type = map(object({
    description = string
    threshold   = optional(number, 0)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.alarms) : can(regex("^[A-Z][A-Za-z0-9]{0,63}$", name))])
    error_message = "alarms: got the names ${join(", ", keys(var.alarms))}; allowed: names of metrics such as FailedHolds."
  }

  validation {
    condition     = alltrue([for alarm in values(var.alarms) : length(alarm.description) >= 1 && length(alarm.description) <= 1024 && alarm.threshold >= 0])
    error_message = "alarms: got ${jsonencode(var.alarms)}; allowed: a description of 1 to 1,024 characters and a threshold of 0 or more."
  }
}

variable "architecture" {
  description = "Instruction set of the function; the zip's native wheels must match it."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture: got \"${var.architecture}\"; allowed: arm64, x86_64."
  }
}

variable "artifact" {
  description = "The built zip: its path and the base64 SHA-256 of its bytes, as the build's manifest states them."
  type = object({
    path   = string
    sha256 = string
  })
  nullable = false

  validation {
    condition     = endswith(var.artifact.path, ".zip")
    error_message = "artifact.path: got \"${var.artifact.path}\"; allowed: the path of a .zip file."
  }

  validation {
    condition     = can(regex("^[A-Za-z0-9+/]{43}=$", var.artifact.sha256))
    error_message = "artifact.sha256: got \"${var.artifact.sha256}\"; allowed: the base64 of a SHA-256. Run `make package`."
  }
}

variable "description" {
  description = "What the function does, shown in the console."
  type        = string
  nullable    = false

  validation {
    condition     = length(var.description) >= 1 && length(var.description) <= 256
    error_message = "description: got ${length(var.description)} characters; allowed: 1 to 256."
  }
}

variable "environment" {
  description = "Environment variables of the function, on top of the Powertools ones that the module sets."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.environment) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "environment: got the names ${join(", ", keys(var.environment))}; allowed: A-Z, 0-9 and _, a letter first."
  }

  validation {
    condition = alltrue([
      for name in keys(var.environment) :
      !startswith(name, "POWERTOOLS_") && (!startswith(name, "AWS_") || startswith(name, "AWS_ENDPOINT_URL_") || name == "AWS_LAMBDA_EXEC_WRAPPER")
    ])
    error_message = "environment: got the names ${join(", ", keys(var.environment))}; allowed: no POWERTOOLS_*, which the module sets, and of AWS_*, which belongs to Lambda, only AWS_ENDPOINT_URL_<service> and AWS_LAMBDA_EXEC_WRAPPER."
  }
}

variable "event_queue" {
  description = "SQS queue whose messages invoke the function one at a time, and how many at once (2 to 1000; null as many as Lambda likes); null means none. An object, so that whether there is one is known before the queue's ARN is."
  type = object({
    arn                 = string
    maximum_concurrency = optional(number)
  })
  default = null

  validation {
    condition     = var.event_queue == null || can(regex("^arn:[^:]+:sqs:", var.event_queue.arn))
    error_message = "event_queue: got ${jsonencode(var.event_queue)}; allowed: the ARN of an SQS queue, or null."
  }

  validation {
    condition     = try(var.event_queue.maximum_concurrency, null) == null ? true : var.event_queue.maximum_concurrency >= 2 && var.event_queue.maximum_concurrency <= 1000 && floor(var.event_queue.maximum_concurrency) == var.event_queue.maximum_concurrency
    error_message = "event_queue.maximum_concurrency: got ${try(coalesce(var.event_queue.maximum_concurrency), "null")}; allowed: a whole number from 2 to 1000, or null."
  }
}

variable "handler" {
  description = "Dotted path of the entry point inside the zip."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z_][a-z0-9_]*(\\.[a-z_][a-z0-9_]*)+$", var.handler))
    error_message = "handler: got \"${var.handler}\"; allowed: a dotted Python path such as tollgate_invoke.handler.lambda_handler."
  }
}

variable "kms_key_arn" {
  description = "ARN of the deployment's KMS key: encrypts the log group, the environment and the dead-letter queue."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn: got \"${var.kms_key_arn}\"; allowed: the ARN of a KMS key."
  }
}

variable "log_retention_days" {
  description = "Days that the function's log is kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: got ${var.log_retention_days}; allowed: a retention that CloudWatch Logs offers, such as 30, 90 or 365."
  }
}

variable "memory_mb" {
  description = "Memory of the function in MB; its share of CPU grows with it."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.memory_mb >= 128 && var.memory_mb <= 10240 && floor(var.memory_mb) == var.memory_mb
    error_message = "memory_mb: got ${var.memory_mb}; allowed: a whole number from 128 to 10240."
  }
}

variable "name" {
  description = "Short name of the function; resources are called <name_prefix>-<name>."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.name))
    error_message = "name: got \"${var.name}\"; allowed: 1 to 20 of a-z, 0-9 and -, a letter first."
  }
}

variable "name_prefix" {
  description = "Prefix of every name, unique per deployment in the account and region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name_prefix)) && !can(regex("^(.*--.*|(aws|ssm).*|(amzn-s3-demo|sg|sthree)(-.*)?|default|primary)$", var.name_prefix))
    error_message = "name_prefix: got \"${var.name_prefix}\"; allowed: 3 to 32 lower-case letters, digits and hyphens that start with a letter and do not end with a hyphen, no two hyphens in a row, and nothing that AWS keeps for itself: aws..., ssm..., amzn-s3-demo-..., sg-..., sthree-..., default, primary."
  }
}

variable "network" {
  description = "Subnets and security groups that the function runs in; null means none, which reaches AWS over its public endpoints."
  type = object({
    security_group_ids = list(string)
    subnet_ids         = list(string)
  })
  default = null

  validation {
    condition     = var.network == null || try(length(var.network.subnet_ids) > 0 && length(var.network.security_group_ids) > 0, false)
    error_message = "network: got ${jsonencode(var.network)}; allowed: at least one subnet and one security group, or null."
  }
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

variable "policy_statements" {
  description = "What the function may do besides logging and using the key. Each sid is unique; effect defaults to Allow."
  type = list(object({
    sid        = string
    effect     = optional(string, "Allow")
    actions    = list(string)
    resources  = list(string)
    conditions = optional(map(map(list(string))), {})
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for statement in var.policy_statements : can(regex("^[A-Za-z0-9]+$", statement.sid))])
    error_message = "policy_statements: got the sids ${join(", ", var.policy_statements[*].sid)}; allowed: letters and digits."
  }

  validation {
    condition     = length(distinct(var.policy_statements[*].sid)) == length(var.policy_statements)
    error_message = "policy_statements: the sids ${join(", ", var.policy_statements[*].sid)} are not unique."
  }

  validation {
    condition     = alltrue([for statement in var.policy_statements : contains(["Allow", "Deny"], statement.effect)])
    error_message = "policy_statements: got the effects ${join(", ", var.policy_statements[*].effect)}; allowed: Allow, Deny."
  }

  validation {
    condition = alltrue(flatten([
      for statement in var.policy_statements : [
        for action in statement.actions :
        statement.effect == "Deny" || can(regex("^[a-z0-9-]+:[A-Za-z]+$", action))
      ]
    ]))
    error_message = "policy_statements: an allowed action is named in full, without *; got ${join(", ", flatten(var.policy_statements[*].actions))}."
  }
}

variable "reserved_concurrency" {
  description = "Most concurrent executions, taken out of the account's pool; null leaves the function in the pool."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null || try(var.reserved_concurrency >= 1, false)
    error_message = "reserved_concurrency: got ${coalesce(var.reserved_concurrency, 0)}; allowed: 1 or more, or null."
  }
}

variable "runtime" {
  description = "Managed Lambda runtime."
  type        = string
  default     = "python3.13"
  nullable    = false

  validation {
    condition     = can(regex("^python3\\.(1[2-9])$", var.runtime))
    error_message = "runtime: got \"${var.runtime}\"; allowed: python3.12 or newer."
  }
}

variable "schedule_expression" {
  description = "EventBridge Scheduler expression that invokes the function, such as rate(5 minutes); null means none."
  type        = string
  default     = null

  validation {
    condition     = var.schedule_expression == null || can(regex("^(rate|cron)\\(.+\\)$", var.schedule_expression))
    error_message = "schedule_expression: got \"${coalesce(var.schedule_expression, "null")}\"; allowed: rate(...) or cron(...), or null."
  }
}

variable "tags" {
  description = "Tags on top of the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "timeout_seconds" {
  description = "Seconds after which Lambda stops an invocation."
  type        = number
  nullable    = false

  validation {
    condition     = var.timeout_seconds >= 1 && var.timeout_seconds <= 900 && floor(var.timeout_seconds) == var.timeout_seconds
    error_message = "timeout_seconds: got ${var.timeout_seconds}; allowed: a whole number from 1 to 900."
  }
}

variable "tracing_mode" {
  description = "X-Ray tracing: PassThrough follows the caller's decision, Active samples by itself."
  type        = string
  default     = "PassThrough"
  nullable    = false

  validation {
    condition     = contains(["Active", "PassThrough"], var.tracing_mode)
    error_message = "tracing_mode: got \"${var.tracing_mode}\"; allowed: Active, PassThrough."
  }
}

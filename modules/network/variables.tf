variable "account_id" {
  description = "AWS account id of 12 digits, whose REST APIs the endpoint `execute-api` serves."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id: got \"${var.account_id}\"; allowed: 12 digits."
  }
}

variable "actions_by_endpoint" {
  description = "Interface endpoints to make, by the last part of their service's name, each with the IAM actions that it lets through."
  type        = map(list(string))
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for service in keys(var.actions_by_endpoint) : contains([
        "bedrock", "bedrock-runtime", "events", "kms", "lambda", "logs", "monitoring", "sagemaker.runtime",
        "secretsmanager", "sns", "sqs", "ssm", "sts",
      ], service)
    ])
    error_message = "actions_by_endpoint: got ${join(", ", keys(var.actions_by_endpoint))}; allowed: bedrock, bedrock-runtime, events, kms, lambda, logs, monitoring, sagemaker.runtime, secretsmanager, sns, sqs, ssm, sts. What bedrock-mantle serves is not metered."
  }

  validation {
    condition = alltrue([
      for actions in values(var.actions_by_endpoint) :
      length(actions) > 0 && alltrue([for action in actions : can(regex("^[a-z-]+:[A-Za-z]+$", action))])
    ])
    error_message = "actions_by_endpoint: got ${jsonencode(var.actions_by_endpoint)}; allowed: for each endpoint one or more actions in full, such as kms:Decrypt."
  }
}

variable "api_endpoint" {
  description = "Makes the endpoint `execute-api` for a private REST API: the CIDR blocks whose clients may connect, and whether its private DNS answers for every REST API of the region; null makes none."
  type = object({
    client_cidrs = list(string)
    private_dns  = optional(bool, true)
  })
  default = null

  validation {
    condition = try(length(var.api_endpoint.client_cidrs), 1) > 0 && alltrue([
      for cidr in try(var.api_endpoint.client_cidrs, []) : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")
    ])
    error_message = "api_endpoint.client_cidrs: got ${jsonencode(try(var.api_endpoint.client_cidrs, null))}; allowed: one or more CIDR blocks that are not the whole internet."
  }
}

variable "availability_zones" {
  description = "Availability zones of the module's own VPC, one subnet in each; every interface endpoint is paid per zone. Null means the first two, by name, that have every endpoint service when the VPC is made; zones that come later move nothing."
  type        = list(string)
  default     = null

  validation {
    condition = var.availability_zones == null || try(
      length(var.availability_zones) >= 1 && length(var.availability_zones) <= 6 &&
      length(distinct(var.availability_zones)) == length(var.availability_zones) &&
      alltrue([for zone in var.availability_zones : can(regex("^${var.region}[a-z]$", zone))]),
      false,
    )
    error_message = "availability_zones: got ${jsonencode(var.availability_zones)}; allowed: 1 to 6 different zones of ${var.region}, such as ${var.region}a, or null."
  }
}

variable "endpoint_client_arns" {
  description = "ARNs of the IAM roles that the endpoints serve, `*` and `?` as in ArnLike; nobody else gets through."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition = alltrue([
      for arn in var.endpoint_client_arns : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|\\*):role/[^*]+(/\\*)?$", arn))
    ])
    error_message = "endpoint_client_arns: got ${join(", ", var.endpoint_client_arns)}; allowed: ARNs of roles; a path may end in /*, and the account may be *."
  }
}

variable "existing" {
  description = "A VPC to use instead of an own one: its id, subnets for the functions and endpoints, route tables for the gateway endpoints, and, where S3, DynamoDB or other services have endpoints there already, the prefix lists and CIDR blocks under which they are reached."
  type = object({
    vpc_id          = string
    subnet_ids      = list(string)
    route_table_ids = optional(list(string), [])
    prefix_list_ids = optional(list(string), [])
    endpoint_cidrs  = optional(list(string), [])
  })
  default = null

  validation {
    condition = var.existing == null || try(
      can(regex("^vpc-[0-9a-f]+$", var.existing.vpc_id)) && length(var.existing.subnet_ids) > 0 &&
      alltrue([for id in var.existing.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))]),
      false,
    )
    error_message = "existing: got vpc_id ${jsonencode(try(var.existing.vpc_id, null))} and subnet_ids ${jsonencode(try(var.existing.subnet_ids, null))}; allowed: the id of a VPC and of one or more of its subnets."
  }

  validation {
    condition     = var.existing == null || try(length(var.existing.route_table_ids) > 0 || length(var.existing.prefix_list_ids) > 0, false)
    error_message = "existing: got neither route_table_ids nor prefix_list_ids; allowed: the route tables that get gateway endpoints for S3 and DynamoDB, or the prefix lists of those that exist."
  }

  validation {
    condition = alltrue(concat(
      [for id in try(var.existing.route_table_ids, []) : can(regex("^rtb-[0-9a-f]+$", id))],
      [for id in try(var.existing.prefix_list_ids, []) : can(regex("^pl-[0-9a-f]+$", id))],
      [for cidr in try(var.existing.endpoint_cidrs, []) : can(cidrhost(cidr, 0)) && !endswith(cidr, "/0")],
    ))
    error_message = "existing: got route_table_ids ${jsonencode(try(var.existing.route_table_ids, []))}, prefix_list_ids ${jsonencode(try(var.existing.prefix_list_ids, []))}, endpoint_cidrs ${jsonencode(try(var.existing.endpoint_cidrs, []))}; allowed: ids rtb-…, ids pl-…, CIDR blocks that are not the whole internet."
  }
}

variable "flow_log_traffic" {
  description = "Which traffic the own VPC's flow log records: ALL, ACCEPT or REJECT."
  type        = string
  default     = "ALL"
  nullable    = false

  validation {
    condition     = contains(["ACCEPT", "ALL", "REJECT"], var.flow_log_traffic)
    error_message = "flow_log_traffic: got \"${var.flow_log_traffic}\"; allowed: ACCEPT, ALL, REJECT."
  }
}

variable "gateway_actions_by_endpoint" {
  description = "IAM actions that the gateway endpoints let through, by service; a service without actions has no endpoint."
  type = object({
    dynamodb = optional(list(string), [])
    s3       = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition = alltrue([
      for action in concat(var.gateway_actions_by_endpoint.dynamodb, var.gateway_actions_by_endpoint.s3) :
      can(regex("^(dynamodb|s3):[A-Za-z]+$", action))
    ])
    error_message = "gateway_actions_by_endpoint: got ${jsonencode(var.gateway_actions_by_endpoint)}; allowed: actions in full, such as s3:GetObject."
  }
}

variable "kms_key_arn" {
  description = "ARN of the deployment's KMS key: encrypts the flow log."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[^:]+:kms:", var.kms_key_arn))
    error_message = "kms_key_arn: got \"${var.kms_key_arn}\"; allowed: the ARN of a KMS key."
  }
}

variable "log_retention_days" {
  description = "Days that the flow log is kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: got ${var.log_retention_days}; allowed: a retention that CloudWatch Logs offers, such as 30, 90 or 365."
  }
}

variable "mode" {
  description = "public: no network, nothing is made and nothing is paid. private: functions run in subnets that reach AWS through endpoints only."
  type        = string
  default     = "public"
  nullable    = false

  validation {
    condition     = contains(["private", "public"], var.mode)
    error_message = "mode: got \"${var.mode}\"; allowed: private, public."
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

variable "prefix" {
  description = "Prefix of every name, unique per deployment in the account and region."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix)) && !can(regex("^(.*--.*|(aws|ssm).*|(amzn-s3-demo|sg|sthree)(-.*)?|default|primary)$", var.prefix))
    error_message = "prefix: got \"${var.prefix}\"; allowed: 3 to 32 lower-case letters, digits and hyphens that start with a letter and do not end with a hyphen, no two hyphens in a row, and nothing that AWS keeps for itself: aws..., ssm..., amzn-s3-demo-..., sg-..., sthree-..., default, primary."
  }
}

variable "region" {
  description = "AWS region, which is part of the names of services and zones."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region: got \"${var.region}\"; allowed: a region's name, such as us-east-1."
  }
}

variable "tags" {
  description = "Tags on top of the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "vpc_cidr" {
  description = "CIDR block of the module's own VPC; each zone's subnet is an eighth of it."
  type        = string
  default     = "10.64.0.0/20"
  nullable    = false

  validation {
    condition = can(cidrhost(var.vpc_cidr, 0)) && try(
      tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 24, false
    )
    error_message = "vpc_cidr: got \"${var.vpc_cidr}\"; allowed: an IPv4 CIDR block from /16 to /24."
  }
}

variable "account_id" {
  description = "Account of the deployment."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id: given \"${var.account_id}\"; allowed: twelve digits."
  }
}

variable "bucket_arns" {
  description = "ARNs of the lake's bucket, of the bucket with query results, and of that with AWS's bill, if there is one."
  type = object({
    athena = string
    bill   = optional(string)
    lake   = string
  })
  nullable = false

  validation {
    condition     = alltrue([for arn in values(var.bucket_arns) : arn == null ? true : can(regex("^arn:[a-z-]+:s3:::[a-z0-9.-]+$", arn))])
    error_message = "bucket_arns: given ${jsonencode(var.bucket_arns)}; allowed: ARNs of S3 buckets."
  }
}

variable "glue_database_name" {
  description = "Glue database of the usage lake."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z0-9_]{1,255}$", var.glue_database_name))
    error_message = "glue_database_name: given \"${var.glue_database_name}\"; allowed: 1 to 255 of a-z, 0-9 and _."
  }
}

variable "kms_key_arn" {
  description = "ARN of the customer-managed KMS key that encrypts everything at rest."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn: given \"${var.kms_key_arn}\"; allowed: the ARN of a KMS key, not of an alias."
  }
}

variable "log_group_names" {
  description = "Log groups of the deployment's functions and API."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.log_group_names) > 0 && alltrue([for name in var.log_group_names : can(regex("^[A-Za-z0-9_/.#-]{1,512}$", name))])
    error_message = "log_group_names: given ${jsonencode(var.log_group_names)}; allowed: at least one name of a log group, without wildcards."
  }
}

variable "operator_principals" {
  description = "ARNs of the IAM roles and users that may assume the operators' role; without any there is no such role."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.operator_principals : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "operator_principals: given ${join(", ", var.operator_principals)}; allowed: ARNs of IAM roles and users, neither whole accounts nor wildcards."
  }
}

variable "partition" {
  description = "Partition of the deployment, such as `aws`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^aws(-[a-z]+)*$", var.partition))
    error_message = "partition: given \"${var.partition}\"; allowed: a partition's name, such as \"aws\"."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary of the roles; null means none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[^:]+:iam::([0-9]{12}|aws):policy/", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn: given \"${coalesce(var.permissions_boundary_arn, "null")}\"; allowed: the ARN of an IAM policy, or null."
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

variable "queue_arns" {
  description = "ARNs of the queue that starts jobs and of the queue that keeps those which failed."
  type = object({
    jobs      = string
    jobs_dead = string
  })
  nullable = false

  validation {
    condition     = alltrue([for arn in values(var.queue_arns) : can(regex("^arn:[a-z-]+:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", arn))])
    error_message = "queue_arns: given ${join(", ", values(var.queue_arns))}; allowed: ARNs of SQS queues."
  }
}

variable "region" {
  description = "Region of the deployment."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region: given \"${var.region}\"; allowed: a region's name, such as us-east-1."
  }
}

variable "table_arns" {
  description = "ARNs of the tables with policies, counters and usage."
  type = object({
    accounts = string
    tenants  = string
    usage    = string
  })
  nullable = false

  validation {
    condition     = alltrue([for arn in values(var.table_arns) : can(regex("^arn:[a-z-]+:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[A-Za-z0-9_.-]+$", arn))])
    error_message = "table_arns: given ${join(", ", values(var.table_arns))}; allowed: ARNs of DynamoDB tables."
  }
}

variable "tags" {
  description = "Tags on every resource, merged over the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "tenant_admin_principals" {
  description = "ARNs of the IAM roles and users that may assume the tenant administrators' role, each for the tenant that its own tag `tenant` names; without any there is no such role. Whoever may tag them decides who looks after whom."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.tenant_admin_principals : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/[A-Za-z0-9+=,.@_/-]+$", arn))])
    error_message = "tenant_admin_principals: given ${join(", ", var.tenant_admin_principals)}; allowed: ARNs of IAM roles and users, neither whole accounts nor wildcards."
  }
}

variable "workgroup_name" {
  description = "Athena workgroup for reports."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,128}$", var.workgroup_name))
    error_message = "workgroup_name: given \"${var.workgroup_name}\"; allowed: 1 to 128 letters, digits and ._-."
  }
}

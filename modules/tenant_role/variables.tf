variable "account_id" {
  description = "AWS account of the tenant, which this module is applied in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id: got \"${var.account_id}\"; allowed: 12 digits."
  }
}

variable "apps" {
  description = "Ids of the tenant's apps; the role is assumed for no other."
  type        = set(string)
  nullable    = false

  validation {
    condition     = length(var.apps) > 0 && alltrue([for app in var.apps : can(regex("^[a-z][a-z0-9_-]{0,62}$", app))])
    error_message = "apps: got [${join(", ", var.apps)}]; allowed: one or more ids of at most 63 lower-case letters, digits, _ and - that start with a letter."
  }
}

variable "caller_functions" {
  description = "Functions of the gateway that call models, as the ends of their roles' names."
  type        = set(string)
  default     = ["converse", "invoke", "stream"]
  nullable    = false

  validation {
    condition     = length(var.caller_functions) > 0 && alltrue([for name in var.caller_functions : can(regex("^[a-z][a-z0-9-]{0,19}$", name))])
    error_message = "caller_functions: got [${join(", ", var.caller_functions)}]; allowed: one or more names such as invoke."
  }
}

variable "external_id" {
  description = "What the gateway must present besides its identity, as in the tenant's file (`silo.external_id`). Ask the platform team for it; it belongs to one tenant."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@:/_-]{2,128}$", var.external_id))
    error_message = "external_id: got \"${var.external_id}\"; allowed: 2 to 128 letters, digits and +=,.@:/_-."
  }
}

variable "gateway_account_id" {
  description = "AWS account of the gateway."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[0-9]{12}$", var.gateway_account_id))
    error_message = "gateway_account_id: got \"${var.gateway_account_id}\"; allowed: 12 digits."
  }
}

variable "inference_profiles" {
  description = "Application inference profiles to make, by name: the app that calls it, the foundation model or system profile behind it, and tags for cost allocation."
  type = map(object({
    app         = string
    model       = string
    description = optional(string)
    tags        = optional(map(string), {})
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.inference_profiles) : can(regex("^([0-9A-Za-z]+[_-])*[0-9A-Za-z]+$", name))])
    error_message = "inference_profiles: got the names ${join(", ", keys(var.inference_profiles))}; allowed: letters and digits with single - or _ between."
  }

  validation {
    condition     = alltrue([for profile in values(var.inference_profiles) : contains(var.apps, profile.app)])
    error_message = "inference_profiles.*.app: got ${join(", ", distinct(values(var.inference_profiles)[*].app))}; allowed: the ids in apps, ${join(", ", var.apps)}."
  }

  validation {
    condition     = length(setintersection([for key in flatten([for profile in values(var.inference_profiles) : keys(profile.tags)]) : lower(key)], ["app", "tenant", "tollgate-unit"])) == 0
    error_message = "inference_profiles.*.tags: got ${join(", ", flatten([for profile in values(var.inference_profiles) : keys(profile.tags)]))}; allowed: any but app, tenant and tollgate-unit, which are the module's."
  }

  validation {
    condition     = alltrue([for profile in values(var.inference_profiles) : can(regex("^[A-Za-z0-9.:_-]{1,256}$", profile.model))])
    error_message = "inference_profiles.*.model: got ${join(", ", values(var.inference_profiles)[*].model)}; allowed: a model id or system profile id of letters, digits and .:_-."
  }
}

variable "model_arns" {
  description = "ARNs of provisioned, custom and imported models of the account that the role may call."
  type        = set(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.model_arns : can(regex("^arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]{12}:(custom-model|custom-model-deployment|imported-model|provisioned-model)/[A-Za-z0-9._:/-]{1,256}$", arn))])
    error_message = "model_arns: got ${join(", ", var.model_arns)}; allowed: ARNs of provisioned, custom and imported models and custom model deployments."
  }
}

variable "models" {
  description = "Foundation models that the role may call, as ids or patterns with *; system profiles of several regions are allowed with them."
  type        = set(string)
  default     = ["*"]
  nullable    = false

  validation {
    condition     = length(var.models) > 0 && alltrue([for model in var.models : can(regex("^[A-Za-z0-9.:_*-]{1,256}$", model))])
    error_message = "models: got [${join(", ", var.models)}]; allowed: one or more model ids or patterns of letters, digits, .:_- and *."
  }
}

variable "name" {
  description = "Name of the role, unique in the account; null is <prefix>-<tenant_id>."
  type        = string
  default     = null

  validation {
    condition     = var.name == null || can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", var.name))
    error_message = "name: got \"${coalesce(var.name, "null")}\"; allowed: 1 to 64 letters, digits and _+=,.@-, or null."
  }

  validation {
    condition     = var.name != null || length("${var.prefix}-${var.tenant_id}") <= 64
    error_message = "name: got null, for which ${var.prefix}-${var.tenant_id} has ${length("${var.prefix}-${var.tenant_id}")} characters; allowed: 64 in the name of a role. Give it a name."
  }
}

variable "partition" {
  description = "AWS partition of both accounts."
  type        = string
  default     = "aws"
  nullable    = false

  validation {
    condition     = contains(["aws", "aws-cn", "aws-us-gov"], var.partition)
    error_message = "partition: got \"${var.partition}\"; allowed: aws, aws-cn, aws-us-gov."
  }
}

variable "permissions_boundary_arn" {
  description = "ARN of the permissions boundary that the account demands on roles; null means none."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn: got \"${coalesce(var.permissions_boundary_arn, "null")}\"; allowed: the ARN of an IAM policy, or null."
  }
}

variable "prefix" {
  description = "Prefix of the gateway's names, such as `tollgate-prod`."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.prefix)) && !can(regex("^(.*--.*|(aws|ssm).*|(amzn-s3-demo|sg|sthree)(-.*)?|default|primary)$", var.prefix))
    error_message = "prefix: got \"${var.prefix}\"; allowed: 3 to 32 lower-case letters, digits and hyphens that start with a letter and do not end with a hyphen, no two hyphens in a row, and nothing that AWS keeps for itself: aws..., ssm..., amzn-s3-demo-..., sg-..., sthree-..., default, primary."
  }
}

variable "region" {
  description = "AWS region of the gateway, which the tenant's models are called in."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region: got \"${var.region}\"; allowed: a region such as us-east-1."
  }
}

variable "tags" {
  description = "Tags of the role on top of the provider's default tags."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.tags) <= 40
    error_message = "tags: got ${length(var.tags)}; allowed: at most 40, which leaves room for ours."
  }
}

variable "tenant_id" {
  description = "Id of the tenant in the gateway: the name of its file."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.tenant_id))
    error_message = "tenant_id: got \"${var.tenant_id}\"; allowed: 3 to 32 lower-case letters, digits and hyphens that start with a letter and do not end with a hyphen."
  }
}

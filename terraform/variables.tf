variable "alarm_topic_arns" {
  description = "ARNs of SNS topics that are told when an alarm begins and ends; none means that alarms are seen in CloudWatch alone."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$", arn))])
    error_message = "alarm_topic_arns: got ${jsonencode(var.alarm_topic_arns)}; allowed: ARNs of SNS standard topics, which CloudWatch must be allowed to publish to."
  }
}

variable "activate_cost_allocation_tags" {
  description = "Whether to activate the inference profiles' tags (app, cost_center, tenant, tollgate-unit) for cost allocation. For one deployment of a payer account only, and from a day after the first profile on: AWS takes up to 24 hours to know a tag."
  type        = bool
  default     = false
  nullable    = false
}

variable "allowed_account_ids" {
  description = "AWS accounts that this environment may be applied to; empty allows any."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.allowed_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "allowed_account_ids: got ${join(", ", var.allowed_account_ids)}; allowed: account ids of twelve digits."
  }
}

variable "api" {
  description = "The REST API: its stage, the seconds that a key's verdict is remembered, requests per second over all tenants, whether to set the account's role for API Gateway's logs, and how it is reached: REGIONAL or PRIVATE, from which CIDR blocks (none means all), and for PRIVATE through which VPC endpoints (none means one that is made in the network)."
  type = object({
    allowed_cidrs               = optional(list(string), [])
    authorizer_cache_seconds    = optional(number, 60)
    endpoint_type               = optional(string, "REGIONAL")
    manage_account_logging_role = optional(bool, false)
    stage_name                  = optional(string, "v1")
    throttle = optional(object({
      burst_limit = optional(number, 500)
      rate_limit  = optional(number, 250)
    }), {})
    vpc_endpoint_ids = optional(list(string), [])
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.api.endpoint_type != "PRIVATE" || length(var.api.vpc_endpoint_ids) > 0 || var.network.mode == "private"
    error_message = "api.endpoint_type: got PRIVATE without api.vpc_endpoint_ids in a public network; allowed: with either the ids of execute-api endpoints or network = { mode = \"private\" }."
  }

  validation {
    condition     = var.api.endpoint_type != "PRIVATE" || length(concat(var.api.vpc_endpoint_ids, var.api.allowed_cidrs)) > 0 || var.network.existing == null
    error_message = "api.allowed_cidrs: got none for a private API in an existing VPC; allowed: the CIDR blocks of its clients, whom the endpoint lets in."
  }
}

variable "api_key_quota" {
  description = "API keys that a plan may ask for at most. AWS allows 10,000 in an account and region and does not raise it; deployments that share them share it out."
  type        = number
  default     = 10000
  nullable    = false

  validation {
    condition     = var.api_key_quota >= 0 && var.api_key_quota <= 10000 && floor(var.api_key_quota) == var.api_key_quota
    error_message = "api_key_quota: got ${var.api_key_quota}; allowed: a whole number from 0 to 10000."
  }
}

variable "artifact_dir" {
  description = "Folder with manifest.json and one zip per function, relative to this one; `make package` fills the default."
  type        = string
  default     = "../dist"
  nullable    = false
}

variable "athena_bytes_scanned_cutoff" {
  description = "Bytes that one Athena query may scan before it is cancelled."
  type        = number
  default     = 10737418240
  nullable    = false

  validation {
    condition     = var.athena_bytes_scanned_cutoff >= 10000000 && var.athena_bytes_scanned_cutoff <= 7696581394432 && floor(var.athena_bytes_scanned_cutoff) == var.athena_bytes_scanned_cutoff
    error_message = "athena_bytes_scanned_cutoff: got ${var.athena_bytes_scanned_cutoff}; allowed: a whole number from 10000000 to 7696581394432."
  }
}

variable "audit" {
  description = "What is recorded about who did what. trail: own, or the organization's, whose owner adds the output audit_event_selectors. management_events: whether an own trail has them, too. access_logs: S3's access logs of the lake. log_archive: copies of all logs in S3. retention: days until records are deleted, and until they move to S3's infrequent-access class."
  type = object({
    access_logs       = optional(bool, false)
    log_archive       = optional(bool, false)
    management_events = optional(bool, true)
    retention = optional(object({
      access_log_days = optional(number, 365)
      archive_days    = optional(number, 731)
      trail_days      = optional(number, 2557)
      transition_days = optional(number, 90)
    }), {})
    trail = optional(string, "organization")
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["organization", "own"], var.audit.trail)
    error_message = "audit.trail: got \"${var.audit.trail}\"; allowed: organization, own."
  }
}

variable "bill_export" {
  description = "AWS's bill as the table bill, to reconcile usage with: an export (CUR 2.0) of this account, or with location one that another account makes, such as the payer. activate_session_tags: whether to activate the session tags app and tenant (iamPrincipal/...) for cost allocation, in the payer account, from a day after the first tagged session on. null means none."
  type = object({
    activate_session_tags = optional(bool, false)
    location              = optional(string)
  })
  default = null

  validation {
    condition     = try(var.bill_export.location, null) == null ? true : can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^/]+)+$", var.bill_export.location))
    error_message = "bill_export.location: got \"${try(coalesce(var.bill_export.location), "null")}\"; allowed: s3://<bucket>/<prefix>/<export>, the folder that has data/ and metadata/."
  }
}

variable "business_units" {
  description = "Units of the company by id, which tenants belong to by `business_unit`: budgets as decimal strings in USD hold for all of a unit's tenants together, spread over `shards` accounts."
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

  validation {
    condition     = alltrue([for id in keys(var.business_units) : can(regex("^[a-z][a-z0-9_-]{0,30}$", id))])
    error_message = "business_units: got ${join(", ", keys(var.business_units))}; allowed: names of at most 31 lower-case letters, digits, _ and - that start with a letter."
  }
}

variable "deletion_protection" {
  description = "Whether tables refuse to be deleted; false only for stacks that are thrown away."
  type        = bool
  default     = true
  nullable    = false
}

variable "endpoint_urls" {
  description = "Addresses to call services at instead of their own, such as FIPS endpoints or VPC endpoints without private names, by service."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for service in keys(var.endpoint_urls) :
      contains(["bedrock", "bedrock-runtime", "dynamodb", "kms", "s3", "sagemaker-runtime", "sqs", "sts"], service)
    ])
    error_message = "endpoint_urls: got ${join(", ", keys(var.endpoint_urls))}; allowed: bedrock, bedrock-runtime, dynamodb, kms, s3, sagemaker-runtime, sqs, sts, which functions call."
  }

  validation {
    condition     = alltrue([for url in values(var.endpoint_urls) : can(regex("^https://[a-z0-9.-]+(:[0-9]+)?$", url)) && !strcontains(url, "bedrock-mantle")])
    error_message = "endpoint_urls: got ${join(", ", values(var.endpoint_urls))}; allowed: https://<host>, but not that of bedrock-mantle, whose calls are not metered."
  }
}

variable "environment" {
  description = "Name of the environment, which is the folder of its files in envs/."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,19}$", var.environment))
    error_message = "environment: got \"${var.environment}\"; allowed: 1 to 20 of a-z, 0-9 and -, a letter first."
  }
}

variable "error_expiration_days" {
  description = "Days that the lists of what could not be aggregated are kept in the lake."
  type        = number
  default     = 400
  nullable    = false

  validation {
    condition     = var.error_expiration_days >= 1 && var.error_expiration_days <= 36500 && floor(var.error_expiration_days) == var.error_expiration_days
    error_message = "error_expiration_days: got ${var.error_expiration_days}; allowed: a whole number from 1 to 36500."
  }
}

variable "force_destroy" {
  description = "Whether destroying the stack may delete buckets that still hold objects; true only for stacks that are thrown away."
  type        = bool
  default     = false
  nullable    = false
}

variable "inference_profile_quota" {
  description = "Inference profiles that AWS allows in the account and region; what a plan may ask for at most."
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = var.inference_profile_quota >= 0 && floor(var.inference_profile_quota) == var.inference_profile_quota
    error_message = "inference_profile_quota: got ${var.inference_profile_quota}; allowed: a whole number from 0."
  }
}

variable "invocation_logs" {
  description = "Bucket and key prefix that Bedrock delivers this region's model invocation logs to, the key they are encrypted with, and the minutes after a hold's end in which a log may still come; null means that there are none. With them, calls whose caller died are booked exactly."
  type = object({
    bucket        = string
    prefix        = optional(string, "")
    kms_key_arn   = optional(string)
    grace_minutes = optional(number, 65)
  })
  default = null

  validation {
    condition     = var.invocation_logs == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.invocation_logs.bucket))
    error_message = "invocation_logs.bucket: got \"${try(var.invocation_logs.bucket, "")}\"; allowed: the name of an S3 bucket."
  }

  validation {
    condition     = var.invocation_logs == null || try(var.invocation_logs.grace_minutes >= 5 && floor(var.invocation_logs.grace_minutes) == var.invocation_logs.grace_minutes, false)
    error_message = "invocation_logs.grace_minutes: got ${try(var.invocation_logs.grace_minutes, "null")}; allowed: a whole number of 5 or more."
  }
}

variable "key_store" {
  description = "Where the values of API keys lie: `ssm` (SecureString parameters) or `secrets_manager`, which keep them in the state, too; or `external`: `make keys` issues keys outside Terraform."
  type        = string
  default     = "ssm"
  nullable    = false

  validation {
    condition     = contains(["ssm", "secrets_manager", "external"], var.key_store)
    error_message = "key_store: got \"${var.key_store}\"; allowed: \"ssm\", \"secrets_manager\" or \"external\"."
  }
}

variable "kms_deletion_window_days" {
  description = "Days between destroying the key and losing what it encrypts."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.kms_deletion_window_days >= 7 && var.kms_deletion_window_days <= 30
    error_message = "kms_deletion_window_days: got ${var.kms_deletion_window_days}; allowed: 7 to 30."
  }
}

variable "lake_expiration_days" {
  description = "Days that usage records are kept in the lake; null keeps them for ever."
  type        = number
  default     = null

  validation {
    condition     = var.lake_expiration_days == null || try(var.lake_expiration_days >= 91 && var.lake_expiration_days <= 36500 && floor(var.lake_expiration_days) == var.lake_expiration_days, false)
    error_message = "lake_expiration_days: got ${coalesce(var.lake_expiration_days, 0)}; allowed: a whole number from 91 to 36500, or null."
  }
}

variable "lake_transition_days" {
  description = "Days until usage records in the lake move to S3's infrequent-access class."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.lake_transition_days >= 30 && var.lake_transition_days <= 3650 && floor(var.lake_transition_days) == var.lake_transition_days
    error_message = "lake_transition_days: got ${var.lake_transition_days}; allowed: a whole number from 30 to 3650."
  }

  validation {
    condition     = var.lake_expiration_days == null ? true : var.lake_transition_days < var.lake_expiration_days
    error_message = "lake_transition_days: got ${var.lake_transition_days}; allowed: fewer than the ${coalesce(var.lake_expiration_days, 0)} of lake_expiration_days, because S3 moves nothing that it has deleted."
  }
}

variable "log_retention_days" {
  description = "Days that logs of the functions and the API are kept."
  type        = number
  default     = 365
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: got ${var.log_retention_days}; allowed: a retention that CloudWatch Logs offers, such as 30, 90 or 365."
  }
}

variable "operator_roles" {
  description = "ARNs of the IAM roles and users that may assume the role for operators, and the role for administrators of single tenants (each for the tenant that the principal's tag `tenant` names); null makes neither role."
  type = object({
    operator_principals     = optional(list(string), [])
    tenant_admin_principals = optional(list(string), [])
  })
  default = null

  validation {
    condition = alltrue([
      for arn in flatten(var.operator_roles == null ? [] : values(var.operator_roles)) :
      can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/[A-Za-z0-9+=,.@_/-]+$", arn))
    ])
    error_message = "operator_roles: got ${join(", ", flatten(var.operator_roles == null ? [] : values(var.operator_roles)))}; allowed: ARNs of IAM roles and users, neither whole accounts nor wildcards."
  }
}

variable "network" {
  description = "public: functions call AWS over its public endpoints, and nothing is made. private: they run in subnets that reach AWS through VPC endpoints only; in an own VPC of the given block and zones, or in an existing one. `interface_endpoints` picks those to make; null makes one for each service that functions call."
  type = object({
    mode               = optional(string, "public")
    api_private_dns    = optional(bool, true)
    availability_zones = optional(list(string))
    existing = optional(object({
      vpc_id          = string
      subnet_ids      = list(string)
      route_table_ids = optional(list(string), [])
      prefix_list_ids = optional(list(string), [])
      endpoint_cidrs  = optional(list(string), [])
    }))
    flow_log_traffic    = optional(string, "ALL")
    interface_endpoints = optional(set(string))
    vpc_cidr            = optional(string, "10.64.0.0/20")
  })
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(coalesce(var.network.interface_endpoints, []), local._interface_endpoints)) == 0
    error_message = "network.interface_endpoints: got ${join(", ", coalesce(var.network.interface_endpoints, []))}; allowed: ${join(", ", local._interface_endpoints)}, which functions call. `execute-api` follows from api.endpoint_type."
  }
}

variable "payload_retention_days" {
  description = "Days that the request of a streamed job is kept."
  type        = number
  default     = 2
  nullable    = false

  validation {
    condition     = var.payload_retention_days >= 1 && var.payload_retention_days <= 30 && floor(var.payload_retention_days) == var.payload_retention_days
    error_message = "payload_retention_days: got ${var.payload_retention_days}; allowed: a whole number from 1 to 30."
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

variable "point_in_time_recovery" {
  description = "Whether tables can be restored to any second of the last 35 days."
  type        = bool
  default     = true
  nullable    = false
}

variable "pool_sessions" {
  description = "Whether the functions act for a tenant in a session of its own, tagged with tenant and app: AWS then keeps its items, objects and keys from other tenants' sessions, and attributes model costs to it. A process asks STS once an hour per tenant and app."
  type        = bool
  default     = false
  nullable    = false
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

variable "quicksight" {
  description = "A QuickSight dashboard of usage by day. viewers: QuickSight groups by name that see it, rows of these tenants and business_units, or with all every row. authors: groups that may change it. refresh_at: time of day, UTC. months: how many it shows. identity_region: where the QuickSight account was made, if elsewhere. service_role_name: the role that QuickSight reads with. The account needs a QuickSight subscription. null means none."
  type = object({
    viewers = map(object({
      all            = optional(bool, false)
      business_units = optional(list(string), [])
      tenants        = optional(list(string), [])
    }))
    authors           = optional(list(string), [])
    identity_region   = optional(string)
    months            = optional(number, 13)
    namespace         = optional(string, "default")
    refresh_at        = optional(string, "05:00")
    service_role_name = optional(string, "aws-quicksight-service-role-v0")
  })
  default = null

  validation {
    condition = var.quicksight == null ? true : alltrue([
      for viewer in var.quicksight.viewers : alltrue([for unit in viewer.business_units : contains(keys(var.business_units), unit)])
    ])
    error_message = "quicksight.viewers: got business units ${jsonencode(setsubtract(flatten([for viewer in try(values(var.quicksight.viewers), []) : viewer.business_units]), keys(var.business_units)))}; allowed: those of business_units."
  }
}

variable "region" {
  description = "AWS region of the deployment."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region: got \"${var.region}\"; allowed: a region's name, such as us-east-1."
  }
}

variable "report_expiration_days" {
  description = "Days that daily summaries and reports are kept in the lake; null keeps them for ever."
  type        = number
  default     = null

  validation {
    condition     = var.report_expiration_days == null || try(var.report_expiration_days >= 91 && var.report_expiration_days <= 36500 && floor(var.report_expiration_days) == var.report_expiration_days, false)
    error_message = "report_expiration_days: got ${coalesce(var.report_expiration_days, 0)}; allowed: null or a whole number from 91 to 36500."
  }
}

variable "report_transition_days" {
  description = "Days until daily summaries and reports in the lake move to S3's infrequent-access class."
  type        = number
  default     = 90
  nullable    = false

  validation {
    condition     = var.report_transition_days >= 30 && var.report_transition_days <= 3650 && floor(var.report_transition_days) == var.report_transition_days
    error_message = "report_transition_days: got ${var.report_transition_days}; allowed: a whole number from 30 to 3650."
  }

  validation {
    condition     = var.report_expiration_days == null ? true : var.report_transition_days < var.report_expiration_days
    error_message = "report_transition_days: got ${var.report_transition_days}; allowed: fewer than the ${coalesce(var.report_expiration_days, 0)} of report_expiration_days, because S3 moves nothing that it has deleted."
  }
}

variable "account_concurrency" {
  description = "Concurrent executions of Lambda that this deployment may plan with: the account's quota in the region, or its part where deployments share them. AWS gives 1,000, and a new account 10 until it is asked for more."
  type        = number
  default     = 1000
  nullable    = false

  validation {
    condition     = var.account_concurrency >= 10 && floor(var.account_concurrency) == var.account_concurrency
    error_message = "account_concurrency: got ${var.account_concurrency}; allowed: a whole number of 10 or more."
  }
}

variable "job_concurrency" {
  description = "Queued jobs that run at once at most, 2 to 1000; null means a fifth of account_concurrency."
  type        = number
  default     = null

  validation {
    condition     = var.job_concurrency == null ? true : var.job_concurrency >= 2 && var.job_concurrency <= 1000 && floor(var.job_concurrency) == var.job_concurrency
    error_message = "job_concurrency: got ${coalesce(var.job_concurrency, 0)}; allowed: a whole number from 2 to 1000, or null."
  }
}

variable "reserved_concurrency_by_function" {
  description = "Concurrent executions to reserve, by function, which are its most as well. Unless they are named here, authorize has a tenth of account_concurrency, converse four and stream three tenths where the account has 500 or more; the others, and one that is null here, stay in the account's pool."
  type        = map(number)
  default     = {}
  nullable    = false

  validation {
    condition = alltrue([
      for name in keys(var.reserved_concurrency_by_function) :
      contains(["aggregate", "authorize", "converse", "invoke", "models", "stream", "sweep"], name)
    ])
    error_message = "reserved_concurrency_by_function: got ${join(", ", keys(var.reserved_concurrency_by_function))}; allowed: aggregate, authorize, converse, invoke, models, stream, sweep."
  }
}

variable "free_work" {
  description = "What each tenant may ask for that calls no model: waiting_requests, polls of jobs and repeats under an Idempotency-Key that wait at once; polls_per_minute, of both; token_counts_per_minute, besides the tenant's own requests_per_minute."
  type = object({
    waiting_requests        = optional(number, 20)
    polls_per_minute        = optional(number, 6000)
    token_counts_per_minute = optional(number, 600)
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for limit in values(var.free_work) : try(limit >= 1 && floor(limit) == limit, false)])
    error_message = "free_work: got ${jsonencode(var.free_work)}; allowed: whole numbers of 1 or more."
  }
}

variable "tags" {
  description = "Tags of every resource, besides Environment, ManagedBy, Project and tollgate-unit."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "sagemaker_endpoints" {
  description = "SageMaker endpoints of this account and region that tenants may call, by the display name that calls and tenant files know them by: the endpoint's name, or an object with endpoint, price (in USD as decimals: per_1m_input with per_1m_output, per_request, or instance_hour_usd with instances), max_tokens (the most that the container generates where a request does not say), max_input_tokens (its context size, without which images are refused where the price is by the token), text_only (images in Markdown are text to it) and components (the inference components that calls may name; none unless listed). A map, or a string with it in JSON or as a Python literal. One without a price is refused, except for tenants with a price for what has none."
  # A map, or a string that holds one.
  type     = any
  default  = {}
  nullable = false

  validation {
    condition = (
      can(keys(var.sagemaker_endpoints))
      || try(trimspace(var.sagemaker_endpoints), "-") == ""
      || can(keys(jsondecode(var.sagemaker_endpoints)))
      || can(keys(jsondecode(replace(replace(var.sagemaker_endpoints, "'", "\""), "/,\\s*([}\\]])/", "$1"))))
    )
    error_message = "sagemaker_endpoints: got ${substr(try(tostring(var.sagemaker_endpoints), jsonencode(var.sagemaker_endpoints)), 0, 200)}; allowed: a map by display name, or a string with one in JSON or as a Python literal such as {'display name': 'endpoint-name'}."
  }
}

variable "statement_lock" {
  description = "How issued statements are locked in S3, and for how many years. mode GOVERNANCE: whoever has s3:BypassGovernanceRetention can still delete one. COMPLIANCE: nobody can, nor can the lock be shortened."
  type = object({
    mode  = optional(string, "GOVERNANCE")
    years = optional(number, 10)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.statement_lock.mode)
    error_message = "statement_lock.mode: got \"${var.statement_lock.mode}\"; allowed: GOVERNANCE, COMPLIANCE."
  }

  validation {
    condition     = var.statement_lock.years >= 1 && var.statement_lock.years <= 100 && floor(var.statement_lock.years) == var.statement_lock.years
    error_message = "statement_lock.years: got ${var.statement_lock.years}; allowed: a whole number from 1 to 100."
  }
}

variable "tenants_dir" {
  description = "Folder of the tenant files, relative to this one; null means ../envs/<environment>/tenants."
  type        = string
  default     = null
}

variable "tiers" {
  description = "Defaults by tier: budgets as decimal strings in USD, limits and token counts as whole numbers, the markup as a decimal string; `sla` is what the tier is promised, as a percentage and in milliseconds. A tenant file's own field wins."
  type = map(object({
    budget = optional(object({
      month_usd = optional(string)
      day_usd   = optional(string)
      mode      = optional(string)
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

  validation {
    condition     = length(var.tiers) > 0
    error_message = "tiers: got none; at least one tier is required, because every tenant names one."
  }
}

variable "usage_plan_quota" {
  description = "Usage plans that AWS allows in the account and region; what a plan may ask for at most."
  type        = number
  default     = 300
  nullable    = false

  validation {
    condition     = var.usage_plan_quota >= 0 && floor(var.usage_plan_quota) == var.usage_plan_quota
    error_message = "usage_plan_quota: got ${var.usage_plan_quota}; allowed: a whole number from 0."
  }
}

variable "usage_plans" {
  description = "The outer fences: one usage plan per `tenant` or per `tier`, how many of them a deployment has at most (AWS changes one in 20 seconds in an account), the part of the stage's throttle that one key gets at most (stage_share), and narrower throttles of single methods by `<path>/<METHOD>`, such as `/invoke_model/POST`, for each key."
  type = object({
    per         = optional(string, "tenant")
    most        = optional(number, 100)
    stage_share = optional(number, 0.5)
    methods = optional(map(object({
      rate_limit  = number
      burst_limit = number
    })), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["tenant", "tier"], var.usage_plans.per)
    error_message = "usage_plans.per: got \"${var.usage_plans.per}\"; allowed: \"tenant\" or \"tier\"."
  }

  validation {
    condition     = try(var.usage_plans.most >= 1 && floor(var.usage_plans.most) == var.usage_plans.most, false)
    error_message = "usage_plans.most: got ${coalesce(var.usage_plans.most, "null")}; allowed: a whole number from 1."
  }

  validation {
    condition     = var.usage_plans.stage_share > 0 && var.usage_plans.stage_share < 1
    error_message = "usage_plans.stage_share: got ${var.usage_plans.stage_share}; allowed: a part of the stage's throttle, above 0 and below 1."
  }
}

variable "waf" {
  description = "Web ACL in front of the API: an existing one, or an own one that blocks addresses with more than the given requests in 5 minutes; null means none."
  type = object({
    requests_per_5_minutes = optional(number, 5000)
    web_acl_arn            = optional(string)
  })
  default = null

  validation {
    condition     = var.waf == null || try(var.waf.requests_per_5_minutes >= 10 && floor(var.waf.requests_per_5_minutes) == var.waf.requests_per_5_minutes, false)
    error_message = "waf.requests_per_5_minutes: got ${try(var.waf.requests_per_5_minutes, "null")}; allowed: a whole number of 10 or more."
  }

  validation {
    condition     = try(var.waf.web_acl_arn, null) == null || can(regex("^arn:[^:]+:wafv2:[^:]+:[0-9]{12}:regional/webacl/", var.waf.web_acl_arn))
    error_message = "waf.web_acl_arn: got \"${try(coalesce(var.waf.web_acl_arn), "null")}\"; allowed: the ARN of a regional web ACL, or null for an own one."
  }
}

# One file per tenant: the only thing that changes when a tenant comes, changes or goes.
module "tenant_files" {
  source = "../modules/tenant_files"

  directory = local.tenants_dir
  prefix    = var.prefix
  tiers     = var.tiers

  business_units = var.business_units
}

locals {
  _tenants = module.tenant_files.tenants_by_id
  # Those that have keys, a plan and profiles.
  _served = { for tenant_id, tenant in local._tenants : tenant_id => tenant.policy if tenant.policy.status != "offboarded" }

  _tier_limits = {
    for name, tier in var.tiers : name => {
      requests_per_minute = tier.limits.requests_per_minute
      requests_per_day    = tier.limits.requests_per_day
    }
  }

  # One key stays below the throttle that all keys share.
  _usage_plan_ceiling = {
    rate_limit  = var.api.throttle.rate_limit * var.usage_plans.stage_share
    burst_limit = max(floor(var.api.throttle.burst_limit * var.usage_plans.stage_share), 1)
  }

  # A tenant whose file raises a limit above its tier's would find the tier's plan narrower than
  # what it was promised, so it gets a plan of its own. The tier's plan stays as it is: one file
  # changes one tenant.
  _is_in_tier_plan = {
    for tenant_id, policy in local._served : tenant_id => var.usage_plans.per == "tier" && alltrue([
      for limit, allowed in local._tier_limits[policy.tier] :
      allowed == null ? true : policy.limits[limit] == null ? false : policy.limits[limit] <= allowed
    ])
  }

  # The roles that call a tenant's own models for it, and how.
  _caller_roles = {
    for name, role in {
      converse = {
        role_name       = module.function["converse"].role_name
        actions         = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
        is_session_role = false
      }
      invoke = {
        role_name       = module.function["invoke"].role_name
        actions         = ["bedrock:InvokeModel"]
        is_session_role = false
      }
      stream = {
        role_name       = module.function["stream"].role_name
        actions         = ["bedrock:InvokeModelWithResponseStream"]
        is_session_role = false
      }
      session = {
        role_name       = try(aws_iam_role.pool_session[0].name, "")
        actions         = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
        is_session_role = true
      }
    } : name => role if role.is_session_role == var.pool_sessions
  }
}

module "tier_usage_plan" {
  source   = "../modules/usage_plan"
  for_each = var.usage_plans.per == "tier" ? local._tier_limits : {}

  name        = "${var.prefix}/tiers/${each.key}"
  description = "Outer fence of the tenants of tier ${each.key}; their real limits are in the ledger."
  rest_api_id = module.gateway.rest_api_id
  stage_name  = module.gateway.stage_name
  limits      = each.value
  methods     = var.usage_plans.methods
  ceiling     = local._usage_plan_ceiling
  tags        = { Tier = each.key, "tollgate-unit" = var.prefix }
}

module "business_unit" {
  source   = "../modules/business_unit"
  for_each = module.tenant_files.business_units_by_id

  business_unit      = each.value
  tenants_table_name = module.metering.tenants_table_name
  lake_bucket_name   = module.analytics.lake_bucket_name
  kms_key_arn        = aws_kms_key.this.arn
}

module "tenant" {
  source   = "../modules/tenant"
  for_each = local._tenants

  prefix                   = var.prefix
  account_id               = local.account_id
  partition                = local.partition
  region                   = var.region
  tenant_id                = each.key
  policy                   = each.value.policy
  business_unit_item_id    = try(module.business_unit[each.value.policy.business_unit].item_id, null)
  api_url                  = module.gateway.invoke_url
  keys                     = each.value.keys
  key_store                = var.key_store
  tenants_table_name       = module.metering.tenants_table_name
  lake_bucket_name         = module.analytics.lake_bucket_name
  rest_api_id              = module.gateway.rest_api_id
  stage_name               = module.gateway.stage_name
  usage_plan               = try(local._is_in_tier_plan[each.key], false) ? { id = module.tier_usage_plan[each.value.policy.tier].id } : null
  usage_plan_ceiling       = local._usage_plan_ceiling
  usage_plan_methods       = try(local._is_in_tier_plan[each.key], false) ? {} : var.usage_plans.methods
  caller_roles             = local._caller_roles
  kms_key_arn              = aws_kms_key.this.arn
  kms_deletion_window_days = var.kms_deletion_window_days
}

# What AWS would refuse in the middle of an apply is refused here, before anything changes. The
# counts are this deployment's: others in the account and region take from the same quotas.
locals {
  # AWS does not raise it.
  _role_policies_capacity = 10240
  # AWS does not raise that either, and counts the change that takes a plan off its stage before it
  # can be deleted.
  _seconds_per_usage_plan_update = 20
  # Kept for a role's own policy, so that the tenants' share is known before anything exists.
  _own_role_policy_reserve = 6144

  _api_methods = flatten([
    for path, methods in yamldecode(file("${path.module}/../modules/gateway/openapi.yaml")).paths : [
      for method in keys(methods) : "${path}/${upper(method)}"
    ]
  ])
  _unknown_methods = setsubtract(keys(var.usage_plans.methods), local._api_methods)

  _api_key_count    = sum(concat([0], [for tenant in local._tenants : length(tenant.keys)]))
  _usage_plan_count = length(module.tier_usage_plan) + length([for is_in in values(local._is_in_tier_plan) : is_in if !is_in])

  _inference_profile_names = sort(flatten([for tenant in module.tenant : values(tenant.inference_profile_names)]))
  _repeated_profile_names = distinct([
    for index, name in local._inference_profile_names : name
    if index > 0 && name == element(local._inference_profile_names, index - 1)
  ])

  _tenant_policy_characters = {
    for name in keys(local._caller_roles) : name => sum(concat([0], [
      for tenant in module.tenant : lookup(tenant.caller_policy_characters, name, 0)
    ]))
  }
}

resource "terraform_data" "tenant_quotas" {
  lifecycle {
    precondition {
      condition     = local._api_key_count <= var.api_key_quota
      error_message = "tenants: got ${local._api_key_count} API keys; allowed: ${var.api_key_quota} (api_key_quota); AWS allows 10000 in an account and region and does not raise it. Take another account or region for more."
    }

    precondition {
      condition     = length(local._unknown_methods) == 0
      error_message = "usage_plans.methods: got ${join(", ", local._unknown_methods)}; allowed: ${join(", ", local._api_methods)}."
    }

    precondition {
      condition     = local._usage_plan_count <= var.usage_plan_quota
      error_message = "tenants: got ${local._usage_plan_count} usage plans; allowed: ${var.usage_plan_quota} in an account and region. Set usage_plans = { per = \"tier\" }, or have AWS raise the quota and set usage_plan_quota to it."
    }

    precondition {
      condition     = local._usage_plan_count <= var.usage_plans.most
      error_message = "tenants: got ${local._usage_plan_count} usage plans; allowed: ${var.usage_plans.most} (usage_plans.most). AWS changes one in ${local._seconds_per_usage_plan_update} seconds in an account, so a change or a destroy of all takes ${ceil(local._usage_plan_count * local._seconds_per_usage_plan_update / 60)} minutes. ${var.usage_plans.per == "tenant" ? "Set usage_plans = { per = \"tier\" }." : "Raise the tiers' limits to those of the tenants that have a plan of their own."}"
    }

    precondition {
      condition     = length(local._inference_profile_names) <= var.inference_profile_quota
      error_message = "tenants: got ${length(local._inference_profile_names)} inference profiles; allowed: ${var.inference_profile_quota} in an account and region. Have AWS raise the quota and set inference_profile_quota to it, or tell costs by session tags instead."
    }

    precondition {
      condition     = length(local._repeated_profile_names) == 0
      error_message = "tenants: got ${join(", ", local._repeated_profile_names)} as the name of two inference profiles; allowed: one of each in an account and region. Names are <prefix>-<tenant>-<app>-<profile>: rename a profile."
    }

    precondition {
      condition     = max(values(local._tenant_policy_characters)...) <= local._role_policies_capacity - local._own_role_policy_reserve
      error_message = "tenants: got ${max(values(local._tenant_policy_characters)...)} characters of policies for model_arns on one role; allowed: ${local._role_policies_capacity - local._own_role_policy_reserve}, what IAM's ${local._role_policies_capacity} leave. Give tenants inference_profiles, which take none, or isolation = \"silo\"."
    }
  }
}

# The same files, module and names as in the gateway's own root: its functions find these tenants in
# the one table that they read. An id that the gateway already has is refused by DynamoDB, which
# makes an item only where there is none.
locals {
  tenants_dir = "${path.module}/${coalesce(var.tenants_dir, "../../envs/${var.environment}/tenants")}"

  _tenants = module.tenant_files.tenants_by_id

  # The gateway's plan of a tier, unless it is narrower than what the tenant's file promises: then
  # the tenant gets a plan of its own, as it would there.
  _tier_plans = {
    for tenant_id, tenant in local._tenants : tenant_id => [
      for tier, plan in jsondecode(local.published.tier_usage_plans) : { id = plan.id }
      if tier == tenant.policy.tier && alltrue([
        for limit, allowed in plan.limits :
        allowed == null ? true : tenant.policy.limits[limit] == null ? false : tenant.policy.limits[limit] <= allowed
      ])
    ]
  }
}

module "tenant_files" {
  source = "../../modules/tenant_files"

  directory = local.tenants_dir
  prefix    = local.prefix
  tiers     = var.tiers

  business_units = var.business_units
}

module "business_unit" {
  source   = "../../modules/business_unit"
  for_each = module.tenant_files.business_units_by_id

  business_unit      = each.value
  tenants_table_name = local.published.tenants_table_name
  lake_bucket_name   = local.published.lake_bucket_name
  kms_key_arn        = local.published.kms_key_arn
}

module "tenant" {
  source   = "../../modules/tenant"
  for_each = local._tenants

  prefix                   = local.prefix
  account_id               = local.account_id
  partition                = local.partition
  region                   = var.region
  tenant_id                = each.key
  policy                   = each.value.policy
  business_unit_item_id    = try(module.business_unit[each.value.policy.business_unit].item_id, null)
  api_url                  = local.published.api_url
  keys                     = each.value.keys
  key_store                = local.published.key_store
  tenants_table_name       = local.published.tenants_table_name
  lake_bucket_name         = local.published.lake_bucket_name
  rest_api_id              = local.published.rest_api_id
  stage_name               = local.published.stage_name
  kms_key_arn              = local.published.kms_key_arn
  kms_deletion_window_days = var.kms_deletion_window_days
  caller_roles             = jsondecode(local.published.caller_roles)
  usage_plan               = one(local._tier_plans[each.key])
  usage_plan_ceiling       = jsondecode(local.published.usage_plan_ceiling)
  usage_plan_methods       = length(local._tier_plans[each.key]) > 0 ? {} : jsondecode(local.published.usage_plan_methods)
}

# What AWS would take hours for is refused before anything changes, as the gateway does.
locals {
  _usage_plan_count = length([
    for tenant_id, tenant in local._tenants : tenant_id
    if tenant.policy.status != "offboarded" && length(local._tier_plans[tenant_id]) == 0
  ])
}

resource "terraform_data" "tenant_quotas" {
  lifecycle {
    precondition {
      condition     = local._usage_plan_count <= tonumber(local.published.usage_plans_most)
      error_message = "tenants: got ${local._usage_plan_count} usage plans; allowed: ${local.published.usage_plans_most} (usage_plans.most of ${local.prefix}). AWS changes one in 20 seconds in an account. Set usage_plans = { per = \"tier\" } there and apply it, and keep the tenants' limits within their tiers'."
    }
  }
}

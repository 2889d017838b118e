# What this deployment tells others about itself, in SSM: a tenants-only deployment reads it, and so
# may any program of the account. Names only; nothing here lets anybody in.
locals {
  published = {
    api_url            = module.gateway.invoke_url
    caller_roles       = jsonencode(local._caller_roles)
    key_store          = var.key_store
    kms_key_arn        = aws_kms_key.this.arn
    lake_bucket_name   = module.analytics.lake_bucket_name
    rest_api_id        = module.gateway.rest_api_id
    stage_name         = module.gateway.stage_name
    tenants_table_name = module.metering.tenants_table_name
    usage_plans_most   = tostring(var.usage_plans.most)
    usage_plan_ceiling = jsonencode(local._usage_plan_ceiling)
    usage_plan_methods = jsonencode(var.usage_plans.methods)

    tier_usage_plans = jsonencode({
      for tier, plan in module.tier_usage_plan : tier => { id = plan.id, limits = local._tier_limits[tier] }
    })
  }
}

resource "aws_ssm_parameter" "output" {
  # checkov:skip=CKV_AWS_337:Names and ids are not secret, and whoever reads them should need no right on the key.
  # checkov:skip=CKV2_AWS_34:Names and ids are not secret, and whoever reads them should need no right on the key.
  for_each = local.published

  name        = "/${var.prefix}/outputs/${each.key}"
  description = "Output ${each.key} of the Tollgate deployment ${var.prefix}."
  type        = "String"
  value       = each.value
}

# From a REST API's id to the deployment that it belongs to.
resource "aws_ssm_parameter" "unit" {
  # checkov:skip=CKV_AWS_337:Names and ids are not secret, and whoever reads them should need no right on the key.
  # checkov:skip=CKV2_AWS_34:Names and ids are not secret, and whoever reads them should need no right on the key.
  name        = "/tollgate/rest-apis/${module.gateway.rest_api_id}/prefix"
  description = "Prefix of the Tollgate deployment with this REST API."
  type        = "String"
  value       = var.prefix
}

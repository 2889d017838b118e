locals {
  # An offboarded tenant keeps its policy, its KMS key and its usage; what calls and what could be
  # called with is gone.
  is_offboarded = var.policy.status == "offboarded"
  is_silo       = var.policy.isolation == "silo"

  tags = merge(var.tags, {
    Tenant          = var.tenant_id
    "tollgate-unit" = var.prefix
  })
}

module "usage_plan" {
  source = "../usage_plan"
  count  = local.is_offboarded || var.usage_plan != null ? 0 : 1

  name        = "${var.prefix}-${var.tenant_id}"
  description = "Outer fence of tenant ${var.tenant_id}; its real limits are in the ledger."
  rest_api_id = var.rest_api_id
  stage_name  = var.stage_name
  methods     = var.usage_plan_methods
  ceiling     = var.usage_plan_ceiling
  tags        = local.tags

  limits = {
    requests_per_minute = var.policy.limits.requests_per_minute
    requests_per_day    = var.policy.limits.requests_per_day
  }
}

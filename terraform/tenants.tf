# One file per tenant: the only thing that changes when a tenant comes, changes or goes.
module "tenant_files" {
  source = "../modules/tenant_files"

  directory = local.tenants_dir
  prefix    = var.prefix
  tiers     = var.tiers
}

module "tenant" {
  source   = "../modules/tenant"
  for_each = module.tenant_files.tenants_by_id

  prefix             = var.prefix
  tenant_id          = each.key
  policy             = each.value.policy
  keys               = each.value.keys
  tenants_table_name = module.metering.tenants_table_name
  rest_api_id        = module.gateway.rest_api_id
  stage_name         = module.gateway.stage_name
  kms_key_arn        = aws_kms_key.this.arn
}

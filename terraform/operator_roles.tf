# Roles for people, if any are named; what functions may do is in functions.tf.
module "operator_roles" {
  source = "../modules/operator_roles"
  count  = var.operator_roles == null ? 0 : 1

  prefix                   = var.prefix
  account_id               = local.account_id
  partition                = local.partition
  region                   = var.region
  operator_principals      = var.operator_roles.operator_principals
  tenant_admin_principals  = var.operator_roles.tenant_admin_principals
  glue_database_name       = module.analytics.glue_database_name
  kms_key_arn              = aws_kms_key.this.arn
  log_group_names          = concat([module.gateway.access_log_group_name], [for function in module.function : function.log_group_name])
  permissions_boundary_arn = var.permissions_boundary_arn
  workgroup_name           = module.analytics.workgroup_name

  bucket_arns = {
    athena = "arn:${local.partition}:s3:::${module.analytics.athena_bucket_name}"
    bill   = one([for bill in module.bill_export : "arn:${local.partition}:s3:::${split("/", bill.location)[2]}"])
    lake   = module.analytics.lake_bucket_arn
  }

  queue_arns = {
    jobs      = module.streaming.jobs_queue_arn
    jobs_dead = module.streaming.jobs_dead_queue_arn
  }

  table_arns = {
    accounts = module.metering.accounts_table_arn
    tenants  = module.metering.tenants_table_arn
    usage    = module.metering.usage_table_arn
  }
}

# A dashboard of the usage for those who look at it in QuickSight, where an environment asks for one.
module "quicksight" {
  source = "../modules/quicksight"
  count  = var.quicksight == null ? 0 : 1

  prefix             = var.prefix
  account_id         = local.account_id
  partition          = local.partition
  region             = var.region
  kms_key_arn        = aws_kms_key.this.arn
  database_name      = module.analytics.glue_database_name
  workgroup_name     = module.analytics.workgroup_name
  lake_bucket_name   = module.analytics.lake_bucket_name
  athena_bucket_name = module.analytics.athena_bucket_name

  authors           = var.quicksight.authors
  identity_region   = var.quicksight.identity_region
  months            = var.quicksight.months
  namespace         = var.quicksight.namespace
  refresh_at        = var.quicksight.refresh_at
  service_role_name = var.quicksight.service_role_name
  viewers           = var.quicksight.viewers
}

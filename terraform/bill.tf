# AWS's bill beside the usage that it is for, where an environment asks for it.
module "bill_export" {
  source = "../modules/bill_export"
  count  = var.bill_export == null ? 0 : 1

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  prefix        = var.prefix
  account_id    = local.account_id
  partition     = local.partition
  region        = var.region
  database_name = module.analytics.glue_database_name
  force_destroy = var.force_destroy
  location      = var.bill_export.location
}

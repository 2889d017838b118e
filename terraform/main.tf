data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  account_id  = data.aws_caller_identity.this.account_id
  partition   = data.aws_partition.this.partition
  tenants_dir = "${path.root}/${coalesce(var.tenants_dir, "../envs/${var.environment}/tenants")}"
}

module "metering" {
  source = "../modules/metering"

  prefix                 = var.prefix
  kms_key_arn            = aws_kms_key.this.arn
  deletion_protection    = var.deletion_protection
  point_in_time_recovery = var.point_in_time_recovery
}

module "streaming" {
  source = "../modules/streaming"

  prefix                 = var.prefix
  account_id             = local.account_id
  kms_key_arn            = aws_kms_key.this.arn
  deletion_protection    = var.deletion_protection
  force_destroy          = var.force_destroy
  payload_retention_days = var.payload_retention_days
  point_in_time_recovery = var.point_in_time_recovery
}

module "analytics" {
  source = "../modules/analytics"

  prefix                 = var.prefix
  account_id             = local.account_id
  kms_key_arn            = aws_kms_key.this.arn
  bytes_scanned_cutoff   = var.athena_bytes_scanned_cutoff
  error_expiration_days  = var.error_expiration_days
  force_destroy          = var.force_destroy
  lake_expiration_days   = var.lake_expiration_days
  lake_transition_days   = var.lake_transition_days
  report_expiration_days = var.report_expiration_days
  report_transition_days = var.report_transition_days
  statement_lock         = var.statement_lock

  access_log_bucket = var.audit.access_logs ? { name = module.audit.access_log_bucket_name } : null
}

module "gateway" {
  source = "../modules/gateway"

  prefix                      = var.prefix
  kms_key_arn                 = aws_kms_key.this.arn
  authorizer_cache_seconds    = var.api.authorizer_cache_seconds
  log_retention_days          = var.log_retention_days
  manage_account_logging_role = var.api.manage_account_logging_role
  permissions_boundary_arn    = var.permissions_boundary_arn
  stage_name                  = var.api.stage_name
  throttle                    = var.api.throttle

  endpoint = {
    type             = var.api.endpoint_type
    allowed_cidrs    = var.api.allowed_cidrs
    vpc_endpoint_ids = concat(var.api.vpc_endpoint_ids, module.network.api_endpoint_ids)
  }

  web_acl = var.waf == null ? null : { arn = local._makes_web_acl ? module.web_acl[0].web_acl_arn : var.waf.web_acl_arn }

  functions = {
    for name, function in module.function : name => {
      invoke_arn = function.invoke_arn
      name       = function.function_name
    }
  }
}

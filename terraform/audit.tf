# Who did what: an own trail or the organisation's, S3's access logs of the lake, copies of the logs.
locals {
  _has_own_trail = var.audit.trail == "own"

  # The key's policy names the trail, which is made with the key: by name, as the module calls it.
  _trail_key_statements = !local._has_own_trail ? [] : [
    {
      # In a key's own policy every resource is this key.
      Sid       = "Trail"
      Effect    = "Allow"
      Action    = ["kms:DescribeKey", "kms:GenerateDataKey*"]
      Resource  = "*"
      Principal = { Service = "cloudtrail.amazonaws.com" }
      Condition = {
        StringEquals = {
          "aws:SourceArn" = "arn:${local.partition}:cloudtrail:${var.region}:${local.account_id}:trail/${var.prefix}-audit"
        }
      }
    },
  ]
}

module "audit" {
  source = "../modules/audit"

  prefix                   = var.prefix
  region                   = var.region
  account_id               = local.account_id
  kms_key_arn              = aws_kms_key.this.arn
  access_logs              = var.audit.access_logs
  force_destroy            = var.force_destroy
  log_archive              = var.audit.log_archive
  log_retention_days       = var.log_retention_days
  management_events        = var.audit.management_events
  permissions_boundary_arn = var.permissions_boundary_arn
  retention                = var.audit.retention
  trail                    = var.audit.trail

  # By name: the lake's own log goes to the bucket that this names.
  access_logged_bucket_arns = {
    lake       = "arn:${local.partition}:s3:::${var.prefix}-lake-${local.account_id}"
    statements = "arn:${local.partition}:s3:::${var.prefix}-statements-${local.account_id}"
  }

  archived_log_groups = merge(
    { for name, function in module.function : name => function.log_group_name },
    {
      api_access    = module.gateway.access_log_group_name
      api_execution = module.gateway.execution_log_group_name
    },
  )

  data_events = {
    bucket_arns = {
      lake       = module.analytics.lake_bucket_arn
      payloads   = module.streaming.payloads_bucket_arn
      statements = module.analytics.statements_bucket_arn
    }
    table_arns = { tenants = module.metering.tenants_table_arn }
  }
}

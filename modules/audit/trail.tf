# Who did what: every management event of the account, and what happened to tenants and their data.
locals {
  _own_trail  = var.trail == "own"
  _partition  = split(":", var.kms_key_arn)[1]
  _trail_name = "${var.prefix}-audit"
  # By name, because the bucket's policy must name the trail before it exists.
  _trail_arn = "arn:${local._partition}:cloudtrail:${var.region}:${var.account_id}:trail/${local._trail_name}"

  # Reads of tables are requests to the gateway, by the million; who made those is in its own log.
  _table_selectors = [
    for name, arn in var.data_events.table_arns : {
      name = "Writes to the table ${name}"
      fields = [
        { field = "eventCategory", equals = ["Data"] },
        { field = "readOnly", equals = ["false"] },
        { field = "resources.ARN", equals = [arn] },
        { field = "resources.type", equals = ["AWS::DynamoDB::Table"] },
      ]
    }
  ]

  _bucket_selectors = [
    for name, arn in var.data_events.bucket_arns : {
      name = "Objects in the bucket ${name}"
      fields = [
        { field = "eventCategory", equals = ["Data"] },
        { field = "resources.ARN", starts_with = ["${arn}/"] },
        { field = "resources.type", equals = ["AWS::S3::Object"] },
      ]
    }
  ]

  _data_selectors = concat(local._bucket_selectors, local._table_selectors)
  _management_selector = {
    name   = "Management events"
    fields = [{ field = "eventCategory", equals = ["Management"] }]
  }
  _selectors = concat(var.management_events ? [local._management_selector] : [], local._data_selectors)
}

resource "aws_cloudtrail" "this" {
  # checkov:skip=CKV_AWS_252:whoever wants to hear of new files subscribes to the bucket
  # checkov:skip=CKV2_AWS_10:the records are read with Athena or a SIEM from the bucket, and a copy in CloudWatch is paid per GB
  count = local._own_trail ? 1 : 0

  name                          = local._trail_name
  s3_bucket_name                = aws_s3_bucket.audit[0].id
  s3_key_prefix                 = "cloudtrail"
  kms_key_id                    = var.kms_key_arn
  enable_log_file_validation    = true
  include_global_service_events = true
  is_multi_region_trail         = true
  tags                          = var.tags

  dynamic "advanced_event_selector" {
    for_each = local._selectors

    content {
      name = advanced_event_selector.value.name

      dynamic "field_selector" {
        for_each = advanced_event_selector.value.fields

        content {
          field       = field_selector.value.field
          equals      = try(field_selector.value.equals, null)
          starts_with = try(field_selector.value.starts_with, null)
        }
      }
    }
  }

  # CloudTrail tries the bucket when the trail is made.
  depends_on = [aws_s3_bucket_policy.audit]

  lifecycle {
    precondition {
      condition     = length(local._selectors) > 0
      error_message = "trail: got own with neither management_events nor data_events; allowed: at least one of them."
    }
  }
}

# The unit's budget, where functions find it beside its tenants' policies. scripts/tenants/files.py builds the same item.
resource "aws_dynamodb_table_item" "policy" {
  table_name = var.tenants_table_name
  hash_key   = "pk"

  item = jsonencode({
    pk       = { S = "BUSINESS_UNIT#${var.business_unit.id}" }
    document = { S = jsonencode(var.business_unit) }
  })
}

# What reports join to usage rows and tenants by business_unit.
resource "aws_s3_object" "dimension" {
  bucket       = var.lake_bucket_name
  key          = "business_units/${var.business_unit.id}.json"
  content_type = "application/json"
  kms_key_id   = var.kms_key_arn

  # One line: the table's reader takes each line for a row.
  content = "${jsonencode({
    id          = var.business_unit.id
    name        = var.business_unit.name
    owner       = var.business_unit.owner
    month_usd   = var.business_unit.budget.month_usd
    day_usd     = var.business_unit.budget.day_usd
    budget_mode = var.business_unit.budget.mode
  })}\n"

  # An object takes ten tags at most, and a deployment may have more defaults than that.
  override_provider {
    default_tags {
      tags = {}
    }
  }
}

locals {
  # The keys are what the adapters of functions/shared read and write; other attributes need no declaration.
  tables = {
    tenants  = { hash_key = "pk", range_key = null }
    accounts = { hash_key = "account_id", range_key = null }
    # No TTL: a row goes once the lake has it, however late that is, so the function that writes the lake deletes it.
    usage = { hash_key = "pk", range_key = "sk" }
  }
}

resource "aws_dynamodb_table" "this" {
  for_each = local.tables

  name                        = "${var.prefix}-${each.key}"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = each.value.hash_key
  range_key                   = each.value.range_key
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  dynamic "attribute" {
    for_each = toset(compact([each.value.hash_key, each.value.range_key]))

    content {
      name = attribute.value
      type = "S"
    }
  }

  point_in_time_recovery {
    enabled = var.point_in_time_recovery
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}

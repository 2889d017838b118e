# scripts/tenants.py builds the same items for the local stack, byte for byte: `jsonencode`
# sorts the keys of every object and writes no spaces.
resource "aws_dynamodb_table_item" "policy" {
  table_name = var.tenants_table_name
  hash_key   = "pk"

  item = jsonencode({
    pk       = { S = "TENANT#${var.tenant_id}" }
    document = { S = jsonencode(var.policy) }
  })
}

resource "aws_dynamodb_table_item" "key" {
  for_each = var.keys

  table_name = var.tenants_table_name
  hash_key   = "pk"

  # The hash of a random key of 40 characters tells nothing about the key, so it may be shown in a plan.
  item = jsonencode({
    pk        = { S = "KEY#${nonsensitive(sha256(aws_api_gateway_api_key.this[each.key].value))}" }
    tenant_id = { S = var.tenant_id }
    app_id    = { S = each.value.app_id }
    key_id    = { S = each.key }
    tier      = { S = var.policy.tier }
    status    = { S = each.value.status }
    expires   = { S = each.value.expires }
  })
}

# Each key's value is made by API Gateway, kept in Terraform's state (encrypted, and readable
# only by those who deploy) and in a parameter or secret for its owner. Functions know its hash
# only. With the store "external" nothing is made here: `python -m scripts.tenants.keys` issues keys, and
# no state ever holds one.
locals {
  _keys = local.is_offboarded || var.key_store == "external" ? {} : var.keys

  # An offboarded tenant has no plan of its own, and no key that could be in one.
  _usage_plan_id = var.usage_plan == null ? one(module.usage_plan[*].id) : var.usage_plan.id
}

resource "aws_api_gateway_api_key" "this" {
  for_each = local._keys

  name        = "${var.prefix}-${var.tenant_id}-${replace(each.key, "/", "-")}"
  description = "Key ${each.value.key_name} of app ${each.value.app_id} of tenant ${var.tenant_id}."
  enabled     = each.value.status == "active"
  tags        = local.tags
}

resource "aws_api_gateway_usage_plan_key" "this" {
  for_each = local._keys

  key_id        = aws_api_gateway_api_key.this[each.key].id
  key_type      = "API_KEY"
  usage_plan_id = local._usage_plan_id
}

resource "aws_ssm_parameter" "key" {
  for_each = { for id, key in local._keys : id => key if var.key_store == "ssm" }

  name        = "/${var.prefix}/tenants/${var.tenant_id}/${each.key}"
  description = "API key ${each.value.key_name} of app ${each.value.app_id} of tenant ${var.tenant_id}."
  type        = "SecureString"
  tier        = "Intelligent-Tiering"
  key_id      = var.kms_key_arn
  value       = aws_api_gateway_api_key.this[each.key].value
  tags        = local.tags
}

resource "aws_secretsmanager_secret" "key" {
  # checkov:skip=CKV2_AWS_57:A key is rotated by a second one in the tenant's file, so that its owner can change over while both work.
  for_each = { for id, key in local._keys : id => key if var.key_store == "secrets_manager" }

  name        = "${var.prefix}/tenants/${var.tenant_id}/${each.key}"
  description = "API key ${each.value.key_name} of app ${each.value.app_id} of tenant ${var.tenant_id}."
  kms_key_id  = var.kms_key_arn
  # The key dies with its secret, so there is nothing to recover; a secret that waits for its
  # deletion would keep the name from being used again.
  recovery_window_in_days = 0
  tags                    = local.tags
}

resource "aws_secretsmanager_secret_version" "key" {
  for_each = aws_secretsmanager_secret.key

  secret_id     = each.value.id
  secret_string = aws_api_gateway_api_key.this[each.key].value
}

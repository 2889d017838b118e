# Each key's value is made by API Gateway, kept in Terraform's state (encrypted, and readable
# only by those who deploy) and in an SSM parameter for its owner. Functions know its hash only.
resource "aws_api_gateway_api_key" "this" {
  for_each = var.keys

  name        = "${var.prefix}-${var.tenant_id}-${replace(each.key, "/", "-")}"
  description = "Key ${each.value.key_name} of app ${each.value.app_id} of tenant ${var.tenant_id}."
  enabled     = each.value.status == "active"
  tags        = var.tags
}

resource "aws_api_gateway_usage_plan_key" "this" {
  for_each = var.keys

  key_id        = aws_api_gateway_api_key.this[each.key].id
  key_type      = "API_KEY"
  usage_plan_id = aws_api_gateway_usage_plan.this.id
}

resource "aws_ssm_parameter" "key" {
  for_each = var.keys

  name        = "/${var.prefix}/tenants/${var.tenant_id}/${each.key}"
  description = "API key ${each.value.key_name} of app ${each.value.app_id} of tenant ${var.tenant_id}."
  type        = "SecureString"
  key_id      = var.kms_key_arn
  value       = aws_api_gateway_api_key.this[each.key].value
  tags        = var.tags
}

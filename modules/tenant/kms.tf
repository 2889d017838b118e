# The tenant's own key: with it gone, the texts that it encrypts are gone, wherever copies lie.
resource "aws_kms_key" "this" {
  count = var.policy.own_kms_key ? 1 : 0

  description             = "Texts of tenant ${var.tenant_id} of ${var.prefix}"
  deletion_window_in_days = var.kms_deletion_window_days
  enable_key_rotation     = true
  tags                    = local.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      # Hands the decision to IAM, where roles name tenants' keys by alias; without it nobody could
      # ever change this policy again. In a key's policy, "*" is the key itself.
      Sid       = "Account"
      Effect    = "Allow"
      Action    = "kms:*"
      Resource  = "*"
      Principal = { AWS = "arn:${var.partition}:iam::${var.account_id}:root" }
    }]
  })
}

resource "aws_kms_alias" "this" {
  count = length(aws_kms_key.this)

  name          = "alias/${var.prefix}/tenants/${var.tenant_id}"
  target_key_id = aws_kms_key.this[0].key_id
}

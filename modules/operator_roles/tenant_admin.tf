# Who looks after one tenant: reads its policy, its counters and its keys, and can switch a leaked
# key off. One role for all tenants: the session's tag `tenant` says which, and the trust policy
# lets a principal take no other tenant than the one that the principal itself is tagged with.
locals {
  _tenant = "$${aws:PrincipalTag/tenant}"

  _published      = "arn:${var.partition}:ssm:${var.region}:${var.account_id}:parameter/${var.prefix}/outputs/tenants/${local._tenant}"
  _key_parameters = "arn:${var.partition}:ssm:${var.region}:${var.account_id}:parameter/${var.prefix}/tenants/${local._tenant}"
  _key_secrets    = "arn:${var.partition}:secretsmanager:${var.region}:${var.account_id}:secret:${var.prefix}/tenants/${local._tenant}/*"

  _tenant_admin_statements = [
    {
      Sid      = "ReadOwnPolicy"
      Effect   = "Allow"
      Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem"]
      Resource = [var.table_arns.tenants]
      Condition = {
        "ForAllValues:StringEquals" = {
          "dynamodb:LeadingKeys" = ["OVERRIDE#${local._tenant}", "TENANT#${local._tenant}"]
        }
        Null = { "dynamodb:LeadingKeys" = "false" }
      }
    },
    {
      Sid      = "ReadOwnCounters"
      Effect   = "Allow"
      Action   = ["dynamodb:BatchGetItem", "dynamodb:GetItem"]
      Resource = [var.table_arns.accounts]
      # The tenant's account, its shards, and its apps' accounts with theirs.
      Condition = {
        "ForAllValues:StringLike" = {
          "dynamodb:LeadingKeys" = ["app#${local._tenant}/*", "model#${local._tenant}/*", "tenant#${local._tenant}", "tenant#${local._tenant}#*"]
        }
        Null = { "dynamodb:LeadingKeys" = "false" }
      }
    },
    {
      Sid       = "OpenTables"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = [var.kms_key_arn]
      Condition = { StringEquals = { "kms:ViaService" = "dynamodb.${var.region}.amazonaws.com" } }
    },
    {
      Sid      = "ReadOwnOutputs"
      Effect   = "Allow"
      Action   = ["ssm:GetParameter"]
      Resource = [local._published]
    },
    {
      Sid      = "ReadOwnKeyParameters"
      Effect   = "Allow"
      Action   = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath"]
      Resource = [local._key_parameters, "${local._key_parameters}/*"]
    },
    {
      Sid      = "OpenOwnKeyParameters"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = [var.kms_key_arn]
      Condition = {
        StringEquals = { "kms:ViaService" = "ssm.${var.region}.amazonaws.com" }
        StringLike   = { "kms:EncryptionContext:PARAMETER_ARN" = "${local._key_parameters}/*" }
      }
    },
    {
      Sid      = "ReadOwnKeySecrets"
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue"]
      Resource = [local._key_secrets]
    },
    {
      Sid      = "OpenOwnKeySecrets"
      Effect   = "Allow"
      Action   = ["kms:Decrypt"]
      Resource = [var.kms_key_arn]
      Condition = {
        StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.amazonaws.com" }
        StringLike   = { "kms:EncryptionContext:SecretARN" = local._key_secrets }
      }
    },
    {
      Sid      = "SwitchOwnKeys"
      Effect   = "Allow"
      Action   = ["apigateway:GET", "apigateway:PATCH"]
      Resource = ["arn:${var.partition}:apigateway:${var.region}::/apikeys/*"]
      # A key that the platform team has suspended stays refused: its item in the table says so.
      Condition = {
        StringEquals = {
          "aws:ResourceTag/Tenant"        = local._tenant
          "aws:ResourceTag/tollgate-unit" = var.prefix
        }
      }
    },
  ]
}

resource "aws_iam_role" "tenant_admin" {
  count = length(var.tenant_admin_principals) > 0 ? 1 : 0

  name                 = "${var.prefix}-tenant-admin"
  description          = "Looks after the one tenant of ${var.prefix} that its session is tagged with"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OwnTenantOnly"
      Effect    = "Allow"
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Principal = { AWS = sort(var.tenant_admin_principals) }
      Condition = {
        StringEquals                = { "aws:RequestTag/tenant" = local._tenant }
        StringLike                  = { "aws:RequestTag/tenant" = "?*" }
        "ForAllValues:StringEquals" = { "aws:TagKeys" = ["tenant"] }
        Null                        = { "aws:TagKeys" = "false" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "tenant_admin" {
  count = length(var.tenant_admin_principals) > 0 ? 1 : 0

  name   = aws_iam_role.tenant_admin[0].name
  role   = aws_iam_role.tenant_admin[0].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local._tenant_admin_statements })
}

# The role that a gateway in another account takes on for one tenant, here in the tenant's account.
locals {
  _name = coalesce(var.name, "${var.prefix}-${var.tenant_id}")
  _path = "/tollgate/${var.prefix}/"

  # A trust in the roles themselves would break when the gateway makes one of them anew.
  _caller_arns = [
    for function in sort(tolist(var.caller_functions)) : "arn:${var.partition}:iam::${var.gateway_account_id}:role/${var.prefix}-${function}"
  ]

  _tags_are_the_tenants = {
    StringEquals = {
      "aws:RequestTag/app"    = sort(tolist(var.apps))
      "aws:RequestTag/tenant" = var.tenant_id
    }
    "ForAllValues:StringEquals" = { "aws:TagKeys" = ["app", "tenant"] }
    ArnEquals                   = { "aws:PrincipalArn" = local._caller_arns }
  }

  # A profile of several regions needs the model in each of them, and itself.
  _foundation_model_arns = [for model in sort(tolist(var.models)) : "arn:${var.partition}:bedrock:*::foundation-model/${model}"]
  _model_arns = concat(
    local._foundation_model_arns,
    [for model in sort(tolist(var.models)) : "arn:${var.partition}:bedrock:*:${var.account_id}:inference-profile/*${model}"],
    sort(tolist(var.model_arns)),
  )

  _calls = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
}

resource "aws_iam_role" "this" {
  name                 = local._name
  path                 = local._path
  description          = "Calls models for tenant ${var.tenant_id} of ${var.prefix} in account ${var.gateway_account_id}"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Assume"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { AWS = "arn:${var.partition}:iam::${var.gateway_account_id}:root" }
        Condition = merge(local._tags_are_the_tenants, {
          StringEquals = merge(local._tags_are_the_tenants.StringEquals, { "sts:ExternalId" = var.external_id })
        })
      },
      {
        Sid       = "Tag"
        Effect    = "Allow"
        Action    = "sts:TagSession"
        Principal = { AWS = "arn:${var.partition}:iam::${var.gateway_account_id}:root" }
        Condition = local._tags_are_the_tenants
      },
    ]
  })
}

resource "aws_iam_role_policy" "this" {
  name = local._name
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "CallModels"
          Effect   = "Allow"
          Action   = local._calls
          Resource = local._model_arns
        },
        {
          Sid      = "CountTokens"
          Effect   = "Allow"
          Action   = "bedrock:CountTokens"
          Resource = local._foundation_model_arns
        },
        {
          # The tenant's policy names the guardrail that its calls pass, one of its own account.
          Sid    = "ApplyGuardrails"
          Effect = "Allow"
          Action = "bedrock:ApplyGuardrail"
          Resource = [
            "arn:${var.partition}:bedrock:*:${var.account_id}:guardrail/*",
            # Of one with cross-region inference AWS asks for its profile, too.
            "arn:${var.partition}:bedrock:*:${var.account_id}:guardrail-profile/*",
          ]
        },
        {
          # The unmetered endpoint; a policy for `bedrock:*` does not cover it.
          Sid    = "DenyMantle"
          Effect = "Deny"
          Action = "bedrock-mantle:*"
          # A denial leaves nothing out.
          Resource = "*"
        },
      ],
      [
        for index, app in sort(keys(local._profile_arns_by_app)) : {
          Sid       = "CallProfiles${index}"
          Effect    = "Allow"
          Action    = local._calls
          Resource  = local._profile_arns_by_app[app]
          Condition = { StringEquals = { "aws:PrincipalTag/app" = app } }
        }
      ],
    )
  })
}

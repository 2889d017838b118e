# Sessions for tenants: roles that functions calling models take on, tagged with tenant and app.
#
# A silo's role lies in its tenant's account (modules/tenant_role). With `pool_sessions` the other
# tenants share the role below, whose policy asks for the session's own tenant wherever it can. What
# functions may do on a tenant's behalf is then the role's and no longer theirs.
locals {
  # Names of roles are unique in an account whatever their path.
  _pool_session_role_name = "${var.prefix}-pool-session"
  _session_role_path      = "/tollgate/${var.prefix}/"
  _pool_session_role_arn  = "arn:${local.partition}:iam::${local.account_id}:role${local._session_role_path}${local._pool_session_role_name}"

  _assume_tenant_roles = {
    sid     = "AssumeTenantRoles"
    actions = ["sts:AssumeRole", "sts:TagSession"]
    # A silo's role lies in whichever account is its tenant's; the path is this deployment's.
    resources = ["arn:${local.partition}:iam::*:role${local._session_role_path}*"]
  }

  _with_pool_sessions = {
    converse = { environment = { POOL_SESSION_ROLE_ARN = local._pool_session_role_arn } }
    invoke   = { environment = { POOL_SESSION_ROLE_ARN = local._pool_session_role_arn } }
    stream   = { environment = { POOL_SESSION_ROLE_ARN = local._pool_session_role_arn } }
  }

  # A tenant's own key encrypts what is kept of its requests and answers.
  _use_tenant_keys = {
    sid        = "UseTenantKeys"
    actions    = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources  = local._tenant_keys
    conditions = local._aliased_for_tenant
  }

  _count_tokens = {
    sid       = "CountTokens"
    actions   = ["bedrock:CountTokens"]
    resources = ["arn:${local.partition}:bedrock:*::foundation-model/*"]
  }

  _apply_guardrails = {
    sid       = "ApplyGuardrails"
    actions   = ["bedrock:ApplyGuardrail"]
    resources = local._guardrails
  }

  # What functions do on a tenant's behalf, with their own roles unless there are pool sessions.
  _on_tenants_behalf = {
    converse = [
      {
        sid       = "KeepKeys"
        actions   = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
        resources = [module.streaming.streams_table_arn]
      },
      {
        sid       = "RepeatAnswers"
        actions   = ["s3:GetObject", "s3:PutObject"]
        resources = ["${module.streaming.payloads_bucket_arn}/idempotency/*"]
      },
      local._use_tenant_keys,
      {
        sid       = "CallModels"
        actions   = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
        resources = local._models
      },
      {
        sid        = "CallAppProfiles"
        actions    = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
        resources  = local._app_profiles
        conditions = local._tagged_as_this_unit
      },
      local._count_tokens,
      local._apply_guardrails,
    ]

    invoke = [
      {
        sid = "SubmitJobsAndKeepKeys"
        actions = [
          "dynamodb:DeleteItem",
          "dynamodb:GetItem",
          "dynamodb:PutItem",
          "dynamodb:Query",
          "dynamodb:UpdateItem",
        ]
        resources = [module.streaming.streams_table_arn]
      },
      {
        sid     = "StorePayloads"
        actions = ["s3:PutObject"]
        resources = [
          "${module.streaming.payloads_bucket_arn}/idempotency/*",
          "${module.streaming.payloads_bucket_arn}/jobs/*",
        ]
      },
      {
        sid       = "WithdrawJobs"
        actions   = ["s3:DeleteObject"]
        resources = ["${module.streaming.payloads_bucket_arn}/jobs/*"]
      },
      {
        sid       = "RepeatAnswers"
        actions   = ["s3:GetObject"]
        resources = ["${module.streaming.payloads_bucket_arn}/idempotency/*"]
      },
      local._use_tenant_keys,
      {
        sid       = "CallModels"
        actions   = ["bedrock:InvokeModel"]
        resources = local._models
      },
      {
        sid        = "CallAppProfiles"
        actions    = ["bedrock:InvokeModel"]
        resources  = local._app_profiles
        conditions = local._tagged_as_this_unit
      },
      local._count_tokens,
      local._apply_guardrails,
      {
        # Without endpoints there is nothing to call, and the statement is left out.
        sid       = "CallEndpoints"
        actions   = ["sagemaker:InvokeEndpoint"]
        resources = local._endpoint_arns
      },
    ]

    stream = [
      {
        sid       = "RunJobs"
        actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"]
        resources = [module.streaming.streams_table_arn]
      },
      {
        sid       = "ReadAndDeleteRequests"
        actions   = ["s3:DeleteObject", "s3:GetObject"]
        resources = ["${module.streaming.payloads_bucket_arn}/jobs/*"]
      },
      {
        sid        = "UseTenantKeys"
        actions    = ["kms:Decrypt", "kms:Encrypt"]
        resources  = local._tenant_keys
        conditions = local._aliased_for_tenant
      },
      {
        sid       = "CallModels"
        actions   = ["bedrock:InvokeModelWithResponseStream"]
        resources = local._models
      },
      {
        sid        = "CallAppProfiles"
        actions    = ["bedrock:InvokeModelWithResponseStream"]
        resources  = local._app_profiles
        conditions = local._tagged_as_this_unit
      },
      local._apply_guardrails,
      {
        sid       = "CallEndpoints"
        actions   = ["sagemaker:InvokeEndpointWithResponseStream"]
        resources = local._endpoint_arns
      },
    ]
  }

  # What a call costs is attributed to the session's tags, so a session without an app makes none.
  _of_an_app = { Null = { "aws:PrincipalTag/app" = ["false"] } }

  # The same for a session: each statement is for the tenant in the session's tag.
  _pool_session_statements = [
    {
      sid = "UseTenantItems"
      actions = [
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
      ]
      resources = [module.streaming.streams_table_arn]
      conditions = {
        "ForAllValues:StringLike" = {
          "dynamodb:LeadingKeys" = ["JOB#$${aws:PrincipalTag/tenant}#*", "IDEMPOTENCY#$${aws:PrincipalTag/tenant}#*", "FREE#$${aws:PrincipalTag/tenant}#*"]
        }
        # ForAllValues is true of a request without keys.
        Null = { "dynamodb:LeadingKeys" = ["false"] }
      }
    },
    {
      sid        = "UseTenantRequests"
      actions    = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
      resources  = ["${module.streaming.payloads_bucket_arn}/jobs/$${aws:PrincipalTag/tenant}/*"]
      conditions = {}
    },
    {
      sid        = "UseTenantAnswers"
      actions    = ["s3:GetObject", "s3:PutObject"]
      resources  = ["${module.streaming.payloads_bucket_arn}/idempotency/$${aws:PrincipalTag/tenant}/*"]
      conditions = {}
    },
    {
      # The table and the bucket of all tenants lie under the deployment's key: it opens nothing
      # but through these two services, where the statements above hold.
      sid       = "UseKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [aws_kms_key.this.arn]
      conditions = {
        StringEquals = { "kms:ViaService" = ["dynamodb.${var.region}.amazonaws.com", "s3.${var.region}.amazonaws.com"] }
      }
    },
    {
      sid     = "UseTenantKey"
      actions = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
      # The alias and the context name the tenant.
      resources = local._tenant_keys
      conditions = {
        "ForAnyValue:StringEquals" = { "kms:ResourceAliases" = ["alias/${var.prefix}/tenants/$${aws:PrincipalTag/tenant}"] }
        StringEquals               = { "kms:EncryptionContext:tenant" = ["$${aws:PrincipalTag/tenant}"] }
      }
    },
    {
      # Tenants' policies name them.
      sid        = "ApplyGuardrails"
      actions    = ["bedrock:ApplyGuardrail"]
      resources  = local._guardrails
      conditions = local._of_an_app
    },
    {
      sid        = "CallEndpoints"
      actions    = ["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointWithResponseStream"]
      resources  = local._endpoint_arns
      conditions = local._of_an_app
    },
    {
      sid        = "CallModels"
      actions    = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
      resources  = local._models
      conditions = local._of_an_app
    },
    {
      sid        = "CountTokens"
      actions    = ["bedrock:CountTokens"]
      resources  = ["arn:${local.partition}:bedrock:*::foundation-model/*"]
      conditions = local._of_an_app
    },
    {
      sid       = "CallAppProfiles"
      actions   = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
      resources = local._app_profiles
      conditions = {
        StringEquals = {
          "aws:ResourceTag/app"           = ["$${aws:PrincipalTag/app}"]
          "aws:ResourceTag/tenant"        = ["$${aws:PrincipalTag/tenant}"]
          "aws:ResourceTag/tollgate-unit" = [var.prefix]
        }
      }
    },
  ]
}

resource "aws_iam_role" "pool_session" {
  count = var.pool_sessions ? 1 : 0

  name                 = local._pool_session_role_name
  path                 = local._session_role_path
  description          = "What ${var.prefix} does on behalf of one tenant, which the session's tags name"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Functions"
      Effect    = "Allow"
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Principal = { AWS = [for name in sort(keys(local._on_tenants_behalf)) : module.function[name].role_arn] }
      Condition = {
        "ForAllValues:StringEquals" = { "aws:TagKeys" = ["app", "tenant"] }
        Null                        = { "aws:RequestTag/tenant" = "false" }
      }
    }]
  })
}

resource "aws_iam_role_policy" "pool_session" {
  count = var.pool_sessions ? 1 : 0

  name = aws_iam_role.pool_session[0].name
  role = aws_iam_role.pool_session[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        for statement in local._pool_session_statements : merge(
          {
            Sid      = statement.sid
            Effect   = "Allow"
            Action   = statement.actions
            Resource = statement.resources
          },
          { for key, condition in { Condition = statement.conditions } : key => condition if length(condition) > 0 },
        ) if length(statement.resources) > 0
      ],
      [{
        Sid      = local._deny_mantle.sid
        Effect   = local._deny_mantle.effect
        Action   = local._deny_mantle.actions
        Resource = local._deny_mantle.resources
      }],
    )
  })
}

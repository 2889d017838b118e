# Models and profiles that a tenant brings are called by ARN, so the roles that call for it are
# allowed these ARNs: in a policy of the tenant's, so that its file changes nobody else's.
# A silo tenant's calls are made with the role of its own account.
locals {
  _caller_roles = length(var.policy.model_arns) > 0 && !local.is_offboarded && !local.is_silo ? var.caller_roles : {}

  _caller_policies = {
    for name, role in local._caller_roles : name => jsonencode({
      Version = "2012-10-17"
      Statement = [merge(
        {
          Sid      = "CallTenantModels"
          Effect   = "Allow"
          Action   = role.actions
          Resource = sort(keys(var.policy.model_arns))
        },
        # A role that serves all tenants in sessions of one each.
        role.is_session_role ? {
          Condition = { StringEquals = { "aws:PrincipalTag/tenant" = var.tenant_id } }
        } : {},
      )]
    })
  }
}

resource "aws_iam_role_policy" "caller" {
  for_each = local._caller_policies

  name   = "${var.prefix}-tenant-${var.tenant_id}"
  role   = var.caller_roles[each.key].role_name
  policy = each.value
}

mock_provider "aws" {
  source = "../modules/_mocks/aws"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "../modules/_mocks/aws"
}

variables {
  tenants_dir = "tests/fixtures/tenant_models"
}

run "without_pool_sessions" {
  command = plan

  assert {
    condition     = length(aws_iam_role.pool_session) == 0 && length(aws_iam_role_policy.pool_session) == 0
    error_message = "There is no role for sessions."
  }

  assert {
    condition     = alltrue([for name in ["invoke", "stream"] : !contains(keys(local._environments[name]), "POOL_SESSION_ROLE_ARN")])
    error_message = "No function is told of one."
  }

  assert {
    condition     = alltrue([for name in ["invoke", "stream"] : contains(local._statements[name][*].sid, "CallModels") && contains(local._statements[name][*].sid, "UseTenantKeys")])
    error_message = "The functions act for tenants with their own roles."
  }

  assert {
    condition = alltrue([
      for name in ["invoke", "stream"] : one([for statement in local._statements[name] : statement if statement.sid == "AssumeTenantRoles"]) == {
        sid       = "AssumeTenantRoles"
        actions   = ["sts:AssumeRole", "sts:TagSession"]
        resources = ["arn:aws:iam::*:role/tollgate/tollgate-test/*"]
      }
    ])
    error_message = "Roles of silos may be assumed under the deployment's own path only."
  }

  assert {
    condition     = toset(keys(local._caller_roles)) == toset(["converse", "invoke", "stream"])
    error_message = "Tenants' own models are called with the functions' roles."
  }
}

run "with_pool_sessions" {
  variables {
    pool_sessions            = true
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
  }

  assert {
    condition     = aws_iam_role.pool_session[0].name == "tollgate-test-pool-session" && aws_iam_role.pool_session[0].path == "/tollgate/tollgate-test/" && aws_iam_role.pool_session[0].permissions_boundary == "arn:aws:iam::111122223333:policy/boundary"
    error_message = "The role lies under the deployment's path, within the boundary."
  }

  assert {
    condition     = alltrue([for name in ["invoke", "stream"] : local._environments[name].POOL_SESSION_ROLE_ARN == "arn:aws:iam::111122223333:role/tollgate/tollgate-test/tollgate-test-pool-session"])
    error_message = "The functions know the role by its ARN."
  }

  assert {
    condition = one(jsondecode(aws_iam_role.pool_session[0].assume_role_policy).Statement) == {
      Sid       = "Functions"
      Effect    = "Allow"
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Principal = { AWS = [for name in ["converse", "invoke", "stream"] : module.function[name].role_arn] }
      Condition = {
        "ForAllValues:StringEquals" = { "aws:TagKeys" = ["app", "tenant"] }
        Null                        = { "aws:RequestTag/tenant" = "false" }
      }
    }
    error_message = "Only the functions that act for tenants take the role on, and only for a tenant."
  }

  assert {
    condition     = local._statements["invoke"][*].sid == ["ReadPolicies", "HoldAndSettle", "RecordUsage", "QueueJobs", "AssumeTenantRoles", "DenyMantle"]
    error_message = "invoke keeps the ledger and the queue; what it does on a tenant's behalf is the session's."
  }

  assert {
    condition     = local._statements["stream"][*].sid == ["ReadPolicies", "Settle", "DelayFailedJobs", "RecordUsage", "AssumeTenantRoles", "DenyMantle"]
    error_message = "stream asks the policy and keeps the ledger; what it does on a tenant's behalf is the session's."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.pool_session[0].policy).Statement :
      strcontains(jsonencode(statement), "$${aws:PrincipalTag/tenant}") || contains(["ApplyGuardrails", "CallModels", "CountTokens", "DenyMantle", "UseKey"], statement.Sid)
    ])
    error_message = "Whatever is a tenant's is asked for by the session's tenant."
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.pool_session[0].policy).Statement : statement.Condition.StringEquals["kms:ViaService"] if statement.Sid == "UseKey"]) == ["dynamodb.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com"]
    error_message = "The deployment's key opens nothing but through the table and the bucket."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.pool_session[0].policy).Statement : statement.Condition.Null["aws:PrincipalTag/app"] == ["false"] if contains(["ApplyGuardrails", "CallModels", "CountTokens"], statement.Sid)])
    error_message = "A model is called for an app."
  }

  assert {
    condition     = local._caller_roles == { session = { role_name = "tollgate-test-pool-session", actions = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"], is_session_role = true } }
    error_message = "Tenants' own models are called in sessions, too."
  }

  assert {
    condition     = length(aws_iam_role_policy.pool_session[0].policy) < local._own_role_policy_reserve
    error_message = "The role's own policy leaves the tenants their share of what IAM allows."
  }

  assert {
    condition     = contains(local._called_actions, "s3:DeleteObject") && contains(local._called_actions, "kms:Encrypt") && contains(local._called_actions, "sts:AssumeRole")
    error_message = "The network's endpoints let the sessions' actions through."
  }
}

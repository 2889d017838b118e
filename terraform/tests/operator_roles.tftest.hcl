mock_provider "aws" {
  source = "../modules/_mocks/aws"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "../modules/_mocks/aws"
}

variables {
  tenants_dir = "tests/fixtures/no_tenants"
}

run "nobody_by_default" {
  command = plan

  assert {
    condition     = output.operator_role_arns == { operator = null, tenant_admin = null }
    error_message = "Roles for people are made on demand only."
  }
}

run "roles_for_people" {
  variables {
    operator_roles = {
      operator_principals     = ["arn:aws:iam::111122223333:role/platform-team"]
      tenant_admin_principals = ["arn:aws:iam::111122223333:role/search-team"]
    }
  }

  assert {
    condition     = output.operator_role_arns == { operator = "arn:aws:iam::111122223333:role/mock", tenant_admin = "arn:aws:iam::111122223333:role/mock" }
    error_message = "Both roles are there for those who are named."
  }
}

run "rejects_whole_accounts" {
  command = plan

  variables {
    operator_roles = { tenant_admin_principals = ["arn:aws:iam::111122223333:root"] }
  }

  expect_failures = [var.operator_roles]
}

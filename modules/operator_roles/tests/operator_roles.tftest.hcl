mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  prefix     = "tollgate-test"
  account_id = "111122223333"
  partition  = "aws"
  region     = "us-east-1"

  operator_principals     = ["arn:aws:iam::111122223333:user/ops/zoe", "arn:aws:iam::111122223333:role/platform-team"]
  tenant_admin_principals = ["arn:aws:iam::444455556666:role/search-team"]

  glue_database_name = "tollgate_test"
  kms_key_arn        = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
  log_group_names    = ["/aws/lambda/tollgate-test-invoke"]
  workgroup_name     = "tollgate-test"

  bucket_arns = {
    athena = "arn:aws:s3:::tollgate-test-athena-111122223333"
    lake   = "arn:aws:s3:::tollgate-test-lake-111122223333"
  }

  queue_arns = {
    jobs      = "arn:aws:sqs:us-east-1:111122223333:tollgate-test-jobs"
    jobs_dead = "arn:aws:sqs:us-east-1:111122223333:tollgate-test-jobs-dead"
  }

  table_arns = {
    accounts = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-test-accounts"
    tenants  = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-test-tenants"
    usage    = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-test-usage"
  }
}

run "nobody_is_named" {
  command = plan

  variables {
    operator_principals     = []
    tenant_admin_principals = []
  }

  assert {
    condition     = length(aws_iam_role.operator) + length(aws_iam_role_policy.operator) + length(aws_iam_role.tenant_admin) + length(aws_iam_role_policy.tenant_admin) == 0
    error_message = "Without principals there are no roles."
  }

  assert {
    condition     = output.operator_role_arn == null && output.tenant_admin_role_arn == null
    error_message = "Roles that do not exist have no ARN."
  }
}

run "only_operators" {
  command = plan

  variables {
    tenant_admin_principals = []
  }

  assert {
    condition     = length(aws_iam_role.operator) == 1 && length(aws_iam_role.tenant_admin) == 0
    error_message = "Each role is there for those who are named for it."
  }
}

run "operator" {
  command = plan

  assert {
    condition     = aws_iam_role.operator[0].name == "tollgate-test-operator" && aws_iam_role.operator[0].permissions_boundary == null
    error_message = "The role has the prefix, and no boundary unless one is given."
  }

  assert {
    condition = jsondecode(aws_iam_role.operator[0].assume_role_policy).Statement == [{
      Sid       = "Operators"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = ["arn:aws:iam::111122223333:role/platform-team", "arn:aws:iam::111122223333:user/ops/zoe"] }
    }]
    error_message = "Exactly the named principals may assume it."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.operator[0].policy).Statement : statement.Sid if contains(statement.Resource, "*")] == ["SeeMetricsAndQueries"]
    error_message = "Only actions without resources are allowed on all of them."
  }

  assert {
    condition     = !can(regex("ssm:|secretsmanager:|payloads|streams", aws_iam_role_policy.operator[0].policy))
    error_message = "Neither keys nor prompts and answers are readable."
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_iam_role_policy.operator[0].policy).Statement : statement.Condition.StringEquals["kms:ViaService"]
      if statement.Sid == "UseKey"
    ]) == ["dynamodb.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com", "sqs.us-east-1.amazonaws.com"]
    error_message = "The key is used through the services of the data only."
  }
}

run "operators_read_the_bill_where_there_is_one" {
  command = plan

  variables {
    bucket_arns = {
      athena = "arn:aws:s3:::tollgate-test-athena-111122223333"
      bill   = "arn:aws:s3:::tollgate-test-bill-111122223333"
      lake   = "arn:aws:s3:::tollgate-test-lake-111122223333"
    }
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.operator[0].policy).Statement : statement.Sid => statement.Resource if contains(["ListBuckets", "ReadLake"], statement.Sid)
      } == {
      ListBuckets = ["arn:aws:s3:::tollgate-test-athena-111122223333", "arn:aws:s3:::tollgate-test-bill-111122223333", "arn:aws:s3:::tollgate-test-lake-111122223333"]
      ReadLake    = ["arn:aws:s3:::tollgate-test-bill-111122223333/*", "arn:aws:s3:::tollgate-test-lake-111122223333/*"]
    }
    error_message = "Queries over the bill read its bucket."
  }
}

run "tenant_admin" {
  command = plan

  assert {
    condition     = aws_iam_role.tenant_admin[0].name == "tollgate-test-tenant-admin"
    error_message = "The role has the prefix."
  }

  assert {
    condition = jsondecode(aws_iam_role.tenant_admin[0].assume_role_policy).Statement == [{
      Sid       = "OwnTenantOnly"
      Effect    = "Allow"
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Principal = { AWS = ["arn:aws:iam::444455556666:role/search-team"] }
      Condition = {
        "ForAllValues:StringEquals" = { "aws:TagKeys" = ["tenant"] }
        Null                        = { "aws:TagKeys" = "false" }
        StringEquals                = { "aws:RequestTag/tenant" = "$${aws:PrincipalTag/tenant}" }
        StringLike                  = { "aws:RequestTag/tenant" = "?*" }
      }
    }]
    error_message = "A principal takes the role for the tenant of its own tag."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_iam_role_policy.tenant_admin[0].policy).Statement :
      strcontains(jsonencode([statement.Resource, try(statement.Condition, null)]), "aws:PrincipalTag/tenant") if statement.Sid != "OpenTables"
    ])
    error_message = "Every right is for the session's tenant; decrypting tables alone opens nothing."
  }
}

run "boundary_and_tags" {
  command = plan

  variables {
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
    tags                     = { owner = "platform" }
  }

  assert {
    condition = alltrue([
      for role in [aws_iam_role.operator[0], aws_iam_role.tenant_admin[0]] :
      role.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary" && role.tags == tomap({ owner = "platform" })
    ])
    error_message = "Both roles get boundary and tags."
  }
}

run "account_id" {
  command         = plan
  expect_failures = [var.account_id]

  variables {
    account_id = "1111"
  }
}

run "bucket_arns" {
  command         = plan
  expect_failures = [var.bucket_arns]

  variables {
    bucket_arns = { athena = "arn:aws:s3:::athena", lake = "*" }
  }
}

run "glue_database_name" {
  command         = plan
  expect_failures = [var.glue_database_name]

  variables {
    glue_database_name = "*"
  }
}

run "kms_key_arn" {
  command         = plan
  expect_failures = [var.kms_key_arn]

  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:111122223333:alias/tollgate-test"
  }
}

run "log_group_names" {
  command         = plan
  expect_failures = [var.log_group_names]

  variables {
    log_group_names = ["/aws/lambda/*"]
  }
}

run "operator_principals" {
  command         = plan
  expect_failures = [var.operator_principals]

  variables {
    operator_principals = ["*"]
  }
}

run "partition" {
  command         = plan
  expect_failures = [var.partition]

  variables {
    partition = "amazon"
  }
}

run "permissions_boundary_arn" {
  command         = plan
  expect_failures = [var.permissions_boundary_arn]

  variables {
    permissions_boundary_arn = "boundary"
  }
}

run "prefix" {
  command         = plan
  expect_failures = [var.prefix]

  variables {
    prefix = "T"
  }
}

run "queue_arns" {
  command         = plan
  expect_failures = [var.queue_arns]

  variables {
    queue_arns = { jobs = "jobs", jobs_dead = "dead" }
  }
}

run "region" {
  command         = plan
  expect_failures = [var.region]

  variables {
    region = "moon"
  }
}

run "table_arns" {
  command         = plan
  expect_failures = [var.table_arns]

  variables {
    table_arns = {
      accounts = "arn:aws:dynamodb:us-east-1:111122223333:table/a"
      tenants  = "arn:aws:dynamodb:us-east-1:111122223333:table/*"
      usage    = "arn:aws:dynamodb:us-east-1:111122223333:table/u"
    }
  }
}

run "tenant_admin_principals" {
  command         = plan
  expect_failures = [var.tenant_admin_principals]

  variables {
    tenant_admin_principals = ["arn:aws:iam::444455556666:root"]
  }
}

run "workgroup_name" {
  command         = plan
  expect_failures = [var.workgroup_name]

  variables {
    workgroup_name = "*"
  }
}

mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  prefix      = "tollgate-test"
  kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
  tags        = { Team = "platform" }
}

run "tables_are_safe_by_default" {
  command = plan

  assert {
    condition     = output.tenants_table_name == "tollgate-test-tenants" && output.accounts_table_name == "tollgate-test-accounts" && output.usage_table_name == "tollgate-test-usage"
    error_message = "Names are <prefix>-<table>."
  }

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : table.deletion_protection_enabled && table.point_in_time_recovery[0].enabled])
    error_message = "Tables are protected against deletion and can be restored, unless told otherwise."
  }

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : table.server_side_encryption[0].enabled && table.server_side_encryption[0].kms_key_arn == var.kms_key_arn])
    error_message = "Tables are encrypted with the given key."
  }

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : table.billing_mode == "PAY_PER_REQUEST" && table.tags["Team"] == "platform"])
    error_message = "Tables are billed per request and carry the tags."
  }
}

run "keys_are_those_of_the_adapters" {
  command = plan

  assert {
    condition     = aws_dynamodb_table.this["tenants"].hash_key == "pk" && aws_dynamodb_table.this["tenants"].range_key == null
    error_message = "tenants is keyed by pk."
  }

  assert {
    condition     = aws_dynamodb_table.this["accounts"].hash_key == "account_id" && aws_dynamodb_table.this["accounts"].range_key == null
    error_message = "accounts is keyed by account_id."
  }

  assert {
    condition     = aws_dynamodb_table.this["usage"].hash_key == "pk" && aws_dynamodb_table.this["usage"].range_key == "sk"
    error_message = "usage is keyed by pk and sk."
  }

  assert {
    condition     = [for table in aws_dynamodb_table.this : length(table.attribute)] == [1, 1, 2]
    error_message = "Only key attributes are declared."
  }
}

run "nothing_expires_by_time_alone" {
  command = plan

  assert {
    condition     = length(local.tables) == 3 && alltrue([for table in values(aws_dynamodb_table.this) : length(table.ttl) == 0])
    error_message = "Policies and counters stay, and usage rows until the lake has them: no table has a TTL."
  }
}

run "a_throwaway_stack_can_be_deleted" {
  command = plan

  variables {
    deletion_protection    = false
    point_in_time_recovery = false
  }

  assert {
    condition     = alltrue([for table in aws_dynamodb_table.this : !table.deletion_protection_enabled && !table.point_in_time_recovery[0].enabled])
    error_message = "Protection and recovery follow the inputs."
  }
}

run "refuses_a_bad_prefix" {
  command = plan

  variables {
    prefix = "Tollgate_Test"
  }

  expect_failures = [var.prefix]
}

run "refuses_a_key_alias" {
  command = plan

  variables {
    kms_key_arn = "alias/tollgate-test"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_a_prefix_of_aws" {
  command = plan

  variables {
    prefix = "aws-gateway"
  }

  expect_failures = [var.prefix]
}

run "refuses_a_prefix_that_buckets_cannot_have" {
  command = plan

  variables {
    prefix = "sthree"
  }

  expect_failures = [var.prefix]
}

run "refuses_two_hyphens_in_a_row" {
  command = plan

  variables {
    prefix = "tollgate--dev"
  }

  expect_failures = [var.prefix]
}

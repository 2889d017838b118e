mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  tenants_table_name = "tollgate-test-tenants"
  lake_bucket_name   = "tollgate-test-lake-111122223333"
  kms_key_arn        = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"

  business_unit = {
    schema_version = 1
    id             = "retail"
    name           = "Retail"
    owner          = "Jo Miller"
    budget         = { month_usd = "5000", day_usd = null, mode = "hard" }
    shards         = 4
  }
}

run "plan" {
  command = plan

  assert {
    condition     = aws_dynamodb_table_item.policy.table_name == "tollgate-test-tenants" && aws_dynamodb_table_item.policy.hash_key == "pk" && jsondecode(aws_dynamodb_table_item.policy.item).pk.S == "BUSINESS_UNIT#retail"
    error_message = "Functions find the unit beside its tenants."
  }

  assert {
    condition     = jsondecode(jsondecode(aws_dynamodb_table_item.policy.item).document.S) == { schema_version = 1, id = "retail", name = "Retail", owner = "Jo Miller", budget = { month_usd = "5000", day_usd = null, mode = "hard" }, shards = 4 }
    error_message = "The item's document is what modules/tenant_files made."
  }

  assert {
    condition     = aws_s3_object.dimension.key == "business_units/retail.json" && aws_s3_object.dimension.kms_key_id == var.kms_key_arn && aws_s3_object.dimension.content == "{\"budget_mode\":\"hard\",\"day_usd\":null,\"id\":\"retail\",\"month_usd\":\"5000\",\"name\":\"Retail\",\"owner\":\"Jo Miller\"}\n"
    error_message = "Reports find it in the lake as one line, encrypted as everything there."
  }
}

run "refuses_a_bad_id" {
  command = plan

  variables {
    business_unit = {
      schema_version = 1
      id             = "Retail#1"
      name           = "Retail"
      owner          = "Jo Miller"
      budget         = { month_usd = null, day_usd = null, mode = "hard" }
      shards         = 1
    }
  }

  expect_failures = [var.business_unit]
}

run "refuses_too_many_shards" {
  command = plan

  variables {
    business_unit = {
      schema_version = 1
      id             = "retail"
      name           = "Retail"
      owner          = "Jo Miller"
      budget         = { month_usd = null, day_usd = null, mode = "hard" }
      shards         = 65
    }
  }

  expect_failures = [var.business_unit]
}

run "refuses_bad_names" {
  command = plan

  variables {
    tenants_table_name = "a"
    lake_bucket_name   = "A"
    kms_key_arn        = "alias/tollgate"
  }

  expect_failures = [var.tenants_table_name, var.lake_bucket_name, var.kms_key_arn]
}

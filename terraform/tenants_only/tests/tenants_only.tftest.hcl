mock_provider "aws" {
  source = "../../modules/_mocks/aws"
}

variables {
  environment = "labs"
  parent      = { unit = "tollgate-test" }
  region      = "us-east-1"
  tenants_dir = "tests/fixtures/tenants"

  tiers = {
    pro = {
      limits     = { requests_per_minute = 60, requests_per_day = 1000 }
      max_tokens = { default = 512, maximum = 4096 }
    }
  }
}

override_data {
  target = data.aws_ssm_parameters_by_path.outputs
  values = {
    names = [
      "/tollgate-test/outputs/api_url",
      "/tollgate-test/outputs/caller_roles",
      "/tollgate-test/outputs/key_store",
      "/tollgate-test/outputs/kms_key_arn",
      "/tollgate-test/outputs/lake_bucket_name",
      "/tollgate-test/outputs/rest_api_id",
      "/tollgate-test/outputs/stage_name",
      "/tollgate-test/outputs/tenants_table_name",
      "/tollgate-test/outputs/tier_usage_plans",
      "/tollgate-test/outputs/usage_plan_ceiling",
      "/tollgate-test/outputs/usage_plan_methods",
      "/tollgate-test/outputs/usage_plans_most",
    ]
    values = [
      "https://abcde12345.execute-api.us-east-1.amazonaws.com/v1",
      "{\"invoke\":{\"role_name\":\"tollgate-test-invoke\",\"actions\":[\"bedrock:InvokeModel\"]}}",
      "ssm",
      "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000",
      "tollgate-test-lake-111122223333",
      "abcde12345",
      "v1",
      "tollgate-test-tenants",
      "{}",
      "{\"rate_limit\":125,\"burst_limit\":250}",
      "{}",
      "100",
    ]
  }
}

run "onto_a_unit" {
  command = plan

  assert {
    condition     = output.key_parameter_names == { acme = { "web/old" = "/tollgate-test/tenants/acme/web/old", "web/primary" = "/tollgate-test/tenants/acme/web/primary" } }
    error_message = "Keys lie where the gateway's own tenants have theirs."
  }

  assert {
    condition     = output.parent_prefix == "tollgate-test" && output.key_secret_names == { acme = {} }
    error_message = "The parent's prefix is everything's prefix, and its store of keys theirs."
  }

  assert {
    condition     = local.published.rest_api_id == "abcde12345" && local.published.stage_name == "v1" && local.published.tenants_table_name == "tollgate-test-tenants"
    error_message = "Tenants are served by the parent's API, stage and table."
  }

  assert {
    condition     = keys(output.tenants) == ["acme"] && local.published.api_url == "https://abcde12345.execute-api.us-east-1.amazonaws.com/v1"
    error_message = "Tenants are told of the parent's API."
  }

  assert {
    condition     = local._tier_plans == { acme = [] }
    error_message = "A gateway with a plan per tenant has none to share."
  }
}

run "rejects_more_usage_plans_than_the_parent_has_time_for" {
  command = plan

  override_data {
    target = data.aws_ssm_parameters_by_path.outputs
    values = {
      names = [
        "/tollgate-test/outputs/api_url",
        "/tollgate-test/outputs/caller_roles",
        "/tollgate-test/outputs/key_store",
        "/tollgate-test/outputs/kms_key_arn",
        "/tollgate-test/outputs/lake_bucket_name",
        "/tollgate-test/outputs/rest_api_id",
        "/tollgate-test/outputs/stage_name",
        "/tollgate-test/outputs/tenants_table_name",
        "/tollgate-test/outputs/tier_usage_plans",
        "/tollgate-test/outputs/usage_plan_ceiling",
        "/tollgate-test/outputs/usage_plan_methods",
        "/tollgate-test/outputs/usage_plans_most",
      ]
      values = [
        "https://abcde12345.execute-api.us-east-1.amazonaws.com/v1",
        "{\"invoke\":{\"role_name\":\"tollgate-test-invoke\",\"actions\":[\"bedrock:InvokeModel\"]}}",
        "ssm",
        "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000",
        "tollgate-test-lake-111122223333",
        "abcde12345",
        "v1",
        "tollgate-test-tenants",
        "{}",
        "{\"rate_limit\":125,\"burst_limit\":250}",
        "{}",
        "0",
      ]
    }
  }

  expect_failures = [terraform_data.tenant_quotas]
}

run "onto_an_api" {
  command = plan

  variables {
    parent = { rest_api_id = "abcde12345", stage_name = "v1" }
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.api
    values = {
      names  = ["/tollgate/rest-apis/abcde12345/prefix"]
      values = ["tollgate-test"]
    }
  }

  assert {
    condition     = output.parent_prefix == "tollgate-test"
    error_message = "The API leads to the unit."
  }
}

run "plans_of_the_parents_tiers" {
  command = plan

  variables {
    tiers = {
      pro = {
        limits     = { requests_per_minute = 60 }
        max_tokens = { default = 512, maximum = 4096 }
      }
    }
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.outputs
    values = {
      names = [
        "/tollgate-test/outputs/api_url",
        "/tollgate-test/outputs/caller_roles",
        "/tollgate-test/outputs/key_store",
        "/tollgate-test/outputs/kms_key_arn",
        "/tollgate-test/outputs/lake_bucket_name",
        "/tollgate-test/outputs/rest_api_id",
        "/tollgate-test/outputs/stage_name",
        "/tollgate-test/outputs/tenants_table_name",
        "/tollgate-test/outputs/tier_usage_plans",
        "/tollgate-test/outputs/usage_plan_ceiling",
        "/tollgate-test/outputs/usage_plan_methods",
        "/tollgate-test/outputs/usage_plans_most",
      ]
      values = [
        "https://abcde12345.execute-api.us-east-1.amazonaws.com/v1",
        "{}",
        "ssm",
        "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000",
        "tollgate-test-lake-111122223333",
        "abcde12345",
        "v1",
        "tollgate-test-tenants",
        "{\"free\":{\"id\":\"free01\",\"limits\":{\"requests_per_minute\":1,\"requests_per_day\":null}},\"pro\":{\"id\":\"pro001\",\"limits\":{\"requests_per_minute\":60,\"requests_per_day\":null}}}",
        "{\"rate_limit\":125,\"burst_limit\":250}",
        "{}",
        "100",
      ]
    }
  }

  assert {
    condition     = [for plan in local._tier_plans.acme : plan.id] == ["pro001"]
    error_message = "A tenant is in its tier's plan when that is wide enough."
  }
}

run "a_tenant_that_a_tiers_plan_is_too_narrow_for" {
  command = plan

  override_data {
    target = data.aws_ssm_parameters_by_path.outputs
    values = {
      names = [
        "/tollgate-test/outputs/api_url",
        "/tollgate-test/outputs/caller_roles",
        "/tollgate-test/outputs/key_store",
        "/tollgate-test/outputs/kms_key_arn",
        "/tollgate-test/outputs/lake_bucket_name",
        "/tollgate-test/outputs/rest_api_id",
        "/tollgate-test/outputs/stage_name",
        "/tollgate-test/outputs/tenants_table_name",
        "/tollgate-test/outputs/tier_usage_plans",
        "/tollgate-test/outputs/usage_plan_ceiling",
        "/tollgate-test/outputs/usage_plan_methods",
        "/tollgate-test/outputs/usage_plans_most",
      ]
      values = [
        "https://abcde12345.execute-api.us-east-1.amazonaws.com/v1",
        "{}",
        "ssm",
        "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000",
        "tollgate-test-lake-111122223333",
        "abcde12345",
        "v1",
        "tollgate-test-tenants",
        "{\"pro\":{\"id\":\"pro001\",\"limits\":{\"requests_per_minute\":59,\"requests_per_day\":null}}}",
        "{\"rate_limit\":125,\"burst_limit\":250}",
        "{\"/invoke_model/POST\":{\"rate_limit\":5,\"burst_limit\":5}}",
        "100",
      ]
    }
  }

  assert {
    condition     = local._tier_plans == { acme = [] } && jsondecode(local.published.usage_plan_methods)["/invoke_model/POST"].rate_limit == 5
    error_message = "It gets a plan of its own, with the gateway's throttles of single methods."
  }

  assert {
    condition     = jsondecode(local.published.usage_plan_ceiling) == { rate_limit = 125, burst_limit = 250 }
    error_message = "One of its keys gets no more than a key of the gateway's own tenants."
  }
}

run "rejects_a_parent_that_is_not_there" {
  command = plan

  override_data {
    target = data.aws_ssm_parameters_by_path.outputs
    values = { names = [], values = [] }
  }

  expect_failures = [data.aws_ssm_parameters_by_path.outputs]
}

run "rejects_a_parent_of_an_older_release" {
  command = plan

  override_data {
    target = data.aws_ssm_parameters_by_path.outputs
    values = {
      names  = ["/tollgate-test/outputs/stage_name"]
      values = ["v1"]
    }
  }

  expect_failures = [data.aws_ssm_parameters_by_path.outputs]
}

run "rejects_a_stage_that_is_not_the_parents" {
  command = plan

  variables {
    parent = { unit = "tollgate-test", stage_name = "acme" }
  }

  expect_failures = [data.aws_ssm_parameters_by_path.outputs]
}

run "rejects_an_api_that_is_no_gateway" {
  command = plan

  variables {
    parent = { rest_api_id = "zzzzz99999" }
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.api[0]
    values = { names = [], values = [] }
  }

  expect_failures = [data.aws_ssm_parameters_by_path.api]
}

run "rejects_tenants_without_a_parent" {
  command = plan

  variables {
    parent = {}
  }

  override_data {
    target = data.aws_ssm_parameters_by_path.api[0]
    values = { names = [], values = [] }
  }

  expect_failures = [var.parent]
}

run "rejects_values_out_of_range" {
  command = plan

  variables {
    allowed_account_ids      = ["1234"]
    environment              = "Test"
    kms_deletion_window_days = 6
    parent                   = { unit = "T", rest_api_id = "Not an id" }
    region                   = "Virginia"
    tiers                    = {}
  }

  expect_failures = [
    var.allowed_account_ids,
    var.environment,
    var.kms_deletion_window_days,
    var.parent,
    var.region,
    var.tiers,
  ]
}

# What a deployment tells others about itself.
mock_provider "aws" {
  source = "../modules/_mocks/aws"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "../modules/_mocks/aws"
}

variables {
  tiers = {
    pro = {
      limits     = { requests_per_minute = 60 }
      max_tokens = { default = 512, maximum = 4096 }
    }
  }
}

run "published" {
  assert {
    condition = {
      for name, parameter in aws_ssm_parameter.output : parameter.name => parameter.type
      } == {
      for name in [
        "api_url",
        "caller_roles",
        "key_store",
        "kms_key_arn",
        "lake_bucket_name",
        "rest_api_id",
        "stage_name",
        "tenants_table_name",
        "tier_usage_plans",
        "usage_plan_ceiling",
        "usage_plan_methods",
        "usage_plans_most",
      ] : "/tollgate-test/outputs/${name}" => "String"
    }
    error_message = "Every output that others need lies under the prefix."
  }

  assert {
    condition     = aws_ssm_parameter.unit.name == "/tollgate/rest-apis/abcde12345/prefix" && nonsensitive(aws_ssm_parameter.unit.value) == "tollgate-test"
    error_message = "The REST API's id leads to the prefix."
  }

  assert {
    condition = {
      for name, role in jsondecode(nonsensitive(aws_ssm_parameter.output["caller_roles"].value)) : name => role.actions
      } == {
      converse = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
      invoke   = ["bedrock:InvokeModel"]
      stream   = ["bedrock:InvokeModelWithResponseStream"]
    }
    error_message = "Tenants that come later may call their own models with the same roles."
  }

  assert {
    condition     = jsondecode(nonsensitive(aws_ssm_parameter.output["tier_usage_plans"].value)) == {}
    error_message = "With a usage plan per tenant there is none to share."
  }

  assert {
    condition = output.tenants == {
      for tenant in ["acme", "globex"] : tenant => {
        api_url            = output.api_url
        rest_api_id        = "abcde12345"
        inference_profiles = {}
      }
    }
    error_message = "Each tenant's API and profiles are told."
  }
}

run "published_tier_plans" {
  variables {
    usage_plans = { per = "tier" }
  }

  assert {
    condition = {
      for tier, plan in jsondecode(nonsensitive(aws_ssm_parameter.output["tier_usage_plans"].value)) : tier => [plan.limits.requests_per_minute, plan.limits.requests_per_day]
    } == { pro = [60, null] }
    error_message = "Each tier's plan is told with what it lets through."
  }
}

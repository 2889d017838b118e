mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  prefix             = "tollgate-test"
  gateway_account_id = "111122223333"
  account_id         = "444455556666"
  region             = "eu-west-1"
  tenant_id          = "acme"
  apps               = ["websearch", "batch_jobs"]
  external_id        = "ext-1"
}

run "defaults" {
  assert {
    condition     = aws_iam_role.this.name == "tollgate-test-acme" && aws_iam_role.this.path == "/tollgate/tollgate-test/" && aws_iam_role.this.permissions_boundary == null
    error_message = "The role lies where the gateway's functions may assume roles, under a name of the tenant's."
  }

  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0] == {
      Sid       = "Assume"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = "arn:aws:iam::111122223333:root" }
      Condition = {
        ArnEquals                   = { "aws:PrincipalArn" = ["arn:aws:iam::111122223333:role/tollgate-test-converse", "arn:aws:iam::111122223333:role/tollgate-test-invoke", "arn:aws:iam::111122223333:role/tollgate-test-stream"] }
        "ForAllValues:StringEquals" = { "aws:TagKeys" = ["app", "tenant"] }
        StringEquals                = { "aws:RequestTag/app" = ["batch_jobs", "websearch"], "aws:RequestTag/tenant" = "acme", "sts:ExternalId" = "ext-1" }
      }
    }
    error_message = "Only the functions that call models take it on, with the external id and the tenant's own tags."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[1].Action == "sts:TagSession" && jsondecode(aws_iam_role.this.assume_role_policy).Statement[1].Condition.StringEquals == { "aws:RequestTag/app" = ["batch_jobs", "websearch"], "aws:RequestTag/tenant" = "acme" }
    error_message = "Only the tenant's own tags are taken; a request to tag has no external id."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[*].Sid == ["CallModels", "CountTokens", "ApplyGuardrails", "DenyMantle"]
    error_message = "The role calls models and nothing else."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[0].Resource == ["arn:aws:bedrock:*::foundation-model/*", "arn:aws:bedrock:*:444455556666:inference-profile/**"]
    error_message = "By default every foundation model, and profiles of the account itself only."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[3].Effect == "Deny" && jsondecode(aws_iam_role_policy.this.policy).Statement[3].Action == "bedrock-mantle:*"
    error_message = "The unmetered endpoint is denied."
  }

  assert {
    condition     = output.silo == { role_arn = aws_iam_role.this.arn, external_id = "ext-1" } && length(output.model_arns) == 0
    error_message = "The outputs are what the tenant's file says."
  }
}

run "options" {
  command = plan

  variables {
    name                     = "models-for-tollgate"
    caller_functions         = ["converse"]
    models                   = ["amazon.nova-lite-v1:0"]
    model_arns               = ["arn:aws:bedrock:eu-west-1:444455556666:provisioned-model/abc123"]
    permissions_boundary_arn = "arn:aws:iam::444455556666:policy/boundary"
    tags                     = { owner = "search" }
    partition                = "aws"
  }

  assert {
    condition     = aws_iam_role.this.name == "models-for-tollgate" && aws_iam_role.this.permissions_boundary == "arn:aws:iam::444455556666:policy/boundary" && aws_iam_role.this.tags == tomap({ owner = "search" })
    error_message = "Name, boundary and tags are the account's choice."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.ArnEquals["aws:PrincipalArn"] == ["arn:aws:iam::111122223333:role/tollgate-test-converse"]
    error_message = "The functions are the gateway's."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement[0].Resource == [
      "arn:aws:bedrock:*::foundation-model/amazon.nova-lite-v1:0",
      "arn:aws:bedrock:*:444455556666:inference-profile/*amazon.nova-lite-v1:0",
      "arn:aws:bedrock:eu-west-1:444455556666:provisioned-model/abc123",
    ]
    error_message = "A model is allowed in every region it may be routed to, with its profiles; own models by ARN."
  }
}

run "profiles" {
  override_resource {
    target = aws_bedrock_inference_profile.this["search-nova"]
    values = { arn = "arn:aws:bedrock:eu-west-1:444455556666:application-inference-profile/nova1" }
  }

  override_resource {
    target = aws_bedrock_inference_profile.this["search-claude"]
    values = { arn = "arn:aws:bedrock:eu-west-1:444455556666:application-inference-profile/claude1" }
  }

  override_resource {
    target = aws_bedrock_inference_profile.this["batch"]
    values = { arn = "arn:aws:bedrock:eu-west-1:444455556666:application-inference-profile/batch1" }
  }

  variables {
    inference_profiles = {
      search-nova   = { app = "websearch", model = "amazon.nova-lite-v1:0", tags = { cost_center = "CC-1" } }
      search-claude = { app = "websearch", model = "eu.anthropic.claude-sonnet-4-20250514-v1:0", description = "Answers" }
      batch         = { app = "batch_jobs", model = "amazon.nova-pro-v1:0" }
    }
  }

  assert {
    condition     = aws_bedrock_inference_profile.this["search-nova"].name == "tollgate-test-acme-search-nova" && aws_bedrock_inference_profile.this["search-nova"].tags == tomap({ "tollgate-unit" = "tollgate-test", tenant = "acme", app = "websearch", cost_center = "CC-1" })
    error_message = "A profile is named after unit and tenant, and tagged for cost allocation."
  }

  assert {
    condition     = aws_bedrock_inference_profile.this["search-nova"].model_source[0].copy_from == "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-lite-v1:0"
    error_message = "A foundation model belongs to no account."
  }

  assert {
    condition     = aws_bedrock_inference_profile.this["search-claude"].model_source[0].copy_from == "arn:aws:bedrock:eu-west-1:444455556666:inference-profile/eu.anthropic.claude-sonnet-4-20250514-v1:0"
    error_message = "A system profile is the account's."
  }

  assert {
    condition     = [for statement in slice(jsondecode(aws_iam_role_policy.this.policy).Statement, 4, 6) : statement.Condition.StringEquals["aws:PrincipalTag/app"]] == ["batch_jobs", "websearch"] && length(jsondecode(aws_iam_role_policy.this.policy).Statement[5].Resource) == 2
    error_message = "A profile is called in sessions of its own app only."
  }

  assert {
    condition     = output.inference_profile_arns["batch"] == "arn:aws:bedrock:eu-west-1:444455556666:application-inference-profile/batch1"
    error_message = "The profiles' ARNs are an output."
  }

  assert {
    condition = output.model_arns == {
      "arn:aws:bedrock:eu-west-1:444455556666:application-inference-profile/batch1"  = "amazon.nova-pro-v1:0"
      "arn:aws:bedrock:eu-west-1:444455556666:application-inference-profile/claude1" = "eu.anthropic.claude-sonnet-4-20250514-v1:0"
      "arn:aws:bedrock:eu-west-1:444455556666:application-inference-profile/nova1"   = "amazon.nova-lite-v1:0"
    }
    error_message = "The tenant's file gets each profile's ARN with the model that it is priced as."
  }
}

run "a_profiles_name_that_is_too_long" {
  command = plan

  variables {
    inference_profiles = {
      "this-is-a-name-that-leaves-no-room-for-the-unit-and-the-tenant" = { app = "websearch", model = "amazon.nova-lite-v1:0" }
    }
  }

  expect_failures = [aws_bedrock_inference_profile.this]
}

run "refuses_account_id" {
  command = plan

  variables {
    account_id = "4444"
  }

  expect_failures = [var.account_id]
}

run "refuses_apps" {
  command = plan

  variables {
    apps = []
  }

  expect_failures = [var.apps]
}

run "refuses_apps_2" {
  command = plan

  variables {
    apps = ["Web"]
  }

  expect_failures = [var.apps]
}

run "refuses_caller_functions" {
  command = plan

  variables {
    caller_functions = []
  }

  expect_failures = [var.caller_functions]
}

run "refuses_external_id" {
  command = plan

  variables {
    external_id = "x"
  }

  expect_failures = [var.external_id]
}

run "refuses_gateway_account_id" {
  command = plan

  variables {
    gateway_account_id = "gateway"
  }

  expect_failures = [var.gateway_account_id]
}

run "refuses_inference_profiles" {
  command = plan

  variables {
    inference_profiles = { "bad  name" = { app = "websearch", model = "amazon.nova-lite-v1:0" } }
  }

  expect_failures = [var.inference_profiles]
}

run "refuses_inference_profiles_2" {
  command = plan

  variables {
    inference_profiles = { nova = { app = "other", model = "amazon.nova-lite-v1:0" } }
  }

  expect_failures = [var.inference_profiles]
}

run "refuses_inference_profiles_3" {
  command = plan

  variables {
    inference_profiles = { nova = { app = "websearch", model = "arn:aws:bedrock:us-east-1::foundation-model/x" } }
  }

  expect_failures = [var.inference_profiles]
}

run "refuses_inference_profiles_4" {
  command = plan

  variables {
    inference_profiles = { nova = { app = "websearch", model = "amazon.nova-lite-v1:0", tags = { Tenant = "globex" } } }
  }

  expect_failures = [var.inference_profiles]
}

run "refuses_model_arns" {
  command = plan

  variables {
    model_arns = ["arn:aws:bedrock:us-east-1:444455556666:guardrail/x"]
  }

  expect_failures = [var.model_arns]
}

run "refuses_models" {
  command = plan

  variables {
    models = []
  }

  expect_failures = [var.models]
}

run "refuses_models_2" {
  command = plan

  variables {
    models = ["amazon nova"]
  }

  expect_failures = [var.models]
}

run "refuses_name" {
  command = plan

  variables {
    name = "a/b"
  }

  expect_failures = [var.name]
}

run "refuses_partition" {
  command = plan

  variables {
    partition = "aws-moon"
  }

  expect_failures = [var.partition]
}

run "refuses_permissions_boundary_arn" {
  command = plan

  variables {
    permissions_boundary_arn = "boundary"
  }

  expect_failures = [var.permissions_boundary_arn]
}

run "refuses_prefix" {
  command = plan

  variables {
    prefix = "Tollgate"
  }

  expect_failures = [var.prefix]
}

run "refuses_region" {
  command = plan

  variables {
    region = "us-east"
  }

  expect_failures = [var.region]
}

run "refuses_tenant_id" {
  command = plan

  variables {
    tenant_id = "a"
  }

  expect_failures = [var.tenant_id]
}

run "refuses_tags" {
  command = plan

  variables {
    tags = { for n in range(41) : "k${n}" => "v" }
  }

  expect_failures = [var.tags]
}

run "refuses_a_role_name_that_iam_refuses" {
  command = plan

  variables {
    prefix    = "tollgate-of-the-whole-company-eu"
    tenant_id = "department-of-mobile-navigation1"
  }

  expect_failures = [var.name]
}

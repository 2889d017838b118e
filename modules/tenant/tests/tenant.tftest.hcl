mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  prefix             = "tollgate-test"
  tenant_id          = "acme"
  tenants_table_name = "tollgate-test-tenants"
  rest_api_id        = "abcde12345"
  stage_name         = "v1"
  kms_key_arn        = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"

  policy = {
    schema_version = 1
    tenant_id      = "acme"
    name           = "Acme Search"
    kind           = "team"
    cost_center    = "CC-1001"
    tier           = "pro"
    status         = "active"
    models         = ["amazon.nova-*"]
    tags           = {}
    budget         = { month_usd = "500", day_usd = null, mode = "hard" }
    max_tokens     = { default = 1024, maximum = null, clamp = false, count = "bytes" }
    shards         = 1
    model_arns     = {}
    prices         = {}
    unpriced       = null

    limits = {
      requests_per_minute = 600
      requests_per_day    = 10000
      tokens_per_minute   = null
      concurrent_requests = 50
    }

    apps = {
      websearch = {
        status = "active"
        tags   = { ApplicationID = "websearch" }
        budget = { month_usd = null, day_usd = "20", mode = "hard" }

        limits = {
          requests_per_minute = null
          requests_per_day    = null
          tokens_per_minute   = null
          concurrent_requests = null
        }
      }
    }
  }

  keys = {
    "websearch/primary" = { app_id = "websearch", key_name = "primary", status = "active", expires = "" }
    "websearch/old"     = { app_id = "websearch", key_name = "old", status = "suspended", expires = "2027-01-31" }
  }
}

run "usage_plan" {
  assert {
    condition     = aws_api_gateway_usage_plan.this.name == "tollgate-test-acme" && one(aws_api_gateway_usage_plan.this.api_stages).api_id == "abcde12345" && one(aws_api_gateway_usage_plan.this.api_stages).stage == "v1"
    error_message = "The plan is <prefix>-<tenant> and covers the stage."
  }

  assert {
    condition     = aws_api_gateway_usage_plan.this.throttle_settings[0].rate_limit == 100 && aws_api_gateway_usage_plan.this.throttle_settings[0].burst_limit == 5000
    error_message = "600 model calls a minute make 100 HTTP requests a second, with a burst within API Gateway's own bound."
  }

  assert {
    condition     = aws_api_gateway_usage_plan.this.quota_settings[0].limit == 100000 && aws_api_gateway_usage_plan.this.quota_settings[0].period == "DAY"
    error_message = "10000 model calls a day make ten times as many HTTP requests."
  }
}

run "a_plan_of_ones_own" {
  variables {
    throttle               = { rate_limit = 5, burst_limit = 10 }
    quota_requests_per_day = 1000
  }

  assert {
    condition     = aws_api_gateway_usage_plan.this.throttle_settings[0].rate_limit == 5 && aws_api_gateway_usage_plan.this.throttle_settings[0].burst_limit == 10 && aws_api_gateway_usage_plan.this.quota_settings[0].limit == 1000
    error_message = "Given numbers are taken as they are."
  }
}

run "keys" {
  assert {
    condition     = aws_api_gateway_api_key.this["websearch/primary"].name == "tollgate-test-acme-websearch-primary" && aws_api_gateway_api_key.this["websearch/primary"].enabled && !aws_api_gateway_api_key.this["websearch/old"].enabled
    error_message = "Keys are named by tenant, app and key; a suspended one is disabled."
  }

  assert {
    condition     = output.parameter_names_by_key["websearch/primary"] == "/tollgate-test/tenants/acme/websearch/primary" && aws_ssm_parameter.key["websearch/primary"].type == "SecureString" && aws_ssm_parameter.key["websearch/primary"].key_id == var.kms_key_arn
    error_message = "A key's value lies encrypted under /<prefix>/tenants/<tenant>/<app>/<key>."
  }

  assert {
    condition     = alltrue([for key in aws_api_gateway_usage_plan_key.this : key.usage_plan_id == output.usage_plan_id]) && keys(output.api_key_ids_by_key) == ["websearch/old", "websearch/primary"]
    error_message = "Every key is in the tenant's plan."
  }
}

run "items" {
  assert {
    condition     = jsondecode(aws_dynamodb_table_item.policy.item).pk.S == "TENANT#acme" && jsondecode(jsondecode(aws_dynamodb_table_item.policy.item).document.S).budget.month_usd == "500"
    error_message = "The policy is one JSON document."
  }

  assert {
    condition     = startswith(jsondecode(aws_dynamodb_table_item.policy.item).document.S, "{\"apps\":{\"websearch\":{\"budget\":{\"day_usd\":\"20\",")
    error_message = "The document is compact and its keys are sorted."
  }

  assert {
    condition = jsondecode(aws_dynamodb_table_item.key["websearch/old"].item) == {
      pk        = { S = "KEY#${sha256("abcdefghijklmnopqrstuvwxyz0123456789ABCD")}" }
      tenant_id = { S = "acme" }
      app_id    = { S = "websearch" }
      key_id    = { S = "websearch/old" }
      tier      = { S = "pro" }
      status    = { S = "suspended" }
      expires   = { S = "2027-01-31" }
    }
    error_message = "A key's item holds its hash, never the key."
  }
}

run "refuses_a_bad_tenant_id" {
  command = plan

  variables {
    tenant_id = "Acme"
  }

  expect_failures = [var.tenant_id]
}

run "refuses_a_policy_of_another_tenant" {
  command = plan

  variables {
    tenant_id = "globex"
  }

  expect_failures = [var.policy]
}

run "refuses_a_bad_prefix" {
  command = plan

  variables {
    prefix = "1tollgate"
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

run "refuses_a_misnamed_key" {
  command = plan

  variables {
    keys = {
      "websearch/primary" = { app_id = "websearch", key_name = "other", status = "active", expires = "" }
    }
  }

  expect_failures = [var.keys]
}

run "refuses_an_unknown_key_status" {
  command = plan

  variables {
    keys = {
      "websearch/primary" = { app_id = "websearch", key_name = "primary", status = "off", expires = "" }
    }
  }

  expect_failures = [var.keys]
}

run "refuses_a_day_that_does_not_exist" {
  command = plan

  variables {
    keys = {
      "websearch/primary" = { app_id = "websearch", key_name = "primary", status = "active", expires = "2027-02-30" }
    }
  }

  expect_failures = [var.keys]
}

run "refuses_a_key_of_an_unknown_app" {
  command = plan

  variables {
    keys = {
      "ranker/primary" = { app_id = "ranker", key_name = "primary", status = "active", expires = "" }
    }
  }

  expect_failures = [var.keys]
}

run "refuses_no_requests_at_all" {
  command = plan

  variables {
    quota_requests_per_day = 0
  }

  expect_failures = [var.quota_requests_per_day]
}

run "refuses_a_burst_of_nothing" {
  command = plan

  variables {
    throttle = { rate_limit = 5, burst_limit = 0 }
  }

  expect_failures = [var.throttle]
}

mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  name        = "tollgate-test-acme"
  description = "Outer fence of tenant acme."
  rest_api_id = "abcde12345"
  stage_name  = "v1"
  limits      = { requests_per_minute = 600, requests_per_day = 10000 }
}

run "plan" {
  assert {
    condition     = aws_api_gateway_usage_plan.this.name == "tollgate-test-acme" && one(aws_api_gateway_usage_plan.this.api_stages).api_id == "abcde12345" && one(aws_api_gateway_usage_plan.this.api_stages).stage == "v1"
    error_message = "The plan covers the stage."
  }

  assert {
    condition     = aws_api_gateway_usage_plan.this.throttle_settings[0].rate_limit == 100 && aws_api_gateway_usage_plan.this.throttle_settings[0].burst_limit == 5000
    error_message = "600 model calls a minute make 100 HTTP requests a second, with a burst within API Gateway's own bound."
  }

  assert {
    condition     = aws_api_gateway_usage_plan.this.quota_settings[0].limit == 100000 && aws_api_gateway_usage_plan.this.quota_settings[0].period == "DAY"
    error_message = "10000 model calls a day make ten times as many HTTP requests."
  }

  assert {
    condition     = length(one(aws_api_gateway_usage_plan.this.api_stages).throttle) == 0 && output.id == "pl4n01"
    error_message = "Methods have no throttle of their own unless asked for."
  }
}

run "a_small_plan" {
  command = plan

  variables {
    limits = { requests_per_minute = 1, requests_per_day = 999999999 }
  }

  assert {
    condition     = aws_api_gateway_usage_plan.this.throttle_settings[0].rate_limit == 1 && aws_api_gateway_usage_plan.this.throttle_settings[0].burst_limit == 10
    error_message = "A rate is rounded up: the fence is never the narrower one."
  }

  assert {
    condition     = aws_api_gateway_usage_plan.this.quota_settings[0].limit == 2147483647
    error_message = "A quota stays within API Gateway's numbers."
  }
}

run "no_limits" {
  command = plan

  variables {
    limits = { requests_per_minute = null, requests_per_day = null }
  }

  assert {
    condition     = length(aws_api_gateway_usage_plan.this.throttle_settings) == 0 && length(aws_api_gateway_usage_plan.this.quota_settings) == 0
    error_message = "Without limits there is no fence."
  }
}

run "methods" {
  command = plan

  variables {
    methods = {
      "/invoke_model/POST" = { rate_limit = 0.5, burst_limit = 3 }
      "/v1/jobs/{id}/GET"  = { rate_limit = 20, burst_limit = 40 }
    }
  }

  assert {
    condition = {
      for throttle in one(aws_api_gateway_usage_plan.this.api_stages).throttle : throttle.path => [throttle.rate_limit, throttle.burst_limit]
    } == { "/invoke_model/POST" = [0.5, 3], "/v1/jobs/{id}/GET" = [20, 40] }
    error_message = "Each method gets its own throttle."
  }
}

run "a_ceiling_is_narrower_than_the_limits" {
  variables {
    limits  = { requests_per_minute = 600, requests_per_day = null }
    ceiling = { rate_limit = 12.5, burst_limit = 25 }
  }

  assert {
    condition     = aws_api_gateway_usage_plan.this.throttle_settings[0].rate_limit == 12.5 && aws_api_gateway_usage_plan.this.throttle_settings[0].burst_limit == 25
    error_message = "No key gets more than the ceiling."
  }
}

run "a_ceiling_is_for_keys_without_limits" {
  variables {
    limits  = { requests_per_minute = null, requests_per_day = null }
    ceiling = { rate_limit = 125, burst_limit = 250 }
  }

  assert {
    condition     = aws_api_gateway_usage_plan.this.throttle_settings[0].rate_limit == 125 && aws_api_gateway_usage_plan.this.throttle_settings[0].burst_limit == 250
    error_message = "A key without limits stays below the stage's throttle."
  }
}

run "refuses_a_limit_that_the_ceiling_would_not_let_through" {
  command = plan

  variables {
    limits  = { requests_per_minute = 601, requests_per_day = null }
    ceiling = { rate_limit = 10, burst_limit = 20 }
  }

  expect_failures = [aws_api_gateway_usage_plan.this]
}

run "refuses_bad_values" {
  command = plan

  variables {
    name        = "Tollgate"
    description = ""
    rest_api_id = "abc/def"
    stage_name  = "v1/"
    limits      = { requests_per_minute = 0.5, requests_per_day = 1 }
    ceiling     = { rate_limit = 5, burst_limit = 0.5 }
    methods     = { "invoke_model" = { rate_limit = 1, burst_limit = 1 } }
    tags        = { "aws:x" = "y" }
  }

  expect_failures = [
    var.name, var.description, var.rest_api_id, var.stage_name, var.limits, var.ceiling, var.methods, var.tags,
  ]
}

run "refuses_a_burst_of_nothing" {
  command = plan

  variables {
    methods = { "/invoke_model/POST" = { rate_limit = 5, burst_limit = 0 } }
  }

  expect_failures = [var.methods]
}

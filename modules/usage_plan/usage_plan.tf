# The usage plan is an outer fence: AWS applies it with best effort, and before any of our
# code runs. The limits that are promised to a tenant live in the ledger, so the fence must
# never be the narrower one. It ends below the stage's own throttle, which all keys share: one
# key alone cannot use that up.
locals {
  # A model call may take several HTTP requests: a streamed job is one submit and its polls.
  http_requests_per_model_call = 10
  # API Gateway's own ceiling of a burst; the account may have a lower one.
  max_burst = 5000

  wide = var.limits.requests_per_minute == null ? null : {
    rate_limit  = ceil(var.limits.requests_per_minute * local.http_requests_per_model_call / 60)
    burst_limit = min(var.limits.requests_per_minute * local.http_requests_per_model_call, local.max_burst)
  }
  throttles = [for throttle in [local.wide, var.ceiling] : throttle if throttle != null]
  throttle = length(local.throttles) == 0 ? null : {
    rate_limit  = min(local.throttles[*].rate_limit...)
    burst_limit = min(local.throttles[*].burst_limit...)
  }
  # A quota is a 32-bit number for API Gateway.
  quota = var.limits.requests_per_day == null ? null : min(var.limits.requests_per_day * local.http_requests_per_model_call, 2147483647)
}

resource "aws_api_gateway_usage_plan" "this" {
  name        = var.name
  description = var.description
  tags        = var.tags

  api_stages {
    api_id = var.rest_api_id
    stage  = var.stage_name

    dynamic "throttle" {
      for_each = var.methods

      content {
        path        = throttle.key
        rate_limit  = throttle.value.rate_limit
        burst_limit = throttle.value.burst_limit
      }
    }
  }

  dynamic "throttle_settings" {
    for_each = local.throttle == null ? [] : [local.throttle]

    content {
      rate_limit  = throttle_settings.value.rate_limit
      burst_limit = throttle_settings.value.burst_limit
    }
  }

  dynamic "quota_settings" {
    for_each = local.quota == null ? [] : [local.quota]

    content {
      limit  = quota_settings.value
      period = "DAY"
    }
  }

  lifecycle {
    precondition {
      condition     = var.limits.requests_per_minute == null ? true : var.limits.requests_per_minute / 60 <= local.throttle.rate_limit
      error_message = "${var.name}: got limits.requests_per_minute = ${coalesce(var.limits.requests_per_minute, 0)}; allowed: ${try(floor(var.ceiling.rate_limit * 60), 0)}, what one key may take of the stage's throttle. Raise api.throttle, or usage_plans.stage_share."
    }
  }
}

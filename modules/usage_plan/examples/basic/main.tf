# The plan of a tier whose tenants may make 600 model calls a minute, with a narrower fence for submits.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

module "usage_plan" {
  source = "../.."

  name        = "tollgate-dev/tiers/pro"
  description = "Outer fence of the tenants of tier pro."
  rest_api_id = "abcde12345"
  stage_name  = "v1"
  limits      = { requests_per_minute = 600, requests_per_day = 10000 }
  methods     = { "/invoke_model/POST" = { rate_limit = 20, burst_limit = 40 } }
}

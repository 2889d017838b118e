# One tenant with one app and two keys, as modules/tenant_files hands it over.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

module "tenant" {
  source = "../.."

  prefix             = "tollgate-dev"
  account_id         = "111122223333"
  region             = "us-east-1"
  tenant_id          = "acme"
  tenants_table_name = "tollgate-dev-tenants"
  lake_bucket_name   = "tollgate-dev-lake-111122223333"
  rest_api_id        = "abcde12345"
  api_url            = "https://abcde12345.execute-api.us-east-1.amazonaws.com/v1"
  stage_name         = "v1"
  kms_key_arn        = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"

  policy = {
    schema_version    = 1
    tenant_id         = "acme"
    name              = "Acme Search"
    kind              = "team"
    cost_center       = "CC-1001"
    business_unit     = null
    tier              = "pro"
    status            = "active"
    isolation         = "pool"
    silo              = null
    models            = ["amazon.nova-*"]
    deny_models       = []
    compliance        = []
    tags              = { Division = "retail" }
    markup            = "1.20"
    subscription_usd  = "0"
    sla               = { availability = null, latency_p95_ms = null, first_token_p95_ms = null }
    guardrail         = null
    system_preamble   = null
    teams             = []
    allow_fields      = []
    model_limits      = {}
    alert_thresholds  = [50, 80, 100]
    retention_minutes = 1440
    own_kms_key       = false
    budget            = { month_usd = "500", day_usd = null, mode = "hard" }
    max_tokens        = { default = 1024, maximum = null, clamp = false, count = "bytes" }
    shards            = 1
    model_arns        = {}
    prices            = {}
    unpriced          = null

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

        inference_profiles = {
          nova-lite = { model = "amazon.nova-lite-v1:0", description = "Answers of the search page", tags = { CreatedBy = "search" } }
        }
      }
    }
  }

  keys = {
    "websearch/primary" = { app_id = "websearch", key_name = "primary", status = "active", expires = "" }
    "websearch/old"     = { app_id = "websearch", key_name = "old", status = "suspended", expires = "2027-01-31" }
  }
}

# The gateway of every case here; `terraform test` reads this file, and a case or a run says what it changes.
artifact_dir = "tests/fixtures/artifacts"
environment  = "test"
prefix       = "tollgate-test"
region       = "us-east-1"
tenants_dir  = "tests/fixtures/tenants"

tiers = {
  pro = {
    budget     = { month_usd = "100" }
    limits     = { requests_per_minute = 60, requests_per_day = 1000 }
    max_tokens = { default = 512, maximum = 4096 }
  }
}

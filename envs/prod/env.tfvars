# Production.
prefix = "tollgate-prod"
region = "us-east-1"

# Set this to your account so that a plan for another one fails.
allowed_account_ids = []

api = {
  # The account of prod has no other REST API, so this deployment owns the logging role.
  manage_account_logging_role = true
  throttle                    = { rate_limit = 500, burst_limit = 1000 }
}

audit = {
  # Changes of tenants and who reads usage. Where the organisation's trail records these, set
  # trail = "organization" and give its owner the output audit_event_selectors.
  access_logs = true
  trail       = "own"
}

athena_bytes_scanned_cutoff = 107374182400
deletion_protection         = true
force_destroy               = false
kms_deletion_window_days    = 30
log_retention_days          = 365
payload_retention_days      = 2
point_in_time_recovery      = true

tiers = {
  free = {
    budget     = { month_usd = "25", day_usd = "2.50" }
    limits     = { requests_per_minute = 30, requests_per_day = 1000, tokens_per_minute = 40000, concurrent_requests = 3 }
    max_tokens = { default = 512, maximum = 2048 }
  }
  pro = {
    budget     = { month_usd = "1000", day_usd = "100" }
    limits     = { requests_per_minute = 600, requests_per_day = 50000, tokens_per_minute = 400000, concurrent_requests = 50 }
    max_tokens = { default = 1024, maximum = 8192 }
  }
  enterprise = {
    budget = { month_usd = "10000" }
    # For 50 calls a second: what is left of a limit over shards lies in pieces, so they are a fifth higher.
    limits     = { requests_per_minute = 3600, tokens_per_minute = 2000000, concurrent_requests = 240 }
    shards     = 4
    max_tokens = { default = 2048, maximum = 16384 }
  }
}

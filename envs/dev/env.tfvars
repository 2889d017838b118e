# Development: real AWS, small limits, short retention.
prefix = "tollgate-dev"
region = "us-east-1"

# Set this to your account so that a plan for another one fails.
allowed_account_ids = []

api = {
  # The account of dev has no other REST API, so this deployment owns the logging role.
  manage_account_logging_role = true
  throttle                    = { rate_limit = 50, burst_limit = 100 }
}

athena_bytes_scanned_cutoff = 1073741824
deletion_protection         = true
force_destroy               = false
kms_deletion_window_days    = 7
lake_expiration_days        = 180
log_retention_days          = 30
payload_retention_days      = 2
point_in_time_recovery      = true

tiers = {
  free = {
    budget     = { month_usd = "10", day_usd = "1" }
    limits     = { requests_per_minute = 20, requests_per_day = 500, tokens_per_minute = 20000, concurrent_requests = 2 }
    max_tokens = { default = 512, maximum = 2048 }
  }
  pro = {
    budget     = { month_usd = "100", day_usd = "20" }
    limits     = { requests_per_minute = 120, requests_per_day = 5000, tokens_per_minute = 100000, concurrent_requests = 10 }
    max_tokens = { default = 1024, maximum = 8192 }
  }
}

# The local stack reads only `tiers` and `prefix` from this file; ports and keys are its own.
prefix = "tollgate-local"

tiers = {
  standard = {
    budget     = { month_usd = "100", day_usd = "20" }
    limits     = { requests_per_minute = 60, requests_per_day = 5000, tokens_per_minute = 50000, concurrent_requests = 5 }
    max_tokens = { default = 1024, maximum = 4096 }
  }
  pro = {
    budget     = { month_usd = "1000", day_usd = "100" }
    limits     = { requests_per_minute = 600, requests_per_day = 50000, tokens_per_minute = 500000, concurrent_requests = 50 }
    max_tokens = { default = 2048, maximum = 8192 }
  }
}

# The local stack reads only `business_units`, `sagemaker_endpoints` and `tiers` from this file; `make describe` makes the
# rest of what it is started from. Ports and keys are its own.
prefix = "tollgate-local"

business_units = {
  consumer = { name = "Consumer", owner = "Jo Miller" }
  commerce = { name = "Commerce", owner = "Al Brown" }
}

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
    sla        = { availability = "99.9", latency_p95_ms = 8000, first_token_p95_ms = 1500 }
  }
}

# One for each kind of price; a stub answers for all of them.
sagemaker_endpoints = {
  "mistral-7b-instruct" = { endpoint = "mistral-7b", price = { per_1m_input = "0.4", per_1m_output = "0.8" }, max_tokens = 512, components = ["adapter-1"] }
  "bge-large"           = { endpoint = "bge-large-en", price = { per_request = "0.00002" } }
  "Llama 70B"           = { endpoint = "llama-70b", price = { instance_hour_usd = "7.09", instances = 2 } }
}

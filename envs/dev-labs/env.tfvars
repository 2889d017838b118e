# Tenants of another team on the gateway of `dev`: keys and usage plans, and nothing else.
# The parent publishes what is needed; it must have been applied before.
parent = { unit = "tollgate-dev" }
region = "us-east-1"

# Set this to your account so that a plan for another one fails.
allowed_account_ids = []

tiers = {
  lab = {
    budget     = { month_usd = "20", day_usd = "2" }
    limits     = { requests_per_minute = 20, requests_per_day = 500, tokens_per_minute = 20000, concurrent_requests = 2 }
    max_tokens = { default = 512, maximum = 2048 }
  }
}

name        = "Acme Search"
kind        = "team"
cost_center = "CC-1001"
tier        = "pro"
models      = ["amazon.nova-*", "us.anthropic.claude-sonnet-*"]
tags        = { owner = "search-platform@acme.example" }

budget = { month_usd = "50", day_usd = "10" }

apps = {
  websearch = {
    keys = { primary = {} }
    tags = { ApplicationID = "websearch" }
  }
  ranker = {
    # Experiments: cut off long before the team's own budget.
    budget = { day_usd = "2" }
    limits = { concurrent_requests = 2 }
    keys   = { primary = {} }
  }
}

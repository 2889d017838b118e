name        = "Acme Search"
kind        = "team"
cost_center = "CC-1001"
tier        = "pro"
models      = ["amazon.nova-*", "us.anthropic.claude-sonnet-*"]
tags        = { owner = "search-platform@acme.example" }

budget = { month_usd = "2500", day_usd = "250" }

apps = {
  websearch = {
    keys = { primary = {} }
    tags = { ApplicationID = "websearch" }
  }
}

name        = "Initech Document Services"
kind        = "customer"
cost_center = "CC-7300"
tier        = "enterprise"
models      = ["*"]

budget = { month_usd = "7500.50" }

apps = {
  extraction = {
    budget = { month_usd = "5000" }
    limits = { requests_per_minute = 900, concurrent_requests = 50 }
    keys   = { batch = {}, primary = {} }
    tags   = { ApplicationID = "extraction" }
  }
  summaries = {
    keys = { primary = {} }
  }
}

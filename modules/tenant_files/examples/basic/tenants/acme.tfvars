name        = "Acme Search"
kind        = "team"
cost_center = "CC-1001"
tier        = "pro"
models      = ["amazon.nova-*"]

budget = { month_usd = "200" }

apps = {
  websearch = {
    keys = {
      old     = { expires = "2027-01-31" }
      primary = {}
    }
  }
}

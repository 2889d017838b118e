name        = "Globex Support Desk"
kind        = "department"
cost_center = "CC-2040"
tier        = "free"
models      = ["amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0"]

limits = { requests_per_minute = 10 }

apps = {
  assistant = {
    # Rotation: both keys work until the old one expires.
    keys = {
      old     = { expires = "2027-01-31" }
      primary = {}
    }
  }
}

name        = "Umbrella Research"
kind        = "team"
cost_center = "CC-3300"
tier        = "lab"
models      = ["amazon.nova-*"]

apps = {
  notebooks = {
    keys = { primary = {} }
  }
}

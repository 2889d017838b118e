name        = "Acme"
kind        = "team"
cost_center = "CC-1001"
tier        = "pro"
models      = ["amazon.nova-*"]
own_kms_key = true

apps = {
  web = {
    keys = {
      primary = {}
    }
    inference_profiles = { nova-lite = { model = "amazon.nova-lite-v1:0" } }
  }
}

# Offboarded: what it had is still written down, for the record.
name        = "Gone"
kind        = "team"
cost_center = "CC-2"
tier        = "pro"
models      = ["amazon.nova-*"]
status      = "offboarded"
own_kms_key = true

apps = {
  web = {
    keys               = { primary = {} }
    inference_profiles = { lite = { model = "amazon.nova-lite-v1:0" } }
  }
}

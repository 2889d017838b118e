# A tenant with one of everything that a tenant's file can make.
name        = "Hooli"
kind        = "department"
cost_center = "CC-4242"
tier        = "pro"
own_kms_key = true
markup      = "1.20"
models      = ["amazon.*"]
deny_models = ["amazon.titan-*"]
model_arns  = { "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghijkl" = "amazon.nova-lite-v1:0" }
limits      = { requests_per_minute = 60, requests_per_day = 1000 }

apps = {
  box = {
    keys = {
      primary = {}
      second  = {}
    }
    inference_profiles = {
      nova = { model = "amazon.nova-lite-v1:0", tags = { product = "box" } }
    }
  }
}

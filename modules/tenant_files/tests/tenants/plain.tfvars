# Nothing but what is required, and a profile.
name        = "Plain"
kind        = "user"
cost_center = "CC-3"
tier        = "pro"
models      = ["amazon.nova-*"]

apps = {
  web = {
    inference_profiles = {
      lite = { model = "amazon.nova-lite-v1:0", description = "Search", tags = { Stage = "trial" } }
    }
  }
}

# Everything inside of a VPC of its own, in an account that demands a permissions boundary.
network                  = { mode = "private" }
permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
key_store                = "secrets_manager"

api = {
  endpoint_type               = "PRIVATE"
  manage_account_logging_role = false
}

usage_plans = {
  per     = "tier"
  methods = { "/invoke_model/POST" = { rate_limit = 20, burst_limit = 40 } }
}

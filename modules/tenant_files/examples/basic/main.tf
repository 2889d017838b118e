# The tenants of one folder, with one tier.
module "tenant_files" {
  source = "../.."

  directory = "${path.root}/tenants"
  prefix    = "tollgate-dev"

  tiers = {
    pro = {
      budget     = { month_usd = "500" }
      limits     = { requests_per_minute = 600 }
      max_tokens = { default = 1024, maximum = 4096 }
    }
  }
}

output "tenants_by_id" {
  description = "What modules/tenant takes for each tenant."
  value       = module.tenant_files.tenants_by_id
}

output "key_parameter_names" {
  description = "By tenant and `<app>/<key name>`: the SSM parameter with the key."
  value       = { for tenant_id, tenant in module.tenant : tenant_id => tenant.parameter_names_by_key }
}

output "key_secret_names" {
  description = "By tenant and `<app>/<key name>`: the Secrets Manager secret with the key."
  value       = { for tenant_id, tenant in module.tenant : tenant_id => tenant.secret_names_by_key }
}

output "parent_prefix" {
  description = "Prefix of the gateway that serves these tenants."
  value       = local.prefix
}

output "tenants" {
  description = "What each tenant is told, by tenant: `api_url`, `rest_api_id`, and `id` and `model` of its inference profiles by `<app>/<profile name>`; `make profiles` prints it."
  value       = { for tenant_id, tenant in module.tenant : tenant_id => tenant.published if tenant.published != null }
}

output "business_units_by_id" {
  description = "By id: the document of the BUSINESS_UNIT# item, with its defaults."
  value       = local.business_unit_by_id
}

output "tenants_by_id" {
  description = "By tenant id: `policy` (the document of the TENANT# item, merged with the tier's defaults) and `keys` (by `<app>/<key name>`: app_id, key_name, status, expires; expires is empty without a date). An offboarded tenant has neither keys nor inference profiles. The item has two things more, which only AWS knows: `kms_key_arn`, and the `arn` of each inference profile."
  value = {
    for tenant_id, policy in local.policy_by_tenant_id : tenant_id => {
      policy = policy
      keys   = local.keys_by_tenant_id[tenant_id]
    }
  }

  precondition {
    condition = length(local.errors) == 0
    # Terraform wraps lines unless they start with a space.
    error_message = "The tenant files have errors:\n${join("\n", [for error in local.errors : "  ${error}"])}"
  }
}

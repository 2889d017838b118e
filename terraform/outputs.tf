output "api_url" {
  description = "Base URL of the API."
  value       = module.gateway.invoke_url
}

output "athena_workgroup_name" {
  description = "Athena workgroup for reports."
  value       = module.analytics.workgroup_name
}

output "audit_event_selectors" {
  description = "Data events of this deployment, for the owner of the organisation's trail to add to its selectors."
  value       = module.audit.event_selectors
}

output "audit_trail_arn" {
  description = "ARN of the own trail; null with the organisation's."
  value       = module.audit.trail_arn
}

output "bill_location" {
  description = "Folder of the export of AWS's bill; null without one."
  value       = one(module.bill_export[*].location)
}

output "bucket_names" {
  description = "Buckets by what they hold."
  value = {
    athena     = module.analytics.athena_bucket_name
    lake       = module.analytics.lake_bucket_name
    payloads   = module.streaming.payloads_bucket_name
    statements = module.analytics.statements_bucket_name
  }
}

output "function_names" {
  description = "Lambda functions by short name."
  value       = { for name, function in module.function : name => function.function_name }
}

output "glue_database_name" {
  description = "Glue database of the usage lake."
  value       = module.analytics.glue_database_name
}

output "jobs_queue_url" {
  description = "Queue of the streamed jobs."
  value       = module.streaming.jobs_queue_url
}

output "key_parameter_names" {
  description = "By tenant and `<app>/<key name>`: the SSM parameter with the key; empty with another key_store."
  value       = { for tenant_id, tenant in module.tenant : tenant_id => tenant.parameter_names_by_key }
}

output "key_secret_names" {
  description = "By tenant and `<app>/<key name>`: the Secrets Manager secret with the key; empty with another key_store."
  value       = { for tenant_id, tenant in module.tenant : tenant_id => tenant.secret_names_by_key }
}

output "kms_key_arn" {
  description = "The deployment's KMS key."
  value       = aws_kms_key.this.arn
}

output "operator_role_arns" {
  description = "ARNs of the roles for people, by `operator` and `tenant_admin`; null where there is no such role."
  value = {
    operator     = one(module.operator_roles[*].operator_role_arn)
    tenant_admin = one(module.operator_roles[*].tenant_admin_role_arn)
  }
}

output "rest_api_id" {
  description = "Id of the REST API."
  value       = module.gateway.rest_api_id
}

output "stage_name" {
  description = "Name of the API's stage."
  value       = module.gateway.stage_name
}

output "table_names" {
  description = "DynamoDB tables by what they hold."
  value = {
    accounts = module.metering.accounts_table_name
    streams  = module.streaming.streams_table_name
    tenants  = module.metering.tenants_table_name
    usage    = module.metering.usage_table_name
  }
}

output "tenants" {
  description = "What each tenant is told, by tenant: `api_url`, `rest_api_id`, and `id` and `model` of its inference profiles by `<app>/<profile name>`; `make profiles` prints it."
  value       = { for tenant_id, tenant in module.tenant : tenant_id => tenant.published if tenant.published != null }
}

output "vpc_endpoint_ids" {
  description = "VPC endpoints of the functions by service; empty in public mode."
  value       = module.network.endpoint_ids
}

output "vpc_id" {
  description = "VPC that the functions run in; null in public mode."
  value       = module.network.vpc_id
}

output "tier_usage_plan_ids" {
  description = "Usage plans by tier; empty with one plan per tenant."
  value       = { for tier, plan in module.tier_usage_plan : tier => plan.id }
}

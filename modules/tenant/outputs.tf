output "api_key_ids_by_key" {
  description = "API Gateway's ids of the keys, by `<app>/<key name>`."
  value       = { for id, key in aws_api_gateway_api_key.this : id => key.id }
}

output "parameter_names_by_key" {
  description = "Names of the SSM parameters that hold the keys' values, by `<app>/<key name>`."
  value       = { for id, parameter in aws_ssm_parameter.key : id => parameter.name }
}

output "usage_plan_id" {
  description = "Id of the tenant's usage plan."
  value       = aws_api_gateway_usage_plan.this.id
}

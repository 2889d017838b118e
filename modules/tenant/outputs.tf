output "api_key_ids_by_key" {
  description = "API Gateway's ids of the keys, by `<app>/<key name>`; empty where keys are issued outside Terraform."
  value       = { for id, key in aws_api_gateway_api_key.this : id => key.id }
}

output "caller_policy_characters" {
  description = "Characters of the tenant's policy on each caller role; IAM allows 10,240 per role, over all of its inline policies."
  value       = { for name, policy in local._caller_policies : name => length(policy) }
}

output "inference_profile_arns" {
  description = "ARNs of the application inference profiles, by `<app>/<profile name>`."
  value       = { for id, profile in aws_bedrock_inference_profile.this : id => profile.arn }
}

output "inference_profile_names" {
  description = "Names of the application inference profiles in Bedrock, by `<app>/<profile name>`; unique in an account and region."
  value       = local._profile_names
}

output "kms_key_arn" {
  description = "ARN of the tenant's own KMS key; null without one."
  value       = one(aws_kms_key.this[*].arn)
}

output "parameter_names_by_key" {
  description = "Names of the SSM parameters that hold the keys' values, by `<app>/<key name>`; empty with another store."
  value       = { for id, parameter in aws_ssm_parameter.key : id => parameter.name }
}

output "published" {
  description = "What the tenant is told, as in the SSM parameter `/<prefix>/outputs/tenants/<tenant_id>`: `api_url`, `rest_api_id`, and `id` and `model` of its inference profiles by `<app>/<profile name>`; null when it is offboarded."
  value       = local.is_offboarded ? null : local._published
}

output "secret_names_by_key" {
  description = "Names of the Secrets Manager secrets that hold the keys' values, by `<app>/<key name>`; empty with another store."
  value       = { for id, secret in aws_secretsmanager_secret.key : id => secret.name }
}

output "usage_plan_id" {
  description = "Id of the usage plan that the tenant's keys are in; null when it is offboarded."
  value       = local.is_offboarded ? null : local._usage_plan_id
}

output "operator_role_arn" {
  description = "ARN of the operators' role; null when nobody may assume it."
  value       = one(aws_iam_role.operator[*].arn)
}

output "tenant_admin_role_arn" {
  description = "ARN of the tenant administrators' role; null when nobody may assume it."
  value       = one(aws_iam_role.tenant_admin[*].arn)
}

output "inference_profile_arns" {
  description = "ARNs of the inference profiles, by name."
  value       = { for name, profile in aws_bedrock_inference_profile.this : name => profile.arn }
}

output "model_arns" {
  description = "What the tenant's file says of the inference profiles: its `model_arns`, ARN to the model behind it."
  value       = { for name, profile in aws_bedrock_inference_profile.this : profile.arn => var.inference_profiles[name].model }
}

output "role_arn" {
  description = "ARN of the role."
  value       = aws_iam_role.this.arn
}

output "silo" {
  description = "What the tenant's file says of the role: its `silo`."
  value       = { role_arn = aws_iam_role.this.arn, external_id = var.external_id }
}

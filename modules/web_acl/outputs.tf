output "log_group_name" {
  description = "Name of the log group with the requests that were blocked."
  value       = aws_cloudwatch_log_group.this.name
}

output "web_acl_arn" {
  description = "ARN of the web ACL, for the stage."
  value       = aws_wafv2_web_acl.this.arn
}

output "accounts_table_arn" {
  description = "ARN of the table with live counters and open holds by scope."
  value       = aws_dynamodb_table.this["accounts"].arn
}

output "accounts_table_name" {
  description = "Name of the table with live counters and open holds by scope."
  value       = aws_dynamodb_table.this["accounts"].name
}

output "tenants_table_arn" {
  description = "ARN of the table with tenant policies and key hashes."
  value       = aws_dynamodb_table.this["tenants"].arn
}

output "tenants_table_name" {
  description = "Name of the table with tenant policies and key hashes."
  value       = aws_dynamodb_table.this["tenants"].name
}

output "usage_table_arn" {
  description = "ARN of the table with one row per request."
  value       = aws_dynamodb_table.this["usage"].arn
}

output "usage_table_name" {
  description = "Name of the table with one row per request."
  value       = aws_dynamodb_table.this["usage"].name
}

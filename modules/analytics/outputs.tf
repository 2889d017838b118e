output "athena_bucket_name" {
  description = "Name of the bucket with query results."
  value       = aws_s3_bucket.athena.bucket
}

output "glue_database_name" {
  description = "Name of the Glue database with the tables `daily`, `statements`, `tenants` and `usage`."
  value       = aws_glue_catalog_database.this.name
}

output "lake_bucket_arn" {
  description = "ARN of the bucket with usage files and reports."
  value       = aws_s3_bucket.lake.arn
}

output "lake_bucket_name" {
  description = "Name of the bucket with usage files and reports."
  value       = aws_s3_bucket.lake.bucket
}

output "statements_bucket_arn" {
  description = "ARN of the bucket with issued statements."
  value       = aws_s3_bucket.statements.arn
}

output "statements_bucket_name" {
  description = "Name of the bucket with issued statements."
  value       = aws_s3_bucket.statements.bucket
}

output "workgroup_name" {
  description = "Name of the Athena workgroup to run reports in."
  value       = aws_athena_workgroup.this.name
}

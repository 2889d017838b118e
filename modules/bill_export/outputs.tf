output "bucket_arn" {
  description = "ARN of the bucket with the reports; null where another export is read."
  value       = one(aws_s3_bucket.this[*].arn)
}

output "bucket_name" {
  description = "Name of the bucket with the reports; null where another export is read."
  value       = one(aws_s3_bucket.this[*].bucket)
}

output "location" {
  description = "Folder of the export, which has `data/BILLING_PERIOD=<month>/`."
  value       = local.location
}

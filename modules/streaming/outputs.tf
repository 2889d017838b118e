output "jobs_dead_queue_arn" {
  description = "ARN of the queue that keeps messages which failed every time."
  value       = aws_sqs_queue.dead.arn
}

output "jobs_queue_arn" {
  description = "ARN of the queue that starts jobs."
  value       = aws_sqs_queue.jobs.arn
}

output "jobs_queue_url" {
  description = "URL of the queue that starts jobs."
  value       = aws_sqs_queue.jobs.url
}

output "payloads_bucket_arn" {
  description = "ARN of the bucket with the stored requests of jobs and the answers that may be repeated."
  value       = aws_s3_bucket.payloads.arn
}

output "payloads_bucket_name" {
  description = "Name of the bucket with the stored requests of jobs and the answers that may be repeated."
  value       = aws_s3_bucket.payloads.bucket
}

output "streams_table_arn" {
  description = "ARN of the table with jobs and their chunks."
  value       = aws_dynamodb_table.streams.arn
}

output "streams_table_name" {
  description = "Name of the table with jobs and their chunks."
  value       = aws_dynamodb_table.streams.name
}

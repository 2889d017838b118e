# A trail of its own that watches a table and a bucket, and access logs of that bucket.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

module "audit" {
  source = "../.."

  prefix      = "tollgate-dev"
  region      = "us-east-1"
  account_id  = "111122223333"
  kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
  trail       = "own"

  data_events = {
    bucket_arns = { lake = "arn:aws:s3:::tollgate-dev-lake-111122223333" }
    table_arns  = { tenants = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-dev-tenants" }
  }

  access_logs               = true
  access_logged_bucket_arns = { lake = "arn:aws:s3:::tollgate-dev-lake-111122223333" }
  log_archive               = true
  archived_log_groups       = { invoke = "/aws/lambda/tollgate-dev-invoke" }
}

output "trail_arn" {
  description = "ARN of the trail."
  value       = module.audit.trail_arn
}

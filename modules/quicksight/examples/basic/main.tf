# A dashboard for finance, which sees all, and for two groups that see their own.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

provider "aws" {
  region = "us-east-1"
}

module "quicksight" {
  source = "../.."

  prefix             = "tollgate-dev"
  account_id         = "111122223333"
  region             = "us-east-1"
  kms_key_arn        = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
  database_name      = "tollgate_dev"
  workgroup_name     = "tollgate-dev"
  lake_bucket_name   = "tollgate-dev-lake-111122223333"
  athena_bucket_name = "tollgate-dev-athena-111122223333"
  authors            = ["finance"]
  viewers = {
    finance = { all = true }
    claims  = { business_units = ["claims"] }
    acme    = { tenants = ["acme"] }
  }
}

output "dashboard_id" {
  description = "Id of the dashboard."
  value       = module.quicksight.dashboard_id
}

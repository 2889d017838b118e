# A lake that keeps usage for seven years.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

module "analytics" {
  source = "../.."

  prefix               = "tollgate-dev"
  account_id           = "111122223333"
  kms_key_arn          = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
  bytes_scanned_cutoff = 1073741824
  lake_expiration_days = 2557
}

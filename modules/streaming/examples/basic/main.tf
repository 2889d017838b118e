# Storage of streamed jobs whose requests are gone the day after.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

module "streaming" {
  source = "../.."

  prefix                 = "tollgate-dev"
  account_id             = "111122223333"
  kms_key_arn            = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
  payload_retention_days = 1
}

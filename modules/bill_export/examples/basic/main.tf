# The account's bill, in a table beside that of its usage.
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
  region = "eu-central-1"
}

provider "aws" {
  alias  = "us_east_1"
  region = "us-east-1"
}

module "bill_export" {
  source = "../.."

  providers = {
    aws           = aws
    aws.us_east_1 = aws.us_east_1
  }

  prefix        = "tollgate-dev"
  account_id    = "111122223333"
  region        = "eu-central-1"
  database_name = "tollgate_dev"
}

output "location" {
  description = "Folder of the export."
  value       = module.bill_export.location
}

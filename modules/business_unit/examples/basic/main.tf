# A unit whose tenants share $5,000 a month.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

module "business_unit" {
  source = "../.."

  tenants_table_name = "tollgate-dev-tenants"
  lake_bucket_name   = "tollgate-dev-lake-111122223333"
  kms_key_arn        = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"

  business_unit = {
    schema_version = 1
    id             = "retail"
    name           = "Retail"
    owner          = "Jo Miller"
    budget         = { month_usd = "5000", day_usd = null, mode = "hard" }
    shards         = 1
  }
}

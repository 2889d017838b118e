# One role for operators, and one for the administrators of tenants.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

module "operator_roles" {
  source = "../.."

  prefix     = "tollgate-dev"
  account_id = "111122223333"
  partition  = "aws"
  region     = "us-east-1"

  operator_principals     = ["arn:aws:iam::111122223333:role/platform-team"]
  tenant_admin_principals = ["arn:aws:iam::111122223333:role/search-team"]

  glue_database_name = "tollgate_dev"
  kms_key_arn        = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
  log_group_names    = ["/aws/lambda/tollgate-dev-invoke"]
  workgroup_name     = "tollgate-dev"

  bucket_arns = {
    athena = "arn:aws:s3:::tollgate-dev-athena-111122223333"
    lake   = "arn:aws:s3:::tollgate-dev-lake-111122223333"
  }

  queue_arns = {
    jobs      = "arn:aws:sqs:us-east-1:111122223333:tollgate-dev-jobs"
    jobs_dead = "arn:aws:sqs:us-east-1:111122223333:tollgate-dev-jobs-dead"
  }

  table_arns = {
    accounts = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-dev-accounts"
    tenants  = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-dev-tenants"
    usage    = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-dev-usage"
  }
}

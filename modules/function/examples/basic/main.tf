# A scheduled function with one permission of its own.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

module "sweep" {
  source = "../.."

  name_prefix = "tollgate-dev"
  name        = "sweep"
  description = "Ends holds whose caller died"
  handler     = "tollgate_sweep.handler.lambda_handler"

  artifact = {
    path   = "dist/sweep.zip"
    sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
  }

  timeout_seconds     = 300
  memory_mb           = 512
  kms_key_arn         = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
  schedule_expression = "rate(5 minutes)"

  environment = {
    ACCOUNTS_TABLE = "tollgate-dev-accounts"
  }

  policy_statements = [{
    sid       = "ReadAccounts"
    actions   = ["dynamodb:Scan"]
    resources = ["arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-dev-accounts"]
  }]
}

# The REST API in front of functions that exist already.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

locals {
  function_arn_prefix = "arn:aws:lambda:us-east-1:111122223333:function"
}

module "gateway" {
  source = "../.."

  prefix      = "tollgate-dev"
  kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"

  functions = {
    for name in ["authorize", "invoke", "models", "stream"] : name => {
      name       = "tollgate-dev-${name}"
      invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${local.function_arn_prefix}:tollgate-dev-${name}/invocations"
    }
  }

  throttle = { rate_limit = 50, burst_limit = 100 }
}

output "invoke_url" {
  description = "Base URL of the stage."
  value       = module.gateway.invoke_url
}

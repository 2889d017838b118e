# A web ACL for a stage.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

module "web_acl" {
  source = "../.."

  prefix                 = "tollgate-dev"
  kms_key_arn            = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
  requests_per_5_minutes = 2000
}

output "web_acl_arn" {
  description = "ARN of the web ACL, for the stage."
  value       = module.web_acl.web_acl_arn
}

# A tenant that calls Claude and Nova in its own account, billed there by app.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

module "tenant_role" {
  source = "../.."

  prefix             = "tollgate-prod"
  gateway_account_id = "111122223333"
  account_id         = "444455556666"
  region             = "us-east-1"
  tenant_id          = "acme"
  apps               = ["websearch"]
  external_id        = "tollgate-prod:acme:4f1c"
  models             = ["amazon.nova-*", "anthropic.claude-*"]

  inference_profiles = {
    websearch-claude = { app = "websearch", model = "us.anthropic.claude-sonnet-4-20250514-v1:0", tags = { cost_center = "CC-1001" } }
  }
}

output "silo" {
  description = "Goes into envs/prod/tenants/acme.tfvars."
  value       = module.tenant_role.silo
}

output "model_arns" {
  description = "Goes into envs/prod/tenants/acme.tfvars."
  value       = module.tenant_role.model_arns
}

# One tenant in one stage of its life: from its file to what modules/tenant makes of it.
terraform {
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

variable "stage" {
  description = "Folder with the tenant's file in that stage."
  type        = string
  nullable    = false

  validation {
    condition     = length(fileset("${path.module}/${var.stage}", "acme.tfvars")) == 1
    error_message = "stage: got \"${var.stage}\"; allowed: ${join(", ", sort([for file in fileset(path.module, "*/acme.tfvars") : dirname(file)]))}."
  }
}

module "tenant_files" {
  source = "../../../tenant_files"

  directory = "${path.module}/${var.stage}"
  prefix    = "tollgate-dev"
  tiers     = { pro = { limits = { requests_per_minute = 60 } } }
}

module "tenant" {
  source = "../.."

  prefix             = "tollgate-dev"
  account_id         = "111122223333"
  region             = "us-east-1"
  tenant_id          = "acme"
  policy             = module.tenant_files.tenants_by_id.acme.policy
  keys               = module.tenant_files.tenants_by_id.acme.keys
  tenants_table_name = "tollgate-dev-tenants"
  lake_bucket_name   = "tollgate-dev-lake-111122223333"
  rest_api_id        = "abcde12345"
  api_url            = "https://abcde12345.execute-api.us-east-1.amazonaws.com/v1"
  stage_name         = "v1"
  kms_key_arn        = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
}

output "tenant" {
  description = "What the tenant has."
  value       = module.tenant
}

provider "aws" {
  region              = var.region
  allowed_account_ids = length(var.allowed_account_ids) > 0 ? var.allowed_account_ids : null

  default_tags {
    tags = local._default_tags
  }
}

# What AWS keeps in one region for all of them: exports of the bill.
provider "aws" {
  alias               = "us_east_1"
  region              = "us-east-1"
  allowed_account_ids = length(var.allowed_account_ids) > 0 ? var.allowed_account_ids : null

  default_tags {
    tags = local._default_tags
  }
}

locals {
  _default_tags = merge(var.tags, {
    Environment     = var.environment
    ManagedBy       = "terraform"
    Project         = "tollgate"
    "tollgate-unit" = var.prefix
  })
}

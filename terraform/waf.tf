# The web ACL in front of the API, if any: one that exists, or one of this deployment.
locals {
  _makes_web_acl = var.waf == null ? false : var.waf.web_acl_arn == null
}

module "web_acl" {
  source = "../modules/web_acl"
  count  = local._makes_web_acl ? 1 : 0

  prefix                 = var.prefix
  kms_key_arn            = aws_kms_key.this.arn
  log_retention_days     = var.log_retention_days
  requests_per_5_minutes = var.waf.requests_per_5_minutes
}

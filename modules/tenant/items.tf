locals {
  # The file's policy and what only AWS knows: ARNs. scripts/tenants/files.py builds the same document.
  _document = merge(var.policy, {
    kms_key_arn = one(aws_kms_key.this[*].arn)
    apps = {
      for app_id, app in var.policy.apps : app_id => merge(app, {
        inference_profiles = {
          for name, profile in local._profiles_by_app[app_id] : name => merge(profile, {
            arn = aws_bedrock_inference_profile.this["${app_id}/${name}"].arn
          })
        }
      })
    }
  })
}

# `jsonencode` sorts the keys of every object and writes no spaces.
resource "aws_dynamodb_table_item" "policy" {
  table_name = var.tenants_table_name
  hash_key   = "pk"

  item = jsonencode({
    pk       = { S = "TENANT#${var.tenant_id}" }
    document = { S = jsonencode(local._document) }
  })

  # Calls are held on the unit's budget as soon as the policy says so.
  lifecycle {
    precondition {
      condition     = var.policy.business_unit == null || var.business_unit_item_id != null
      error_message = "${var.tenant_id}: got no item of the business unit ${jsonencode(var.policy.business_unit)}; allowed: business_unit_item_id of the unit that the policy names."
    }
  }
}

resource "aws_dynamodb_table_item" "key" {
  for_each = local._keys

  table_name = var.tenants_table_name
  hash_key   = "pk"

  # The hash of a random key of 40 characters tells nothing about the key, so it may be shown in a plan.
  item = jsonencode({
    pk        = { S = "KEY#${nonsensitive(sha256(aws_api_gateway_api_key.this[each.key].value))}" }
    tenant_id = { S = var.tenant_id }
    app_id    = { S = each.value.app_id }
    key_id    = { S = each.key }
    tier      = { S = var.policy.tier }
    status    = { S = each.value.status }
    expires   = { S = each.value.expires }
  })
}

# What reports join to usage rows by tenant_id: facts about a tenant that no usage row has.
resource "aws_s3_object" "dimension" {
  bucket       = var.lake_bucket_name
  key          = "tenants/${var.tenant_id}.json"
  content_type = "application/json"
  kms_key_id   = var.kms_key_arn

  # One line: the table's reader takes each line for a row.
  content = "${jsonencode({
    tenant_id              = var.tenant_id
    name                   = var.policy.name
    kind                   = var.policy.kind
    cost_center            = var.policy.cost_center
    business_unit          = var.policy.business_unit
    tier                   = var.policy.tier
    status                 = var.policy.status
    isolation              = var.policy.isolation
    account_id             = local.is_silo ? split(":", var.policy.silo.role_arn)[4] : var.account_id
    markup                 = var.policy.markup
    subscription_usd       = var.policy.subscription_usd
    month_usd              = var.policy.budget.month_usd
    day_usd                = var.policy.budget.day_usd
    budget_mode            = var.policy.budget.mode
    sla_availability       = var.policy.sla.availability
    sla_latency_p95_ms     = var.policy.sla.latency_p95_ms
    sla_first_token_p95_ms = var.policy.sla.first_token_p95_ms
    compliance             = var.policy.compliance
    models                 = var.policy.models
    deny_models            = var.policy.deny_models
    keys                   = keys(var.keys)
    key_expires            = { for id, key in var.keys : id => key.expires }
    key_status             = { for id, key in var.keys : id => key.status }
    tags                   = var.policy.tags
  })}\n"

  # An object takes ten tags at most, and a deployment may have more defaults than that.
  override_provider {
    default_tags {
      tags = {}
    }
  }
}

# Application inference profiles: calls of an app and model that AWS bills under the profile's tags.
locals {
  # The areas of system profiles; without one before its first dot, an id is a foundation model's.
  _profile_areas = ["apac", "au", "ca", "eu", "global", "in", "jp", "us", "us-gov"]

  _source_arn_by_profile = {
    for name, profile in var.inference_profiles : name => (
      contains(local._profile_areas, split(".", profile.model)[0])
      ? "arn:${var.partition}:bedrock:${var.region}:${var.account_id}:inference-profile/${profile.model}"
      : "arn:${var.partition}:bedrock:${var.region}::foundation-model/${profile.model}"
    )
  }

  _profile_arns_by_app = {
    for name, profile in var.inference_profiles : profile.app => aws_bedrock_inference_profile.this[name].arn...
  }
}

resource "aws_bedrock_inference_profile" "this" {
  for_each = var.inference_profiles

  name        = "${var.prefix}-${var.tenant_id}-${each.key}"
  description = each.value.description

  model_source {
    copy_from = local._source_arn_by_profile[each.key]
  }

  # Not `var.tags`: names of tags differ by more than their case, and ours are `tenant` and `app`.
  tags = merge(each.value.tags, {
    "tollgate-unit" = var.prefix
    tenant          = var.tenant_id
    app             = each.value.app
  })

  lifecycle {
    precondition {
      condition     = length("${var.prefix}-${var.tenant_id}-${each.key}") <= 64
      error_message = "inference_profiles.${each.key}: the name ${var.prefix}-${var.tenant_id}-${each.key} has ${length("${var.prefix}-${var.tenant_id}-${each.key}")} characters; allowed: 64."
    }
  }
}

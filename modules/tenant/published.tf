# What whoever runs the tenant is told after an apply: where it calls, and the ids of its inference
# profiles, which callers choose by. None of it is secret.
locals {
  _published = {
    api_url     = var.api_url
    rest_api_id = var.rest_api_id
    inference_profiles = {
      for id, profile in aws_bedrock_inference_profile.this : id => {
        id    = basename(profile.arn)
        model = local._profiles[id].model
      }
    }
  }

  # Bedrock's ids have 12 characters.
  _published_characters = 256 + length(jsonencode({
    for id, profile in local._profiles : id => { id = "abc123def456", model = profile.model }
  }))
  # SSM's, of an advanced parameter, which costs $0.05 a month; up to 4,096 it is a standard one.
  _most_published_characters = 8192
}

resource "aws_ssm_parameter" "published" {
  # checkov:skip=CKV_AWS_337:Names and ids are not secret, and whoever reads them should need no right on the key.
  # checkov:skip=CKV2_AWS_34:Names and ids are not secret, and whoever reads them should need no right on the key.
  count = local.is_offboarded ? 0 : 1

  name        = "/${var.prefix}/outputs/tenants/${var.tenant_id}"
  description = "API and inference profiles of tenant ${var.tenant_id}."
  type        = "String"
  tier        = "Intelligent-Tiering"
  value       = jsonencode(local._published)
  tags        = local.tags

  lifecycle {
    precondition {
      condition     = local._published_characters <= local._most_published_characters
      error_message = "${var.tenant_id}: got ${length(local._profiles)} inference profiles, whose names and models take ${local._published_characters} characters; allowed: ${local._most_published_characters}, what SSM takes in a parameter. Give the tenant fewer profiles, or shorter names."
    }
  }
}

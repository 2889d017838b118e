# Application inference profiles: calls of an app and model that AWS bills under the profile's tags.
locals {
  # The system profiles' areas; without one of them before its first dot, an id is a foundation
  # model's. functions/shared/tollgate/domain/models.py reads ids the same way.
  _profile_areas = ["apac", "au", "ca", "eu", "global", "in", "jp", "us", "us-gov"]

  _profiles_by_app = {
    for app_id, app in var.policy.apps : app_id => local.is_offboarded ? {} : app.inference_profiles
  }

  _profiles = merge({}, [
    for app_id, profiles in local._profiles_by_app : {
      for name, profile in profiles : "${app_id}/${name}" => merge(profile, {
        app_id    = app_id
        full_name = "${var.prefix}-${var.tenant_id}-${app_id}-${name}"
        source_arn = contains(local._profile_areas, split(".", profile.model)[0]) ? (
          "arn:${var.partition}:bedrock:${var.region}:${var.account_id}:inference-profile/${profile.model}"
        ) : "arn:${var.partition}:bedrock:${var.region}::foundation-model/${profile.model}"
      })
    }
  ]...)

  # Bedrock takes 64 letters, digits and single separators. A name that is longer or has others is
  # cut, and told from its like by a hash of the whole.
  _profile_names = {
    for id, profile in local._profiles : id => can(regex("^([0-9A-Za-z]+[ _-])*[0-9A-Za-z]+$", profile.full_name)) && length(profile.full_name) <= 64 ? (
      profile.full_name
      ) : join("-", [
        trimsuffix(substr(replace(profile.full_name, "/[^0-9A-Za-z]+/", "-"), 0, 55), "-"),
        substr(sha256(profile.full_name), 0, 8),
    ])
  }
}

resource "aws_bedrock_inference_profile" "this" {
  for_each = local._profiles

  name        = local._profile_names[each.key]
  description = each.value.description == "" ? null : each.value.description

  model_source {
    copy_from = each.value.source_arn
  }

  # The functions' roles may call profiles with the unit's tag; the file cannot change ours.
  # Not `local.tags`: IAM compares names of tags without their case, so `Tenant` beside `tenant`
  # would be one tag with two values.
  tags = merge(each.value.tags, {
    "tollgate-unit" = var.prefix
    tenant          = var.tenant_id
    app             = each.value.app_id
    cost_center     = var.policy.cost_center
  })
}

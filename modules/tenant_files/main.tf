# An offboarded tenant's policy and usage data stay; its keys and inference profiles go.
locals {
  # Only valid files are merged: with any error the map is empty, and the output's
  # precondition then fails the plan with every message at once.
  file_by_tenant_id = {
    for node in local.tenant_nodes : trimsuffix(node.file, ".tfvars") => jsondecode(node.text)
    if length(local.errors) == 0
  }

  policy_by_tenant_id = {
    for tenant_id, file in local.file_by_tenant_id : tenant_id => {
      schema_version = 1
      tenant_id      = tenant_id
      name           = file.name
      kind           = file.kind
      cost_center    = file.cost_center
      business_unit  = try(coalesce(file.business_unit), null)
      tier           = file.tier
      status         = try(coalesce(file.status), "active")
      isolation      = try(coalesce(file.isolation), "pool")
      silo           = try(coalesce(file.silo), null)
      models         = file.models
      deny_models    = try(coalesce(file.deny_models), [])
      compliance     = try(coalesce(file.compliance), [])
      tags           = try(coalesce(file.tags), {})
      budget = {
        month_usd = try(coalesce(try(file.budget.month_usd, null), var.tiers[file.tier].budget.month_usd), null)
        day_usd   = try(coalesce(try(file.budget.day_usd, null), var.tiers[file.tier].budget.day_usd), null)
        mode      = try(coalesce(try(file.budget.mode, null), var.tiers[file.tier].budget.mode), "hard")
      }
      limits = {
        for limit in keys(local.schema.shapes.limits) :
        limit => try(coalesce(try(file.limits[limit], null), var.tiers[file.tier].limits[limit]), null)
      }
      model_limits = {
        for pattern, limits in try(coalesce(file.model_limits), {}) : pattern => {
          for limit in keys(local.schema.shapes.limits) : limit => try(limits[limit], null)
        }
      }
      max_tokens = merge(local.max_tokens_by_file["${tenant_id}.tfvars"], {
        clamp = try(coalesce(try(file.max_tokens.clamp, null), var.tiers[file.tier].max_tokens.clamp), false)
        count = try(coalesce(try(file.max_tokens.count, null), var.tiers[file.tier].max_tokens.count), "auto")
      })
      shards           = try(coalesce(try(file.shards, null), var.tiers[file.tier].shards), 1)
      markup           = try(coalesce(try(file.markup, null), var.tiers[file.tier].markup), "1")
      subscription_usd = try(coalesce(try(file.subscription_usd, null), var.tiers[file.tier].subscription_usd), "0")
      sla              = { for target in keys(local.schema.shapes.sla) : target => try(var.tiers[file.tier].sla[target], null) }
      alert_thresholds = tolist([
        for thresholds in [try(file.alert_thresholds, null), var.tiers[file.tier].alert_thresholds, [50, 80, 100]] :
        thresholds if thresholds != null
      ][0])
      guardrail         = try(coalesce(file.guardrail), null)
      system_preamble   = try(coalesce(file.system_preamble), null)
      teams             = try(coalesce(file.teams), [])
      allow_fields      = try(coalesce(file.allow_fields), [])
      retention_minutes = try(coalesce(file.retention_minutes), 1440)
      own_kms_key       = try(coalesce(file.own_kms_key), false)
      model_arns        = try(coalesce(file.model_arns), {})
      prices            = try(coalesce(file.prices), {})
      unpriced          = try(coalesce(file.unpriced), null)
      apps = {
        for app_id, app in file.apps : app_id => {
          status = try(coalesce(app.status), "active")
          tags   = try(coalesce(app.tags), {})
          budget = {
            month_usd = try(app.budget.month_usd, null)
            day_usd   = try(app.budget.day_usd, null)
            mode      = try(coalesce(app.budget.mode), "hard")
          }
          limits = { for limit in keys(local.schema.shapes.limits) : limit => try(app.limits[limit], null) }
          inference_profiles = {
            for name, profile in try(coalesce(app.inference_profiles), {}) : name => {
              model       = profile.model
              description = try(coalesce(profile.description), "")
              tags        = try(coalesce(profile.tags), {})
            } if try(file.status != "offboarded", true)
          }
        }
      }
    }
  }

  business_unit_by_id = {
    for unit_id, unit in var.business_units : unit_id => {
      schema_version = 1
      id             = unit_id
      name           = unit.name
      owner          = unit.owner
      budget = {
        month_usd = unit.budget.month_usd
        day_usd   = unit.budget.day_usd
        mode      = coalesce(unit.budget.mode, "hard")
      }
      shards = coalesce(unit.shards, 1)
    } if length(local.errors) == 0
  }

  keys_by_tenant_id = {
    for tenant_id, file in local.file_by_tenant_id : tenant_id => merge({}, [
      for app_id, app in file.apps : {
        for key_name, key in try(coalesce(app.keys), {}) : "${app_id}/${key_name}" => {
          app_id   = app_id
          key_name = key_name
          status   = try(coalesce(key.status), "active")
          expires  = try(coalesce(key.expires), "")
        }
      } if try(file.status != "offboarded", true)
    ]...)
  }
}

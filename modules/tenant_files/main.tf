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
      tier           = file.tier
      status         = try(coalesce(file.status), "active")
      models         = file.models
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
      max_tokens = merge(local.max_tokens_by_file["${tenant_id}.tfvars"], {
        clamp = try(coalesce(try(file.max_tokens.clamp, null), var.tiers[file.tier].max_tokens.clamp), false)
        count = try(coalesce(try(file.max_tokens.count, null), var.tiers[file.tier].max_tokens.count), "bytes")
      })
      shards     = try(coalesce(file.shards), 1)
      model_arns = try(coalesce(file.model_arns), {})
      prices     = try(coalesce(file.prices), {})
      unpriced   = try(coalesce(file.unpriced), null)
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
        }
      }
    }
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
      }
    ]...)
  }
}

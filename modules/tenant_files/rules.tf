# The rules are data (schema.json), read by this module and by scripts/tenants.py.
# Terraform has neither functions nor recursion, so the schema is walked level by
# level over JSON texts: that keeps every list homogeneous, and the first character
# of a text tells the type of the value ("type()" exists only in the console).
locals {
  schema = jsondecode(file("${path.module}/schema.json"))

  fields_by_shape = {
    for shape, fields in local.schema.shapes : shape => {
      for field, spec in fields : field => {
        rule        = spec.rule
        required    = try(spec.required, false)
        shape       = try(spec.shape, "")
        item_rule   = try(spec.item_rule, "")
        name_rule   = try(spec.name_rule, "")
        entry_rule  = try(spec.entry_rule, "")
        entry_shape = try(spec.entry_shape, "")
      }
    }
  }

  decoded_by_file = {
    for file_name in fileset(var.directory, "*.tfvars") : file_name => try(
      jsonencode(provider::terraform::decode_tfvars(file("${var.directory}/${file_name}"))), "null"
    )
  }

  # Level 0 is a tenant file or a tier; level 1 its sections and apps; level 2 an app's sections and keys.
  tenant_nodes = [
    for file_name, text in local.decoded_by_file :
    { file = file_name, path = "", shape = "tenant", text = text } if text != "null"
  ]
  tier_nodes = [
    for tier_name, tier in var.tiers :
    { file = "env.tfvars", path = "tiers.${tier_name}.", shape = "tier", text = jsonencode(tier) }
  ]
  nodes_0 = concat(local.tenant_nodes, local.tier_nodes)
  nodes_1 = [for node in concat(local.sections_0, local.entries_0) : node if node.shape != "" && startswith(node.text, "{")]
  nodes_2 = [for node in concat(local.sections_1, local.entries_1) : node if node.shape != "" && startswith(node.text, "{")]
  nodes   = concat(local.nodes_0, local.nodes_1, local.nodes_2)

  sections_0 = flatten([for node in local.nodes_0 : [for field, spec in local.fields_by_shape[node.shape] : {
    file  = node.file
    path  = "${node.path}${field}."
    shape = spec.shape
    text  = jsonencode(try(jsondecode(node.text)[field], null))
  }]])
  sections_1 = flatten([for node in local.nodes_1 : [for field, spec in local.fields_by_shape[node.shape] : {
    file  = node.file
    path  = "${node.path}${field}."
    shape = spec.shape
    text  = jsonencode(try(jsondecode(node.text)[field], null))
  }]])

  # Entries of the maps with free names: apps, keys, tags. `merge` over a list of at
  # most one object stands for "the object, or nothing where the value is something else".
  entries_0 = flatten([for node in local.nodes_0 : [for field, spec in local.fields_by_shape[node.shape] : [
    for name, value in merge({}, [for one in [try(jsondecode(node.text)[field], null)] : one if startswith(jsonencode(one), "{")]...) : {
      file  = node.file
      path  = "${node.path}${field}.${name}."
      name  = name
      field = field
      owner = node.shape
      shape = spec.entry_shape
      text  = jsonencode(value)
    }
  ] if spec.name_rule != ""]])
  entries_1 = flatten([for node in local.nodes_1 : [for field, spec in local.fields_by_shape[node.shape] : [
    for name, value in merge({}, [for one in [try(jsondecode(node.text)[field], null)] : one if startswith(jsonencode(one), "{")]...) : {
      file  = node.file
      path  = "${node.path}${field}.${name}."
      name  = name
      field = field
      owner = node.shape
      shape = spec.entry_shape
      text  = jsonencode(value)
    }
  ] if spec.name_rule != ""]])
  entries = concat(local.entries_0, local.entries_1)

  # Everything that one rule can judge alone.
  values = concat(
    [for file_name in keys(local.decoded_by_file) : {
      file     = file_name
      path     = "file name"
      rule     = "tenant_id"
      required = true
      text     = jsonencode(trimsuffix(file_name, ".tfvars"))
    }],
    [for tier_name in keys(var.tiers) : {
      file     = "env.tfvars"
      path     = "tiers.${tier_name} (name)"
      rule     = "tier_name"
      required = true
      text     = jsonencode(tier_name)
    }],
    flatten([for node in local.nodes : [for field, spec in local.fields_by_shape[node.shape] : {
      file     = node.file
      path     = "${node.path}${field}"
      rule     = spec.rule
      required = spec.required
      text     = jsonencode(try(jsondecode(node.text)[field], null))
    }]]),
    flatten([for node in local.nodes : [for field, spec in local.fields_by_shape[node.shape] : [
      for index, item in try(jsondecode(node.text)[field], []) : {
        file     = node.file
        path     = "${node.path}${field}[${index}]"
        rule     = spec.item_rule
        required = true
        text     = jsonencode(item)
      }
    ] if spec.item_rule != "" && startswith(jsonencode(try(jsondecode(node.text)[field], null)), "[")]]),
    [for entry in local.entries : {
      file     = entry.file
      path     = "${trimsuffix(entry.path, ".")} (name)"
      rule     = local.fields_by_shape[entry.owner][entry.field].name_rule
      required = true
      text     = jsonencode(entry.name)
    }],
    [for entry in local.entries : {
      file     = entry.file
      path     = trimsuffix(entry.path, ".")
      rule     = local.fields_by_shape[entry.owner][entry.field].entry_rule
      required = true
      text     = entry.text
    }],
  )

  rule_errors = [
    for value in local.values :
    "${value.file}: ${value.path}: given ${value.text == "null" ? "nothing" : value.text}; allowed: ${local.schema.rules[value.rule].allowed}"
    if(value.required || value.text != "null") && !(
      (!local.schema.rules[value.rule].text || startswith(value.text, "\"")) &&
      can(regex(
        "^(?:${local.schema.rules[value.rule].pattern})$",
        local.schema.rules[value.rule].text ? try(tostring(jsondecode(value.text)), "") : value.text
      ))
    )
  ]

  unknown_key_errors = flatten([for node in local.nodes : [
    for key in keys(jsondecode(node.text)) :
    "${node.file}: ${node.path}${key}: given an unknown key; allowed: ${join(", ", keys(local.fields_by_shape[node.shape]))}"
    if !contains(keys(local.fields_by_shape[node.shape]), key)
  ]])

  syntax_errors = [
    for file_name, text in local.decoded_by_file :
    "${file_name}: file: given text that is not valid; allowed: HCL attributes with literal values" if text == "null"
  ]

  # The pattern lets 2027-02-30 through; only the calendar knows better.
  calendar_errors = [
    for value in local.values :
    "${value.file}: ${value.path}: given ${value.text}; allowed: ${local.schema.rules.date.allowed}"
    if value.rule == "date" && can(regex("^\"${local.schema.rules.date.pattern}\"$", value.text)) &&
    !can(formatdate("YYYY", "${jsondecode(value.text)}T00:00:00Z"))
  ]

  tier_name_errors = [
    for value in local.values :
    "${value.file}: ${value.path}: given ${value.text}; allowed: one of the environment's tiers: ${join(", ", keys(var.tiers))}"
    if value.rule == "tier" && can(regex("^\"${local.schema.rules.tier.pattern}\"$", value.text)) &&
    !can(var.tiers[jsondecode(value.text)])
  ]

  max_tokens_errors = [
    for node in local.tenant_nodes :
    "${node.file}: max_tokens.default: given ${local.max_tokens_by_file[node.file].default}; allowed: at most max_tokens.maximum, which is ${local.max_tokens_by_file[node.file].maximum}"
    if try(local.max_tokens_by_file[node.file].default > local.max_tokens_by_file[node.file].maximum, false)
  ]

  # With the tier's defaults, because either number may come from either place.
  max_tokens_by_file = {
    for node in local.tenant_nodes : node.file => {
      for field in ["default", "maximum"] : field => try(coalesce(
        try(tonumber(regex("^${local.schema.rules.count.pattern}$", jsonencode(jsondecode(node.text).max_tokens[field]))), null),
        try(var.tiers[jsondecode(node.text).tier].max_tokens[field], null),
      ), null)
    }
  }

  errors = sort(concat(
    local.syntax_errors,
    local.rule_errors,
    local.unknown_key_errors,
    local.calendar_errors,
    local.tier_name_errors,
    local.max_tokens_errors,
  ))
}

# The rules are data (schema.json), read by this module and by scripts/tenants.py.
# Terraform has neither functions nor recursion, so the schema is walked level by
# level over JSON texts: that keeps every list homogeneous, and the first character
# of a text tells the type of the value ("type()" exists only in the console).
locals {
  schema = jsondecode(file("${path.module}/schema.json"))

  # A shape lists its fields, or has one entry "*" for every name: a map with free names.
  fields_by_shape = {
    for shape, fields in local.schema.shapes : shape => {
      for field, spec in fields : field => {
        rule      = spec.rule
        required  = try(spec.required, false)
        shape     = try(spec.shape, "")
        item_rule = try(spec.item_rule, "")
        name_rule = try(spec.name_rule, "")
      }
    }
  }

  names_by_shape = {
    for shape, fields in local.schema.shapes : shape => keys(fields) if !contains(keys(fields), "*")
  }

  decoded_by_file = {
    for file_name in fileset(var.directory, "*.tfvars") : file_name => try(
      jsonencode(provider::terraform::decode_tfvars(file("${var.directory}/${file_name}"))), "null"
    )
  }

  # Level 0 is a tenant file or a tier; the deepest one holds the units of a contract price.
  tenant_nodes = [
    for file_name, text in local.decoded_by_file :
    { file = file_name, path = "", shape = "tenant", text = text } if text != "null"
  ]
  tier_nodes = [
    for tier_name, tier in var.tiers :
    { file = "env.tfvars", path = "tiers.${tier_name}.", shape = "tier", text = jsonencode(tier) }
  ]
  nodes_0  = concat(local.tenant_nodes, local.tier_nodes)
  nodes_1  = [for child in local.children_0 : { file = child.file, path = "${child.path}.", shape = child.spec.shape, text = child.text } if child.spec.shape != "" && startswith(child.text, "{")]
  nodes_2  = [for child in local.children_1 : { file = child.file, path = "${child.path}.", shape = child.spec.shape, text = child.text } if child.spec.shape != "" && startswith(child.text, "{")]
  nodes_3  = [for child in local.children_2 : { file = child.file, path = "${child.path}.", shape = child.spec.shape, text = child.text } if child.spec.shape != "" && startswith(child.text, "{")]
  nodes_4  = [for child in local.children_3 : { file = child.file, path = "${child.path}.", shape = child.spec.shape, text = child.text } if child.spec.shape != "" && startswith(child.text, "{")]
  nodes_5  = [for child in local.children_4 : { file = child.file, path = "${child.path}.", shape = child.spec.shape, text = child.text } if child.spec.shape != "" && startswith(child.text, "{")]
  nodes    = concat(local.nodes_0, local.nodes_1, local.nodes_2, local.nodes_3, local.nodes_4, local.nodes_5)
  children = concat(local.children_0, local.children_1, local.children_2, local.children_3, local.children_4, local.children_5)

  children_0 = flatten([for node in local.nodes_0 : [
    for name in try(local.names_by_shape[node.shape], keys(jsondecode(node.text))) : {
      file = node.file
      path = "${node.path}${name}"
      name = name
      spec = try(local.fields_by_shape[node.shape]["*"], local.fields_by_shape[node.shape][name])
      text = jsonencode(try(jsondecode(node.text)[name], null))
    }
  ]])

  children_1 = flatten([for node in local.nodes_1 : [
    for name in try(local.names_by_shape[node.shape], keys(jsondecode(node.text))) : {
      file = node.file
      path = "${node.path}${name}"
      name = name
      spec = try(local.fields_by_shape[node.shape]["*"], local.fields_by_shape[node.shape][name])
      text = jsonencode(try(jsondecode(node.text)[name], null))
    }
  ]])

  children_2 = flatten([for node in local.nodes_2 : [
    for name in try(local.names_by_shape[node.shape], keys(jsondecode(node.text))) : {
      file = node.file
      path = "${node.path}${name}"
      name = name
      spec = try(local.fields_by_shape[node.shape]["*"], local.fields_by_shape[node.shape][name])
      text = jsonencode(try(jsondecode(node.text)[name], null))
    }
  ]])

  children_3 = flatten([for node in local.nodes_3 : [
    for name in try(local.names_by_shape[node.shape], keys(jsondecode(node.text))) : {
      file = node.file
      path = "${node.path}${name}"
      name = name
      spec = try(local.fields_by_shape[node.shape]["*"], local.fields_by_shape[node.shape][name])
      text = jsonencode(try(jsondecode(node.text)[name], null))
    }
  ]])

  children_4 = flatten([for node in local.nodes_4 : [
    for name in try(local.names_by_shape[node.shape], keys(jsondecode(node.text))) : {
      file = node.file
      path = "${node.path}${name}"
      name = name
      spec = try(local.fields_by_shape[node.shape]["*"], local.fields_by_shape[node.shape][name])
      text = jsonencode(try(jsondecode(node.text)[name], null))
    }
  ]])

  children_5 = flatten([for node in local.nodes_5 : [
    for name in try(local.names_by_shape[node.shape], keys(jsondecode(node.text))) : {
      file = node.file
      path = "${node.path}${name}"
      name = name
      spec = try(local.fields_by_shape[node.shape]["*"], local.fields_by_shape[node.shape][name])
      text = jsonencode(try(jsondecode(node.text)[name], null))
    }
  ]])

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
    [for child in local.children : {
      file     = child.file
      path     = child.path
      rule     = child.spec.rule
      required = child.spec.required
      text     = child.text
    }],
    flatten([for child in local.children : [
      for index, item in try(jsondecode(child.text), []) : {
        file     = child.file
        path     = "${child.path}[${index}]"
        rule     = child.spec.item_rule
        required = true
        text     = jsonencode(item)
      }
    ] if child.spec.item_rule != "" && startswith(child.text, "[")]),
    [for child in local.children : {
      file     = child.file
      path     = "${child.path} (name)"
      rule     = child.spec.name_rule
      required = true
      text     = jsonencode(child.name)
    } if child.spec.name_rule != ""],
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
    "${node.file}: ${node.path}${key}: given an unknown key; allowed: ${join(", ", local.names_by_shape[node.shape])}"
    if !contains(local.names_by_shape[node.shape], key)
  ] if can(local.names_by_shape[node.shape])])

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

# The rules are data (schema.json), read by this module and by scripts/tenants/files.py.
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
        once      = try(spec.once, false)
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

  # Level 0 is a tenant file, a tier or a business unit; the deepest one holds the units of a contract price.
  tenant_nodes = [
    for file_name, text in local.decoded_by_file :
    { file = file_name, path = "", shape = "tenant", text = text } if text != "null"
  ]
  tier_nodes = [
    for tier_name, tier in var.tiers :
    { file = "env.tfvars", path = "tiers.${tier_name}.", shape = "tier", text = jsonencode(tier) }
  ]
  business_unit_nodes = [
    for unit_id, unit in var.business_units :
    { file = "env.tfvars", path = "business_units.${unit_id}.", shape = "business_unit", text = jsonencode(unit) }
  ]
  nodes_0  = concat(local.tenant_nodes, local.tier_nodes, local.business_unit_nodes)
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
    [for unit_id in keys(var.business_units) : {
      file     = "env.tfvars"
      path     = "business_units.${unit_id} (name)"
      rule     = "business_unit_id"
      required = true
      text     = jsonencode(unit_id)
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
    "${value.file}: ${value.path}: given ${value.text}; allowed: ${format(local.schema.relations.tier_exists, join(", ", keys(var.tiers)))}"
    if value.rule == "tier" && can(regex("^\"${local.schema.rules.tier.pattern}\"$", value.text)) &&
    !can(var.tiers[jsondecode(value.text)])
  ]

  business_unit_errors = [
    for value in local.values :
    "${value.file}: ${value.path}: given ${value.text}; allowed: ${format(local.schema.relations.business_unit_exists, coalesce(join(", ", keys(var.business_units)), "none"))}"
    if value.rule == "business_unit" && can(regex("^\"${local.schema.rules.business_unit.pattern}\"$", value.text)) &&
    !can(var.business_units[jsondecode(value.text)])
  ]

  # Numbers of which one bounds another. An app takes nothing from the tier.
  order_scopes = concat(
    [for node in local.tenant_nodes : merge(node, { tier = jsonencode(try(var.tiers[jsondecode(node.text).tier], {})) })],
    [for node in local.nodes : merge(node, { tier = "{}" }) if contains(["app", "business_unit", "tier"], node.shape)],
  )

  order_texts = flatten([for scope in local.order_scopes : [
    for order in local.schema.orders : {
      file     = scope.file
      path     = "${scope.path}${order.section}.${order.lower}"
      relation = order.relation
      rule     = order.rule
      lower    = [for text in order.inherited ? [scope.text, scope.tier] : [scope.text] : jsonencode(try(jsondecode(text)[order.section][order.lower], null))]
      upper    = [for text in [scope.text, scope.tier] : jsonencode(try(jsondecode(text)[order.section][order.upper], null))]
    }
  ]])

  # The first that is a number: the file's own, else the tier's.
  order_numbers = [
    for order in local.order_texts : merge(order, {
      for side in ["lower", "upper"] : side => concat([
        for text in order[side] : text
        if can(regex(local.schema.rules[order.rule].text ? "^\"(?:${local.schema.rules[order.rule].pattern})\"$" : "^(?:${local.schema.rules[order.rule].pattern})$", text))
      ], ["null"])[0]
    })
  ]

  order_errors = [
    for order in local.order_numbers :
    "${order.file}: ${order.path}: given ${order.lower}; allowed: ${format(local.schema.relations[order.relation], tostring(jsondecode(order.upper)))}"
    if try(tonumber(jsondecode(order.lower)) > tonumber(jsondecode(order.upper)), false)
  ]

  once_items = flatten([for child in local.children : [
    for index, item in jsondecode(child.text) : {
      file  = child.file
      path  = child.path
      index = index
      text  = jsonencode(item)
      first = index([for other in jsondecode(child.text) : jsonencode(other)], jsonencode(item))
    }
  ] if child.spec.once && startswith(child.text, "[")])

  once_errors = [
    for item in local.once_items :
    "${item.file}: ${item.path}[${item.index}]: given ${item.text}; allowed: ${format(local.schema.relations.item_once, format("%s[%d]", item.path, item.first))}"
    if item.first < item.index
  ]

  tenant_ids = [for file_name in keys(local.decoded_by_file) : trimsuffix(file_name, ".tfvars")]

  team_errors = flatten([for child in local.children_0 : [
    for index, item in jsondecode(child.text) :
    "${child.file}: ${child.path}[${index}]: given ${jsonencode(item)}; allowed: ${local.schema.relations.team_not_tenant}"
    if contains(local.tenant_ids, try(tostring(item), ""))
  ] if child.path == "teams" && startswith(child.text, "[")])

  # A star of the denied pattern is a text like any other to the denying one, which has to have a
  # star of its own for it.
  models_left_errors = [
    for child in local.children_0 :
    "${child.file}: ${child.path}: given ${child.text}; allowed: ${local.schema.relations.models_left}"
    if child.path == "deny_models" && try(length(local.models_by_file[child.file]), 0) > 0 && alltrue([
      for model in try(local.models_by_file[child.file], []) : anytrue([
        for pattern in try(local.model_patterns_by_list["${child.file} deny_models"], []) :
        can(regex(pattern, model)) || can(regex(pattern, replace(model, local.routing_prefix, "")))
      ])
    ])
  ]

  models_by_file = {
    for child in local.children_0 : child.file => [
      for pattern in jsondecode(child.text) : pattern
      if can(regex("^\"(?:${local.schema.rules.model.pattern})\"$", jsonencode(pattern)))
    ] if child.path == "models" && startswith(child.text, "[")
  }

  # As replace() takes a regular expression.
  routing_prefix = "/^(?:${join("|", local.schema.routing_prefixes)})[.]/"

  price_errors = flatten([for node in local.nodes : [
    for key in keys(jsondecode(node.text)) :
    "${node.file}: ${node.path}${key} (name): given ${jsonencode(key)}; allowed: ${local.schema.relations.price_of_model}"
    if replace(key, local.routing_prefix, "") != key
  ] if node.shape == "prices"])

  # With the tier's defaults, because either number may come from either place.
  max_tokens_by_file = {
    for node in local.tenant_nodes : node.file => {
      for field in ["default", "maximum"] : field => try(coalesce(
        try(tonumber(regex("^${local.schema.rules.count.pattern}$", jsonencode(jsondecode(node.text).max_tokens[field]))), null),
        try(var.tiers[jsondecode(node.text).tier].max_tokens[field], null),
      ), null)
    }
  }

  thresholds = [
    for child in local.children_0 : { file = child.file, path = child.path, text = child.text, percents = jsondecode(child.text) }
    if child.name == "alert_thresholds" && startswith(child.text, "[")
  ]

  thresholds_errors = [
    for entry in local.thresholds :
    "${entry.file}: ${entry.path}: given ${entry.text}; allowed: ${local.schema.relations.thresholds_order}"
    if alltrue([for percent in entry.percents : can(regex("^(?:${local.schema.rules.percent.pattern})$", jsonencode(percent)))]) &&
    anytrue([for index, percent in entry.percents : try(percent <= entry.percents[index - 1], false)])
  ]

  is_silo_by_file = { for node in local.tenant_nodes : node.file => try(jsondecode(node.text).isolation == "silo", false) }

  silo_errors = concat(
    [
      for child in local.children_0 :
      "${child.file}: silo: given nothing; allowed: ${local.schema.relations.silo_of_isolation}"
      if child.path == "silo" && child.text == "null" && lookup(local.is_silo_by_file, child.file, false)
    ],
    [
      for child in local.children_1 :
      "${child.file}: ${child.path}: given ${child.text}; allowed: ${format(local.schema.relations.silo_role_of_unit, var.prefix)}"
      if child.path == "silo.role_arn" && can(regex("^\"${local.schema.rules.role_arn.pattern}\"$", child.text)) &&
      !strcontains(child.text, ":role/tollgate/${var.prefix}/")
    ],
    [
      for child in local.children_2 :
      "${child.file}: ${child.path}: given ${child.text}; allowed: ${local.schema.relations.profiles_of_pool}"
      if child.spec.shape == "inference_profiles" && startswith(child.text, "{") && child.text != "{}" && lookup(local.is_silo_by_file, child.file, false)
    ],
  )

  # Every model id that a profile gives, as long as it is one: what has another form is refused above.
  profile_models = [
    for child in local.children_4 : merge(child, { profile = reverse(split(".", child.path))[1], model = jsondecode(child.text) })
    if child.spec.rule == "model_id" && can(regex("^\"${local.schema.rules.model_id.pattern}\"$", child.text))
  ]

  profile_names_by_model = {
    for entry in local.profile_models :
    "${entry.file} ${trimsuffix(entry.path, "${entry.profile}.model")} ${entry.model}" => entry.profile...
  }

  profile_model_errors = flatten([
    for entry in local.profile_models : concat(
      [
        for first in slice(sort(local.profile_names_by_model["${entry.file} ${trimsuffix(entry.path, "${entry.profile}.model")} ${entry.model}"]), 0, 1) :
        "${entry.file}: ${entry.path}: given ${entry.text}; allowed: ${format(local.schema.relations.profile_model_once, first)}"
        if first != entry.profile
      ],
      [
        for allowed in [local.schema.relations.profile_model_allowed] :
        "${entry.file}: ${entry.path}: given ${entry.text}; allowed: ${allowed}"
        if !anytrue([for pattern in try(local.model_patterns_by_list["${entry.file} models"], []) : can(regex(pattern, entry.model))]) ||
        anytrue([
          for pattern in try(local.model_patterns_by_list["${entry.file} deny_models"], []) :
          can(regex(pattern, entry.model)) || can(regex(pattern, replace(entry.model, local.routing_prefix, "")))
        ])
      ],
    )
  ])

  # As regular expressions; in a pattern that keeps its rule, nothing but the dot and the star is special.
  model_patterns_by_list = {
    for child in local.children_0 : "${child.file} ${child.name}" => [
      for pattern in jsondecode(child.text) : "^${replace(replace(pattern, ".", "[.]"), "*", ".*")}$"
      if can(regex("^\"${local.schema.rules.model.pattern}\"$", jsonencode(pattern)))
    ] if contains(["models", "deny_models"], child.name) && startswith(child.text, "[")
  }

  # IAM compares the keys of tags without regard to case.
  profile_tag_errors = flatten([
    for node in local.nodes : [
      for key in keys(jsondecode(node.text)) : concat(
        contains(local.schema.reserved_profile_tags, lower(key)) || startswith(lower(key), "aws:") ? [
          "${node.file}: ${node.path}${key} (name): given ${jsonencode(key)}; allowed: ${format(local.schema.relations.profile_tag_reserved, join(", ", local.schema.reserved_profile_tags))}"
        ] : [],
        [
          for first in slice([for other in keys(jsondecode(node.text)) : other if lower(other) == lower(key)], 0, 1) :
          "${node.file}: ${node.path}${key} (name): given ${jsonencode(key)}; allowed: ${format(local.schema.relations.profile_tag_once, first)}"
          if first != key
        ],
      )
    ] if node.shape == "profile_tags"
  ])

  errors = sort(concat(
    local.syntax_errors,
    local.rule_errors,
    local.unknown_key_errors,
    local.calendar_errors,
    local.tier_name_errors,
    local.business_unit_errors,
    local.order_errors,
    local.once_errors,
    local.team_errors,
    local.models_left_errors,
    local.price_errors,
    local.thresholds_errors,
    local.silo_errors,
    local.profile_model_errors,
    local.profile_tag_errors,
    local.load_errors,
  ))
}

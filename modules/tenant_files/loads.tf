# Whether DynamoDB can write an account as often as its limits allow; scripts/tenants/loads.py has the formula and why.
locals {
  # Of each tier and tenant, a tenant's own number before its tier's. A list is empty where neither has one.
  load_numbers = {
    for node in concat(local.tier_nodes, local.tenant_nodes) : "${node.file} ${node.path}" => {
      for name, rule in { requests_per_minute = "count", concurrent_requests = "count", shards = "shards" } : name => [
        for number in [
          for source in [node.text, jsonencode(try(var.tiers[jsondecode(node.text).tier], {}))] :
          jsonencode(try(jsondecode(source)[name], jsondecode(source).limits[name], null))
        ] : tonumber(number) if can(regex("^(?:${local.schema.rules[rule].pattern})$", number))
      ]
    }
  }

  # Spread over shards. A tenant without numbers of its own is its tier's to answer for.
  spread_loads = [
    for node in concat(local.tier_nodes, local.tenant_nodes) : {
      file    = node.file
      path    = "${node.path}shards"
      given   = jsonencode(try(jsondecode(node.text).shards, null))
      rates   = slice(concat(local.load_numbers["${node.file} ${node.path}"].requests_per_minute, [0]), 0, 1)
      at_once = slice(concat(local.load_numbers["${node.file} ${node.path}"].concurrent_requests, [0]), 0, 1)
      shards  = concat(local.load_numbers["${node.file} ${node.path}"].shards, [1])[0]
      most    = 64
      } if node.shape == "tier" || anytrue([
        for value in [
          try(jsondecode(node.text).shards, null),
          try(jsondecode(node.text).limits.requests_per_minute, null),
          try(jsondecode(node.text).limits.concurrent_requests, null),
        ] : value != null
    ])
  ]

  # Accounts of an app or of some models are one item always. They are asked for no more than their tenant is.
  part_limits = concat(
    [
      for node in local.nodes : { file = node.file, path = "${node.path}limits.", limits = jsonencode(try(jsondecode(node.text).limits, null)) }
      if node.shape == "app" && anytrue(concat(
        [for limit in keys(local.schema.shapes.limits) : try(jsondecode(node.text).limits[limit], null) != null],
        [for money in ["month_usd", "day_usd"] : try(jsondecode(node.text).budget[money], null) != null],
      ))
    ],
    [
      for node in local.nodes : { file = node.file, path = node.path, limits = node.text }
      if node.shape == "limits" && startswith(node.path, "model_limits.")
    ],
  )

  part_numbers = [
    for part in local.part_limits : {
      for name in ["requests_per_minute", "concurrent_requests"] : name => concat(
        [
          for number in [jsonencode(try(jsondecode(part.limits)[name], null))] : tonumber(number)
          if can(regex("^(?:${local.schema.rules.count.pattern})$", number))
        ],
        slice(local.load_numbers["${part.file} "][name], 0, min(1, length(local.load_numbers["${part.file} "][name]))),
      )
    }
  ]

  part_loads = [
    for index, part in local.part_limits : {
      file    = part.file
      path    = "${part.path}requests_per_minute"
      given   = jsonencode(try(jsondecode(part.limits).requests_per_minute, null))
      rates   = concat(local.part_numbers[index].requests_per_minute, [0])
      at_once = concat(local.part_numbers[index].concurrent_requests, [0])
      shards  = 1
      most    = 1
    }
  ]

  # 0 stands for none, which is no number that a file may give.
  loads = [
    for load in concat(local.spread_loads, local.part_loads) : merge(load, {
      per_minute = min([for rate in load.rates : rate if rate > 0]...)
      at_once = min(concat(
        [for number in load.at_once : number if number > 0],
        [for rate in load.rates : rate * 15 if rate > 0 && anytrue([for number in load.at_once : number > 0])],
        [for rate in load.rates : ceil(rate / 6) if rate > 0 && alltrue([for number in load.at_once : number == 0])],
      )...)
    }) if anytrue([for rate in load.rates : rate > 0])
  ]

  # The numbers of shards that would do, of those above them that are beyond what DynamoDB writes.
  loads_beyond = [
    for load in local.loads : merge(load, {
      enough = [
        for shards in range(1, load.most + 1) : shards
        if ceil((4 * shards + 3 * load.at_once) / (16 * shards)) * (4 * load.per_minute + 5 * load.at_once) <= 60000 * shards
      ]
    }) if ceil((4 * load.shards + 3 * load.at_once) / (16 * load.shards)) * (4 * load.per_minute + 5 * load.at_once) > 60000 * load.shards
  ]

  load_relation_by_most = { 1 = "load_of_one", 64 = "load_beyond_shards" }

  load_errors = [
    for load in local.loads_beyond :
    "${load.file}: ${load.path}: given ${load.given == "null" ? "nothing" : load.given}; allowed: ${
      length(load.enough) == 0
      ? format(local.schema.relations[local.load_relation_by_most[load.most]], tostring(load.per_minute), tostring(load.at_once))
      : format(local.schema.relations.shards_of_load, tostring(try(load.enough[0], 0)), tostring(load.per_minute), tostring(load.at_once))
    }"
  ]
}

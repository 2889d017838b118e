variable "endpoints" {
  description = "Endpoints by display name: an endpoint's name, or an object with endpoint, price, max_tokens, max_input_tokens, text_only and components."
  # A map whose values differ in type.
  type     = any
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.endpoints) : can(regex("^[A-Za-z0-9]([A-Za-z0-9 ._/@+-]{0,62}[A-Za-z0-9])?$", name))])
    error_message = "endpoints: got the display names ${join(", ", keys(var.endpoints))}; allowed: 1 to 64 letters, digits, spaces and ._/@+-, a letter or digit at both ends."
  }

  validation {
    condition     = alltrue([for value in values(var.endpoints) : can(regex("^[A-Za-z0-9](-*[A-Za-z0-9]){0,62}$", try(tostring(value), value.endpoint)))])
    error_message = "endpoints: got ${jsonencode([for value in values(var.endpoints) : try(tostring(value), value.endpoint, null)])}; allowed: names of SageMaker endpoints, 1 to 63 letters, digits and dashes, a letter or digit at both ends."
  }

  validation {
    condition     = alltrue([for value in values(var.endpoints) : length(setsubtract(try(keys(value), []), ["components", "endpoint", "max_input_tokens", "max_tokens", "price", "text_only"])) == 0])
    error_message = "endpoints: got the fields ${join(", ", distinct(flatten([for value in values(var.endpoints) : try(keys(value), [])])))}; allowed: endpoint, price, max_tokens, max_input_tokens, text_only and components."
  }

  validation {
    condition = alltrue([
      for value in values(var.endpoints) : contains(
        ["", "per_1m_input per_1m_output", "per_request", "instance_hour_usd", "instance_hour_usd instances"],
        try(join(" ", sort(keys(value.price))), try(value.price, null) == null ? "" : "not an object"),
      )
    ])
    error_message = "endpoints: got the prices ${jsonencode([for value in values(var.endpoints) : try(value.price, null)])}; allowed: objects with per_1m_input and per_1m_output, with per_request, or with instance_hour_usd and, where there are several, instances."
  }

  validation {
    condition = alltrue(flatten([
      for value in values(var.endpoints) : [
        for key, amount in try({ for key, amount in value.price : key => amount }, {}) :
        can(regex("^(0|[1-9][0-9]{0,11})(\\.[0-9]{1,${startswith(key, "per_1m") ? 6 : 12}})?$", tostring(amount))) if key != "instances"
      ]
    ]))
    error_message = "endpoints: got the prices ${jsonencode([for value in values(var.endpoints) : try(value.price, null)])}; allowed: decimals in USD with at most 12 decimals, 6 in a price per 1M tokens."
  }

  validation {
    condition = alltrue([
      for count in flatten([for value in values(var.endpoints) : try([value.price.instances], [])]) :
      try(floor(count) == count && count >= 1 && count <= 1000, false)
    ])
    error_message = "endpoints: got instances ${jsonencode([for value in values(var.endpoints) : try(value.price.instances, null)])}; allowed: whole numbers from 1 to 1000."
  }

  validation {
    condition = alltrue([
      for count in flatten([for value in values(var.endpoints) : [try(value.max_tokens, null), try(value.max_input_tokens, null)]]) :
      count == null || try(floor(count) == count && count >= 1, false)
    ])
    error_message = "endpoints: got max_tokens ${jsonencode([for value in values(var.endpoints) : try(value.max_tokens, null)])} and max_input_tokens ${jsonencode([for value in values(var.endpoints) : try(value.max_input_tokens, null)])}; allowed: whole numbers from 1."
  }

  validation {
    condition = alltrue([
      for switch in [for value in values(var.endpoints) : try(value.text_only, null)] :
      switch == null || contains(["true", "false"], try(jsonencode(switch), "-"))
    ])
    error_message = "endpoints: got text_only ${jsonencode([for value in values(var.endpoints) : try(value.text_only, null)])}; allowed: true or false."
  }

  validation {
    condition = alltrue([
      for names in [for value in values(var.endpoints) : try(value.components, null)] :
      names == null || try(alltrue([for name in concat(names, []) : can(regex("^[A-Za-z0-9](-*[A-Za-z0-9]){0,62}$", name))]), false)
    ])
    error_message = "endpoints: got components ${jsonencode([for value in values(var.endpoints) : try(value.components, null)])}; allowed: lists of the names of inference components, 1 to 63 letters, digits and dashes, a letter or digit at both ends."
  }

  validation {
    condition     = length(jsonencode(var.endpoints)) <= 2500
    error_message = "endpoints: got ${length(jsonencode(var.endpoints))} characters as JSON; allowed: 2500, because Lambda takes 4 KB for all variables of a function."
  }
}

# One form of the endpoints, whichever way they were written.
locals {
  _endpoints = {
    for name, value in var.endpoints : name => merge(
      { endpoint = try(tostring(value), value.endpoint) },
      {
        for key, price in { price = try(value.price, null) } : key => merge(
          # Amounts are text from here on: as numbers they would lose digits.
          { for part, amount in price : part => tostring(amount) if part != "instances" },
          { for part, count in price : part => count if part == "instances" },
        ) if price != null
      },
      {
        for key in ["max_tokens", "max_input_tokens", "text_only"] : key => value[key]
        if try(value[key], null) != null
      },
      { for key, names in { components = try(value.components, null) } : key => sort(names) if try(length(names), 0) > 0 },
    )
  }
}

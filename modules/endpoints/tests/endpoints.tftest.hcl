run "one_form" {
  command = plan

  variables {
    endpoints = {
      "Llama by token" = { endpoint = "llama-3", price = { per_1m_input = 0.5, per_1m_output = "1.25" }, max_tokens = 512 }
      embedder         = { endpoint = "Embedder", price = { per_request = "0.0001" } }
      big              = { endpoint = "big", price = { instance_hour_usd = "7.09", instances = 2 }, components = ["part-2", "part-1"] }
      free             = "free-of-price"
      seeing           = { endpoint = "vl", max_input_tokens = 32768, text_only = false, components = [] }
    }
  }

  assert {
    condition = jsondecode(output.json) == {
      "Llama by token" = { endpoint = "llama-3", price = { per_1m_input = "0.5", per_1m_output = "1.25" }, max_tokens = 512 }
      embedder         = { endpoint = "Embedder", price = { per_request = "0.0001" } }
      big              = { endpoint = "big", price = { instance_hour_usd = "7.09", instances = 2 }, components = ["part-1", "part-2"] }
      free             = { endpoint = "free-of-price" }
      seeing           = { endpoint = "vl", max_input_tokens = 32768, text_only = false }
    }
    error_message = "Every endpoint is an object, with amounts as text."
  }

  assert {
    condition     = output.names == tolist(["Embedder", "big", "free-of-price", "llama-3", "vl"])
    error_message = "The endpoints' own names."
  }
}

run "none" {
  command = plan

  variables {
    endpoints = {}
  }

  assert {
    condition     = output.json == "{}" && length(output.names) == 0
    error_message = "No endpoints are an empty object."
  }
}

run "refuses_a_display_name" {
  command = plan

  variables {
    endpoints = { "arn:aws:x" = "llama-3" }
  }

  expect_failures = [var.endpoints]
}

run "refuses_the_name_of_an_endpoint" {
  command = plan

  variables {
    endpoints = { llama = "llama_3" }
  }

  expect_failures = [var.endpoints]
}

run "refuses_an_object_without_endpoint" {
  command = plan

  variables {
    endpoints = { llama = { price = { per_request = "1" } } }
  }

  expect_failures = [var.endpoints]
}

run "refuses_an_unknown_field" {
  command = plan

  variables {
    endpoints = { llama = { endpoint = "llama-3", region = "eu-west-1" } }
  }

  expect_failures = [var.endpoints]
}

run "refuses_components_that_are_no_list" {
  command = plan

  variables {
    endpoints = { llama = { endpoint = "llama-3", components = "part-1" } }
  }

  expect_failures = [var.endpoints]
}

run "refuses_the_name_of_a_component" {
  command = plan

  variables {
    endpoints = { llama = { endpoint = "llama-3", components = ["part 1"] } }
  }

  expect_failures = [var.endpoints]
}

run "refuses_half_a_context" {
  command = plan

  variables {
    endpoints = { llama = { endpoint = "llama-3", max_input_tokens = 0.5 } }
  }

  expect_failures = [var.endpoints]
}

run "refuses_text_only_in_words" {
  command = plan

  variables {
    endpoints = { llama = { endpoint = "llama-3", text_only = "yes" } }
  }

  expect_failures = [var.endpoints]
}

run "refuses_half_a_price" {
  command = plan

  variables {
    endpoints = { llama = { endpoint = "llama-3", price = { per_1m_input = "1" } } }
  }

  expect_failures = [var.endpoints]
}

run "refuses_a_price_that_is_no_object" {
  command = plan

  variables {
    endpoints = { llama = { endpoint = "llama-3", price = "1" } }
  }

  expect_failures = [var.endpoints]
}

run "refuses_an_amount_with_too_many_decimals" {
  command = plan

  variables {
    endpoints = { llama = { endpoint = "llama-3", price = { per_1m_input = "1", per_1m_output = "0.0000001" } } }
  }

  expect_failures = [var.endpoints]
}

run "refuses_a_negative_amount" {
  command = plan

  variables {
    endpoints = { llama = { endpoint = "llama-3", price = { per_request = -1 } } }
  }

  expect_failures = [var.endpoints]
}

run "refuses_a_number_of_instances" {
  command = plan

  variables {
    endpoints = { llama = { endpoint = "llama-3", price = { instance_hour_usd = "1", instances = 0 } } }
  }

  expect_failures = [var.endpoints]
}

run "refuses_a_maximum_of_tokens" {
  command = plan

  variables {
    endpoints = { llama = { endpoint = "llama-3", max_tokens = 0.5 } }
  }

  expect_failures = [var.endpoints]
}

run "refuses_more_than_a_function_can_be_told" {
  command = plan

  variables {
    endpoints = { for number in range(80) : "endpoint number ${number}" => "endpoint-${number}" }
  }

  expect_failures = [var.endpoints]
}

mock_provider "aws" {
  source = "../modules/_mocks/aws"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "../modules/_mocks/aws"
}

variables {
  tenants_dir = "tests/fixtures/tenant_models"
}

run "without_endpoints" {
  command = plan

  assert {
    condition     = alltrue([for name, environment in local._environments : !contains(keys(environment), "SAGEMAKER_ENDPOINTS")])
    error_message = "No function is told of endpoints."
  }

  assert {
    condition     = alltrue([for name, statements in local._statements : !contains(statements[*].sid, "CallEndpoints")]) && !contains(keys(local._called_actions_by_endpoint), "sagemaker.runtime")
    error_message = "No function may call one, and the network needs no way there."
  }
}

run "a_map" {
  command = plan

  variables {
    sagemaker_endpoints = {
      "Llama by token" = { endpoint = "llama-3", price = { per_1m_input = 0.5, per_1m_output = "1.25" }, max_tokens = 512 }
      embedder         = { endpoint = "Embedder", price = { per_request = "0.0001" }, components = ["Adapter-1"] }
      big              = { endpoint = "big", price = { instance_hour_usd = "7.09", instances = 2 } }
      free             = "free-of-price"
    }
  }

  assert {
    condition = jsondecode(local._environments.invoke.SAGEMAKER_ENDPOINTS) == {
      "Llama by token" = { endpoint = "llama-3", price = { per_1m_input = "0.5", per_1m_output = "1.25" }, max_tokens = 512 }
      embedder         = { endpoint = "Embedder", price = { per_request = "0.0001" }, components = ["Adapter-1"] }
      big              = { endpoint = "big", price = { instance_hour_usd = "7.09", instances = 2 } }
      free             = { endpoint = "free-of-price" }
    }
    error_message = "Functions read one form, with amounts as text."
  }

  assert {
    condition     = local._environments.models.SAGEMAKER_ENDPOINTS == local._environments.invoke.SAGEMAKER_ENDPOINTS && [for name, environment in local._environments : name if contains(keys(environment), "SAGEMAKER_ENDPOINTS")] == ["invoke", "models"]
    error_message = "Those that admit and those that list know the endpoints."
  }

  assert {
    condition = one([for statement in local._statements["invoke"] : statement if statement.sid == "CallEndpoints"]) == {
      sid     = "CallEndpoints"
      actions = ["sagemaker:InvokeEndpoint"]
      resources = [
        "arn:aws:sagemaker:us-east-1:111122223333:endpoint/Embedder",
        "arn:aws:sagemaker:us-east-1:111122223333:endpoint/big",
        "arn:aws:sagemaker:us-east-1:111122223333:endpoint/embedder",
        "arn:aws:sagemaker:us-east-1:111122223333:endpoint/free-of-price",
        "arn:aws:sagemaker:us-east-1:111122223333:endpoint/llama-3",
        "arn:aws:sagemaker:us-east-1:111122223333:inference-component/Adapter-1",
        "arn:aws:sagemaker:us-east-1:111122223333:inference-component/adapter-1",
      ]
    }
    error_message = "Exactly these endpoints and components may be called."
  }

  assert {
    condition     = one([for statement in local._statements["stream"] : statement.actions if statement.sid == "CallEndpoints"]) == ["sagemaker:InvokeEndpointWithResponseStream"]
    error_message = "Jobs are streamed."
  }

  assert {
    condition     = toset(local._called_actions_by_endpoint["sagemaker.runtime"]) == toset(["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointWithResponseStream"])
    error_message = "The network lets the calls through."
  }
}

run "a_python_literal" {
  command = plan

  variables {
    sagemaker_endpoints = " {'Mistral 7B': 'mistral-7b', 'other': {'endpoint': 'other-1', 'price': {'per_request': '0.01'},},} "
  }

  assert {
    condition = jsondecode(local._environments.invoke.SAGEMAKER_ENDPOINTS) == {
      "Mistral 7B" = { endpoint = "mistral-7b" }
      other        = { endpoint = "other-1", price = { per_request = "0.01" } }
    }
    error_message = "The first seed's string is read as it is."
  }
}

run "json" {
  command = plan

  variables {
    sagemaker_endpoints = "{\"a\": \"endpoint-a\"}"
  }

  assert {
    condition     = jsondecode(local._environments.models.SAGEMAKER_ENDPOINTS) == { a = { endpoint = "endpoint-a" } }
    error_message = "JSON is read, too."
  }
}

run "nothing_in_a_string" {
  command = plan

  variables {
    sagemaker_endpoints = ""
  }

  assert {
    condition     = length(local._endpoints_given) == 0
    error_message = "The first seed's default stands for no endpoints."
  }
}

run "with_pool_sessions" {
  variables {
    pool_sessions       = true
    sagemaker_endpoints = { a = "endpoint-a" }
  }

  assert {
    condition = one([for statement in jsondecode(aws_iam_role_policy.pool_session[0].policy).Statement : statement if statement.Sid == "CallEndpoints"]) == {
      Sid       = "CallEndpoints"
      Effect    = "Allow"
      Action    = ["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointWithResponseStream"]
      Resource  = ["arn:aws:sagemaker:us-east-1:111122223333:endpoint/endpoint-a"]
      Condition = { Null = { "aws:PrincipalTag/app" = ["false"] } }
    }
    error_message = "The session calls endpoints, and only for an app."
  }

  assert {
    condition     = alltrue([for name, statements in local._statements : !contains(statements[*].sid, "CallEndpoints")])
    error_message = "Then the functions themselves do not."
  }
}

run "refuses_text_that_is_no_map" {
  command = plan

  variables {
    sagemaker_endpoints = "llama-3"
  }

  expect_failures = [var.sagemaker_endpoints]
}

run "refuses_a_list" {
  command = plan

  variables {
    sagemaker_endpoints = ["llama-3"]
  }

  expect_failures = [var.sagemaker_endpoints]
}

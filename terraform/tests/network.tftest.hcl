mock_provider "aws" {
  source = "../modules/_mocks/aws"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "../modules/_mocks/aws"
}

override_module {
  target = module.metering
  outputs = {
    accounts_table_arn  = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-test-accounts"
    accounts_table_name = "tollgate-test-accounts"
    tenants_table_arn   = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-test-tenants"
    tenants_table_name  = "tollgate-test-tenants"
    usage_table_arn     = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-test-usage"
    usage_table_name    = "tollgate-test-usage"
  }
}

override_module {
  target = module.streaming
  outputs = {
    jobs_dead_queue_arn  = "arn:aws:sqs:us-east-1:111122223333:tollgate-test-jobs-dead"
    jobs_queue_arn       = "arn:aws:sqs:us-east-1:111122223333:tollgate-test-jobs"
    jobs_queue_url       = "https://sqs.us-east-1.amazonaws.com/111122223333/tollgate-test-jobs"
    payloads_bucket_arn  = "arn:aws:s3:::tollgate-test-payloads-111122223333"
    payloads_bucket_name = "tollgate-test-payloads-111122223333"
    streams_table_arn    = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-test-streams"
    streams_table_name   = "tollgate-test-streams"
  }
}

override_module {
  target = module.analytics
  outputs = {
    athena_bucket_name     = "tollgate-test-athena-111122223333"
    glue_database_name     = "tollgate_test"
    lake_bucket_arn        = "arn:aws:s3:::tollgate-test-lake-111122223333"
    lake_bucket_name       = "tollgate-test-lake-111122223333"
    statements_bucket_arn  = "arn:aws:s3:::tollgate-test-statements-111122223333"
    statements_bucket_name = "tollgate-test-statements-111122223333"
    workgroup_name         = "tollgate-test"
  }
}

run "public" {
  command = plan

  assert {
    condition     = output.vpc_id == null && alltrue([for name, function in module.function : !strcontains(jsonencode(local._statements[name]), "ec2:")])
    error_message = "By default there is no network."
  }

  assert {
    condition     = !anytrue([for environment in values(local._environments) : anytrue([for name in keys(environment) : startswith(name, "AWS_ENDPOINT_URL_")])])
    error_message = "By default services are called at their own addresses."
  }
}

run "names_of_roles" {
  command = plan

  assert {
    condition     = alltrue([for name, function in module.function : function.role_name == "tollgate-test-${name}"])
    error_message = "The endpoints' policies name the functions' roles, which are called <prefix>-<function>."
  }
}

run "private" {
  command = plan

  variables {
    network = { mode = "private" }
  }

  assert {
    condition = (
      length(setsubtract(["bedrock:CountTokens", "bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"], local._called_actions_by_endpoint["bedrock-runtime"])) == 0 &&
      toset(local._called_actions_by_endpoint["bedrock"]) == toset(["bedrock:ListFoundationModels", "bedrock:ListInferenceProfiles"])
    )
    error_message = "Bedrock's two endpoints let through what functions call there."
  }

  assert {
    condition     = toset(keys(output.vpc_endpoint_ids)) == toset(keys(local._called_actions_by_endpoint))
    error_message = "Each service that a function calls has an endpoint."
  }

  assert {
    condition     = !anytrue([for service in keys(output.vpc_endpoint_ids) : strcontains(service, "mantle")])
    error_message = "The unmetered service has none, although the functions' policies name it."
  }
}

run "some_endpoints" {
  command = plan

  variables {
    network = {
      mode                = "private"
      interface_endpoints = ["bedrock-runtime"]
      existing = {
        vpc_id          = "vpc-0a1"
        subnet_ids      = ["subnet-0a1", "subnet-0b2"]
        endpoint_cidrs  = ["10.0.0.0/16"]
        route_table_ids = ["rtb-0a1"]
      }
    }
  }

  assert {
    condition     = toset(keys(output.vpc_endpoint_ids)) == toset(["bedrock-runtime", "dynamodb", "s3"]) && output.vpc_id == "vpc-0a1"
    error_message = "In an existing VPC only the named interface endpoints are made."
  }
}

run "private_api" {
  command = plan

  variables {
    api     = { endpoint_type = "PRIVATE" }
    network = { mode = "private", vpc_cidr = "10.9.0.0/16" }
  }

  assert {
    condition     = jsonencode(local._api_endpoint) == jsonencode({ client_cidrs = ["10.9.0.0/16"], private_dns = true })
    error_message = "Clients of a private API are in its VPC unless others are named."
  }
}

run "private_api_through_others_endpoints" {
  command = plan

  variables {
    api = { endpoint_type = "PRIVATE", vpc_endpoint_ids = ["vpce-0a1"] }
  }

  assert {
    condition     = local._api_endpoint == null && output.vpc_id == null
    error_message = "A private API needs no network of its own where endpoints exist."
  }
}

run "endpoint_urls" {
  command = plan

  variables {
    endpoint_urls = { bedrock-runtime = "https://bedrock-runtime-fips.us-east-1.amazonaws.com" }
  }

  assert {
    condition     = alltrue([for environment in values(local._environments) : environment["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] == "https://bedrock-runtime-fips.us-east-1.amazonaws.com"])
    error_message = "Functions call a service at the given address."
  }
}

run "rejects_a_private_api_that_nobody_reaches" {
  command = plan

  variables {
    api = { endpoint_type = "PRIVATE" }
  }

  expect_failures = [var.api]
}

run "rejects_a_private_api_in_an_existing_vpc_without_clients" {
  command = plan

  variables {
    api = { endpoint_type = "PRIVATE" }
    network = {
      mode     = "private"
      existing = { vpc_id = "vpc-0a1", subnet_ids = ["subnet-0a1"], route_table_ids = ["rtb-0a1"] }
    }
  }

  expect_failures = [var.api]
}

run "rejects_endpoints_that_no_function_calls" {
  command = plan

  variables {
    network = { mode = "private", interface_endpoints = ["bedrock-mantle"] }
  }

  expect_failures = [var.network]
}

run "rejects_unknown_services_and_plain_http" {
  command = plan

  variables {
    endpoint_urls = { mantle = "http://bedrock-mantle.us-east-1.api.aws" }
  }

  expect_failures = [var.endpoint_urls]
}

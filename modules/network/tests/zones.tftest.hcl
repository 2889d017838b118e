mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  prefix      = "tollgate-test"
  region      = "us-east-1"
  account_id  = "111122223333"
  kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"

  mode = "private"

  endpoint_client_arns = ["arn:aws:iam::111122223333:role/tollgate-test-invoke"]
  actions_by_endpoint = {
    bedrock-runtime = ["bedrock:InvokeModel"]
    sqs             = ["sqs:SendMessage"]
  }
}

# This account has no zone a, and one service is not in b. Runs share their state, as applies do.
run "zones_are_those_of_every_endpoint_service" {
  override_data {
    target = data.aws_availability_zones.this
    values = { names = ["us-east-1f", "us-east-1b", "us-east-1c", "us-east-1d"] }
  }

  override_data {
    target = data.aws_vpc_endpoint_service.this["bedrock-runtime"]
    values = { availability_zones = ["us-east-1a", "us-east-1c", "us-east-1d", "us-east-1f"] }
  }

  assert {
    condition     = { for subnet in aws_subnet.this : subnet.availability_zone => subnet.cidr_block } == { us-east-1c = "10.64.0.0/23", us-east-1d = "10.64.2.0/23" }
    error_message = "Subnets are in zones that this account has and that every endpoint service is in."
  }

  assert {
    condition = toset([for service in data.aws_vpc_endpoint_service.this : service.service_name]) == toset([
      "com.amazonaws.us-east-1.bedrock-runtime", "com.amazonaws.us-east-1.sqs",
    ])
    error_message = "The services asked about are those that get an endpoint in a subnet."
  }
}

run "zones_that_come_later_move_nothing" {
  override_data {
    target = data.aws_availability_zones.this
    values = { names = ["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"] }
  }

  assert {
    condition     = join(" ", local._found_zones) == "us-east-1a us-east-1b" && values(aws_subnet.this)[*].availability_zone == ["us-east-1c", "us-east-1d"]
    error_message = "The zones of the first apply stay, though others would be chosen now."
  }
}

run "a_service_that_is_not_in_the_zones_of_the_first_apply_is_refused" {
  command = plan

  override_data {
    target = data.aws_vpc_endpoint_service.this["sqs"]
    values = { availability_zones = ["us-east-1a", "us-east-1b", "us-east-1c"] }
  }

  expect_failures = [aws_vpc_endpoint.interface]
}

run "named_zones_need_no_choice" {
  variables {
    availability_zones = ["us-east-1d"]
  }

  assert {
    condition     = values(aws_subnet.this)[*].availability_zone == ["us-east-1d"]
    error_message = "What the variable names comes before what was chosen."
  }
}

run "refuses_a_region_without_two_zones_for_all" {
  command = plan

  override_data {
    target = data.aws_vpc_endpoint_service.this["sqs"]
    values = { availability_zones = ["us-east-1f"] }
  }

  expect_failures = [terraform_data.zones]
}

run "refuses_a_zone_that_a_service_is_not_in" {
  command = plan

  override_data {
    target = data.aws_vpc_endpoint_service.this["sqs"]
    values = { availability_zones = ["us-east-1b", "us-east-1c"] }
  }

  variables {
    availability_zones = ["us-east-1a", "us-east-1b"]
  }

  expect_failures = [terraform_data.zones]
}

mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  prefix      = "tollgate-test"
  region      = "us-east-1"
  account_id  = "111122223333"
  kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"

  endpoint_client_arns = [
    "arn:aws:iam::111122223333:role/tollgate-test-invoke",
    "arn:aws:iam::*:role/tollgate/tollgate-test/*",
  ]
  actions_by_endpoint = {
    bedrock-runtime = ["bedrock:InvokeModelWithResponseStream", "bedrock:InvokeModel"]
    sqs             = ["sqs:SendMessage"]
  }
  gateway_actions_by_endpoint = {
    dynamodb = ["dynamodb:GetItem"]
    s3       = ["s3:GetObject"]
  }
}

run "public_makes_nothing" {
  command = plan

  assert {
    condition = length(flatten([
      values(aws_subnet.this)[*].id, values(aws_vpc_endpoint.interface)[*].id, values(aws_vpc_endpoint.gateway)[*].id,
      aws_vpc.this[*].id, aws_default_security_group.this[*].id, aws_route_table.this[*].id,
      aws_security_group.functions[*].id, aws_security_group.endpoints[*].id, aws_security_group.api[*].id,
      aws_vpc_endpoint.api[*].id, aws_flow_log.this[*].id, aws_cloudwatch_log_group.flow[*].name, aws_iam_role.flow[*].name,
      values(aws_vpc_security_group_egress_rule.functions_to_gateways)[*].id,
    ])) == 0
    error_message = "Public mode makes nothing."
  }

  assert {
    condition     = output.function_network == null && output.vpc_id == null && length(output.endpoint_ids) == 0 && length(output.api_endpoint_ids) == 0
    error_message = "Public mode has no network to name."
  }
}

run "public_with_an_api_endpoint_makes_nothing" {
  command = plan

  variables {
    api_endpoint = { client_cidrs = ["10.0.0.0/8"] }
  }

  assert {
    condition     = length(aws_vpc_endpoint.api) == 0 && length(aws_vpc_security_group_ingress_rule.api_from_clients) == 0
    error_message = "An endpoint needs a network."
  }
}

run "own_vpc" {
  variables {
    mode                     = "private"
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
  }

  assert {
    condition     = aws_vpc.this[0].cidr_block == "10.64.0.0/20" && aws_vpc.this[0].enable_dns_hostnames && aws_vpc.this[0].enable_dns_support
    error_message = "The VPC resolves the endpoints' private names."
  }

  assert {
    condition     = { for subnet in aws_subnet.this : subnet.availability_zone => subnet.cidr_block } == { us-east-1a = "10.64.0.0/23", us-east-1b = "10.64.2.0/23" }
    error_message = "There is one subnet in each of two zones."
  }

  assert {
    condition     = length(aws_route_table.this[0].route) == 0 && length(aws_route_table_association.this) == 2
    error_message = "No route leads out."
  }

  assert {
    condition     = length(aws_default_security_group.this[0].ingress) == 0 && length(aws_default_security_group.this[0].egress) == 0
    error_message = "The VPC's default security group lets nothing through."
  }

  assert {
    condition = (
      aws_flow_log.this[0].traffic_type == "ALL" && aws_cloudwatch_log_group.flow[0].kms_key_id == var.kms_key_arn &&
      aws_cloudwatch_log_group.flow[0].retention_in_days == 365 && aws_iam_role.flow[0].permissions_boundary == var.permissions_boundary_arn
    )
    error_message = "All traffic is logged, encrypted, for a year, by a role with the boundary."
  }

  assert {
    condition     = toset(flatten([for statement in jsondecode(aws_iam_role_policy.flow[0].policy).Statement : statement.Resource])) == toset(["arn:aws:logs:us-east-1:111122223333:log-group:mock:*", "*"])
    error_message = "The flow log's role writes to its own group only."
  }

  assert {
    condition     = length(output.function_network.subnet_ids) == 2 && output.function_network.security_group_ids == ["sg-0123456789abcdef0"] && output.vpc_id == "vpc-0123456789abcdef0"
    error_message = "Functions get both subnets and their security group."
  }
}

run "endpoints" {
  command = plan

  variables {
    mode = "private"
  }

  assert {
    condition = {
      for name, endpoint in merge(aws_vpc_endpoint.interface, aws_vpc_endpoint.gateway) : name => "${endpoint.vpc_endpoint_type} ${endpoint.service_name}"
      } == {
      bedrock-runtime = "Interface com.amazonaws.us-east-1.bedrock-runtime"
      dynamodb        = "Gateway com.amazonaws.us-east-1.dynamodb"
      s3              = "Gateway com.amazonaws.us-east-1.s3"
      sqs             = "Interface com.amazonaws.us-east-1.sqs"
    }
    error_message = "There is an endpoint per service, S3's and DynamoDB's without an hourly price."
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled && length(endpoint.subnet_ids) == 2])
    error_message = "SDKs find the endpoints by the services' own names, in both zones."
  }

  assert {
    condition = jsondecode(aws_vpc_endpoint.interface["bedrock-runtime"].policy).Statement == [{
      Sid       = "ClientsOnly"
      Effect    = "Allow"
      Principal = "*"
      Action    = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
      Resource  = "*"
      Condition = { ArnLike = { "aws:PrincipalArn" = [
        "arn:aws:iam::*:role/tollgate/tollgate-test/*",
        "arn:aws:iam::111122223333:role/tollgate-test-invoke",
      ] } }
    }]
    error_message = "An endpoint serves the given roles and actions."
  }

  assert {
    condition     = alltrue([for endpoint in concat(values(aws_vpc_endpoint.interface), values(aws_vpc_endpoint.gateway)) : can(jsondecode(endpoint.policy).Statement[0].Condition.ArnLike)])
    error_message = "No endpoint is open to everybody."
  }

  assert {
    condition = alltrue([
      for rule in concat(
        aws_vpc_security_group_egress_rule.functions_to_endpoints, values(aws_vpc_security_group_egress_rule.functions_to_gateways),
      ) : rule.from_port == 443 && rule.to_port == 443 && rule.ip_protocol == "tcp" && rule.cidr_ipv4 == null
    ])
    error_message = "Functions reach endpoints on 443, and no addresses."
  }

  assert {
    condition     = keys(aws_vpc_security_group_egress_rule.functions_to_gateways) == ["dynamodb", "s3"] && length(aws_vpc_security_group_ingress_rule.endpoints_from_functions) == 1
    error_message = "Functions reach S3 and DynamoDB by their prefix lists, and the endpoints let functions in."
  }

  assert {
    condition     = keys(output.endpoint_ids) == ["bedrock-runtime", "dynamodb", "s3", "sqs"]
    error_message = "The endpoints' ids are known by service."
  }
}

run "a_service_that_nobody_calls_has_no_endpoint" {
  command = plan

  variables {
    mode                        = "private"
    actions_by_endpoint         = {}
    gateway_actions_by_endpoint = { dynamodb = ["dynamodb:GetItem"] }
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0 && keys(aws_vpc_endpoint.gateway) == ["dynamodb"]
    error_message = "Each endpoint can be left out."
  }
}

run "every_service_of_the_list" {
  command = plan

  variables {
    mode = "private"
    actions_by_endpoint = {
      bedrock             = ["bedrock:ListFoundationModels"]
      bedrock-runtime     = ["bedrock:InvokeModel"]
      events              = ["events:PutEvents"]
      kms                 = ["kms:Decrypt"]
      lambda              = ["lambda:InvokeFunction"]
      logs                = ["logs:PutLogEvents"]
      monitoring          = ["cloudwatch:PutMetricData"]
      "sagemaker.runtime" = ["sagemaker:InvokeEndpoint"]
      secretsmanager      = ["secretsmanager:GetSecretValue"]
      sns                 = ["sns:Publish"]
      sqs                 = ["sqs:SendMessage"]
      ssm                 = ["ssm:GetParameter"]
      sts                 = ["sts:AssumeRole", "sts:TagSession"]
    }
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 13 && !anytrue([for endpoint in aws_vpc_endpoint.interface : strcontains(endpoint.service_name, "mantle")])
    error_message = "Every service but the unmetered one can have an endpoint."
  }
}

run "sizes_follow_the_inputs" {
  command = plan

  variables {
    mode               = "private"
    availability_zones = ["us-east-1c", "us-east-1d", "us-east-1f"]
    flow_log_traffic   = "REJECT"
    log_retention_days = 30
    vpc_cidr           = "10.9.8.0/24"
  }

  assert {
    condition     = values(aws_subnet.this)[*].cidr_block == ["10.9.8.0/27", "10.9.8.32/27", "10.9.8.64/27"] && aws_flow_log.this[0].traffic_type == "REJECT" && aws_cloudwatch_log_group.flow[0].retention_in_days == 30
    error_message = "Zones, block and flow log follow the inputs."
  }
}

run "existing_vpc" {
  command = plan

  variables {
    mode = "private"
    existing = {
      vpc_id          = "vpc-0a1"
      subnet_ids      = ["subnet-0a1", "subnet-0b2"]
      route_table_ids = ["rtb-0a1"]
    }
  }

  assert {
    condition     = length(aws_vpc.this) == 0 && length(aws_subnet.this) == 0 && length(aws_route_table.this) == 0 && length(aws_flow_log.this) == 0 && length(aws_default_security_group.this) == 0
    error_message = "Nothing of an existing VPC is made anew."
  }

  assert {
    condition     = aws_vpc_endpoint.gateway["s3"].route_table_ids == toset(["rtb-0a1"]) && aws_vpc_endpoint.interface["sqs"].subnet_ids == toset(["subnet-0a1", "subnet-0b2"])
    error_message = "Endpoints go into the given subnets and route tables."
  }

  assert {
    condition     = output.function_network.subnet_ids == tolist(["subnet-0a1", "subnet-0b2"]) && output.vpc_id == "vpc-0a1" && aws_security_group.functions[0].vpc_id == "vpc-0a1"
    error_message = "Functions run in the given subnets."
  }
}

run "existing_vpc_with_endpoints" {
  command = plan

  variables {
    mode                = "private"
    actions_by_endpoint = { bedrock-runtime = ["bedrock:InvokeModel"] }
    existing = {
      vpc_id          = "vpc-0a1"
      subnet_ids      = ["subnet-0a1"]
      prefix_list_ids = ["pl-0a1", "pl-0b2"]
      endpoint_cidrs  = ["10.1.2.0/24"]
    }
  }

  assert {
    condition     = keys(aws_vpc_endpoint.interface) == ["bedrock-runtime"] && length(aws_vpc_endpoint.gateway) == 0
    error_message = "Only what is missing is made."
  }

  assert {
    condition     = keys(aws_vpc_security_group_egress_rule.functions_to_gateways) == ["pl-0a1", "pl-0b2"] && aws_vpc_security_group_egress_rule.functions_to_existing["10.1.2.0/24"].from_port == 443
    error_message = "Functions reach what is there already."
  }
}

run "api_endpoint" {
  variables {
    mode         = "private"
    api_endpoint = { client_cidrs = ["10.0.0.0/8"] }
  }

  assert {
    condition     = aws_vpc_endpoint.api[0].service_name == "com.amazonaws.us-east-1.execute-api" && aws_vpc_endpoint.api[0].private_dns_enabled && output.api_endpoint_ids == ["vpce-0123456789abcdef0"]
    error_message = "The private API has an endpoint that answers to its own name."
  }

  assert {
    condition     = jsondecode(aws_vpc_endpoint.api[0].policy).Statement[0].Resource == "arn:aws:execute-api:us-east-1:111122223333:*" && jsondecode(aws_vpc_endpoint.api[0].policy).Statement[0].Action == "execute-api:Invoke"
    error_message = "Through it only APIs of this account are called."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.api_from_clients["10.0.0.0/8"].from_port == 443 && length(aws_vpc_security_group_ingress_rule.api_from_clients) == 1
    error_message = "Clients come in on 443."
  }
}

run "refuses_endpoints_without_clients" {
  command = plan

  variables {
    mode                 = "private"
    endpoint_client_arns = []
  }

  expect_failures = [aws_vpc_endpoint.interface]
}

run "refuses_the_unmetered_endpoint" {
  command = plan

  variables {
    mode                = "private"
    actions_by_endpoint = { bedrock-mantle = ["bedrock:InvokeModel"] }
  }

  expect_failures = [var.actions_by_endpoint]
}

run "refuses_wildcard_actions" {
  command = plan

  variables {
    mode                = "private"
    actions_by_endpoint = { kms = ["kms:*"] }
  }

  expect_failures = [var.actions_by_endpoint]
}

run "refuses_an_existing_vpc_without_a_way_to_the_tables" {
  command = plan

  variables {
    mode     = "private"
    existing = { vpc_id = "vpc-0a1", subnet_ids = ["subnet-0a1"] }
  }

  expect_failures = [var.existing]
}

run "refuses_values_out_of_range" {
  command = plan

  variables {
    account_id                  = "12345"
    api_endpoint                = { client_cidrs = ["0.0.0.0/0"] }
    availability_zones          = ["eu-west-1a"]
    endpoint_client_arns        = ["*"]
    existing                    = { vpc_id = "vpc", subnet_ids = [], route_table_ids = ["main"] }
    flow_log_traffic            = "SOME"
    gateway_actions_by_endpoint = { s3 = ["s3:*"] }
    kms_key_arn                 = "alias/tollgate"
    log_retention_days          = 2
    mode                        = "vpc"
    permissions_boundary_arn    = "boundary"
    prefix                      = "T"
    vpc_cidr                    = "10.0.0.0/28"
  }

  expect_failures = [
    var.account_id,
    var.api_endpoint,
    var.availability_zones,
    var.endpoint_client_arns,
    var.existing,
    var.flow_log_traffic,
    var.gateway_actions_by_endpoint,
    var.kms_key_arn,
    var.log_retention_days,
    var.mode,
    var.permissions_boundary_arn,
    var.prefix,
    var.vpc_cidr,
  ]
}

run "refuses_a_region_that_is_none" {
  command = plan

  variables {
    region = "Virginia"
  }

  expect_failures = [var.region]
}

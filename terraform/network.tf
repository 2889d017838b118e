# Where the functions run and how the API is reached. Public mode, the default, makes nothing.
#
# An endpoint is there for each service that a function calls: which those are, and the actions that
# the endpoint lets through, is read from the functions' own statements and those of their sessions.
locals {
  _called_actions = distinct(flatten([
    for statements in concat(values(local._statements), values(local._on_tenants_behalf)) : [
      for statement in statements : statement.actions if try(statement.effect, "Allow") == "Allow" && length(statement.resources) > 0
    ]
  ]))

  # Bedrock answers calls of models and questions about them in two places.
  _bedrock_runtime_actions = [
    "bedrock:ApplyGuardrail",
    "bedrock:CountTokens",
    "bedrock:InvokeModel",
    "bedrock:InvokeModelWithResponseStream",
  ]

  # Endpoints that are not called like their service in IAM.
  _endpoint_by_iam_service = { cloudwatch = "monitoring", sagemaker = "sagemaker.runtime" }

  _called_actions_by_endpoint = {
    for action in local._called_actions : (
      contains(local._bedrock_runtime_actions, action)
      ? "bedrock-runtime"
      : lookup(local._endpoint_by_iam_service, split(":", action)[0], split(":", action)[0])
    ) => action...
  }
  _interface_endpoints = [
    for service in keys(local._called_actions_by_endpoint) : service if !contains(["dynamodb", "s3"], service)
  ]

  _is_private_api = var.api.endpoint_type == "PRIVATE"
  # A private API without endpoints from elsewhere gets one in the network.
  _api_endpoint = local._is_private_api && length(var.api.vpc_endpoint_ids) == 0 ? {
    client_cidrs = length(var.api.allowed_cidrs) > 0 ? var.api.allowed_cidrs : [var.network.vpc_cidr]
    private_dns  = var.network.api_private_dns
  } : null
}

module "network" {
  source = "../modules/network"

  prefix                   = var.prefix
  region                   = var.region
  account_id               = local.account_id
  kms_key_arn              = aws_kms_key.this.arn
  mode                     = var.network.mode
  vpc_cidr                 = var.network.vpc_cidr
  availability_zones       = var.network.availability_zones
  existing                 = var.network.existing
  api_endpoint             = local._api_endpoint
  flow_log_traffic         = var.network.flow_log_traffic
  log_retention_days       = var.log_retention_days
  permissions_boundary_arn = var.permissions_boundary_arn

  endpoint_client_arns = concat(
    # By name: the functions' outputs wait for the network.
    [for name in keys(local.functions) : "arn:${local.partition}:iam::${local.account_id}:role/${var.prefix}-${name}"],
    # The roles that functions take on for tenants, in whichever account those are.
    ["arn:${local.partition}:iam::*:role/tollgate/${var.prefix}/*"],
  )

  actions_by_endpoint = {
    for service, actions in local._called_actions_by_endpoint : service => actions
    if contains(local._interface_endpoints, service) && contains(coalesce(var.network.interface_endpoints, local._interface_endpoints), service)
  }

  gateway_actions_by_endpoint = {
    for service, actions in local._called_actions_by_endpoint : service => actions if contains(["dynamodb", "s3"], service)
  }
}

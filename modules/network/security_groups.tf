# Who talks to whom: functions to endpoints, clients to the REST API's endpoint, all on 443. Nothing
# has a rule besides.
locals {
  _https = 443

  # Whatever way S3 and DynamoDB are reached, it is by a prefix list.
  _gateway_prefix_lists = local._private ? merge(
    { for service, endpoint in aws_vpc_endpoint.gateway : service => endpoint.prefix_list_id },
    { for id in try(var.existing.prefix_list_ids, []) : id => id },
  ) : {}
}

resource "aws_security_group" "functions" {
  # checkov:skip=CKV2_AWS_5:the functions that it is for are made by modules/function
  count = local._private ? 1 : 0

  name        = "${var.prefix}-functions"
  description = "Functions of ${var.prefix}: out to AWS endpoints only"
  vpc_id      = local._vpc_id
  tags        = merge(var.tags, { Name = "${var.prefix}-functions" })
}

resource "aws_security_group" "endpoints" {
  count = local._private ? 1 : 0

  name        = "${var.prefix}-endpoints"
  description = "Interface endpoints of ${var.prefix}: in from its functions only"
  vpc_id      = local._vpc_id
  tags        = merge(var.tags, { Name = "${var.prefix}-endpoints" })
}

resource "aws_vpc_security_group_egress_rule" "functions_to_endpoints" {
  count = local._private ? 1 : 0

  description                  = "HTTPS to the interface endpoints"
  security_group_id            = aws_security_group.functions[0].id
  referenced_security_group_id = aws_security_group.endpoints[0].id
  from_port                    = local._https
  to_port                      = local._https
  ip_protocol                  = "tcp"
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_from_functions" {
  count = local._private ? 1 : 0

  description                  = "HTTPS from the functions"
  security_group_id            = aws_security_group.endpoints[0].id
  referenced_security_group_id = aws_security_group.functions[0].id
  from_port                    = local._https
  to_port                      = local._https
  ip_protocol                  = "tcp"
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "functions_to_gateways" {
  for_each = local._gateway_prefix_lists

  description       = "HTTPS to ${each.key} over its gateway endpoint"
  security_group_id = aws_security_group.functions[0].id
  prefix_list_id    = each.value
  from_port         = local._https
  to_port           = local._https
  ip_protocol       = "tcp"
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "functions_to_existing" {
  for_each = toset(local._private ? try(var.existing.endpoint_cidrs, []) : [])

  description       = "HTTPS to endpoints that the VPC has already"
  security_group_id = aws_security_group.functions[0].id
  cidr_ipv4         = each.key
  from_port         = local._https
  to_port           = local._https
  ip_protocol       = "tcp"
  tags              = var.tags
}

resource "aws_security_group" "api" {
  count = local._private && var.api_endpoint != null ? 1 : 0

  name        = "${var.prefix}-api"
  description = "Endpoint of the private REST API of ${var.prefix}: in from its clients only"
  vpc_id      = local._vpc_id
  tags        = merge(var.tags, { Name = "${var.prefix}-api" })
}

resource "aws_vpc_security_group_ingress_rule" "api_from_clients" {
  for_each = toset(local._private && var.api_endpoint != null ? var.api_endpoint.client_cidrs : [])

  description       = "HTTPS from clients"
  security_group_id = aws_security_group.api[0].id
  cidr_ipv4         = each.key
  from_port         = local._https
  to_port           = local._https
  ip_protocol       = "tcp"
  tags              = var.tags
}

# The only ways out. Every policy names the roles and the actions; which resources a role may use is
# said once, in the role's own policy.
locals {
  # The key's ARN states the partition.
  _partition      = split(":", var.kms_key_arn)[1]
  _service_prefix = "com.amazonaws.${var.region}"

  _gateway_services = local._private && length(concat(local._own ? ["own"] : [], try(var.existing.route_table_ids, []))) > 0 ? {
    for service, actions in var.gateway_actions_by_endpoint : service => actions if length(actions) > 0
  } : {}

  _policy_by_endpoint = {
    for service, actions in merge(var.actions_by_endpoint, local._gateway_services) : service => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "ClientsOnly"
        Effect    = "Allow"
        Principal = "*"
        Action    = sort(actions)
        # The endpoint adds who may call; the clients' own policies name the resources.
        Resource  = "*"
        Condition = { ArnLike = { "aws:PrincipalArn" = sort(var.endpoint_client_arns) } }
      }]
    })
  }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local._private ? var.actions_by_endpoint : {}

  vpc_id              = local._vpc_id
  service_name        = "${local._service_prefix}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  policy              = local._policy_by_endpoint[each.key]
  security_group_ids  = aws_security_group.endpoints[*].id
  subnet_ids          = local._subnet_ids
  tags                = merge(var.tags, { Name = "${var.prefix}-${each.key}" })

  lifecycle {
    precondition {
      condition     = length(var.endpoint_client_arns) > 0
      error_message = "endpoint_client_arns: got none; allowed: at least one role, because nobody else gets through an endpoint."
    }

    # A service that is called later than the zones were chosen may not be in them.
    precondition {
      condition     = local._own ? length(setsubtract(local._zones, local._zones_by_service[each.key])) == 0 : true
      error_message = "availability_zones: got ${join(", ", coalesce(local._zones, []))}, where the VPC is; allowed: ${join(", ", local._own ? local._zones_by_service[each.key] : [])}, the zones of ${each.key}. Leave it out of interface_endpoints, or name other zones, which replaces subnets."
    }
  }
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = local._gateway_services

  vpc_id            = local._vpc_id
  service_name      = "${local._service_prefix}.${each.key}"
  vpc_endpoint_type = "Gateway"
  policy            = local._policy_by_endpoint[each.key]
  route_table_ids   = local._route_table_ids
  tags              = merge(var.tags, { Name = "${var.prefix}-${each.key}" })
}

# Clients of the REST API come with a key of Tollgate, not with an AWS identity, so this policy names
# what is called and the API's own resource policy says through which endpoint.
resource "aws_vpc_endpoint" "api" {
  count = local._private && var.api_endpoint != null ? 1 : 0

  vpc_id              = local._vpc_id
  service_name        = "${local._service_prefix}.execute-api"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = var.api_endpoint.private_dns
  security_group_ids  = aws_security_group.api[*].id
  subnet_ids          = local._subnet_ids
  tags                = merge(var.tags, { Name = "${var.prefix}-execute-api" })

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid    = "CallRestApisOfThisAccount"
      Effect = "Allow"
      # Callers have no AWS identity that could be named.
      Principal = "*"
      Action    = "execute-api:Invoke"
      Resource  = "arn:${local._partition}:execute-api:${var.region}:${var.account_id}:*"
    }]
  })
}

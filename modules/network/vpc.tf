# Subnets without a way out: no internet gateway, no NAT, and a route table that only the gateway
# endpoints write to.
locals {
  _private = var.mode == "private"
  _own     = local._private && var.existing == null

  # By their place in the list, because the zones are only known once they are chosen. An eighth
  # each, so that zones can be added at the end without moving what is there.
  _subnet_cidrs = {
    for index in range(local._own ? local._zone_count : 0) : tostring(index) => cidrsubnet(var.vpc_cidr, 3, index)
  }

  _vpc_id          = one(concat(aws_vpc.this[*].id, local._private ? var.existing[*].vpc_id : []))
  _subnet_ids      = local._own ? [for index in range(local._zone_count) : aws_subnet.this[tostring(index)].id] : local._private ? var.existing.subnet_ids : []
  _route_table_ids = local._own ? aws_route_table.this[*].id : local._private ? var.existing.route_table_ids : []
}

resource "aws_vpc" "this" {
  count = local._own ? 1 : 0

  cidr_block = var.vpc_cidr
  # Both are needed for the endpoints' private names.
  enable_dns_hostnames = true
  enable_dns_support   = true
  tags                 = merge(var.tags, { Name = var.prefix })
}

# AWS makes it open within itself; taken over without a rule it lets nothing through.
resource "aws_default_security_group" "this" {
  count = local._own ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = merge(var.tags, { Name = "${var.prefix}-unused" })
}

resource "aws_subnet" "this" {
  for_each = local._subnet_cidrs

  vpc_id                  = aws_vpc.this[0].id
  availability_zone       = local._zones[tonumber(each.key)]
  cidr_block              = each.value
  map_public_ip_on_launch = false
  tags                    = merge(var.tags, { Name = "${var.prefix}-${local._zones[tonumber(each.key)]}" })
}

resource "aws_route_table" "this" {
  count = local._own ? 1 : 0

  vpc_id = aws_vpc.this[0].id
  tags   = merge(var.tags, { Name = var.prefix })
}

resource "aws_route_table_association" "this" {
  for_each = local._subnet_cidrs

  route_table_id = aws_route_table.this[0].id
  subnet_id      = aws_subnet.this[each.key].id
}

# Which zones the own VPC has subnets in. Not every account has a zone a or b, and not every endpoint
# service is in every zone, so AWS is asked; what it said first stays, because a subnet in another
# zone is another subnet.
locals {
  _default_zone_count = 2

  _endpoint_services = toset(local._own ? concat(keys(var.actions_by_endpoint), var.api_endpoint == null ? [] : ["execute-api"]) : [])

  _zones_by_service = {
    for service, found in data.aws_vpc_endpoint_service.this : service => sort(found.availability_zones)
  }
  _usable_zones = sort(flatten([
    for region in data.aws_availability_zones.this[*].names : setintersection(region, values(local._zones_by_service)...)
  ]))
  _found_zones = slice(local._usable_zones, 0, min(local._default_zone_count, length(local._usable_zones)))

  _zone_count = var.availability_zones == null ? local._default_zone_count : length(var.availability_zones)
  _zones      = var.availability_zones == null ? one(terraform_data.zones[*].output) : var.availability_zones
}

data "aws_availability_zones" "this" {
  # checkov:skip=CKV_AWS_394:terraform_data.zones keeps the first choice, so a zone that AWS adds moves nothing
  count = local._own ? 1 : 0

  # Neither Local nor Wavelength Zones. A zone that is out of order is still a zone.
  filter {
    name   = "zone-type"
    values = ["availability-zone"]
  }
}

data "aws_vpc_endpoint_service" "this" {
  for_each = local._endpoint_services

  service_name = "${local._service_prefix}.${each.key}"
  service_type = "Interface"
}

resource "terraform_data" "zones" {
  count = local._own ? 1 : 0

  input = local._found_zones

  lifecycle {
    # A zone that AWS adds later, or gives a service that it lacked, moves nothing.
    ignore_changes = [input]

    precondition {
      condition     = var.availability_zones != null || length(local._found_zones) == local._default_zone_count
      error_message = "availability_zones: got null, and ${var.region} has ${length(local._usable_zones) == 0 ? "no zone" : "only ${join(", ", local._usable_zones)}"} with every endpoint service; allowed: one or more zones that have them all. They are in ${jsonencode(local._zones_by_service)}."
    }

    precondition {
      condition     = length(setsubtract(coalesce(var.availability_zones, []), local._usable_zones)) == 0
      error_message = "availability_zones: got ${join(", ", coalesce(var.availability_zones, []))}; allowed: ${join(", ", local._usable_zones)}, the zones of this account with every endpoint service. They are in ${jsonencode(local._zones_by_service)}."
    }
  }
}

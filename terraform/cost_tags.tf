# Costs by tenant and app in Cost Explorer and in cost and usage reports. Only the payer account can
# activate tags, for all of its accounts at once, and only tags that it has seen on something.
resource "aws_ce_cost_allocation_tag" "this" {
  for_each = var.activate_cost_allocation_tags ? toset(["app", "cost_center", "tenant", "tollgate-unit"]) : []

  tag_key = each.key
  status  = "Active"
}

# Costs by the tags of the sessions that calls are made in (pool_sessions and silo tenants). AWS knows
# them apart from a resource's by their prefix.
resource "aws_ce_cost_allocation_tag" "session" {
  for_each = try(var.bill_export.activate_session_tags, false) ? toset(["iamPrincipal/app", "iamPrincipal/tenant"]) : []

  tag_key = each.key
  status  = "Active"
}

output "api_endpoint_ids" {
  description = "Id of the endpoint `execute-api`, in a list; empty without one."
  value       = aws_vpc_endpoint.api[*].id
}

output "endpoint_ids" {
  description = "Ids of the functions' endpoints by service."
  value       = { for service, endpoint in merge(aws_vpc_endpoint.interface, aws_vpc_endpoint.gateway) : service => endpoint.id }
}

output "function_network" {
  description = "Subnets and security groups for the functions; null in public mode. What it names is complete once the ways out exist."
  value = local._private ? {
    security_group_ids = aws_security_group.functions[*].id
    subnet_ids         = local._subnet_ids
  } : null

  # A function that starts before them would wait for its own timeout.
  depends_on = [
    aws_route_table_association.this,
    aws_vpc_endpoint.gateway,
    aws_vpc_endpoint.interface,
    aws_vpc_security_group_egress_rule.functions_to_endpoints,
    aws_vpc_security_group_egress_rule.functions_to_existing,
    aws_vpc_security_group_egress_rule.functions_to_gateways,
    aws_vpc_security_group_ingress_rule.endpoints_from_functions,
  ]
}

output "vpc_id" {
  description = "Id of the VPC, own or existing; null in public mode."
  value       = local._vpc_id
}

output "components" {
  description = "Names of the inference components that calls may name."
  value       = sort(distinct(flatten([for endpoint in local._endpoints : try(endpoint.components, [])])))
}

output "json" {
  description = "The endpoints as functions read them, the same text for the same endpoints."
  value       = jsonencode(local._endpoints)
}

output "names" {
  description = "Names of the endpoints in SageMaker."
  value       = sort(distinct([for endpoint in local._endpoints : endpoint.endpoint]))
}

# SageMaker endpoints that tenants call by a display name.
locals {
  # A map, JSON, or the literal of a Python dictionary, which has other quotes and last commas.
  _endpoints_given = try(
    { for name, value in var.sagemaker_endpoints : name => value },
    { for name, value in jsondecode(var.sagemaker_endpoints) : name => value },
    { for name, value in jsondecode(replace(replace(var.sagemaker_endpoints, "'", "\""), "/,\\s*([}\\]])/", "$1")) : name => value },
    {},
  )

  _with_endpoints = {
    invoke = { environment = { SAGEMAKER_ENDPOINTS = module.endpoints.json } }
    models = { environment = { SAGEMAKER_ENDPOINTS = module.endpoints.json } }
  }

  # What is called of SageMaker. It writes names in small letters in its ARNs, whatever their case.
  _endpoint_arns = flatten([
    for kind, names in { endpoint = module.endpoints.names, inference-component = module.endpoints.components } : [
      for name in sort(distinct(flatten([for name in names : [name, lower(name)]]))) :
      "arn:${local.partition}:sagemaker:${var.region}:${local.account_id}:${kind}/${name}"
    ]
  ])
}

module "endpoints" {
  source = "../modules/endpoints"

  endpoints = local._endpoints_given
}

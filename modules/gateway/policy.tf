# Where calls may come from. A key is asked for everywhere; this is asked first.
locals {
  _denials = concat(
    var.endpoint.type != "PRIVATE" ? [] : [{
      sid       = "OtherEndpoints"
      condition = { StringNotEquals = { "aws:SourceVpce" = var.endpoint.vpc_endpoint_ids } }
    }],
    length(var.endpoint.allowed_cidrs) == 0 ? [] : [{
      sid = "OtherAddresses"
      condition = {
        # Behind an endpoint the client's address is the one in its VPC.
        NotIpAddress = { (var.endpoint.type == "PRIVATE" ? "aws:VpcSourceIp" : "aws:SourceIp") = var.endpoint.allowed_cidrs }
      }
    }],
  )

  # Relative to the API that the policy is of; API Gateway completes it.
  _every_method = "execute-api:/*"

  # Without a denial there is no policy: it would allow what is allowed anyway.
  _resource_policy = length(local._denials) == 0 ? {} : {
    x-amazon-apigateway-policy = {
      Version = "2012-10-17"
      Statement = concat(
        [for denial in local._denials : {
          Sid       = denial.sid
          Effect    = "Deny"
          Principal = "*"
          Action    = "execute-api:Invoke"
          Resource  = local._every_method
          Condition = denial.condition
        }],
        [{
          Sid    = "Everyone"
          Effect = "Allow"
          # Callers have a key of Tollgate, not an AWS identity.
          Principal = "*"
          Action    = "execute-api:Invoke"
          Resource  = local._every_method
        }],
      )
    }
  }
}

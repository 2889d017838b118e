# Where calls may come from. A key is asked for everywhere; this is asked first.
locals {
  _is_private = var.endpoint.type == "PRIVATE"

  _denials = concat(
    !local._is_private ? [] : [{
      Sid       = "OtherEndpoints"
      Condition = { StringNotEquals = { "aws:SourceVpce" = var.endpoint.vpc_endpoint_ids } }
    }],
    length(var.endpoint.allowed_cidrs) == 0 ? [] : [{
      Sid = "OtherAddresses"
      Condition = {
        # Behind an endpoint the client's address is the one in its VPC.
        NotIpAddress = { (local._is_private ? "aws:VpcSourceIp" : "aws:SourceIp") = var.endpoint.allowed_cidrs }
      }
    }],
  )

  _statements = concat(
    [for denial in local._denials : merge(denial, { Effect = "Deny" })],
    # Where nothing is denied the policy says so: an update would not remove one that was there before.
    [{ Sid = "Everyone", Effect = "Allow" }],
  )

  _resource_policy = {
    Version = "2012-10-17"
    Statement = [for statement in local._statements : merge(statement, {
      # Callers have a key of Tollgate, not an AWS identity.
      Principal = { AWS = "*" }
      Action    = "execute-api:Invoke"
      # The policy is of this API only. API Gateway would complete `execute-api:/*` with the API's id and
      # return another text than was sent, which every plan would show as a change.
      Resource = "*"
    })]
  }
}

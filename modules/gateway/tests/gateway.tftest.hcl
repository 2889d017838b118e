mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  prefix      = "tollgate-test"
  kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"

  functions = {
    authorize = { name = "tollgate-test-authorize", invoke_arn = "arn:uri:authorize" }
    converse  = { name = "tollgate-test-converse", invoke_arn = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111122223333:function:tollgate-test-converse/invocations" }
    invoke    = { name = "tollgate-test-invoke", invoke_arn = "arn:uri:invoke" }
    models    = { name = "tollgate-test-models", invoke_arn = "arn:uri:models" }
    stream    = { name = "tollgate-test-stream", invoke_arn = "arn:uri:stream" }
  }
}

run "body" {
  command = plan

  assert {
    condition     = toset(keys(jsondecode(aws_api_gateway_rest_api.this.body).paths)) == setunion(keys(yamldecode(file("openapi.yaml")).paths), ["/", "/{proxy+}"])
    error_message = "Every path of the contract is in the API, and what catches all others."
  }

  assert {
    condition = alltrue([
      for path in ["/", "/{proxy+}"] :
      keys(jsondecode(aws_api_gateway_rest_api.this.body).paths[path]) == ["x-amazon-apigateway-any-method"] &&
      jsondecode(aws_api_gateway_rest_api.this.body).paths[path]["x-amazon-apigateway-any-method"].security == [{ any_header = [] }, { usage_plan_key = [] }] &&
      jsondecode(aws_api_gateway_rest_api.this.body).paths[path]["x-amazon-apigateway-any-method"]["x-amazon-apigateway-integration"].uri == "arn:uri:models"
    ])
    error_message = "A request of no operation, with its key in either header, goes to the function that says so."
  }

  assert {
    condition = alltrue(flatten([
      for path, methods in yamldecode(file("openapi.yaml")).paths : [
        for method, operation in methods :
        jsondecode(aws_api_gateway_rest_api.this.body).paths[path][method]["x-amazon-apigateway-integration"].uri == "arn:uri:${operation["x-tollgate-function"]}"
        if !can(operation["x-tollgate-response-transfer-mode"])
      ]
    ]))
    error_message = "Every operation is integrated with the function that the contract names."
  }

  assert {
    condition = alltrue(flatten([
      for path, methods in jsondecode(aws_api_gateway_rest_api.this.body).paths : [
        for method, operation in methods :
        operation["x-amazon-apigateway-integration"].type == "aws_proxy" &&
        operation["x-amazon-apigateway-integration"].httpMethod == "POST" &&
        operation["x-amazon-apigateway-integration"].timeoutInMillis == (operation["x-amazon-apigateway-integration"].responseTransferMode == "STREAM" ? 900000 : 29000)
      ]
    ]))
    error_message = "Every integration is a Lambda proxy that waits 29 seconds, or 15 minutes where it streams."
  }

  assert {
    condition = alltrue(flatten([
      for path, methods in yamldecode(file("openapi.yaml")).paths : [
        for method, operation in methods :
        {
          for key in ["responseTransferMode", "uri"] :
          key => jsondecode(aws_api_gateway_rest_api.this.body).paths[path][method]["x-amazon-apigateway-integration"][key]
          } == {
          responseTransferMode = "STREAM"
          uri                  = "arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/arn:aws:lambda:us-east-1:111122223333:function:tollgate-test-converse/response-streaming-invocations"
        }
        if can(operation["x-tollgate-response-transfer-mode"])
      ]
    ]))
    error_message = "Streamed operations are invoked through the API that streams."
  }

  assert {
    condition     = jsondecode(aws_api_gateway_rest_api.this.body).paths["/invoke_model"].post["x-amazon-apigateway-integration"].responseTransferMode == "BUFFERED"
    error_message = "The others are buffered, which has to be said where it was STREAM before."
  }

  assert {
    condition = alltrue(flatten([
      for path, methods in jsondecode(aws_api_gateway_rest_api.this.body).paths : [
        for method, operation in methods :
        length(operation.security) == 2 && keys(operation.security[1]) == ["usage_plan_key"]
      ]
    ]))
    error_message = "Every method asks for an authorizer and for a usage plan key."
  }

  assert {
    condition     = jsondecode(aws_api_gateway_rest_api.this.body).paths["/invoke_model"].post.security[0] == { x_api_key = [] }
    error_message = "The contract's own security scheme comes first."
  }

  assert {
    condition = (
      jsondecode(aws_api_gateway_rest_api.this.body).paths["/v1/messages"].post.security[0] == { any_header = [] } &&
      jsondecode(aws_api_gateway_rest_api.this.body).components.securitySchemes.any_header["x-amazon-apigateway-authorizer"] == {
        authorizerResultTtlInSeconds = 0
        authorizerUri                = "arn:uri:authorize"
        type                         = "request"
      }
    )
    error_message = "Where a key may come in either header, the authorizer needs neither and caches nothing."
  }

  assert {
    condition = {
      for name in ["x_api_key", "bearer"] :
      name => jsondecode(aws_api_gateway_rest_api.this.body).components.securitySchemes[name]
      } == {
      x_api_key = {
        in                           = "header"
        name                         = "Unused"
        type                         = "apiKey"
        x-amazon-apigateway-authtype = "custom"
        x-amazon-apigateway-authorizer = {
          authorizerResultTtlInSeconds = 60
          authorizerUri                = "arn:uri:authorize"
          identitySource               = "method.request.header.x-api-key"
          type                         = "request"
        }
      }
      bearer = {
        in                           = "header"
        name                         = "Unused"
        type                         = "apiKey"
        x-amazon-apigateway-authtype = "custom"
        x-amazon-apigateway-authorizer = {
          authorizerResultTtlInSeconds = 60
          authorizerUri                = "arn:uri:authorize"
          identitySource               = "method.request.header.Authorization"
          type                         = "request"
        }
      }
    }
    error_message = "Both headers are checked by the function authorize."
  }

  assert {
    condition     = jsondecode(aws_api_gateway_rest_api.this.body)["x-amazon-apigateway-api-key-source"] == "AUTHORIZER" && aws_api_gateway_rest_api.this.api_key_source == "AUTHORIZER"
    error_message = "The usage plan's key comes from the authorizer."
  }

  assert {
    condition = alltrue([
      for word in ["x-tollgate", "example", "oneOf", "#/components", "requestBody", "servers"] :
      !strcontains(aws_api_gateway_rest_api.this.body, word)
    ])
    error_message = "What API Gateway cannot import is left out."
  }

  assert {
    condition = [
      for parameter in jsondecode(aws_api_gateway_rest_api.this.body).paths["/invoke_model"].post.parameters : parameter.name if parameter.required
    ] == ["team_id"]
    error_message = "Required parameters are kept, and only those are required."
  }

  assert {
    condition     = jsondecode(aws_api_gateway_rest_api.this.body).paths["/invoke_model"].post["x-amazon-apigateway-request-validator"] == "parameters" && contains(keys(jsondecode(aws_api_gateway_rest_api.this.body)["x-amazon-apigateway-request-validators"]), "parameters")
    error_message = "Required parameters are checked by a validator that exists."
  }

  assert {
    condition     = jsondecode(aws_api_gateway_rest_api.this.body).paths["/invoke_model"].post.responses["410"].description == "The job's result has expired."
    error_message = "Responses keep the description behind their reference."
  }
}

run "gateway_responses" {
  command = plan

  assert {
    condition = {
      for type in ["MISSING_AUTHENTICATION_TOKEN", "UNAUTHORIZED", "INVALID_API_KEY", "THROTTLED", "QUOTA_EXCEEDED", "BAD_REQUEST_PARAMETERS", "INTEGRATION_TIMEOUT", "REQUEST_TOO_LARGE"] :
      type => jsondecode(aws_api_gateway_rest_api.this.body)["x-amazon-apigateway-gateway-responses"][type].statusCode
      } == {
      BAD_REQUEST_PARAMETERS       = "400"
      INTEGRATION_TIMEOUT          = "504"
      INVALID_API_KEY              = "403"
      MISSING_AUTHENTICATION_TOKEN = "405"
      QUOTA_EXCEEDED               = "429"
      REQUEST_TOO_LARGE            = "413"
      THROTTLED                    = "429"
      UNAUTHORIZED                 = "403"
    }
    error_message = "The gateway's own answers have the statuses of the contract."
  }

  assert {
    condition = jsondecode(
      jsondecode(aws_api_gateway_rest_api.this.body)["x-amazon-apigateway-gateway-responses"]["ACCESS_DENIED"].responseTemplates["application/json"]
      ) == {
      code       = "invalid_api_key"
      error      = { code = "invalid_api_key", message = "Forbidden. $context.authorizer.advice", type = "permission_error" }
      message    = "Forbidden. $context.authorizer.advice"
      request_id = "$context.requestId"
      type       = "error"
    }
    error_message = "A key that gives no access is answered with the authorizer's advice."
  }

  assert {
    condition     = jsondecode(aws_api_gateway_rest_api.this.body)["x-amazon-apigateway-gateway-responses"]["BAD_REQUEST_PARAMETERS"].responseTemplates["application/json"] == "{\"message\":$context.error.messageString,\"code\":\"invalid_request\",\"request_id\":\"$context.requestId\",\"type\":\"error\",\"error\":{\"message\":$context.error.messageString,\"type\":\"invalid_request_error\",\"code\":\"invalid_request\"}}"
    error_message = "API Gateway's text about parameters is passed on, with its own quotes."
  }

  assert {
    condition     = jsondecode(aws_api_gateway_rest_api.this.body)["x-amazon-apigateway-gateway-responses"]["THROTTLED"].responseParameters["gatewayresponse.header.Retry-After"] == "'1'"
    error_message = "A throttled caller is told when to come back."
  }

  assert {
    condition = (
      jsondecode(aws_api_gateway_rest_api.this.body)["x-amazon-apigateway-gateway-responses"]["INTEGRATION_TIMEOUT"].responseParameters["gatewayresponse.header.x-should-retry"] == "'false'"
      && strcontains(jsondecode(jsondecode(aws_api_gateway_rest_api.this.body)["x-amazon-apigateway-gateway-responses"]["INTEGRATION_TIMEOUT"].responseTemplates["application/json"]).details.advice, "POST /v1/jobs")
    )
    error_message = "Who waited for a long call in vain is told how to make one, and no SDK makes it twice."
  }
}

run "stage" {
  command = plan

  variables {
    authorizer_cache_seconds = 0
    log_retention_days       = 30
    stage_name               = "v2"
    throttle                 = { rate_limit = 10, burst_limit = 20 }
  }

  assert {
    condition     = aws_api_gateway_stage.this.stage_name == "v2" && output.stage_name == "v2"
    error_message = "The stage has the given name."
  }

  assert {
    condition = (
      aws_api_gateway_method_settings.all.settings[0].throttling_rate_limit == 10 &&
      aws_api_gateway_method_settings.all.settings[0].throttling_burst_limit == 20 &&
      aws_api_gateway_method_settings.all.settings[0].metrics_enabled &&
      !aws_api_gateway_method_settings.all.settings[0].data_trace_enabled
    )
    error_message = "The stage is throttled and measured, and its traces are off."
  }

  assert {
    condition     = jsondecode(aws_api_gateway_stage.this.access_log_settings[0].format).tenant_id == "$context.authorizer.tenant_id"
    error_message = "An access log line names the tenant."
  }

  assert {
    condition     = !strcontains(lower(aws_api_gateway_stage.this.access_log_settings[0].format), "apikey")
    error_message = "No key or key id of API Gateway is logged."
  }

  assert {
    condition     = aws_cloudwatch_log_group.access.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.execution.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.execution.retention_in_days == 30
    error_message = "Both log groups are encrypted and expire."
  }

  assert {
    condition     = jsondecode(aws_api_gateway_rest_api.this.body).components.securitySchemes.bearer["x-amazon-apigateway-authorizer"].authorizerResultTtlInSeconds == 0
    error_message = "The cache of verdicts can be switched off."
  }

  assert {
    condition     = length(aws_api_gateway_account.this) == 0 && length(aws_iam_role.logging) == 0
    error_message = "The account's logging role is left alone by default."
  }
}

run "permissions" {
  assert {
    condition     = aws_lambda_permission.operation["getJob"].source_arn == "arn:aws:execute-api:us-east-1:111122223333:abcde12345/v1/GET/v1/jobs/*" && aws_lambda_permission.operation["getJob"].function_name == "tollgate-test-stream"
    error_message = "A method may invoke its own function, and path parameters are free."
  }

  assert {
    condition     = aws_lambda_permission.unrouted.source_arn == "arn:aws:execute-api:us-east-1:111122223333:abcde12345/v1/*/*" && aws_lambda_permission.unrouted.function_name == "tollgate-test-models"
    error_message = "A request of no operation may have any method and path of this stage."
  }

  assert {
    condition     = aws_lambda_permission.authorizer.source_arn == "arn:aws:execute-api:us-east-1:111122223333:abcde12345/authorizers/*" && aws_lambda_permission.authorizer.function_name == "tollgate-test-authorize"
    error_message = "Only this API's authorizers invoke authorize."
  }
}

run "regional_for_everyone" {
  command = plan

  assert {
    condition     = aws_api_gateway_rest_api.this.endpoint_configuration[0].types == tolist(["REGIONAL"]) && !can(jsondecode(aws_api_gateway_rest_api.this.body).servers)
    error_message = "By default the API is reached from everywhere."
  }

  assert {
    condition = jsondecode(aws_api_gateway_rest_api.this.policy) == {
      Statement = [{ Action = "execute-api:Invoke", Effect = "Allow", Principal = { AWS = "*" }, Resource = "*", Sid = "Everyone" }]
      Version   = "2012-10-17"
    }
    error_message = "Where nothing is denied, a policy says so; an update removes none."
  }

  assert {
    condition = (
      aws_api_gateway_rest_api.this.description == jsondecode(aws_api_gateway_rest_api.this.body).info.description
      && aws_api_gateway_rest_api.this.name == jsondecode(aws_api_gateway_rest_api.this.body).info.title
      && jsondecode(aws_api_gateway_rest_api.this.policy) == jsondecode(aws_api_gateway_rest_api.this.body)["x-amazon-apigateway-policy"]
    )
    error_message = "What the body says of the API, the attributes say too, or an update would bring back what was before."
  }

  assert {
    condition     = aws_api_gateway_rest_api.this.fail_on_warnings
    error_message = "What API Gateway would leave out of the body fails the apply."
  }

  assert {
    condition     = length(aws_wafv2_web_acl_association.this) == 0
    error_message = "By default there is no web ACL."
  }
}

run "regional_for_some_addresses" {
  command = plan

  variables {
    endpoint = { allowed_cidrs = ["192.0.2.0/24"] }
  }

  assert {
    condition = [
      for statement in jsondecode(aws_api_gateway_rest_api.this.body)["x-amazon-apigateway-policy"].Statement : [statement.Effect, try(statement.Condition, {})]
      ] == [
      ["Deny", { NotIpAddress = { "aws:SourceIp" = ["192.0.2.0/24"] } }],
      ["Allow", {}],
    ]
    error_message = "Other addresses are denied."
  }
}

run "private" {
  command = plan

  variables {
    endpoint = {
      type             = "PRIVATE"
      allowed_cidrs    = ["10.1.0.0/16"]
      vpc_endpoint_ids = ["vpce-0a1", "vpce-0b2"]
    }
  }

  assert {
    condition     = aws_api_gateway_rest_api.this.endpoint_configuration[0].types == tolist(["PRIVATE"]) && aws_api_gateway_rest_api.this.endpoint_configuration[0].vpc_endpoint_ids == toset(["vpce-0a1", "vpce-0b2"])
    error_message = "The API is private and has names behind the endpoints."
  }

  assert {
    condition = jsondecode(aws_api_gateway_rest_api.this.body).servers == [{
      url                                        = "/"
      x-amazon-apigateway-endpoint-configuration = { vpcEndpointIds = ["vpce-0a1", "vpce-0b2"] }
    }]
    error_message = "The body names the endpoints, so that an import does not remove them."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_api_gateway_rest_api.this.body)["x-amazon-apigateway-policy"].Statement : statement.Sid => try(statement.Condition, {})
      } == {
      Everyone       = {}
      OtherAddresses = { NotIpAddress = { "aws:VpcSourceIp" = ["10.1.0.0/16"] } }
      OtherEndpoints = { StringNotEquals = { "aws:SourceVpce" = ["vpce-0a1", "vpce-0b2"] } }
    }
    error_message = "Other endpoints and other addresses are denied."
  }

  assert {
    condition     = aws_api_gateway_deployment.this.triggers["redeploy"] == sha1(aws_api_gateway_rest_api.this.body)
    error_message = "A change of the policy is deployed; API Gateway applies it only then."
  }
}

run "takes_as_many_addresses_as_a_policy_holds" {
  command = plan

  variables {
    endpoint = { allowed_cidrs = [for number in range(404) : "100.${100 + floor(number / 100)}.${100 + number % 100}.0/24"] }
  }

  assert {
    condition     = length(aws_api_gateway_rest_api.this.policy) <= 8192
    error_message = "The longest list makes a policy that API Gateway takes."
  }
}

run "takes_as_many_addresses_beside_endpoints" {
  command = plan

  variables {
    endpoint = {
      type             = "PRIVATE"
      allowed_cidrs    = [for number in range(391) : "100.${100 + floor(number / 100)}.${100 + number % 100}.0/24"]
      vpc_endpoint_ids = [for number in range(10) : "vpce-${10000000000000000 + number}"]
    }
  }

  assert {
    condition     = length(aws_api_gateway_rest_api.this.policy) <= 8192
    error_message = "The longest list beside ten endpoints makes a policy that API Gateway takes."
  }
}

run "rejects_more_addresses_than_a_policy_holds" {
  command = plan

  variables {
    endpoint = { allowed_cidrs = [for number in range(405) : "100.${100 + floor(number / 100)}.${100 + number % 100}.0/24"] }
  }

  expect_failures = [var.endpoint]
}

run "rejects_more_addresses_than_a_policy_holds_beside_endpoints" {
  command = plan

  variables {
    endpoint = {
      type             = "PRIVATE"
      allowed_cidrs    = [for number in range(391) : "100.${100 + floor(number / 100)}.${100 + number % 100}.0/24"]
      vpc_endpoint_ids = [for number in range(11) : "vpce-${10000000000000000 + number}"]
    }
  }

  expect_failures = [var.endpoint]
}

run "web_acl" {
  command = plan

  variables {
    web_acl = { arn = "arn:aws:wafv2:us-east-1:111122223333:regional/webacl/tollgate-test/0" }
  }

  assert {
    condition     = aws_wafv2_web_acl_association.this[0].resource_arn == aws_api_gateway_stage.this.arn && aws_wafv2_web_acl_association.this[0].web_acl_arn == var.web_acl.arn
    error_message = "The stage is behind the given web ACL."
  }
}

run "rejects_a_private_api_without_endpoints" {
  command = plan

  variables {
    endpoint = { type = "PRIVATE" }
  }

  expect_failures = [var.endpoint]
}

run "rejects_endpoints_of_a_regional_api" {
  command = plan

  variables {
    endpoint = { vpc_endpoint_ids = ["vpce-0a1"] }
  }

  expect_failures = [var.endpoint]
}

run "account_logging_role" {
  variables {
    manage_account_logging_role = true
    permissions_boundary_arn    = "arn:aws:iam::111122223333:policy/boundary"
  }

  assert {
    condition     = aws_api_gateway_account.this[0].cloudwatch_role_arn == aws_iam_role.logging[0].arn
    error_message = "The account's role is set."
  }

  assert {
    condition     = aws_iam_role_policy_attachment.logging[0].policy_arn == "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs" && aws_iam_role.logging[0].permissions_boundary == "arn:aws:iam::111122223333:policy/boundary"
    error_message = "The role has AWS's policy for this and the boundary."
  }
}

run "rejects_missing_function" {
  command = plan

  variables {
    functions = {
      authorize = { name = "tollgate-test-authorize", invoke_arn = "arn:uri:authorize" }
      invoke    = { name = "tollgate-test-invoke", invoke_arn = "arn:uri:invoke" }
    }
  }

  expect_failures = [aws_api_gateway_rest_api.this]
}

run "rejects_values_out_of_range" {
  command = plan

  variables {
    authorizer_cache_seconds = 3601
    endpoint                 = { type = "EDGE", allowed_cidrs = ["here"] }
    functions                = {}
    kms_key_arn              = "alias/tollgate"
    log_retention_days       = 2
    permissions_boundary_arn = "boundary"
    prefix                   = "T"
    stage_name               = "v 1"
    throttle                 = { rate_limit = 0 }
    web_acl                  = { arn = "tollgate" }
  }

  expect_failures = [
    var.authorizer_cache_seconds,
    var.endpoint,
    var.functions,
    var.kms_key_arn,
    var.log_retention_days,
    var.permissions_boundary_arn,
    var.prefix,
    var.stage_name,
    var.throttle,
    var.web_acl,
  ]
}

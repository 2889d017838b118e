# The REST API's definition: the contract in openapi.yaml, merged with what only AWS needs.
#
# What is left out of the import, and why:
# - x-tollgate-function, x-tollgate-response-transfer-mode, x-tollgate-unrouted-function: ours; they
#   become the integrations.
# - tags, and servers but for those that name a private API's endpoints: the stage decides the base path.
# - requestBody and components.schemas: the functions check bodies, because a poll ignores its body
#   and because an error has the shape of the dialect. API Gateway would make a model per schema.
# - headers, content and examples of responses: a proxy integration passes the function's answer
#   through, and the import knows neither references to components.headers nor `examples`.
# - bounds, lengths and patterns of parameters: API Gateway only checks that a required one is there.
locals {
  _contract          = yamldecode(file("${path.module}/openapi.yaml"))
  _gateway_responses = yamldecode(file("${path.module}/gateway_responses.yaml"))

  # How long API Gateway waits. Buffered: its default, a longer one needs a raised quota in the account.
  # Streamed: its most, which is the function's own time as well.
  _integration_timeouts_ms = { BUFFERED = 29000, STREAM = 900000 }

  # The security scheme of operations that take a key in one of several headers.
  _any_header_scheme = "any_header"

  # The security scheme that makes a method count against the caller's usage plan.
  _usage_plan_scheme = "usage_plan_key"

  _operation_keys = ["description", "operationId", "summary", "x-amazon-apigateway-request-validator"]

  _operations_by_id = merge([
    for path, methods in local._contract.paths : {
      for method, operation in methods : operation.operationId => {
        function = operation["x-tollgate-function"]
        method   = upper(method)
        path     = path
        schemes  = flatten([for requirement in operation.security : keys(requirement)])
      }
    }
  ]...)

  _transfer_modes = merge([
    for path, methods in local._contract.paths : {
      for method, operation in methods :
      operation.operationId => try(operation["x-tollgate-response-transfer-mode"], "BUFFERED")
    }
  ]...)

  # A streamed answer comes from another API of Lambda, which reads what the function's runtime sends.
  _integration_uris = {
    for id, operation in local._operations_by_id : id => (
      local._transfer_modes[id] == "STREAM"
      ? replace(
        replace(try(var.functions[operation.function].invoke_arn, ""), ":lambda:path/2015-03-31", ":lambda:path/2021-11-15"),
        "/\\/invocations$/", "/response-streaming-invocations",
      )
      : try(var.functions[operation.function].invoke_arn, "")
    )
  }

  _unrouted_function = local._contract["x-tollgate-unrouted-function"]

  _missing_functions = setsubtract(
    concat([local._unrouted_function], [for operation in values(local._operations_by_id) : operation.function]),
    keys(var.functions),
  )

  _paths = {
    for path, methods in local._contract.paths : path => {
      for method, operation in methods : method => merge(
        { for key, value in operation : key => value if contains(local._operation_keys, key) },
        {
          parameters = [
            for parameter in try(operation.parameters, []) : {
              description = try(parameter.description, parameter.name)
              in          = parameter.in
              name        = parameter.name
              required    = try(parameter.required, false)
              schema      = { type = parameter.schema.type }
            }
          ]
          responses = {
            for status, response in operation.responses : status => {
              description = try(
                response.description,
                local._contract.components.responses[trimprefix(response["$ref"], "#/components/responses/")].description,
              )
            }
          }
          security = [
            { (length(operation.security) > 1 ? local._any_header_scheme : keys(operation.security[0])[0]) = [] },
            { (local._usage_plan_scheme) = [] },
          ]
          x-amazon-apigateway-integration = {
            httpMethod           = "POST"
            passthroughBehavior  = "when_no_match"
            responseTransferMode = local._transfer_modes[operation.operationId]
            timeoutInMillis      = local._integration_timeouts_ms[local._transfer_modes[operation.operationId]]
            type                 = "aws_proxy"
            uri                  = local._integration_uris[operation.operationId]
            responses            = { default = { statusCode = "200" } }
          }
        },
      )
    }
  }

  # What no operation takes, path and method together, is caught by these and answered in the
  # caller's dialect. Without them API Gateway answers 403 before it asks for a key.
  _catching_paths = {
    for path, parameters in { "/" = [], "/{proxy+}" = ["proxy"] } : path => {
      x-amazon-apigateway-any-method = {
        description = "Requests of no operation"
        parameters  = [for name in parameters : { in = "path", name = name, required = true, schema = { type = "string" } }]
        responses   = { default = { description = "The nearest route, or the methods that the path takes" } }
        security    = [{ (local._any_header_scheme) = [] }, { (local._usage_plan_scheme) = [] }]
        x-amazon-apigateway-integration = {
          httpMethod           = "POST"
          passthroughBehavior  = "when_no_match"
          responseTransferMode = "BUFFERED"
          timeoutInMillis      = local._integration_timeouts_ms["BUFFERED"]
          type                 = "aws_proxy"
          uri                  = try(var.functions[local._unrouted_function].invoke_arn, "")
          responses            = { default = { statusCode = "200" } }
        }
      }
    }
  }

  _security_schemes = merge(
    {
      for name, scheme in local._contract.components.securitySchemes : name => {
        type = "apiKey"
        in   = "header"
        # API Gateway's own word for a request authorizer; the header is named in identitySource.
        # The real name, x-api-key, would be taken for a usage plan key.
        name                         = "Unused"
        x-amazon-apigateway-authtype = "custom"
        x-amazon-apigateway-authorizer = {
          authorizerResultTtlInSeconds = var.authorizer_cache_seconds
          authorizerUri                = var.functions["authorize"].invoke_arn
          identitySource               = "method.request.header.${scheme.name}"
          type                         = "request"
        }
      }
    },
    {
      # API Gateway refuses a request that lacks one of an authorizer's identity sources, and caches
      # by all of them. So this one has none and asks every time.
      (local._any_header_scheme) = {
        type                         = "apiKey"
        in                           = "header"
        name                         = "Unused"
        x-amazon-apigateway-authtype = "custom"
        x-amazon-apigateway-authorizer = {
          authorizerResultTtlInSeconds = 0
          authorizerUri                = var.functions["authorize"].invoke_arn
          type                         = "request"
        }
      }
      (local._usage_plan_scheme) = {
        type = "apiKey"
        in   = "header"
        name = "x-api-key"
      }
    },
  )

  # The usage plan's key comes from the authorizer, so that both headers count.
  _api_key_source = "AUTHORIZER"

  # OpenAPI 3 has an API's endpoints at a server. The stage decides the base path.
  _servers = !local._is_private ? {} : {
    servers = [{
      url                                        = "/"
      x-amazon-apigateway-endpoint-configuration = { vpcEndpointIds = var.endpoint.vpc_endpoint_ids }
    }]
  }

  _rest_api_body = jsonencode(merge(local._servers, {
    openapi = "3.0.1"
    info    = merge(local._contract.info, { title = var.prefix })
    paths   = merge(local._paths, local._catching_paths)
    components = {
      securitySchemes = local._security_schemes
    }
    x-amazon-apigateway-api-key-source = local._api_key_source
    x-amazon-apigateway-policy         = local._resource_policy
    x-amazon-apigateway-request-validators = {
      parameters = { validateRequestBody = false, validateRequestParameters = true }
    }
    x-amazon-apigateway-gateway-responses = {
      for type, response in local._gateway_responses : type => {
        statusCode = tostring(response.status)
        responseParameters = merge(
          { "gatewayresponse.header.x-request-id" = "context.requestId" },
          can(response.retry_after_seconds) ? { "gatewayresponse.header.Retry-After" = "'${response.retry_after_seconds}'" } : {},
          can(response.is_final) ? { "gatewayresponse.header.x-should-retry" = "'false'" } : {},
        )
        responseTemplates = {
          # One body that every dialect's SDK finds its own error in. Written by hand: messageString
          # comes with its quotes, so it must not be quoted again.
          "application/json" = format(
            "{\"message\":%[1]s,\"code\":\"%[2]s\",\"request_id\":\"$context.requestId\",\"type\":\"error\",\"error\":{\"message\":%[1]s,\"type\":\"%[3]s\",\"code\":\"%[2]s\"}%[4]s}",
            try(jsonencode(response.message), "$context.error.messageString"),
            response.code,
            response.type,
            can(response.advice) ? ",\"details\":{\"advice\":${jsonencode(response.advice)}}" : "",
          )
        }
      }
    }
  }))
}

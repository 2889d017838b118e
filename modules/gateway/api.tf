# Another type of endpoint needs another API: the provider would keep a private one's endpoints, which
# AWS takes for no other type.
resource "terraform_data" "endpoint_type" {
  input = var.endpoint.type
}

# What the body says of the API itself is said here once more, and neither without the other. An update
# imports the body, which removes what it does not say, and then the provider patches each property
# back to the attribute, or to the state of before where there is none: what only the body said would
# never change, and no plan would show it.
resource "aws_api_gateway_rest_api" "this" {
  name             = var.prefix
  api_key_source   = local._api_key_source
  body             = local._rest_api_body
  description      = local._contract.info.description
  fail_on_warnings = true
  policy           = jsonencode(local._resource_policy)
  tags             = var.tags

  endpoint_configuration {
    ip_address_type  = local._is_private ? "dualstack" : "ipv4"
    types            = [var.endpoint.type]
    vpc_endpoint_ids = local._is_private ? var.endpoint.vpc_endpoint_ids : null
  }

  lifecycle {
    create_before_destroy = true
    replace_triggered_by  = [terraform_data.endpoint_type]

    precondition {
      condition     = length(local._missing_functions) == 0
      error_message = "functions: the contract routes to ${join(", ", local._missing_functions)}, which is not among ${join(", ", keys(var.functions))}."
    }

    precondition {
      condition = alltrue([
        for operation in values(local._operations_by_id) :
        length(operation.schemes) > 0 && length(setsubtract(operation.schemes, keys(local._contract.components.securitySchemes))) == 0
      ])
      error_message = "openapi.yaml: every operation needs one or more of the security schemes ${join(", ", keys(local._contract.components.securitySchemes))}."
    }
  }
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  description = "The contract, version ${local._contract.info.version}"

  triggers = {
    redeploy = sha1(local._rest_api_body)
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_stage" "this" {
  # checkov:skip=CKV_AWS_120:answers differ per tenant and are never cached by the gateway
  # checkov:skip=CKV2_AWS_29:callers need a key and are throttled; a web ACL is the operator's choice
  # checkov:skip=CKV2_AWS_77:the web ACL is given by its ARN; the one of modules/web_acl has these rules
  # checkov:skip=CKV2_AWS_51:there is no backend over HTTP that could check a client certificate
  # checkov:skip=CKV_AWS_73:tracing follows the caller; X-Ray sampling is switched on per function
  rest_api_id   = aws_api_gateway_rest_api.this.id
  deployment_id = aws_api_gateway_deployment.this.id
  stage_name    = var.stage_name
  description   = "Version ${local._contract.info.version} of the contract"
  tags          = var.tags

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    format          = jsonencode(local._access_log_fields)
  }

  depends_on = [
    aws_api_gateway_account.this,
    aws_cloudwatch_log_group.execution,
  ]
}

resource "aws_wafv2_web_acl_association" "this" {
  count = var.web_acl == null ? 0 : 1

  resource_arn = aws_api_gateway_stage.this.arn
  web_acl_arn  = var.web_acl.arn
}

resource "aws_api_gateway_method_settings" "all" {
  # checkov:skip=CKV_AWS_225:answers differ per tenant and are never cached by the gateway
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  settings {
    # Traces would hold prompts, completions and keys.
    data_trace_enabled     = false
    logging_level          = "ERROR"
    metrics_enabled        = true
    throttling_burst_limit = var.throttle.burst_limit
    throttling_rate_limit  = var.throttle.rate_limit
  }
}

resource "aws_lambda_permission" "operation" {
  for_each = local._operations_by_id

  statement_id  = each.key
  action        = "lambda:InvokeFunction"
  function_name = try(var.functions[each.value.function].name, each.value.function)
  principal     = "apigateway.amazonaws.com"
  source_arn = join("", [
    aws_api_gateway_rest_api.this.execution_arn, "/", var.stage_name, "/", each.value.method,
    replace(each.value.path, "/\\{[^}]+\\}/", "*"),
  ])
}

# A request of no operation has any method and any path.
resource "aws_lambda_permission" "unrouted" {
  statement_id  = "unrouted"
  action        = "lambda:InvokeFunction"
  function_name = try(var.functions[local._unrouted_function].name, local._unrouted_function)
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/${var.stage_name}/*/*"
}

resource "aws_lambda_permission" "authorizer" {
  statement_id  = "authorize"
  action        = "lambda:InvokeFunction"
  function_name = var.functions["authorize"].name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.this.execution_arn}/authorizers/*"
}

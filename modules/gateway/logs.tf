locals {
  # Who called what, with which outcome and how long it took. Never the key, headers or a body:
  # $context.identity.apiKey and apiKeyId stay out. API Gateway fills the values in as text and has no
  # function that escapes them, so only those are here that cannot hold a quote, a backslash or a line
  # break: no user agent, no path and no message of an error. `authorize` logs the user agent.
  _access_log_fields = {
    app_id                 = "$context.authorizer.app_id"
    authorizer_latency_ms  = "$context.authorizer.latency"
    authorizer_status      = "$context.authorizer.status"
    error_type             = "$context.error.responseType"
    integration_latency_ms = "$context.integration.latency"
    integration_request_id = "$context.integration.requestId"
    integration_status     = "$context.integration.status"
    ip                     = "$context.identity.sourceIp"
    key_id                 = "$context.authorizer.key_id"
    latency_ms             = "$context.responseLatency"
    method                 = "$context.httpMethod"
    protocol               = "$context.protocol"
    request_id             = "$context.requestId"
    requested_at           = "$context.requestTimeEpoch"
    response_bytes         = "$context.responseLength"
    route                  = "$context.resourcePath"
    status                 = "$context.status"
    tenant_id              = "$context.authorizer.tenant_id"
    tier                   = "$context.authorizer.tier"
  }
}

resource "aws_cloudwatch_log_group" "access" {
  # checkov:skip=CKV_AWS_338:The environment decides; a year unless it says otherwise.
  name              = "/aws/apigateway/${var.prefix}/access"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

# API Gateway would make this one by itself, unencrypted and kept for ever.
resource "aws_cloudwatch_log_group" "execution" {
  # checkov:skip=CKV_AWS_338:The environment decides; a year unless it says otherwise.
  name              = "API-Gateway-Execution-Logs_${aws_api_gateway_rest_api.this.id}/${var.stage_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "logging" {
  count = var.manage_account_logging_role ? 1 : 0

  name                 = "${var.prefix}-apigateway-logs"
  description          = "Lets API Gateway write the logs of every stage in this region"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "ApiGateway"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "apigateway.amazonaws.com" }
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "logging" {
  count = var.manage_account_logging_role ? 1 : 0

  role = aws_iam_role.logging[0].name
  # API Gateway checks for this managed policy's rights; the key's ARN states the partition.
  policy_arn = "arn:${split(":", var.kms_key_arn)[1]}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

resource "aws_api_gateway_account" "this" {
  count = var.manage_account_logging_role ? 1 : 0

  cloudwatch_role_arn = aws_iam_role.logging[0].arn

  depends_on = [aws_iam_role_policy_attachment.logging]
}

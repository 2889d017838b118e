locals {
  name = "${var.name_prefix}-${var.name}"
}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_338:The environment decides; a year unless it says otherwise.
  name              = "/aws/lambda/${local.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_115:a reservation takes capacity from the whole account, so it is the operator's choice
  # checkov:skip=CKV_AWS_116:only a scheduled function is invoked asynchronously, and that one keeps failed events in a queue as its on-failure destination
  # checkov:skip=CKV_AWS_117:the function talks to AWS APIs only; a network of its own is the deployment's choice
  # checkov:skip=CKV_AWS_272:the zip is pinned by its hash, and the plan that carries the hash is what gets applied

  function_name = local.name
  description   = var.description
  role          = aws_iam_role.this.arn

  filename         = var.artifact.path
  source_code_hash = var.artifact.sha256
  handler          = var.handler
  runtime          = var.runtime
  architectures    = [var.architecture]

  memory_size                    = var.memory_mb
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)
  kms_key_arn                    = var.kms_key_arn

  environment {
    variables = merge(var.environment, {
      POWERTOOLS_LOG_LEVEL = "INFO"
      # It is the dimension of the function's metrics, which several deployments in an account have.
      POWERTOOLS_SERVICE_NAME = local.name
    })
  }

  logging_config {
    log_format            = "JSON"
    log_group             = aws_cloudwatch_log_group.this.name
    application_log_level = "INFO"
    system_log_level      = "WARN"
  }

  tracing_config {
    mode = var.tracing_mode
  }

  dynamic "vpc_config" {
    for_each = var.network[*]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  tags = var.tags

  # Lambda checks that the role may read the queue, keep failed events or attach to the network when
  # any of them is set.
  depends_on = [aws_iam_role_policy.this]

  lifecycle {
    precondition {
      condition     = var.event_queue == null || var.schedule_expression == null
      error_message = "${local.name}: event_queue and schedule_expression exclude each other; a function has one trigger."
    }
  }
}

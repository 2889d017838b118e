# One message at a time: a message is a model call that runs for minutes and is paid for.
resource "aws_lambda_event_source_mapping" "queue" {
  count = var.event_queue == null ? 0 : 1

  function_name           = aws_lambda_function.this.arn
  event_source_arn        = var.event_queue.arn
  batch_size              = 1
  function_response_types = ["ReportBatchItemFailures"]
  tags                    = var.tags

  # Messages stay in the queue beyond it, where a function's reserved concurrency would fail them.
  dynamic "scaling_config" {
    for_each = var.event_queue.maximum_concurrency[*]

    content {
      maximum_concurrency = scaling_config.value
    }
  }
}

resource "aws_scheduler_schedule" "this" {
  count = var.schedule_expression == null ? 0 : 1

  name                = local.name
  description         = "Invokes ${local.name}"
  schedule_expression = var.schedule_expression
  kms_key_arn         = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this.arn
    role_arn = aws_iam_role.schedule[0].arn

    dead_letter_config {
      arn = aws_sqs_queue.dead[0].arn
    }

    # A missed run is made up for by the next one.
    retry_policy {
      maximum_event_age_in_seconds = 300
      maximum_retry_attempts       = 2
    }
  }

  depends_on = [aws_iam_role_policy.schedule]
}

# The scheduler invokes asynchronously; a failed run goes to the queue at once, with its error, because
# the next run does the same work again.
resource "aws_lambda_function_event_invoke_config" "schedule" {
  count = var.schedule_expression == null ? 0 : 1

  function_name                = aws_lambda_function.this.function_name
  maximum_event_age_in_seconds = 300
  maximum_retry_attempts       = 0

  destination_config {
    on_failure {
      destination = aws_sqs_queue.dead[0].arn
    }
  }
}

resource "aws_sqs_queue" "dead" {
  count = var.schedule_expression == null ? 0 : 1

  name                      = "${local.name}-dead"
  kms_master_key_id         = var.kms_key_arn
  message_retention_seconds = 1209600
  tags                      = var.tags
}

resource "aws_iam_role" "schedule" {
  count = var.schedule_expression == null ? 0 : 1

  name                 = "${local.name}-schedule"
  description          = "Lets EventBridge Scheduler invoke ${local.name}"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Scheduler"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      # The key is of the same account; without this, another account's schedule could borrow the role.
      Condition = { StringEquals = { "aws:SourceAccount" = split(":", var.kms_key_arn)[4] } }
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "schedule" {
  count = var.schedule_expression == null ? 0 : 1

  name = "${local.name}-schedule"
  role = aws_iam_role.schedule[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "InvokeFunction"
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = [aws_lambda_function.this.arn]
      },
      {
        Sid      = "KeepFailedEvents"
        Effect   = "Allow"
        Action   = ["sqs:SendMessage"]
        Resource = [aws_sqs_queue.dead[0].arn]
      },
      {
        Sid      = "UseKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [var.kms_key_arn]
      },
    ]
  })
}

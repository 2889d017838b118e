locals {
  _policy_statements = concat(
    [
      {
        sid        = "WriteLog"
        effect     = "Allow"
        actions    = ["logs:CreateLogStream", "logs:PutLogEvents"]
        resources  = ["${aws_cloudwatch_log_group.this.arn}:*"]
        conditions = {}
      },
      {
        sid        = "UseKey"
        effect     = "Allow"
        actions    = ["kms:Decrypt", "kms:GenerateDataKey"]
        resources  = [var.kms_key_arn]
        conditions = {}
      },
    ],
    var.tracing_mode != "Active" ? [] : [
      {
        sid     = "Trace"
        effect  = "Allow"
        actions = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
        # X-Ray has no resources to name in these two actions.
        resources  = ["*"]
        conditions = {}
      },
    ],
    var.event_queue == null ? [] : [
      {
        sid        = "ReadQueue"
        effect     = "Allow"
        actions    = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
        resources  = [var.event_queue.arn]
        conditions = {}
      },
    ],
    [
      for queue in aws_sqs_queue.dead : {
        sid        = "KeepFailedEvents"
        effect     = "Allow"
        actions    = ["sqs:SendMessage"]
        resources  = [queue.arn]
        conditions = {}
      }
    ],
    var.policy_statements,
  )
}

resource "aws_iam_role" "this" {
  name                 = local.name
  description          = "Runs the function ${local.name}"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Lambda"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "this" {
  name = local.name
  role = aws_iam_role.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for statement in local._policy_statements : merge(
        {
          Sid      = statement.sid
          Effect   = statement.effect
          Action   = statement.actions
          Resource = statement.resources
        },
        { for key, condition in { Condition = statement.conditions } : key => condition if length(condition) > 0 },
      )
    ]
  })
}

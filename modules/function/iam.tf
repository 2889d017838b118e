locals {
  # By name, because the function is made after the policy; the log group's ARN states where.
  _function_arn = join(":", [
    "arn", local._log_group_arn[1], "lambda", local._log_group_arn[3], local._log_group_arn[4], "function", local.name,
  ])
  _log_group_arn = split(":", aws_cloudwatch_log_group.this.arn)

  _network_actions = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]

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
    var.network == null ? [] : [
      {
        sid     = "AttachToNetwork"
        effect  = "Allow"
        actions = local._network_actions
        # Lambda checks for these on every resource before it makes the function's interfaces.
        resources  = ["*"]
        conditions = {}
      },
      {
        # The service makes the interfaces; the function's own code has no business with them.
        sid        = "NotByTheFunctionItself"
        effect     = "Deny"
        actions    = local._network_actions
        resources  = ["*"]
        conditions = { ArnEquals = { "lambda:SourceFunctionArn" = [local._function_arn] } }
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

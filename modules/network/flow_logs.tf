# Who talked to whom in the module's own VPC; an existing VPC's flow log is its owner's.
resource "aws_cloudwatch_log_group" "flow" {
  # checkov:skip=CKV_AWS_338:The environment decides; a year unless it says otherwise.
  count = local._own ? 1 : 0

  name              = "/aws/vpc/${var.prefix}/flow"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_flow_log" "this" {
  count = local._own ? 1 : 0

  vpc_id               = aws_vpc.this[0].id
  traffic_type         = var.flow_log_traffic
  log_destination_type = "cloud-watch-logs"
  log_destination      = aws_cloudwatch_log_group.flow[0].arn
  iam_role_arn         = aws_iam_role.flow[0].arn
  tags                 = merge(var.tags, { Name = var.prefix })

  # The service tries the role at once.
  depends_on = [aws_iam_role_policy.flow]
}

resource "aws_iam_role" "flow" {
  count = local._own ? 1 : 0

  name                 = "${var.prefix}-flow-log"
  description          = "Lets VPC write the flow log of ${var.prefix}"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "FlowLogs"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "vpc-flow-logs.amazonaws.com" }
      # Without this, another account's flow log could borrow the role.
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "flow" {
  count = local._own ? 1 : 0

  name = "${var.prefix}-flow-log"
  role = aws_iam_role.flow[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "WriteFlowLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.flow[0].arn}:*"]
      },
      {
        # The service looks for the group among those of the account; the action knows no resources.
        Sid      = "FindLogGroup"
        Effect   = "Allow"
        Action   = ["logs:DescribeLogGroups"]
        Resource = ["*"]
      },
    ]
  })
}

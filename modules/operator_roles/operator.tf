# Who keeps the deployment running: sees metrics, logs, counters and bills, can stop a tenant at
# once and start failed jobs again. Neither prompts, nor answers, nor keys are readable.
locals {
  _data_services = ["dynamodb", "s3", "sqs"]

  _operator_statements = [
    {
      Sid      = "SeeTables"
      Effect   = "Allow"
      Action   = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"]
      Resource = [var.table_arns.accounts, var.table_arns.tenants, var.table_arns.usage]
    },
    {
      Sid      = "OverridePolicies"
      Effect   = "Allow"
      Action   = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      Resource = [var.table_arns.tenants]
      # Policies and keys stay Terraform's; an override expires by itself.
      Condition = {
        "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = ["OVERRIDE#*"] }
        Null                      = { "dynamodb:LeadingKeys" = "false" }
      }
    },
    {
      Sid    = "StartFailedJobsAgain"
      Effect = "Allow"
      Action = [
        "sqs:CancelMessageMoveTask",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ListMessageMoveTasks",
        "sqs:ReceiveMessage",
        "sqs:StartMessageMoveTask",
      ]
      Resource = [var.queue_arns.jobs_dead]
    },
    {
      Sid      = "QueueThem"
      Effect   = "Allow"
      Action   = ["sqs:GetQueueAttributes", "sqs:SendMessage"]
      Resource = [var.queue_arns.jobs]
    },
    {
      Sid    = "ReadLogs"
      Effect = "Allow"
      Action = ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery"]
      Resource = flatten([
        for name in var.log_group_names : [
          "arn:${var.partition}:logs:${var.region}:${var.account_id}:log-group:${name}",
          "arn:${var.partition}:logs:${var.region}:${var.account_id}:log-group:${name}:*",
        ]
      ])
    },
    {
      Sid    = "SeeMetricsAndQueries"
      Effect = "Allow"
      Action = [
        "cloudwatch:GetMetricData",
        "cloudwatch:ListMetrics",
        "logs:DescribeLogGroups",
        "logs:GetQueryResults",
        "logs:StopQuery",
      ]
      # Metrics and queries have no ARN that could be named, and lists of log groups are whole or not at all.
      Resource = ["*"]
    },
    {
      Sid    = "AskAthena"
      Effect = "Allow"
      Action = [
        "athena:GetNamedQuery",
        "athena:GetQueryExecution",
        "athena:GetQueryResults",
        "athena:GetWorkGroup",
        "athena:ListNamedQueries",
        "athena:StartQueryExecution",
        "athena:StopQueryExecution",
      ]
      Resource = ["arn:${var.partition}:athena:${var.region}:${var.account_id}:workgroup/${var.workgroup_name}"]
    },
    {
      Sid    = "FindTables"
      Effect = "Allow"
      Action = ["glue:GetDatabase", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"]
      Resource = [
        "arn:${var.partition}:glue:${var.region}:${var.account_id}:catalog",
        "arn:${var.partition}:glue:${var.region}:${var.account_id}:database/${var.glue_database_name}",
        "arn:${var.partition}:glue:${var.region}:${var.account_id}:table/${var.glue_database_name}/*",
      ]
    },
    {
      Sid      = "ListBuckets"
      Effect   = "Allow"
      Action   = ["s3:GetBucketLocation", "s3:ListBucket"]
      Resource = [for arn in [var.bucket_arns.athena, var.bucket_arns.bill, var.bucket_arns.lake] : arn if arn != null]
    },
    {
      Sid      = "ReadLake"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = [for arn in [var.bucket_arns.bill, var.bucket_arns.lake] : "${arn}/*" if arn != null]
    },
    {
      Sid      = "KeepQueryResults"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
      Resource = ["${var.bucket_arns.athena}/results/*"]
    },
    {
      Sid      = "UseKey"
      Effect   = "Allow"
      Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
      Resource = [var.kms_key_arn]
      # Not through Systems Manager or Secrets Manager, where the tenants' keys are.
      Condition = {
        StringEquals = {
          "kms:ViaService" = [for service in local._data_services : "${service}.${var.region}.amazonaws.com"]
        }
      }
    },
  ]
}

resource "aws_iam_role" "operator" {
  count = length(var.operator_principals) > 0 ? 1 : 0

  name                 = "${var.prefix}-operator"
  description          = "Keeps ${var.prefix} running: reads what it measures, overrides policies, starts failed jobs again"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Operators"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = sort(var.operator_principals) }
    }]
  })
}

resource "aws_iam_role_policy" "operator" {
  count = length(var.operator_principals) > 0 ? 1 : 0

  name   = aws_iam_role.operator[0].name
  role   = aws_iam_role.operator[0].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local._operator_statements })
}

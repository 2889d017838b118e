# What QuickSight's own role needs to run the two queries; QuickSight takes no other role for Athena.
resource "aws_iam_policy" "this" {
  name        = "${var.prefix}-quicksight"
  description = "Lets QuickSight read the usage of ${var.prefix} through Athena."
  tags        = var.tags

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Query"
        Effect = "Allow"
        Action = ["athena:BatchGetQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults", "athena:GetQueryResultsStream", "athena:GetWorkGroup", "athena:ListQueryExecutions", "athena:StartQueryExecution", "athena:StopQueryExecution"]
        Resource = [
          "arn:${var.partition}:athena:${var.region}:${var.account_id}:workgroup/${var.workgroup_name}",
        ]
      },
      {
        Sid    = "Catalogue"
        Effect = "Allow"
        Action = ["glue:GetDatabase", "glue:GetDatabases", "glue:GetPartition", "glue:GetPartitions", "glue:GetTable", "glue:GetTables"]
        Resource = [
          "arn:${var.partition}:glue:${var.region}:${var.account_id}:catalog",
          "arn:${var.partition}:glue:${var.region}:${var.account_id}:database/${var.database_name}",
          "arn:${var.partition}:glue:${var.region}:${var.account_id}:table/${var.database_name}/*",
        ]
      },
      {
        Sid      = "Buckets"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = [for bucket in [var.lake_bucket_name, var.athena_bucket_name] : "arn:${var.partition}:s3:::${bucket}"]
      },
      {
        Sid      = "ReadUsage"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = [for folder in ["usage", "quicksight"] : "arn:${var.partition}:s3:::${var.lake_bucket_name}/${folder}/*"]
      },
      {
        Sid      = "Results"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
        Resource = ["arn:${var.partition}:s3:::${var.athena_bucket_name}/results/*"]
      },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [var.kms_key_arn]
      },
    ]
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  role       = var.service_role_name
  policy_arn = aws_iam_policy.this.arn
}

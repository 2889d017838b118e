# Copies of log groups in S3, where they outlive CloudWatch's retention at a fraction of the price:
# one Firehose stream that all groups are subscribed to. What arrives is CloudWatch's own form, JSON
# with the group's name, already compressed.
locals {
  _archive_name = "${var.prefix}-log-archive"
}

resource "aws_kinesis_firehose_delivery_stream" "archive" {
  count = var.log_archive ? 1 : 0

  name        = local._archive_name
  destination = "extended_s3"
  tags        = var.tags

  server_side_encryption {
    enabled  = true
    key_type = "CUSTOMER_MANAGED_CMK"
    key_arn  = var.kms_key_arn
  }

  extended_s3_configuration {
    role_arn            = aws_iam_role.archive[0].arn
    bucket_arn          = aws_s3_bucket.audit[0].arn
    prefix              = "logs/dt=!{timestamp:yyyy-MM-dd}/"
    error_output_prefix = "logs/errors/!{firehose:error-output-type}/dt=!{timestamp:yyyy-MM-dd}/"
    file_extension      = ".json.gz"
    buffering_interval  = 900
    buffering_size      = 64
    kms_key_arn         = var.kms_key_arn

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.archive[0].name
      log_stream_name = "delivery"
    }
  }

  depends_on = [aws_iam_role_policy.archive]

  lifecycle {
    # Here and not on the variable, which the bucket depends on.
    precondition {
      condition     = length(var.archived_log_groups) > 0
      error_message = "log_archive: got true without archived_log_groups; allowed: with at least one log group."
    }
  }
}

resource "aws_cloudwatch_log_group" "archive" {
  # checkov:skip=CKV_AWS_338:The environment decides; a year unless it says otherwise.
  count = var.log_archive ? 1 : 0

  name              = "/aws/kinesisfirehose/${local._archive_name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_cloudwatch_log_stream" "archive" {
  count = var.log_archive ? 1 : 0

  name           = "delivery"
  log_group_name = aws_cloudwatch_log_group.archive[0].name
}

resource "aws_iam_role" "archive" {
  count = var.log_archive ? 1 : 0

  name                 = local._archive_name
  description          = "Lets Firehose write ${var.prefix}'s logs to S3"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Firehose"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "firehose.amazonaws.com" }
      # Without this, another account's stream could borrow the role.
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "archive" {
  count = var.log_archive ? 1 : 0

  name = local._archive_name
  role = aws_iam_role.archive[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "WriteObjects"
        Effect   = "Allow"
        Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
        Resource = ["${aws_s3_bucket.audit[0].arn}/logs/*"]
      },
      {
        Sid      = "FindBucket"
        Effect   = "Allow"
        Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
        Resource = [aws_s3_bucket.audit[0].arn]
      },
      {
        Sid      = "UseKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [var.kms_key_arn]
      },
      {
        Sid      = "WriteErrors"
        Effect   = "Allow"
        Action   = ["logs:PutLogEvents"]
        Resource = ["${aws_cloudwatch_log_group.archive[0].arn}:*"]
      },
    ]
  })
}

resource "aws_iam_role" "subscription" {
  count = var.log_archive ? 1 : 0

  name                 = "${local._archive_name}-in"
  description          = "Lets CloudWatch Logs feed ${local._archive_name}"
  permissions_boundary = var.permissions_boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Logs"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "logs.amazonaws.com" }
      # Without this, another account's log group could borrow the role.
      Condition = { ArnLike = { "aws:SourceArn" = "arn:${local._partition}:logs:${var.region}:${var.account_id}:*" } }
    }]
  })

  tags = var.tags
}

resource "aws_iam_role_policy" "subscription" {
  count = var.log_archive ? 1 : 0

  name = "${local._archive_name}-in"
  role = aws_iam_role.subscription[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "FeedArchive"
      Effect   = "Allow"
      Action   = ["firehose:PutRecord", "firehose:PutRecordBatch"]
      Resource = [aws_kinesis_firehose_delivery_stream.archive[0].arn]
    }]
  })
}

resource "aws_cloudwatch_log_subscription_filter" "archive" {
  for_each = var.log_archive ? var.archived_log_groups : {}

  name            = local._archive_name
  log_group_name  = each.value
  destination_arn = aws_kinesis_firehose_delivery_stream.archive[0].arn
  role_arn        = aws_iam_role.subscription[0].arn
  # Every line.
  filter_pattern = ""

  # CloudWatch Logs sends a test record at once.
  depends_on = [aws_iam_role_policy.subscription]
}

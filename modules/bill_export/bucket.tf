resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18:Whoever reads the bill does so through Athena, which keeps a record of every query.
  # checkov:skip=CKV_AWS_144:AWS delivers a month's report again at every refresh; a second region is the account's choice.
  # checkov:skip=CKV_AWS_145:Data Exports cannot write to a bucket that is encrypted with a customer's key.
  # checkov:skip=CKV2_AWS_62:Nothing waits for new files; readers query on their own schedule.
  count = local._makes_export ? 1 : 0

  bucket        = "${local._name}-${var.account_id}"
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  count = local._makes_export ? 1 : 0

  bucket                  = aws_s3_bucket.this[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  count = local._makes_export ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  count = local._makes_export ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  count = local._makes_export ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  count = local._makes_export ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  # Every refresh replaces the month's files; what a statement was reconciled with can be had again.
  rule {
    id     = "refreshes"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  # Rules for old versions need a bucket that keeps versions.
  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_policy" "this" {
  count = local._makes_export ? 1 : 0

  bucket = aws_s3_bucket.this[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "DenyWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.this[0].arn, "${aws_s3_bucket.this[0].arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        # The report itself, and a file at the bucket's root that tries the bucket.
        Sid       = "ExportWrites"
        Effect    = "Allow"
        Principal = { Service = ["bcm-data-exports.amazonaws.com", "billingreports.amazonaws.com"] }
        Action    = ["s3:GetBucketPolicy", "s3:PutObject"]
        Resource  = [aws_s3_bucket.this[0].arn, "${aws_s3_bucket.this[0].arn}/*"]
        Condition = {
          StringEquals = { "aws:SourceAccount" = var.account_id }
          StringLike = {
            "aws:SourceArn" = [
              "arn:${var.partition}:bcm-data-exports:us-east-1:${var.account_id}:export/*",
              "arn:${var.partition}:cur:us-east-1:${var.account_id}:definition/*",
            ]
          }
        }
      },
    ]
  })

  # S3 answers a policy put beside a public access block put with a conflict.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket" "lake" {
  # checkov:skip=CKV_AWS_18:Only the aggregate function and Athena read and write here; who did is in CloudTrail data events where an account enables them.
  # checkov:skip=CKV_AWS_144:The lake can be written again from the usage table; a second region is the account's choice.
  # checkov:skip=CKV2_AWS_62:Nothing waits for new files; readers query on their own schedule.
  bucket        = "${var.prefix}-lake-${var.account_id}"
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket" "athena" {
  # checkov:skip=CKV_AWS_18:Query results are copies of the lake's data that expire after weeks.
  # checkov:skip=CKV_AWS_21:A lost query result is had again by running the query.
  # checkov:skip=CKV_AWS_144:A lost query result is had again by running the query.
  # checkov:skip=CKV2_AWS_62:Nothing waits for query results.
  bucket        = "${var.prefix}-athena-${var.account_id}"
  force_destroy = var.force_destroy
  tags          = var.tags
}

locals {
  bucket_by_name = {
    lake   = aws_s3_bucket.lake
    athena = aws_s3_bucket.athena
  }
  bucket_policy_by_name = {
    for name, bucket in local.bucket_by_name : name => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "DenyWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [bucket.arn, "${bucket.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    })
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.bucket_by_name

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.bucket_by_name

  bucket = each.value.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

# Each bucket by name: checkov cannot follow a `for_each` from a bucket in a plan to its encryption.
resource "aws_s3_bucket_server_side_encryption_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    # One data key per bucket and hour instead of one KMS call per object.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "athena" {
  bucket = aws_s3_bucket.athena.id

  rule {
    # One data key per bucket and hour instead of one KMS call per object.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.bucket_by_name

  bucket = each.value.id
  policy = local.bucket_policy_by_name[each.key]

  # S3 answers a policy put beside a public access block put with a conflict.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_versioning" "lake" {
  bucket = aws_s3_bucket.lake.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    id     = "age"
    status = "Enabled"

    filter {}

    transition {
      days          = var.lake_transition_days
      storage_class = "STANDARD_IA"
    }

    dynamic "expiration" {
      for_each = var.lake_expiration_days == null ? [] : [var.lake_expiration_days]

      content {
        days = expiration.value
      }
    }

    noncurrent_version_expiration {
      noncurrent_days = var.lake_noncurrent_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  # Rules for old versions need a bucket that keeps versions.
  depends_on = [aws_s3_bucket_versioning.lake]
}

resource "aws_s3_bucket_lifecycle_configuration" "athena" {
  bucket = aws_s3_bucket.athena.id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.results_retention_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

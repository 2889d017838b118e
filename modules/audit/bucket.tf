# One bucket for what must not change (the trail, copies of logs), and one for S3's own access logs,
# which S3 writes only to a bucket without a customer's key.
#
# Neither depends on what it has records of, so that destroying that leaves the records.
locals {
  _has_bucket = local._own_trail || var.log_archive

  _days_by_prefix = {
    cloudtrail = var.retention.trail_days
    logs       = var.retention.archive_days
  }
}

resource "aws_s3_bucket" "audit" {
  # checkov:skip=CKV_AWS_18:Requests to the audit bucket are data events of the trail or nobody's; a log of the log has no end.
  # checkov:skip=CKV_AWS_144:The organisation's trail is the second copy where one is demanded.
  # checkov:skip=CKV2_AWS_62:Nothing waits for new files; readers query on their own schedule.
  count = local._has_bucket ? 1 : 0

  bucket        = "${var.prefix}-audit-${var.account_id}"
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket" "access" {
  # checkov:skip=CKV_AWS_18:This is the bucket that access logs go to.
  # checkov:skip=CKV_AWS_21:S3 only ever adds objects here, each under a name of its own.
  # checkov:skip=CKV_AWS_144:Access logs serve the investigation of days, not the archive of years.
  # checkov:skip=CKV_AWS_145:S3 cannot write access logs to a bucket that is encrypted with a customer's key.
  # checkov:skip=CKV2_AWS_62:Nothing waits for new files; readers query on their own schedule.
  count = var.access_logs ? 1 : 0

  bucket        = "${var.prefix}-access-logs-${var.account_id}"
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "audit" {
  count = local._has_bucket ? 1 : 0

  bucket                  = aws_s3_bucket.audit[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_public_access_block" "access" {
  count = var.access_logs ? 1 : 0

  bucket                  = aws_s3_bucket.access[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "audit" {
  count = local._has_bucket ? 1 : 0

  bucket = aws_s3_bucket.audit[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_ownership_controls" "access" {
  count = var.access_logs ? 1 : 0

  bucket = aws_s3_bucket.access[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "audit" {
  count = local._has_bucket ? 1 : 0

  bucket = aws_s3_bucket.audit[0].id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "access" {
  count = var.access_logs ? 1 : 0

  bucket = aws_s3_bucket.access[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_versioning" "audit" {
  count = local._has_bucket ? 1 : 0

  bucket = aws_s3_bucket.audit[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "audit" {
  count = local._has_bucket ? 1 : 0

  bucket = aws_s3_bucket.audit[0].id

  dynamic "rule" {
    for_each = local._days_by_prefix

    content {
      id     = rule.key
      status = "Enabled"

      filter {
        prefix = "${rule.key}/"
      }

      transition {
        days          = var.retention.transition_days
        storage_class = "STANDARD_IA"
      }

      expiration {
        days = rule.value
      }

      noncurrent_version_expiration {
        noncurrent_days = 30
      }
    }
  }

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  # Rules for old versions need a bucket that keeps versions.
  depends_on = [aws_s3_bucket_versioning.audit]
}

resource "aws_s3_bucket_lifecycle_configuration" "access" {
  count = var.access_logs ? 1 : 0

  bucket = aws_s3_bucket.access[0].id

  rule {
    id     = "age"
    status = "Enabled"

    filter {}

    transition {
      days          = var.retention.transition_days
      storage_class = "STANDARD_IA"
    }

    expiration {
      days = var.retention.access_log_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "audit" {
  count = local._has_bucket ? 1 : 0

  bucket = aws_s3_bucket.audit[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [{
        Sid       = "DenyWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.audit[0].arn, "${aws_s3_bucket.audit[0].arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }],
      # The lifecycle still deletes what is old; it asks no policy.
      var.force_destroy ? [] : [{
        Sid       = "DenyDeletion"
        Effect    = "Deny"
        Principal = "*"
        Action    = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
        Resource  = "${aws_s3_bucket.audit[0].arn}/*"
      }],
      !local._own_trail ? [] : [
        {
          Sid       = "TrailChecks"
          Effect    = "Allow"
          Principal = { Service = "cloudtrail.amazonaws.com" }
          Action    = "s3:GetBucketAcl"
          Resource  = aws_s3_bucket.audit[0].arn
          Condition = { StringEquals = { "aws:SourceArn" = local._trail_arn } }
        },
        {
          Sid       = "TrailWrites"
          Effect    = "Allow"
          Principal = { Service = "cloudtrail.amazonaws.com" }
          Action    = "s3:PutObject"
          Resource  = "${aws_s3_bucket.audit[0].arn}/cloudtrail/AWSLogs/${var.account_id}/*"
          Condition = { StringEquals = {
            "aws:SourceArn" = local._trail_arn
            "s3:x-amz-acl"  = "bucket-owner-full-control"
          } }
        },
      ],
    )
  })

  # S3 answers a policy put beside a public access block put with a conflict.
  depends_on = [aws_s3_bucket_public_access_block.audit]
}

resource "aws_s3_bucket_policy" "access" {
  count = var.access_logs ? 1 : 0

  bucket = aws_s3_bucket.access[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "DenyWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.access[0].arn, "${aws_s3_bucket.access[0].arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "AccessLogs"
        Effect    = "Allow"
        Principal = { Service = "logging.s3.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${aws_s3_bucket.access[0].arn}/*"
        Condition = {
          ArnEquals    = { "aws:SourceArn" = values(var.access_logged_bucket_arns) }
          StringEquals = { "aws:SourceAccount" = var.account_id }
        }
      },
    ]
  })

  # S3 answers a policy put beside a public access block put with a conflict.
  depends_on = [aws_s3_bucket_public_access_block.access]
}

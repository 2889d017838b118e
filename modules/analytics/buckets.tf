resource "aws_s3_bucket" "lake" {
  # checkov:skip=CKV_AWS_18:Whether requests are logged, and to which bucket, is the deployment's choice.
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
    lake       = aws_s3_bucket.lake
    athena     = aws_s3_bucket.athena
    statements = aws_s3_bucket.statements
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

# Each bucket by name: checkov cannot follow a `for_each` from a bucket to what blocks the public.
resource "aws_s3_bucket_public_access_block" "lake" {
  bucket                  = aws_s3_bucket.lake.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_public_access_block" "athena" {
  bucket                  = aws_s3_bucket.athena.id
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
  depends_on = [
    aws_s3_bucket_public_access_block.athena,
    aws_s3_bucket_public_access_block.lake,
    aws_s3_bucket_public_access_block.statements,
  ]
}

resource "aws_s3_bucket_versioning" "lake" {
  bucket = aws_s3_bucket.lake.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_logging" "lake" {
  count = var.access_log_bucket == null ? 0 : 1

  bucket        = aws_s3_bucket.lake.id
  target_bucket = var.access_log_bucket.name
  target_prefix = "${aws_s3_bucket.lake.bucket}/"

  # By date, so that Athena reads a day and not everything.
  target_object_key_format {
    partitioned_prefix {
      partition_date_source = "EventTime"
    }
  }
}

locals {
  # What ages, by the prefix of its keys. Nothing else does: reports need the list of tenants for as
  # long as there is usage of theirs.
  lake_days_by_prefix = {
    daily   = { transition = var.report_transition_days, expiration = var.report_expiration_days }
    errors  = { transition = null, expiration = var.error_expiration_days }
    succeed = { transition = var.report_transition_days, expiration = var.report_expiration_days }
    usage   = { transition = var.lake_transition_days, expiration = var.lake_expiration_days }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id

  dynamic "rule" {
    for_each = local.lake_days_by_prefix

    content {
      id     = rule.key
      status = "Enabled"

      filter {
        prefix = "${rule.key}/"
      }

      dynamic "transition" {
        for_each = rule.value.transition[*]

        content {
          days          = transition.value
          storage_class = "STANDARD_IA"
        }
      }

      dynamic "expiration" {
        for_each = rule.value.expiration[*]

        content {
          days = expiration.value
        }
      }
    }
  }

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

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

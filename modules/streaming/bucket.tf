resource "aws_s3_bucket" "payloads" {
  # checkov:skip=CKV_AWS_18:Only the gateway's functions read and write here; who did is in CloudTrail data events where an account enables them.
  # checkov:skip=CKV_AWS_21:Requests hold prompts and must be gone when they expire, so no versions are kept.
  # checkov:skip=CKV_AWS_144:A payload lives as long as its job, in the region of its queue.
  # checkov:skip=CKV2_AWS_62:Jobs are announced by the queue, not by the bucket.
  bucket        = "${var.prefix}-payloads-${var.account_id}"
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "payloads" {
  bucket                  = aws_s3_bucket.payloads.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "payloads" {
  bucket = aws_s3_bucket.payloads.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "payloads" {
  bucket = aws_s3_bucket.payloads.id

  rule {
    # One data key per bucket and hour instead of one KMS call per object.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "payloads" {
  bucket = aws_s3_bucket.payloads.id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = var.payload_retention_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "payloads" {
  bucket = aws_s3_bucket.payloads.id
  policy = local.payloads_policy

  # S3 answers a policy put beside a public access block put with a conflict.
  depends_on = [aws_s3_bucket_public_access_block.payloads]
}

locals {
  payloads_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "DenyWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.payloads.arn, "${aws_s3_bucket.payloads.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

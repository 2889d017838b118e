# Statements that were issued: each object is written once, and locked from that moment for years.
#
# Under GOVERNANCE nobody can delete or replace one but who has s3:BypassGovernanceRetention and says so
# in the request; the mode and years can be changed later. Under COMPLIANCE nobody can until the years
# are over, not the account's root user either, and no object's lock can be shortened: for records that
# an auditor has to believe. Its bucket cannot be destroyed before, not even with force_destroy.
resource "aws_s3_bucket" "statements" {
  # checkov:skip=CKV_AWS_18:Whether requests are logged, and to which bucket, is the deployment's choice.
  # checkov:skip=CKV_AWS_144:Statements follow from the lake's rows and the record; a second region is the account's choice.
  # checkov:skip=CKV2_AWS_62:Nothing waits for new files; who closes a month knows that it is closed.
  bucket              = "${var.prefix}-statements-${var.account_id}"
  force_destroy       = var.force_destroy
  object_lock_enabled = true
  tags                = var.tags
}

resource "aws_s3_bucket_versioning" "statements" {
  bucket = aws_s3_bucket.statements.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "statements" {
  bucket = aws_s3_bucket.statements.id

  rule {
    default_retention {
      mode  = var.statement_lock.mode
      years = var.statement_lock.years
    }
  }

  # A lock needs a bucket that keeps versions.
  depends_on = [aws_s3_bucket_versioning.statements]
}

resource "aws_s3_bucket_public_access_block" "statements" {
  bucket                  = aws_s3_bucket.statements.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# Each bucket by name: checkov cannot follow a `for_each` from a bucket in a plan to its encryption.
resource "aws_s3_bucket_server_side_encryption_configuration" "statements" {
  bucket = aws_s3_bucket.statements.id

  rule {
    # One data key per bucket and hour instead of one KMS call per object.
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_logging" "statements" {
  count = var.access_log_bucket == null ? 0 : 1

  bucket        = aws_s3_bucket.statements.id
  target_bucket = var.access_log_bucket.name
  target_prefix = "${aws_s3_bucket.statements.bucket}/"

  # By date, so that Athena reads a day and not everything.
  target_object_key_format {
    partitioned_prefix {
      partition_date_source = "EventTime"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "statements" {
  bucket = aws_s3_bucket.statements.id

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

locals {
  # The lines of closed months, each once, as scripts/statements writes them; a contract test compares the two.
  statement_columns = [
    { name = "statement", type = "string" },
    { name = "kind", type = "string" },
    { name = "period", type = "string" },
    { name = "tenant_id", type = "string" },
    { name = "cost_center", type = "string" },
    { name = "business_unit", type = "string" },
    { name = "description", type = "string" },
    { name = "account", type = "string" },
    { name = "app_id", type = "string" },
    { name = "model_id", type = "string" },
    { name = "ledger_rows", type = "bigint" },
    { name = "calls", type = "bigint" },
    { name = "input_tokens", type = "bigint" },
    { name = "output_tokens", type = "bigint" },
    { name = "cost", type = "decimal(38,12)" },
    { name = "charge", type = "decimal(38,12)" },
    { name = "currency", type = "string" },
    { name = "net", type = "decimal(38,2)" },
  ]

  statements_location = "s3://${aws_s3_bucket.statements.bucket}/lines"
}

resource "aws_glue_catalog_table" "statements" {
  name          = "statements"
  database_name = aws_glue_catalog_database.this.name
  description   = "The lines of closed months, each once; cost and charge are exact US dollars, net is in the statement's currency."
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL                         = "TRUE"
    classification                   = "parquet"
    "projection.enabled"             = "true"
    "projection.month.type"          = "date"
    "projection.month.format"        = "yyyy-MM"
    "projection.month.range"         = "2026-01,NOW"
    "projection.month.interval"      = "1"
    "projection.month.interval.unit" = "MONTHS"
    "storage.location.template"      = "${local.statements_location}/month=$${month}"
  }

  partition_keys {
    name = "month"
    type = "string"
  }

  storage_descriptor {
    location      = local.statements_location
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = local.statement_columns

      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }
}

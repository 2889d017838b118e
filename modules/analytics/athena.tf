resource "aws_athena_workgroup" "this" {
  name          = var.prefix
  description   = "Reports over metered usage; results are encrypted and a query may scan only so much."
  force_destroy = var.force_destroy
  tags          = var.tags

  configuration {
    bytes_scanned_cutoff_per_query     = var.bytes_scanned_cutoff
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true

    result_configuration {
      expected_bucket_owner = var.account_id
      output_location       = "s3://${aws_s3_bucket.athena.bucket}/results/"

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = var.kms_key_arn
      }
    }
  }
}

resource "aws_athena_named_query" "chargeback" {
  name        = "chargeback"
  description = "What each tenant and app spent, by month and model."
  database    = aws_glue_catalog_database.this.name
  workgroup   = aws_athena_workgroup.this.id
  query       = file("${path.module}/queries/chargeback.sql")
}

resource "aws_athena_named_query" "usage_by_kind" {
  name        = "usage_by_kind"
  description = "What each kind of tenant used this month; other facts about tenants can take the kind's place."
  database    = aws_glue_catalog_database.this.name
  workgroup   = aws_athena_workgroup.this.id
  query       = file("${path.module}/queries/usage_by_kind.sql")
}

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

# Every file of queries/ is a named query. Its head (scripts/reports/queries.py says what may stand in
# one) has the question that it answers and its parameters with their defaults; reports give others.
locals {
  query_texts = {
    for file in fileset("${path.module}/queries", "*.sql") : trimsuffix(file, ".sql") => file("${path.module}/queries/${file}")
  }

  this_month = "date_trunc('month', current_date)"
  query_values = {
    for name, text in local.query_texts : name => merge(
      {
        for parameter in regexall("(?m)^--   (?P<name>[a-z_]+) [a-z]+(?: of [a-z0-9_|]+)? = (?P<default>'[^'\n]*'|[^:'\n]+): ", text) :
        parameter.name => parameter.default
      },
      {
        # What is of days that are over is of the month before this one.
        from           = strcontains(text, "\n-- period: over\n") ? "${local.this_month} - INTERVAL '1' MONTH" : local.this_month
        to             = strcontains(text, "\n-- period: over\n") ? local.this_month : "${local.this_month} + INTERVAL '1' MONTH"
        today          = "current_date"
        settled_before = "DATE '9999-12-31'"
      },
    )
  }
}

resource "aws_athena_named_query" "this" {
  for_each = local.query_texts

  name        = each.key
  description = trimprefix(split("\n", each.value)[0], "-- ")
  database    = aws_glue_catalog_database.this.name
  workgroup   = aws_athena_workgroup.this.id
  query       = templatefile("${path.module}/queries/${each.key}.sql", local.query_values[each.key])
}

moved {
  from = aws_athena_named_query.chargeback
  to   = aws_athena_named_query.this["chargeback"]
}

moved {
  from = aws_athena_named_query.usage_by_kind
  to   = aws_athena_named_query.this["usage_by_kind"]
}

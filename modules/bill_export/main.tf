# AWS's bill as a table: a cost and usage report (CUR 2.0) that Data Exports delivers each day to a
# bucket of its own. Another account's report, such as the payer's, is read where it lies.
locals {
  # What the report has, by name: a report of other columns is another report, which the
  # reconciliation refuses.
  columns = jsondecode(file("${path.module}/columns.json"))

  _makes_export = var.location == null
  _name         = "${var.prefix}-bill"
  location      = local._makes_export ? "s3://${aws_s3_bucket.this[0].bucket}/cur/${local._name}" : var.location
}

resource "aws_bcmdataexports_export" "this" {
  count = local._makes_export ? 1 : 0

  provider = aws.us_east_1
  tags     = var.tags

  export {
    name        = local._name
    description = "The bill by day and resource, to reconcile the usage of ${var.prefix} with."

    data_query {
      query_statement = "SELECT ${join(", ", local.columns[*].name)} FROM COST_AND_USAGE_REPORT"

      # All that the table has, as AWS would otherwise choose, and choose anew.
      table_configurations = {
        COST_AND_USAGE_REPORT = {
          INCLUDE_CAPACITY_RESERVATION_DATA     = "FALSE"
          INCLUDE_IAM_PRINCIPAL_DATA            = "TRUE"
          INCLUDE_MANUAL_DISCOUNT_COMPATIBILITY = "FALSE"
          INCLUDE_RESOURCES                     = "TRUE"
          INCLUDE_SPLIT_COST_ALLOCATION_DATA    = "FALSE"
          TIME_GRANULARITY                      = "DAILY"
        }
      }
    }

    destination_configurations {
      s3_destination {
        s3_bucket = aws_s3_bucket.this[0].bucket
        s3_prefix = "cur"
        s3_region = var.region

        # A month's files are replaced as a whole, so that no line is there twice.
        s3_output_configurations {
          compression = "PARQUET"
          format      = "PARQUET"
          output_type = "CUSTOM"
          overwrite   = "OVERWRITE_REPORT"
        }
      }
    }

    refresh_cadence {
      frequency = "SYNCHRONOUS"
    }
  }

  # Data Exports writes a file into the bucket to try it.
  depends_on = [aws_s3_bucket_policy.this]
}

resource "aws_glue_catalog_table" "bill" {
  name          = "bill"
  database_name = var.database_name
  description   = "One row per line of AWS's bill: day, account, resource, usage type and principal."
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL                                  = "TRUE"
    classification                            = "parquet"
    "projection.enabled"                      = "true"
    "projection.billing_period.type"          = "date"
    "projection.billing_period.format"        = "yyyy-MM"
    "projection.billing_period.range"         = "2026-01,NOW"
    "projection.billing_period.interval"      = "1"
    "projection.billing_period.interval.unit" = "MONTHS"
    "storage.location.template"               = "${local.location}/data/BILLING_PERIOD=$${billing_period}"
  }

  partition_keys {
    name = "billing_period"
    type = "string"
  }

  storage_descriptor {
    location      = "${local.location}/data"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = local.columns

      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }
}

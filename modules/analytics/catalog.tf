locals {
  # Names, order and types are the usage row of functions/shared/tollgate/domain/usage.py; a contract test compares the two.
  # A list, because the order counts. Costs are picodollars (1e-12 USD).
  usage_columns = [
    { name = "schema_version", type = "int" },
    { name = "request_id", type = "string" },
    { name = "tenant_id", type = "string" },
    { name = "app_id", type = "string" },
    { name = "key_id", type = "string" },
    { name = "cost_center", type = "string" },
    { name = "tier", type = "string" },
    { name = "region", type = "string" },
    { name = "dialect", type = "string" },
    { name = "operation", type = "string" },
    { name = "requested_model", type = "string" },
    { name = "model_id", type = "string" },
    { name = "routing", type = "string" },
    { name = "inference_profile_arn", type = "string" },
    { name = "service_tier", type = "string" },
    { name = "streamed", type = "boolean" },
    { name = "status", type = "string" },
    { name = "http_status", type = "int" },
    { name = "error_code", type = "string" },
    { name = "stop_reason", type = "string" },
    { name = "started_at", type = "timestamp" },
    { name = "settled_at", type = "timestamp" },
    { name = "latency_ms", type = "bigint" },
    { name = "first_token_ms", type = "bigint" },
    { name = "input_tokens", type = "bigint" },
    { name = "output_tokens", type = "bigint" },
    { name = "cache_read_tokens", type = "bigint" },
    { name = "cache_write_5m_tokens", type = "bigint" },
    { name = "cache_write_1h_tokens", type = "bigint" },
    { name = "images", type = "bigint" },
    { name = "usage_source", type = "string" },
    { name = "priced", type = "boolean" },
    { name = "price_version", type = "string" },
    { name = "input_cost", type = "bigint" },
    { name = "output_cost", type = "bigint" },
    { name = "cache_cost", type = "bigint" },
    { name = "other_cost", type = "bigint" },
    { name = "total_cost", type = "bigint" },
    { name = "held", type = "bigint" },
    { name = "tags", type = "map<string,string>" },
    { name = "business_unit", type = "string" },
    { name = "account_id", type = "string" },
    { name = "end_user", type = "string" },
  ]

  # The aggregate function's summary of each day; a contract test compares the two. Sums of 64-bit integers have more bits.
  daily_columns = [
    { name = "tenant_id", type = "string" },
    { name = "app_id", type = "string" },
    { name = "model_id", type = "string" },
    { name = "invocations", type = "bigint" },
    { name = "errors", type = "bigint" },
    { name = "unpriced", type = "bigint" },
    { name = "input_tokens", type = "decimal(38,0)" },
    { name = "output_tokens", type = "decimal(38,0)" },
    { name = "cache_read_tokens", type = "decimal(38,0)" },
    { name = "cache_write_5m_tokens", type = "decimal(38,0)" },
    { name = "cache_write_1h_tokens", type = "decimal(38,0)" },
    { name = "images", type = "decimal(38,0)" },
    { name = "input_cost", type = "decimal(38,0)" },
    { name = "output_cost", type = "decimal(38,0)" },
    { name = "cache_cost", type = "decimal(38,0)" },
    { name = "other_cost", type = "decimal(38,0)" },
    { name = "total_cost", type = "decimal(38,0)" },
  ]

  # What modules/tenant writes about each tenant, a line of JSON in a file of its own.
  tenant_columns = [
    { name = "tenant_id", type = "string" },
    { name = "name", type = "string" },
    { name = "kind", type = "string" },
    { name = "cost_center", type = "string" },
    { name = "business_unit", type = "string" },
    { name = "tier", type = "string" },
    { name = "status", type = "string" },
    { name = "isolation", type = "string" },
    { name = "account_id", type = "string" },
    { name = "markup", type = "string" },
    { name = "subscription_usd", type = "string" },
    { name = "month_usd", type = "string" },
    { name = "day_usd", type = "string" },
    { name = "budget_mode", type = "string" },
    { name = "sla_availability", type = "string" },
    { name = "sla_latency_p95_ms", type = "bigint" },
    { name = "sla_first_token_p95_ms", type = "bigint" },
    { name = "compliance", type = "array<string>" },
    { name = "models", type = "array<string>" },
    { name = "deny_models", type = "array<string>" },
    { name = "keys", type = "array<string>" },
    { name = "key_expires", type = "map<string,string>" },
    { name = "key_status", type = "map<string,string>" },
    { name = "tags", type = "map<string,string>" },
  ]

  # What modules/business_unit writes about each business unit, in the same form.
  business_unit_columns = [
    { name = "id", type = "string" },
    { name = "name", type = "string" },
    { name = "owner", type = "string" },
    { name = "month_usd", type = "string" },
    { name = "day_usd", type = "string" },
    { name = "budget_mode", type = "string" },
  ]

  # What aggregate notes about each account of the ledger when it runs. Amounts are picodollars; as text, no reader rounds them.
  budget_columns = [
    { name = "account_id", type = "string" },
    { name = "kind", type = "string" },
    { name = "scope", type = "string" },
    { name = "month", type = "string" },
    { name = "month_spent", type = "string" },
    { name = "month_held", type = "string" },
    { name = "day", type = "string" },
    { name = "day_spent", type = "string" },
    { name = "day_held", type = "string" },
  ]

  usage_location = "s3://${aws_s3_bucket.lake.bucket}/usage"
  daily_location = "s3://${aws_s3_bucket.lake.bucket}/daily"
}

resource "aws_glue_catalog_database" "this" {
  name        = replace(var.prefix, "-", "_")
  description = "Metered usage of ${var.prefix}."
  tags        = var.tags
}

resource "aws_glue_catalog_table" "usage" {
  name          = "usage"
  database_name = aws_glue_catalog_database.this.name
  description   = "One row per request; costs are picodollars (1e-12 USD)."
  table_type    = "EXTERNAL_TABLE"

  # Athena works the partitions out from these properties, so no crawler and no ADD PARTITION is needed.
  parameters = {
    EXTERNAL                      = "TRUE"
    classification                = "parquet"
    "projection.enabled"          = "true"
    "projection.dt.type"          = "date"
    "projection.dt.format"        = "yyyy-MM-dd"
    "projection.dt.range"         = "2026-01-01,NOW"
    "projection.dt.interval"      = "1"
    "projection.dt.interval.unit" = "DAYS"
    "projection.hour.type"        = "integer"
    "projection.hour.range"       = "0,23"
    "projection.hour.digits"      = "2"
    "storage.location.template"   = "${local.usage_location}/dt=$${dt}/hour=$${hour}"
  }

  partition_keys {
    name = "dt"
    type = "date"
  }

  partition_keys {
    name = "hour"
    type = "int"
  }

  storage_descriptor {
    location      = local.usage_location
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = local.usage_columns

      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }
}

resource "aws_glue_catalog_table" "daily" {
  name          = "daily"
  database_name = aws_glue_catalog_database.this.name
  description   = "Each day by tenant, app and model; costs are picodollars (1e-12 USD)."
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL                      = "TRUE"
    classification                = "parquet"
    "projection.enabled"          = "true"
    "projection.dt.type"          = "date"
    "projection.dt.format"        = "yyyy-MM-dd"
    "projection.dt.range"         = "2026-01-01,NOW"
    "projection.dt.interval"      = "1"
    "projection.dt.interval.unit" = "DAYS"
    "storage.location.template"   = "${local.daily_location}/dt=$${dt}"
  }

  partition_keys {
    name = "dt"
    type = "date"
  }

  storage_descriptor {
    location      = local.daily_location
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = local.daily_columns

      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }
}

resource "aws_glue_catalog_table" "tenants" {
  name          = "tenants"
  database_name = aws_glue_catalog_database.this.name
  description   = "One row per tenant, as its file says today."
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL       = "TRUE"
    classification = "json"
  }

  storage_descriptor {
    location      = "s3://${aws_s3_bucket.lake.bucket}/tenants/"
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

    ser_de_info {
      serialization_library = "org.openx.data.jsonserde.JsonSerDe"

      # Names of tags keep their case.
      parameters = { "case.insensitive" = "false" }
    }

    dynamic "columns" {
      for_each = local.tenant_columns

      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }
}

resource "aws_glue_catalog_table" "business_units" {
  name          = "business_units"
  database_name = aws_glue_catalog_database.this.name
  description   = "One row per business unit, as its environment says today."
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL       = "TRUE"
    classification = "json"
  }

  storage_descriptor {
    location      = "s3://${aws_s3_bucket.lake.bucket}/business_units/"
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

    ser_de_info {
      serialization_library = "org.openx.data.jsonserde.JsonSerDe"
    }

    dynamic "columns" {
      for_each = local.business_unit_columns

      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }
}

resource "aws_glue_catalog_table" "budgets" {
  name          = "budgets"
  database_name = aws_glue_catalog_database.this.name
  description   = "One row per account of the ledger: what it has spent and holds, in picodollars (1e-12 USD)."
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL       = "TRUE"
    classification = "json"
  }

  storage_descriptor {
    location      = "s3://${aws_s3_bucket.lake.bucket}/budgets/"
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

    ser_de_info {
      serialization_library = "org.openx.data.jsonserde.JsonSerDe"
    }

    dynamic "columns" {
      for_each = local.budget_columns

      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }
}

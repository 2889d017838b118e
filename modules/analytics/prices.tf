# The price book as a table: what SQL joins to usage that would have been priced otherwise.
locals {
  # Names, order and types are the lines that scripts/prices/lake_table.py writes; a contract test compares the two.
  prices_columns = [
    { name = "model_id", type = "string" },
    { name = "mode", type = "string" },
    { name = "family", type = "string" },
    { name = "size_order", type = "int" },
    { name = "generation", type = "int" },
    { name = "end_of_life", type = "string" },
    { name = "routing", type = "string" },
    { name = "place", type = "string" },
    { name = "service_tier", type = "string" },
    { name = "effective_from", type = "string" },
    { name = "effective_to", type = "string" },
    { name = "least_input_tokens", type = "bigint" },
    { name = "most_input_tokens", type = "bigint" },
    { name = "input_price", type = "bigint" },
    { name = "output_price", type = "bigint" },
    { name = "cache_read_price", type = "bigint" },
    { name = "cache_write_5m_price", type = "bigint" },
    { name = "cache_write_1h_price", type = "bigint" },
    { name = "unit_prices", type = "map<string,bigint>" },
    { name = "book_version", type = "string" },
  ]
}

resource "aws_s3_object" "prices" {
  bucket       = aws_s3_bucket.lake.bucket
  key          = "prices/book.json"
  content_type = "application/json"
  kms_key_id   = var.kms_key_arn
  source       = "${path.module}/data/prices.json"
  source_hash  = filemd5("${path.module}/data/prices.json")

  # An object takes ten tags at most, and a deployment may have more defaults than that.
  override_provider {
    default_tags {
      tags = {}
    }
  }
}

resource "aws_glue_catalog_table" "prices" {
  name          = "prices"
  database_name = aws_glue_catalog_database.this.name
  description   = "List prices by model, routing, tier, day and range of input tokens; picodollars (1e-12 USD) per token or unit."
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL       = "TRUE"
    classification = "json"
  }

  storage_descriptor {
    location      = "s3://${aws_s3_bucket.lake.bucket}/prices/"
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

    ser_de_info {
      serialization_library = "org.openx.data.jsonserde.JsonSerDe"
    }

    dynamic "columns" {
      for_each = local.prices_columns

      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }
}

# The ledger and its statements in FOCUS's columns, for tools that look for an external table with them.
locals {
  # Names, order and types are scripts/focus/columns.py, in lower case; a contract test compares the two.
  focus_columns = [
    { name = "availabilityzone", type = "string" },
    { name = "billedcost", type = "decimal(38,12)" },
    { name = "billingaccountid", type = "string" },
    { name = "billingaccountname", type = "string" },
    { name = "billingaccounttype", type = "string" },
    { name = "billingcurrency", type = "string" },
    { name = "billingperiodend", type = "timestamp" },
    { name = "billingperiodstart", type = "timestamp" },
    { name = "capacityreservationid", type = "string" },
    { name = "capacityreservationstatus", type = "string" },
    { name = "chargecategory", type = "string" },
    { name = "chargeclass", type = "string" },
    { name = "chargedescription", type = "string" },
    { name = "chargefrequency", type = "string" },
    { name = "chargeperiodend", type = "timestamp" },
    { name = "chargeperiodstart", type = "timestamp" },
    { name = "commitmentdiscountcategory", type = "string" },
    { name = "commitmentdiscountid", type = "string" },
    { name = "commitmentdiscountname", type = "string" },
    { name = "commitmentdiscountquantity", type = "decimal(38,12)" },
    { name = "commitmentdiscountstatus", type = "string" },
    { name = "commitmentdiscounttype", type = "string" },
    { name = "commitmentdiscountunit", type = "string" },
    { name = "consumedquantity", type = "decimal(38,12)" },
    { name = "consumedunit", type = "string" },
    { name = "contractedcost", type = "decimal(38,12)" },
    { name = "contractedunitprice", type = "decimal(38,18)" },
    { name = "effectivecost", type = "decimal(38,12)" },
    { name = "hostprovidername", type = "string" },
    { name = "invoiceid", type = "string" },
    { name = "invoiceissuername", type = "string" },
    { name = "listcost", type = "decimal(38,12)" },
    { name = "listunitprice", type = "decimal(38,18)" },
    { name = "pricingcategory", type = "string" },
    { name = "pricingcurrency", type = "string" },
    { name = "pricingcurrencycontractedunitprice", type = "decimal(38,18)" },
    { name = "pricingcurrencyeffectivecost", type = "decimal(38,12)" },
    { name = "pricingcurrencylistunitprice", type = "decimal(38,18)" },
    { name = "pricingquantity", type = "decimal(38,12)" },
    { name = "pricingunit", type = "string" },
    { name = "providername", type = "string" },
    { name = "publishername", type = "string" },
    { name = "regionid", type = "string" },
    { name = "regionname", type = "string" },
    { name = "resourceid", type = "string" },
    { name = "resourcename", type = "string" },
    { name = "resourcetype", type = "string" },
    { name = "servicecategory", type = "string" },
    { name = "servicename", type = "string" },
    { name = "serviceprovidername", type = "string" },
    { name = "servicesubcategory", type = "string" },
    { name = "skuid", type = "string" },
    { name = "skumeter", type = "string" },
    { name = "skupricedetails", type = "map<string,string>" },
    { name = "skupriceid", type = "string" },
    { name = "subaccountid", type = "string" },
    { name = "subaccountname", type = "string" },
    { name = "subaccounttype", type = "string" },
    { name = "tags", type = "map<string,string>" },
    { name = "x_awsaccountid", type = "string" },
    { name = "x_calls", type = "bigint" },
    { name = "x_costcenter", type = "string" },
    { name = "x_source", type = "string" },
  ]

  focus_location = "s3://${aws_s3_bucket.lake.bucket}/focus"
}

resource "aws_glue_catalog_table" "focus" {
  name          = "focus"
  database_name = aws_glue_catalog_database.this.name
  description   = "Cost and usage in the columns of FOCUS 1.2, by billing period; costs are exact US dollars."
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
    "storage.location.template"               = "${local.focus_location}/billing_period=$${billing_period}"
  }

  partition_keys {
    name = "billing_period"
    type = "string"
  }

  storage_descriptor {
    location      = local.focus_location
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = local.focus_columns

      content {
        name = columns.value.name
        type = columns.value.type
      }
    }
  }
}

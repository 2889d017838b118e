# Who sees which rows: a line for each rule, which QuickSight joins to the usage. A rule without a tenant
# or unit is not restricted by it; a group without a rule sees nothing.
locals {
  rules = flatten([
    for group, viewer in var.viewers : concat(
      viewer.all ? [{ group_name = group, tenant_id = null, business_unit = null }] : [],
      [for tenant in viewer.tenants : { group_name = group, tenant_id = tenant, business_unit = null }],
      [for unit in viewer.business_units : { group_name = group, tenant_id = null, business_unit = unit }],
    )
  ])

  _viewers_location = "s3://${var.lake_bucket_name}/quicksight/viewers"
  _rule_columns     = ["group_name", "tenant_id", "business_unit"]
}

resource "aws_s3_object" "viewers" {
  bucket       = var.lake_bucket_name
  key          = "quicksight/viewers/viewers.json"
  content_type = "application/json"
  kms_key_id   = var.kms_key_arn
  content      = join("", [for rule in local.rules : "${jsonencode(rule)}\n"])

  # An object takes ten tags at most, and a deployment may have more defaults than that.
  override_provider {
    default_tags {
      tags = {}
    }
  }
}

resource "aws_glue_catalog_table" "viewers" {
  name          = "quicksight_viewers"
  database_name = var.database_name
  description   = "Which QuickSight group sees which tenants and business units."
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL       = "TRUE"
    classification = "json"
  }

  storage_descriptor {
    location      = local._viewers_location
    input_format  = "org.apache.hadoop.mapred.TextInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"

    ser_de_info {
      serialization_library = "org.openx.data.jsonserde.JsonSerDe"
    }

    dynamic "columns" {
      for_each = local._rule_columns

      content {
        name = columns.value
        type = "string"
      }
    }
  }
}

resource "aws_quicksight_data_set" "viewers" {
  aws_account_id = var.account_id
  data_set_id    = "${var.prefix}-viewers"
  name           = "${var.prefix} viewers"
  import_mode    = "SPICE"
  tags           = var.tags

  physical_table_map {
    physical_table_map_id = "viewers"

    custom_sql {
      data_source_arn = aws_quicksight_data_source.this.arn
      name            = "viewers"
      sql_query       = "SELECT ${join(", ", local._rule_columns)} FROM ${var.database_name}.${aws_glue_catalog_table.viewers.name}"

      dynamic "columns" {
        for_each = local._rule_columns

        content {
          name = columns.value
          type = "STRING"
        }
      }
    }
  }

  # QuickSight knows groups by a column of this very name, which Athena would spell in lower case.
  logical_table_map {
    logical_table_map_id = "viewers"
    alias                = "viewers"

    data_transforms {
      rename_column_operation {
        column_name     = "group_name"
        new_column_name = "GroupName"
      }
    }

    source {
      physical_table_id = "viewers"
    }
  }

  dynamic "permissions" {
    for_each = local.author_arns

    content {
      actions   = local._data_set_actions
      principal = permissions.value
    }
  }

  depends_on = [aws_iam_role_policy_attachment.this, aws_s3_object.viewers]
}

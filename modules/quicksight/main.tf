# Usage in QuickSight: what Athena reads, day by day, and who may see which of it.
locals {
  _groups     = "arn:${var.partition}:quicksight:${coalesce(var.identity_region, var.region)}:${var.account_id}:group/${var.namespace}"
  author_arns = [for group in var.authors : "${local._groups}/${group}"]
  viewer_arns = [for group in keys(var.viewers) : "${local._groups}/${group}"]

  _data_source_actions = formatlist("quicksight:%s", [
    "DeleteDataSource", "DescribeDataSource", "DescribeDataSourcePermissions", "PassDataSource", "UpdateDataSource", "UpdateDataSourcePermissions",
  ])
  _data_set_actions = formatlist("quicksight:%s", [
    "CancelIngestion", "CreateIngestion", "DeleteDataSet", "DescribeDataSet", "DescribeDataSetPermissions", "DescribeIngestion", "ListIngestions", "PassDataSet", "UpdateDataSet", "UpdateDataSetPermissions",
  ])

  columns = [
    { name = "dt", type = "DATETIME" },
    { name = "tenant_id", type = "STRING" },
    { name = "business_unit", type = "STRING" },
    { name = "cost_center", type = "STRING" },
    { name = "app_id", type = "STRING" },
    { name = "model_id", type = "STRING" },
    { name = "region", type = "STRING" },
    { name = "calls", type = "INTEGER" },
    { name = "tokens", type = "INTEGER" },
    { name = "usd", type = "DECIMAL" },
  ]

  # For people to look at: QuickSight's decimals have four places in SPICE. Statements are exact.
  query = <<-SQL
    SELECT
        CAST(dt AS timestamp) AS dt,
        tenant_id,
        coalesce(nullif(business_unit, ''), 'unassigned') AS business_unit,
        cost_center,
        app_id,
        model_id,
        region,
        count_if(status <> 'error' AND operation <> 'reprice') AS calls,
        sum(input_tokens + output_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens) AS tokens,
        CAST(sum(CAST(total_cost AS decimal(26, 0))) AS double) / 1e12 AS usd
    FROM ${var.database_name}.usage
    WHERE dt >= date_trunc('month', current_date) - INTERVAL '${var.months - 1}' MONTH
    GROUP BY dt, tenant_id, coalesce(nullif(business_unit, ''), 'unassigned'), cost_center, app_id, model_id, region
  SQL
}

resource "aws_quicksight_data_source" "this" {
  aws_account_id = var.account_id
  data_source_id = var.prefix
  name           = var.prefix
  type           = "ATHENA"
  tags           = var.tags

  parameters {
    athena {
      work_group = var.workgroup_name
    }
  }

  ssl_properties {
    disable_ssl = false
  }

  dynamic "permission" {
    for_each = local.author_arns

    content {
      actions   = local._data_source_actions
      principal = permission.value
    }
  }

  # QuickSight tries the source when it is made.
  depends_on = [aws_iam_role_policy_attachment.this]
}

resource "aws_quicksight_data_set" "usage" {
  aws_account_id = var.account_id
  data_set_id    = "${var.prefix}-usage"
  name           = "${var.prefix} usage by day"
  import_mode    = "SPICE"
  tags           = var.tags

  physical_table_map {
    physical_table_map_id = "usage"

    custom_sql {
      data_source_arn = aws_quicksight_data_source.this.arn
      name            = "usage"
      sql_query       = local.query

      dynamic "columns" {
        for_each = local.columns

        content {
          name = columns.value.name
          type = columns.value.type
        }
      }
    }
  }

  row_level_permission_data_set {
    arn               = aws_quicksight_data_set.viewers.arn
    format_version    = "VERSION_1"
    permission_policy = "GRANT_ACCESS"
    status            = "ENABLED"
  }

  dynamic "permissions" {
    for_each = local.author_arns

    content {
      actions   = local._data_set_actions
      principal = permissions.value
    }
  }
}

# The rules first, so that a new viewer finds its rows.
resource "aws_quicksight_refresh_schedule" "this" {
  for_each = {
    viewers = aws_quicksight_data_set.viewers.data_set_id
    usage   = aws_quicksight_data_set.usage.data_set_id
  }

  aws_account_id = var.account_id
  data_set_id    = each.value
  schedule_id    = "daily"

  schedule {
    refresh_type = "FULL_REFRESH"

    schedule_frequency {
      interval        = "DAILY"
      time_of_the_day = var.refresh_at
      timezone        = "UTC"
    }
  }
}

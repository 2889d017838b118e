# One sheet: three tiles, cost by day stacked by tenant and by model, and a table, with two filters above.
locals {
  _data = "usage"

  # Value fields by what they sum.
  _tiles = {
    spend  = { title = "Spend, USD", column = "usd" }
    tokens = { title = "Tokens", column = "tokens" }
    calls  = { title = "Calls", column = "calls" }
  }
  _stacks = {
    tenants = { title = "Cost by day and tenant, USD", column = "tenant_id" }
    models  = { title = "Cost by day and model, USD", column = "model_id" }
  }
  _filters = {
    tenant = { title = "Tenant", column = "tenant_id" }
    unit   = { title = "Business unit", column = "business_unit" }
  }
  _table_groups = ["business_unit", "tenant_id", "app_id", "model_id"]
}

resource "aws_quicksight_dashboard" "this" {
  aws_account_id      = var.account_id
  dashboard_id        = "${var.prefix}-costs"
  name                = "${var.prefix} costs"
  version_description = "Made by Terraform"
  tags                = var.tags

  dynamic "permissions" {
    for_each = toset([for arn in local.viewer_arns : arn if !contains(local.author_arns, arn)])

    content {
      actions   = formatlist("quicksight:%s", ["DescribeDashboard", "ListDashboardVersions", "QueryDashboard"])
      principal = permissions.value
    }
  }

  dynamic "permissions" {
    for_each = toset(local.author_arns)

    content {
      actions = formatlist("quicksight:%s", [
        "DeleteDashboard", "DescribeDashboard", "DescribeDashboardPermissions", "ListDashboardVersions", "QueryDashboard", "UpdateDashboard", "UpdateDashboardPermissions", "UpdateDashboardPublishedVersion",
      ])
      principal = permissions.value
    }
  }

  definition {
    data_set_identifiers_declarations {
      data_set_arn = aws_quicksight_data_set.usage.arn
      identifier   = local._data
    }

    dynamic "filter_groups" {
      for_each = local._filters

      content {
        cross_dataset   = "SINGLE_DATASET"
        filter_group_id = filter_groups.key
        status          = "ENABLED"

        filters {
          category_filter {
            filter_id = filter_groups.key

            column {
              column_name         = filter_groups.value.column
              data_set_identifier = local._data
            }

            configuration {
              filter_list_configuration {
                match_operator     = "CONTAINS"
                select_all_options = "FILTER_ALL_VALUES"
              }
            }
          }
        }

        scope_configuration {
          selected_sheets {
            sheet_visual_scoping_configurations {
              scope    = "ALL_VISUALS"
              sheet_id = "costs"
            }
          }
        }
      }
    }

    sheets {
      sheet_id = "costs"
      name     = "Costs"
      title    = "What models cost"

      dynamic "filter_controls" {
        for_each = local._filters

        content {
          dropdown {
            filter_control_id = filter_controls.key
            source_filter_id  = filter_controls.key
            title             = filter_controls.value.title
            type              = "MULTI_SELECT"
          }
        }
      }

      dynamic "visuals" {
        for_each = local._tiles

        content {
          kpi_visual {
            visual_id = visuals.key

            title {
              visibility = "VISIBLE"

              format_text {
                plain_text = visuals.value.title
              }
            }

            chart_configuration {
              field_wells {
                values {
                  numerical_measure_field {
                    field_id = visuals.key

                    column {
                      column_name         = visuals.value.column
                      data_set_identifier = local._data
                    }

                    aggregation_function {
                      simple_numerical_aggregation = "SUM"
                    }
                  }
                }
              }
            }
          }
        }
      }

      dynamic "visuals" {
        for_each = local._stacks

        content {
          bar_chart_visual {
            visual_id = visuals.key

            title {
              visibility = "VISIBLE"

              format_text {
                plain_text = visuals.value.title
              }
            }

            chart_configuration {
              bars_arrangement = "STACKED"
              orientation      = "VERTICAL"

              field_wells {
                bar_chart_aggregated_field_wells {
                  category {
                    date_dimension_field {
                      date_granularity = "DAY"
                      field_id         = "${visuals.key}-day"

                      column {
                        column_name         = "dt"
                        data_set_identifier = local._data
                      }
                    }
                  }

                  colors {
                    categorical_dimension_field {
                      field_id = "${visuals.key}-color"

                      column {
                        column_name         = visuals.value.column
                        data_set_identifier = local._data
                      }
                    }
                  }

                  values {
                    numerical_measure_field {
                      field_id = "${visuals.key}-usd"

                      column {
                        column_name         = "usd"
                        data_set_identifier = local._data
                      }

                      aggregation_function {
                        simple_numerical_aggregation = "SUM"
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }

      visuals {
        table_visual {
          visual_id = "table"

          title {
            visibility = "VISIBLE"

            format_text {
              plain_text = "By business unit, tenant, app and model"
            }
          }

          chart_configuration {
            field_wells {
              table_aggregated_field_wells {
                dynamic "group_by" {
                  for_each = local._table_groups

                  content {
                    categorical_dimension_field {
                      field_id = "table-${group_by.value}"

                      column {
                        column_name         = group_by.value
                        data_set_identifier = local._data
                      }
                    }
                  }
                }

                dynamic "values" {
                  for_each = local._tiles

                  content {
                    numerical_measure_field {
                      field_id = "table-${values.key}"

                      column {
                        column_name         = values.value.column
                        data_set_identifier = local._data
                      }

                      aggregation_function {
                        simple_numerical_aggregation = "SUM"
                      }
                    }
                  }
                }
              }
            }

            sort_configuration {
              row_sort {
                field_sort {
                  direction = "DESC"
                  field_id  = "table-spend"
                }
              }
            }
          }
        }
      }
    }
  }
}

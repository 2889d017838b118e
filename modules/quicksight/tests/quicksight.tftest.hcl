mock_provider "aws" {
  source = "../_mocks/aws"

  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111122223333:policy/mock" }
  }

  mock_resource "aws_quicksight_data_source" {
    defaults = { arn = "arn:aws:quicksight:us-east-1:111122223333:datasource/tollgate-test" }
  }

  mock_resource "aws_quicksight_data_set" {
    defaults = { arn = "arn:aws:quicksight:us-east-1:111122223333:dataset/mock" }
  }
}

variables {
  prefix             = "tollgate-test"
  account_id         = "111122223333"
  region             = "us-east-1"
  kms_key_arn        = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
  database_name      = "tollgate_test"
  workgroup_name     = "tollgate-test"
  lake_bucket_name   = "tollgate-test-lake-111122223333"
  athena_bucket_name = "tollgate-test-athena-111122223333"
  authors            = ["finance"]
  viewers = {
    finance = { all = true }
    claims  = { business_units = ["claims"], tenants = ["acme"] }
  }
}

run "each_group_sees_its_rows" {
  assert {
    condition = [for line in split("\n", trimspace(aws_s3_object.viewers.content)) : jsondecode(line)] == [
      { group_name = "claims", tenant_id = "acme", business_unit = null },
      { group_name = "claims", tenant_id = null, business_unit = "claims" },
      { group_name = "finance", tenant_id = null, business_unit = null },
    ]
    error_message = "A rule is a line: of a tenant, of a business unit, or of everything."
  }

  assert {
    condition = [
      for rules in aws_quicksight_data_set.usage.row_level_permission_data_set :
      "${rules.arn} ${rules.format_version} ${rules.permission_policy} ${rules.status}"
    ] == ["${aws_quicksight_data_set.viewers.arn} VERSION_1 GRANT_ACCESS ENABLED"]
    error_message = "The usage is shown by the rules, and by no rule not at all."
  }

  assert {
    condition = [
      for transform in one(aws_quicksight_data_set.viewers.logical_table_map).data_transforms :
      "${one(transform.rename_column_operation).column_name} ${one(transform.rename_column_operation).new_column_name}"
    ] == ["group_name GroupName"]
    error_message = "QuickSight finds the groups in a column called GroupName."
  }
}

run "figures_are_read_anew_each_day" {
  assert {
    condition     = [for schedule in aws_quicksight_refresh_schedule.this : "${one(one(schedule.schedule).schedule_frequency).interval} ${one(one(schedule.schedule).schedule_frequency).time_of_the_day}"] == ["DAILY 05:00", "DAILY 05:00"]
    error_message = "Both datasets are refreshed daily."
  }

  assert {
    condition     = aws_quicksight_data_set.usage.import_mode == "SPICE" && strcontains(local.query, "INTERVAL '12' MONTH") && strcontains(local.query, "FROM tollgate_test.usage")
    error_message = "The usage of thirteen months is kept in SPICE."
  }

  assert {
    condition     = one(one(aws_quicksight_data_source.this.parameters).athena).work_group == "tollgate-test" && !one(aws_quicksight_data_source.this.ssl_properties).disable_ssl
    error_message = "Queries run in the deployment's workgroup, which limits what they scan."
  }
}

run "the_dashboard_is_for_viewers_and_authors" {
  assert {
    condition = {
      for permission in aws_quicksight_dashboard.this.permissions : permission.principal => contains(permission.actions, "quicksight:UpdateDashboard")
      } == {
      "arn:aws:quicksight:us-east-1:111122223333:group/default/claims"  = false
      "arn:aws:quicksight:us-east-1:111122223333:group/default/finance" = true
    }
    error_message = "Viewers look, authors change."
  }

  assert {
    condition     = length(one(aws_quicksight_dashboard.this.definition).sheets[0].visuals) == 6 && length(one(aws_quicksight_dashboard.this.definition).sheets[0].filter_controls) == 2
    error_message = "The sheet has three tiles, two charts, a table and two filters."
  }
}

run "quicksights_role_reads_the_usage_and_nothing_else" {
  assert {
    condition = {
      for statement in jsondecode(aws_iam_policy.this.policy).Statement : statement.Sid => statement.Resource if contains(["ReadUsage", "Results", "Key"], statement.Sid)
      } == {
      ReadUsage = ["arn:aws:s3:::tollgate-test-lake-111122223333/usage/*", "arn:aws:s3:::tollgate-test-lake-111122223333/quicksight/*"]
      Results   = ["arn:aws:s3:::tollgate-test-athena-111122223333/results/*"]
      Key       = ["arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"]
    }
    error_message = "Statements, errors and tenants' facts are not QuickSight's."
  }

  assert {
    condition     = aws_iam_role_policy_attachment.this.role == "aws-quicksight-service-role-v0"
    error_message = "The policy is of the role that QuickSight reads with."
  }
}

run "a_viewer_without_rows_is_refused" {
  command = plan

  variables {
    viewers = { nobody = {} }
  }

  expect_failures = [var.viewers]
}

run "all_and_names_exclude_each_other" {
  command = plan

  variables {
    viewers = { claims = { all = true, tenants = ["acme"] } }
  }

  expect_failures = [var.viewers]
}

run "a_time_that_is_none_is_refused" {
  command = plan

  variables {
    refresh_at = "24:00"
  }

  expect_failures = [var.refresh_at]
}

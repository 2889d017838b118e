mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  prefix      = "tollgate-test"
  account_id  = "111122223333"
  kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
}

run "buckets" {
  assert {
    condition     = output.lake_bucket_name == "tollgate-test-lake-111122223333" && output.athena_bucket_name == "tollgate-test-athena-111122223333"
    error_message = "Buckets are <prefix>-<name>-<account>."
  }

  assert {
    condition     = !aws_s3_bucket.lake.force_destroy && !aws_s3_bucket.athena.force_destroy && one(aws_s3_bucket_versioning.lake.versioning_configuration).status == "Enabled"
    error_message = "Billing records survive a destroy and an overwrite by default."
  }

  assert {
    condition     = alltrue([for block in [aws_s3_bucket_public_access_block.athena, aws_s3_bucket_public_access_block.lake, aws_s3_bucket_public_access_block.statements] : block.block_public_acls && block.block_public_policy && block.ignore_public_acls && block.restrict_public_buckets])
    error_message = "Nothing can be made public."
  }

  assert {
    condition     = alltrue([for encryption in [aws_s3_bucket_server_side_encryption_configuration.lake, aws_s3_bucket_server_side_encryption_configuration.athena, aws_s3_bucket_server_side_encryption_configuration.statements] : one(encryption.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn])
    error_message = "Objects are encrypted with the given key."
  }

  assert {
    condition     = alltrue([for policy in aws_s3_bucket_policy.this : jsondecode(policy.policy).Statement[0].Effect == "Deny" && jsondecode(policy.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"])
    error_message = "All buckets refuse plain HTTP."
  }
}

run "statements_are_locked" {
  assert {
    condition     = output.statements_bucket_name == "tollgate-test-statements-111122223333" && aws_s3_bucket.statements.object_lock_enabled && one(aws_s3_bucket_versioning.statements.versioning_configuration).status == "Enabled"
    error_message = "Statements have a bucket of their own, which can lock them."
  }

  assert {
    condition     = one(aws_s3_bucket_object_lock_configuration.statements.rule).default_retention[0].mode == "GOVERNANCE" && one(aws_s3_bucket_object_lock_configuration.statements.rule).default_retention[0].years == 10
    error_message = "Each is locked from when it is written, for ten years unless told otherwise."
  }

  assert {
    condition     = aws_glue_catalog_table.statements.parameters["storage.location.template"] == "s3://tollgate-test-statements-111122223333/lines/month=$${month}" && aws_glue_catalog_table.statements.parameters["projection.month.format"] == "yyyy-MM"
    error_message = "Athena reads the lines of a month by its folder."
  }
}

run "a_lock_can_be_for_auditors" {
  command = plan

  variables {
    statement_lock = { mode = "COMPLIANCE", years = 7 }
  }

  assert {
    condition     = one(aws_s3_bucket_object_lock_configuration.statements.rule).default_retention[0].mode == "COMPLIANCE" && one(aws_s3_bucket_object_lock_configuration.statements.rule).default_retention[0].years == 7
    error_message = "Mode and years follow the input."
  }
}

run "a_lock_has_a_mode_and_years" {
  command = plan

  variables {
    statement_lock = { mode = "governance", years = 0 }
  }

  expect_failures = [var.statement_lock]
}

run "records_are_kept_by_default" {
  command = plan

  assert {
    condition = jsonencode({
      for rule in aws_s3_bucket_lifecycle_configuration.lake.rule :
      one(rule.filter[*].prefix) => [one(rule.transition[*].days), one(rule.expiration[*].days)] if rule.id != "leftovers"
      }) == jsonencode({
      "daily/"   = [90, null]
      "errors/"  = [null, 400]
      "succeed/" = [90, null]
      "usage/"   = [90, null]
    })
    error_message = "Usage and reports move to a cheaper class and are never deleted, unless told otherwise."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.athena.rule[0].expiration[0].days == 30
    error_message = "Query results expire."
  }

  assert {
    condition     = length(aws_s3_bucket_logging.lake) == 0
    error_message = "Requests are logged only where a bucket for it is named."
  }
}

run "retention_follows_the_inputs" {
  command = plan

  variables {
    error_expiration_days  = 30
    lake_expiration_days   = 2557
    lake_noncurrent_days   = 7
    lake_transition_days   = 30
    report_expiration_days = 3650
    report_transition_days = 60
    results_retention_days = 1
  }

  assert {
    condition = jsonencode({
      for rule in aws_s3_bucket_lifecycle_configuration.lake.rule :
      one(rule.filter[*].prefix) => [one(rule.transition[*].days), one(rule.expiration[*].days)] if rule.id != "leftovers"
      }) == jsonencode({
      "daily/"   = [60, 3650]
      "errors/"  = [null, 30]
      "succeed/" = [60, 3650]
      "usage/"   = [30, 2557]
    })
    error_message = "Each prefix of the lake follows its inputs."
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.lake.rule : rule.noncurrent_version_expiration[0].noncurrent_days if rule.id == "leftovers"
    ] == [7]
    error_message = "Old versions of everything expire."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.athena.rule[0].expiration[0].days == 1
    error_message = "The results' retention follows the input."
  }
}

run "the_list_of_tenants_never_ages" {
  command = plan

  assert {
    condition = !anytrue([
      for rule in aws_s3_bucket_lifecycle_configuration.lake.rule :
      startswith("tenants/acme.json", coalesce(one(rule.filter[*].prefix), "-")) || (rule.id == "leftovers" && length(concat(rule.expiration, tolist(rule.transition))) > 0)
    ])
    error_message = "No rule with an age matches the tenants."
  }
}

run "access_log" {
  command = plan

  variables {
    access_log_bucket = { name = "tollgate-test-access-logs" }
  }

  assert {
    condition     = aws_s3_bucket_logging.lake[0].target_bucket == "tollgate-test-access-logs" && aws_s3_bucket_logging.lake[0].target_prefix == "tollgate-test-lake-111122223333/"
    error_message = "Requests to the lake are recorded under its name."
  }
}

run "catalogue" {
  command = plan

  assert {
    condition     = aws_glue_catalog_table.daily.name == "daily" && [for key in aws_glue_catalog_table.daily.partition_keys : "${key.name} ${key.type}"] == ["dt date"] && aws_glue_catalog_table.daily.parameters["storage.location.template"] == "s3://tollgate-test-lake-111122223333/daily/dt=$${dt}"
    error_message = "The days' summaries are the table daily, by day."
  }

  assert {
    condition     = output.glue_database_name == "tollgate_test" && aws_glue_catalog_table.usage.name == "usage" && aws_glue_catalog_table.usage.table_type == "EXTERNAL_TABLE"
    error_message = "The table is usage in the database named after the prefix."
  }

  assert {
    condition     = [for key in aws_glue_catalog_table.usage.partition_keys : "${key.name} ${key.type}"] == ["dt date", "hour int"]
    error_message = "Partitions are the date and the hour."
  }

  assert {
    condition     = aws_glue_catalog_table.usage.parameters["projection.enabled"] == "true" && aws_glue_catalog_table.usage.parameters["projection.hour.digits"] == "2" && aws_glue_catalog_table.usage.parameters["storage.location.template"] == "s3://tollgate-test-lake-111122223333/usage/dt=$${dt}/hour=$${hour}"
    error_message = "Partitions are projected onto usage/dt=YYYY-MM-DD/hour=HH."
  }

  assert {
    condition     = aws_glue_catalog_table.usage.storage_descriptor[0].columns[0].name == "schema_version" && alltrue([for column in aws_glue_catalog_table.usage.storage_descriptor[0].columns : column.type == "bigint" if endswith(column.name, "_cost")])
    error_message = "Rows start with their schema's version, and costs are whole numbers."
  }
}

run "tenants" {
  command = plan

  assert {
    condition     = aws_glue_catalog_table.tenants.name == "tenants" && aws_glue_catalog_table.tenants.storage_descriptor[0].location == "s3://tollgate-test-lake-111122223333/tenants/" && length(aws_glue_catalog_table.tenants.partition_keys) == 0
    error_message = "What is known about tenants lies beside their usage."
  }

  assert {
    condition     = aws_glue_catalog_table.tenants.storage_descriptor[0].ser_de_info[0].parameters["case.insensitive"] == "false"
    error_message = "Tags are found by their names as written."
  }

  assert {
    condition     = strcontains(aws_athena_named_query.this["usage_by_kind"].query, "LEFT JOIN tenants")
    error_message = "Usage can be grouped by what is known about tenants."
  }
}

run "prices" {
  command = plan

  assert {
    condition     = aws_s3_object.prices.key == "prices/book.json" && aws_s3_object.prices.kms_key_id == var.kms_key_arn && aws_glue_catalog_table.prices.storage_descriptor[0].location == "s3://tollgate-test-lake-111122223333/prices/"
    error_message = "The price book lies in the lake, encrypted, where its table reads it."
  }

  assert {
    condition     = alltrue([for column in aws_glue_catalog_table.prices.storage_descriptor[0].columns : column.type == "bigint" if endswith(column.name, "_price")])
    error_message = "Prices are whole picodollars."
  }

  assert {
    condition     = strcontains(aws_athena_named_query.this["silo_candidates"].query, "CAST(5000 AS decimal(26, 12))") && strcontains(aws_athena_named_query.this["economics"].query, "CASE 'tenant' WHEN 'all'")
    error_message = "Named queries have the defaults of their parameters."
  }
}

run "workgroup" {
  command = plan

  variables {
    bytes_scanned_cutoff = 1073741824
  }

  assert {
    condition     = output.workgroup_name == "tollgate-test" && aws_athena_workgroup.this.configuration[0].enforce_workgroup_configuration && aws_athena_workgroup.this.configuration[0].bytes_scanned_cutoff_per_query == 1073741824
    error_message = "The workgroup's scan limit cannot be overruled by a client."
  }

  assert {
    condition     = aws_athena_workgroup.this.configuration[0].result_configuration[0].output_location == "s3://tollgate-test-athena-111122223333/results/" && aws_athena_workgroup.this.configuration[0].result_configuration[0].encryption_configuration[0].kms_key_arn == var.kms_key_arn
    error_message = "Results go to their own bucket, encrypted with the given key."
  }

  assert {
    condition     = aws_athena_named_query.this["chargeback"].name == "chargeback" && aws_athena_named_query.this["chargeback"].database == "tollgate_test" && aws_athena_named_query.this["chargeback"].description == "What each tenant spent on each model, in exact US dollars."
    error_message = "The chargeback query is there, in the stack's database, and says what it answers."
  }

  assert {
    condition     = strcontains(aws_athena_named_query.this["chargeback"].query, "WHERE dt >= date_trunc('month', current_date)\n    AND dt < date_trunc('month', current_date) + INTERVAL '1' MONTH\n    AND settled_at < DATE '9999-12-31'")
    error_message = "In Athena a query is of this month, unless it is changed there."
  }

  assert {
    condition     = sort(keys(aws_athena_named_query.this)) == sort([for file in fileset("${path.module}/queries", "*.sql") : trimsuffix(file, ".sql")]) && !anytrue([for query in aws_athena_named_query.this : can(regex("[$][{]", query.query))])
    error_message = "Every file is a named query, with all its parameters filled."
  }
}

run "refuses_a_bad_account" {
  command = plan

  variables {
    account_id = "12345"
  }

  expect_failures = [var.account_id]
}

run "refuses_a_bad_prefix" {
  command = plan

  variables {
    prefix = "tollgate-"
  }

  expect_failures = [var.prefix]
}

run "refuses_a_key_alias" {
  command = plan

  variables {
    kms_key_arn = "alias/tollgate-test"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_a_cutoff_that_athena_refuses" {
  command = plan

  variables {
    bytes_scanned_cutoff = 9999999
  }

  expect_failures = [var.bytes_scanned_cutoff]
}

run "refuses_records_that_expire_within_a_quarter" {
  command = plan

  variables {
    lake_expiration_days = 90
  }

  expect_failures = [var.lake_expiration_days]
}

run "refuses_no_time_to_recover" {
  command = plan

  variables {
    lake_noncurrent_days = 0
  }

  expect_failures = [var.lake_noncurrent_days]
}

run "refuses_transitions_after_the_end" {
  command = plan

  variables {
    lake_expiration_days   = 120
    lake_transition_days   = 120
    report_expiration_days = 100
    report_transition_days = 101
  }

  expect_failures = [var.lake_transition_days, var.report_transition_days]
}

run "refuses_a_transition_that_s3_refuses" {
  command = plan

  variables {
    lake_transition_days   = 29
    report_transition_days = 29
  }

  expect_failures = [var.lake_transition_days, var.report_transition_days]
}

run "refuses_results_without_end" {
  command = plan

  variables {
    results_retention_days = 366
  }

  expect_failures = [var.results_retention_days]
}

run "refuses_reports_out_of_range" {
  command = plan

  variables {
    access_log_bucket      = { name = "Logs" }
    error_expiration_days  = 0
    report_expiration_days = 90
  }

  expect_failures = [var.access_log_bucket, var.error_expiration_days, var.report_expiration_days]
}

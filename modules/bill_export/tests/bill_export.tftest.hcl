mock_provider "aws" {
  source = "../_mocks/aws"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "../_mocks/aws"
}

variables {
  prefix        = "tollgate-test"
  account_id    = "111122223333"
  region        = "eu-central-1"
  database_name = "tollgate_test"
}

run "an_export_with_the_pinned_columns" {
  assert {
    condition     = aws_bcmdataexports_export.this[0].export[0].data_query[0].query_statement == "SELECT ${join(", ", jsondecode(file("columns.json"))[*].name)} FROM COST_AND_USAGE_REPORT"
    error_message = "The export selects what columns.json lists, in its order."
  }

  assert {
    condition = aws_bcmdataexports_export.this[0].export[0].data_query[0].table_configurations["COST_AND_USAGE_REPORT"] == tomap({
      INCLUDE_CAPACITY_RESERVATION_DATA     = "FALSE"
      INCLUDE_IAM_PRINCIPAL_DATA            = "TRUE"
      INCLUDE_MANUAL_DISCOUNT_COMPATIBILITY = "FALSE"
      INCLUDE_RESOURCES                     = "TRUE"
      INCLUDE_SPLIT_COST_ALLOCATION_DATA    = "FALSE"
      TIME_GRANULARITY                      = "DAILY"
    })
    error_message = "Principals and resources are in the export, by day."
  }

  assert {
    condition = [
      for destination in aws_bcmdataexports_export.this[0].export[0].destination_configurations[0].s3_destination :
      "${destination.s3_bucket} ${destination.s3_prefix} ${destination.s3_region} ${one(destination.s3_output_configurations).overwrite}"
    ] == ["tollgate-test-bill-111122223333 cur eu-central-1 OVERWRITE_REPORT"]
    error_message = "The report goes to the bucket in the deployment's region, and a refresh replaces it."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_s3_bucket_policy.this[0].policy).Statement : statement.Sid => statement.Effect
    } == { DenyWithoutTls = "Deny", ExportWrites = "Allow" }
    error_message = "Data Exports writes, and nobody comes without TLS."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_s3_bucket_policy.this[0].policy).Statement :
      statement.Condition.StringEquals["aws:SourceAccount"] == "111122223333" &&
      length(statement.Condition.StringLike["aws:SourceArn"]) == 2 if statement.Effect == "Allow"
    ])
    error_message = "No other account's export writes here."
  }

  assert {
    condition = (
      aws_s3_bucket_public_access_block.this[0].block_public_policy && aws_s3_bucket_public_access_block.this[0].restrict_public_buckets &&
      !aws_s3_bucket.this[0].force_destroy && one(aws_s3_bucket_versioning.this[0].versioning_configuration).status == "Enabled"
    )
    error_message = "The bill is not public and survives a destroy and an overwrite."
  }
}

run "a_table_over_it" {
  command = plan

  assert {
    condition     = [for column in aws_glue_catalog_table.bill.storage_descriptor[0].columns : "${column.name} ${column.type}"] == [for column in jsondecode(file("columns.json")) : "${column.name} ${column.type}"]
    error_message = "The table has the export's columns."
  }

  assert {
    condition     = aws_glue_catalog_table.bill.parameters["storage.location.template"] == "s3://tollgate-test-bill-111122223333/cur/tollgate-test-bill/data/BILLING_PERIOD=$${billing_period}"
    error_message = "A partition is a billing period's folder."
  }

  assert {
    condition     = aws_glue_catalog_table.bill.database_name == "tollgate_test" && aws_glue_catalog_table.bill.name == "bill"
    error_message = "The bill is in the database of the usage."
  }
}

run "an_export_of_another_account" {
  command = plan

  variables {
    location = "s3://payer-exports/cur/org"
  }

  assert {
    condition     = length(aws_bcmdataexports_export.this) == 0 && length(aws_s3_bucket.this) == 0 && output.bucket_name == null
    error_message = "Nothing is made where an export is."
  }

  assert {
    condition     = aws_glue_catalog_table.bill.parameters["storage.location.template"] == "s3://payer-exports/cur/org/data/BILLING_PERIOD=$${billing_period}"
    error_message = "The table reads the export that is named."
  }
}

run "refuses_what_is_no_folder" {
  command = plan

  variables {
    location = "s3://payer-exports/cur/"
  }

  expect_failures = [var.location]
}

run "refuses_what_is_no_region" {
  command = plan

  variables {
    region = "Frankfurt"
  }

  expect_failures = [var.region]
}

run "refuses_what_is_no_account" {
  command = plan

  variables {
    account_id = "1"
  }

  expect_failures = [var.account_id]
}

run "refuses_a_database_that_needs_quotes" {
  command = plan

  variables {
    database_name = "tollgate-test"
  }

  expect_failures = [var.database_name]
}

run "refuses_a_prefix_that_s3_does" {
  command = plan

  variables {
    prefix = "Tollgate"
  }

  expect_failures = [var.prefix]
}

run "refuses_what_is_no_partition" {
  command = plan

  variables {
    partition = "amazon"
  }

  expect_failures = [var.partition]
}

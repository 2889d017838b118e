mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  prefix      = "tollgate-test"
  region      = "us-east-1"
  account_id  = "111122223333"
  kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"

  data_events = {
    bucket_arns = { lake = "arn:aws:s3:::tollgate-test-lake-111122223333" }
    table_arns  = { tenants = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-test-tenants" }
  }
  access_logged_bucket_arns = { lake = "arn:aws:s3:::tollgate-test-lake-111122223333" }
  archived_log_groups       = { access = "/aws/apigateway/tollgate-test/access", invoke = "/aws/lambda/tollgate-test-invoke" }
}

run "nothing_by_default" {
  command = plan

  assert {
    condition = length(concat(
      aws_cloudtrail.this[*].arn, aws_s3_bucket.audit[*].arn, aws_s3_bucket.access[*].arn,
      aws_kinesis_firehose_delivery_stream.archive[*].arn, aws_iam_role.archive[*].arn, aws_iam_role.subscription[*].arn,
      values(aws_cloudwatch_log_subscription_filter.archive)[*].name, aws_cloudwatch_log_group.archive[*].arn,
    )) == 0
    error_message = "With the organisation's trail nothing is made."
  }

  assert {
    condition     = output.trail_arn == null && output.audit_bucket_name == null && output.access_log_bucket_name == null
    error_message = "What is not made has no name."
  }

  assert {
    condition = jsonencode(output.event_selectors) == jsonencode([
      {
        Name = "Objects in the bucket lake"
        FieldSelectors = [
          { Field = "eventCategory", Equals = ["Data"] },
          { Field = "resources.ARN", StartsWith = ["arn:aws:s3:::tollgate-test-lake-111122223333/"] },
          { Field = "resources.type", Equals = ["AWS::S3::Object"] },
        ]
      },
      {
        Name = "Writes to the table tenants"
        FieldSelectors = [
          { Field = "eventCategory", Equals = ["Data"] },
          { Field = "readOnly", Equals = ["false"] },
          { Field = "resources.ARN", Equals = ["arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-test-tenants"] },
          { Field = "resources.type", Equals = ["AWS::DynamoDB::Table"] },
        ]
      },
    ])
    error_message = "The organisation's trail can be told what to record."
  }
}

run "own_trail" {
  variables {
    trail = "own"
  }

  assert {
    condition = (
      aws_cloudtrail.this[0].name == "tollgate-test-audit" && aws_cloudtrail.this[0].kms_key_id == var.kms_key_arn &&
      aws_cloudtrail.this[0].enable_log_file_validation && aws_cloudtrail.this[0].is_multi_region_trail && aws_cloudtrail.this[0].include_global_service_events
    )
    error_message = "The trail covers every region, is encrypted and shows changes of its files."
  }

  assert {
    condition     = [for selector in aws_cloudtrail.this[0].advanced_event_selector : selector.name] == ["Management events", "Objects in the bucket lake", "Writes to the table tenants"]
    error_message = "Changes of tenants, and who reads usage, are recorded besides management events."
  }

  assert {
    condition     = aws_s3_bucket.audit[0].bucket == "tollgate-test-audit-111122223333" && !aws_s3_bucket.audit[0].force_destroy && one(aws_s3_bucket_versioning.audit[0].versioning_configuration).status == "Enabled"
    error_message = "The audit bucket survives a destroy and an overwrite."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_s3_bucket_policy.audit[0].policy).Statement : statement.Sid => statement.Effect
    } == { DenyDeletion = "Deny", DenyWithoutTls = "Deny", TrailChecks = "Allow", TrailWrites = "Allow" }
    error_message = "The trail writes, nobody deletes and nobody comes without TLS."
  }

  assert {
    condition = alltrue([
      for statement in jsondecode(aws_s3_bucket_policy.audit[0].policy).Statement :
      statement.Condition.StringEquals["aws:SourceArn"] == "arn:aws:cloudtrail:us-east-1:111122223333:trail/tollgate-test-audit" if statement.Effect == "Allow"
    ])
    error_message = "No other trail writes here."
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.audit[0].rule :
      one(rule.filter[*].prefix) => "${one(rule.transition[*].days)} ${one(rule.expiration[*].days)}" if rule.id != "leftovers"
    } == { "cloudtrail/" = "90 2557", "logs/" = "90 731" }
    error_message = "Trails are kept for seven years and logs for two, in a cheaper class after 90 days."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.audit[0].rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn && aws_s3_bucket_public_access_block.audit[0].block_public_policy && aws_s3_bucket_public_access_block.audit[0].restrict_public_buckets
    error_message = "The audit bucket is encrypted and cannot be made public."
  }

  assert {
    condition     = length(aws_s3_bucket.access) == 0 && length(aws_kinesis_firehose_delivery_stream.archive) == 0
    error_message = "Each part is asked for by itself."
  }
}

run "own_trail_for_data_events_only" {
  command = plan

  variables {
    trail             = "own"
    management_events = false
    force_destroy     = true
  }

  assert {
    condition     = [for selector in aws_cloudtrail.this[0].advanced_event_selector : selector.name] == ["Objects in the bucket lake", "Writes to the table tenants"]
    error_message = "Management events are left to another trail."
  }

  assert {
    condition     = aws_s3_bucket.audit[0].force_destroy && !contains([for statement in jsondecode(aws_s3_bucket_policy.audit[0].policy).Statement : statement.Sid], "DenyDeletion")
    error_message = "A stack that is thrown away can be."
  }
}

run "access_logs" {
  variables {
    access_logs = true
    retention   = { access_log_days = 60, transition_days = 30 }
  }

  assert {
    condition     = output.access_log_bucket_name == "tollgate-test-access-logs-111122223333" && one(aws_s3_bucket_server_side_encryption_configuration.access[0].rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "Access logs have a bucket that S3 can write to."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_s3_bucket_policy.access[0].policy).Statement : statement.Condition if statement.Sid == "AccessLogs"
      ] == [{
        ArnEquals    = { "aws:SourceArn" = ["arn:aws:s3:::tollgate-test-lake-111122223333"] }
        StringEquals = { "aws:SourceAccount" = "111122223333" }
    }]
    error_message = "Only the lake's log is written there."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.access[0].rule[0].expiration[0].days == 60 && one(aws_s3_bucket_lifecycle_configuration.access[0].rule[0].transition).days == 30
    error_message = "Access logs age as the inputs say."
  }

  assert {
    condition     = length(aws_s3_bucket.audit) == 0
    error_message = "Access logs need no audit bucket."
  }
}

run "log_archive" {
  variables {
    log_archive              = true
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
    retention                = { archive_days = 400 }
  }

  assert {
    condition     = { for name, filter in aws_cloudwatch_log_subscription_filter.archive : name => filter.log_group_name } == { access = "/aws/apigateway/tollgate-test/access", invoke = "/aws/lambda/tollgate-test-invoke" } && alltrue([for filter in aws_cloudwatch_log_subscription_filter.archive : filter.filter_pattern == ""])
    error_message = "Every line of the given groups is copied."
  }

  assert {
    condition     = startswith(aws_kinesis_firehose_delivery_stream.archive[0].extended_s3_configuration[0].prefix, "logs/") && aws_kinesis_firehose_delivery_stream.archive[0].extended_s3_configuration[0].kms_key_arn == var.kms_key_arn && aws_kinesis_firehose_delivery_stream.archive[0].server_side_encryption[0].key_arn == var.kms_key_arn
    error_message = "Copies are encrypted on the way and where they lie."
  }

  assert {
    condition     = aws_iam_role.archive[0].permissions_boundary == var.permissions_boundary_arn && aws_iam_role.subscription[0].permissions_boundary == var.permissions_boundary_arn
    error_message = "The boundary is on both roles."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.archive[0].policy).Statement[0].Resource == ["arn:aws:s3:::mock/logs/*"] && jsondecode(aws_iam_role_policy.subscription[0].policy).Statement[0].Resource == ["arn:aws:firehose:us-east-1:111122223333:deliverystream/mock"]
    error_message = "The archive writes copies and nothing else."
  }

  assert {
    condition     = toset(flatten([for rule in aws_s3_bucket_lifecycle_configuration.audit[0].rule : rule.expiration[*].days if rule.id == "logs"])) == toset([400])
    error_message = "Copies are kept as long as the inputs say."
  }

  assert {
    condition     = length(aws_cloudtrail.this) == 0 && [for statement in jsondecode(aws_s3_bucket_policy.audit[0].policy).Statement : statement.Sid] == ["DenyWithoutTls", "DenyDeletion"]
    error_message = "Without a trail of its own the bucket lets no trail in."
  }
}

run "refuses_a_trail_that_records_nothing" {
  command = plan

  variables {
    trail             = "own"
    management_events = false
    data_events       = {}
  }

  expect_failures = [aws_cloudtrail.this]
}

run "refuses_access_logs_of_nothing" {
  command = plan

  variables {
    access_logs               = true
    access_logged_bucket_arns = {}
  }

  expect_failures = [var.access_logs]
}

run "refuses_an_archive_of_nothing" {
  command = plan

  variables {
    archived_log_groups = {}
    log_archive         = true
  }

  expect_failures = [aws_kinesis_firehose_delivery_stream.archive]
}

run "refuses_values_out_of_range" {
  command = plan

  variables {
    access_logged_bucket_arns = { lake = "lake" }
    account_id                = "12345"
    archived_log_groups       = { invoke = "the log" }
    data_events               = { table_arns = { tenants = "tenants" } }
    kms_key_arn               = "alias/tollgate"
    log_retention_days        = 2
    permissions_boundary_arn  = "boundary"
    prefix                    = "T"
    region                    = "Virginia"
    retention                 = { trail_days = 60 }
    trail                     = "both"
  }

  expect_failures = [
    var.access_logged_bucket_arns,
    var.account_id,
    var.archived_log_groups,
    var.data_events,
    var.kms_key_arn,
    var.log_retention_days,
    var.permissions_boundary_arn,
    var.prefix,
    var.region,
    var.retention,
    var.trail,
  ]
}

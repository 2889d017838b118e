mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  prefix      = "tollgate-test"
  account_id  = "111122223333"
  kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
}

run "table" {
  command = plan

  assert {
    condition     = output.streams_table_name == "tollgate-test-streams" && aws_dynamodb_table.streams.hash_key == "pk" && aws_dynamodb_table.streams.range_key == "sk"
    error_message = "The table is <prefix>-streams, keyed by pk and sk."
  }

  assert {
    condition     = one(aws_dynamodb_table.streams.ttl).attribute_name == "expires_at" && aws_dynamodb_table.streams.deletion_protection_enabled && aws_dynamodb_table.streams.point_in_time_recovery[0].enabled
    error_message = "Jobs expire; the table is protected."
  }

  assert {
    condition     = aws_dynamodb_table.streams.server_side_encryption[0].kms_key_arn == var.kms_key_arn
    error_message = "The table is encrypted with the given key."
  }
}

run "bucket" {
  assert {
    condition     = output.payloads_bucket_name == "tollgate-test-payloads-111122223333" && !aws_s3_bucket.payloads.force_destroy
    error_message = "The bucket is <prefix>-payloads-<account> and is not emptied by default."
  }

  assert {
    condition     = alltrue([aws_s3_bucket_public_access_block.payloads.block_public_acls, aws_s3_bucket_public_access_block.payloads.block_public_policy, aws_s3_bucket_public_access_block.payloads.ignore_public_acls, aws_s3_bucket_public_access_block.payloads.restrict_public_buckets])
    error_message = "Nothing can be made public."
  }

  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.payloads.rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.kms_key_arn
    error_message = "Objects are encrypted with the given key."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.payloads.rule[0].expiration[0].days == 1
    error_message = "What is left of payloads expires after a day by default."
  }

  assert {
    condition     = jsondecode(aws_s3_bucket_policy.payloads.policy).Statement[0].Effect == "Deny" && jsondecode(aws_s3_bucket_policy.payloads.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false" && length(jsondecode(aws_s3_bucket_policy.payloads.policy).Statement[0].Resource) == 2
    error_message = "Bucket and objects refuse plain HTTP."
  }
}

run "queues" {
  command = plan

  assert {
    condition     = aws_sqs_queue.jobs.name == "tollgate-test-jobs" && aws_sqs_queue.dead.name == "tollgate-test-jobs-dead"
    error_message = "The queues are <prefix>-jobs and <prefix>-jobs-dead."
  }

  assert {
    condition     = aws_sqs_queue.jobs.visibility_timeout_seconds == 900 && jsondecode(aws_sqs_queue.jobs.redrive_policy).maxReceiveCount == 180
    error_message = "A message stays away for as long as Lambda asks for, and is set aside when no try can help its job any more."
  }

  assert {
    condition     = aws_sqs_queue.jobs.kms_master_key_id == var.kms_key_arn && aws_sqs_queue.dead.kms_master_key_id == var.kms_key_arn
    error_message = "Messages are encrypted with the given key."
  }

  assert {
    condition     = aws_sqs_queue.dead.message_retention_seconds == 1209600
    error_message = "Failed messages are kept for as long as SQS can."
  }

  assert {
    condition     = alltrue([for policy in [aws_sqs_queue_policy.jobs.policy, aws_sqs_queue_policy.dead.policy] : jsondecode(policy).Statement[0].Effect == "Deny" && jsondecode(policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"])
    error_message = "Both queues refuse plain HTTP."
  }
}

run "a_throwaway_stack_can_be_deleted" {
  command = plan

  variables {
    deletion_protection    = false
    force_destroy          = true
    payload_retention_days = 2
    point_in_time_recovery = false
  }

  assert {
    condition     = !aws_dynamodb_table.streams.deletion_protection_enabled && !aws_dynamodb_table.streams.point_in_time_recovery[0].enabled && aws_s3_bucket.payloads.force_destroy
    error_message = "Protection follows the inputs."
  }

  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.payloads.rule[0].expiration[0].days == 2
    error_message = "Retention follows the input."
  }
}

run "refuses_a_bad_account" {
  command = plan

  variables {
    account_id = "1111-2222-3333"
  }

  expect_failures = [var.account_id]
}

run "refuses_a_bad_prefix" {
  command = plan

  variables {
    prefix = "t"
  }

  expect_failures = [var.prefix]
}

run "refuses_a_key_alias" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:111122223333:alias/tollgate-test"
  }

  expect_failures = [var.kms_key_arn]
}

run "refuses_payloads_without_end" {
  command = plan

  variables {
    payload_retention_days = 31
  }

  expect_failures = [var.payload_retention_days]
}

run "refuses_fractions_of_a_day" {
  command = plan

  variables {
    payload_retention_days = 1.5
  }

  expect_failures = [var.payload_retention_days]
}

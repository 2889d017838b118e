mock_provider "aws" {
  source = "../modules/_mocks/aws"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "../modules/_mocks/aws"
}

override_module {
  target = module.metering
  outputs = {
    accounts_table_arn  = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-test-accounts"
    accounts_table_name = "tollgate-test-accounts"
    tenants_table_arn   = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-test-tenants"
    tenants_table_name  = "tollgate-test-tenants"
    usage_table_arn     = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-test-usage"
    usage_table_name    = "tollgate-test-usage"
  }
}

override_module {
  target = module.streaming
  outputs = {
    jobs_dead_queue_arn  = "arn:aws:sqs:us-east-1:111122223333:tollgate-test-jobs-dead"
    jobs_queue_arn       = "arn:aws:sqs:us-east-1:111122223333:tollgate-test-jobs"
    jobs_queue_url       = "https://sqs.us-east-1.amazonaws.com/111122223333/tollgate-test-jobs"
    payloads_bucket_arn  = "arn:aws:s3:::tollgate-test-payloads-111122223333"
    payloads_bucket_name = "tollgate-test-payloads-111122223333"
    streams_table_arn    = "arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-test-streams"
    streams_table_name   = "tollgate-test-streams"
  }
}

override_module {
  target = module.analytics
  outputs = {
    athena_bucket_name     = "tollgate-test-athena-111122223333"
    glue_database_name     = "tollgate_test"
    lake_bucket_arn        = "arn:aws:s3:::tollgate-test-lake-111122223333"
    lake_bucket_name       = "tollgate-test-lake-111122223333"
    statements_bucket_arn  = "arn:aws:s3:::tollgate-test-statements-111122223333"
    statements_bucket_name = "tollgate-test-statements-111122223333"
    workgroup_name         = "tollgate-test"
  }
}

run "by_default_nothing_is_made" {
  command = plan

  assert {
    condition     = output.audit_trail_arn == null && length(module.web_acl) == 0
    error_message = "Without a choice there is no trail and no web ACL."
  }

  assert {
    condition     = !strcontains(aws_kms_key.this.policy, "cloudtrail")
    error_message = "Without an own trail CloudTrail may not use the key."
  }

  assert {
    condition     = [for selector in output.audit_event_selectors : selector.Name] == ["Objects in the bucket lake", "Objects in the bucket payloads", "Objects in the bucket statements", "Writes to the table tenants"]
    error_message = "The organisation's trail is told to record changes of tenants, and who touches usage and requests."
  }
}

run "own_trail" {
  variables {
    audit = { trail = "own", access_logs = true, log_archive = true }
  }

  assert {
    condition     = output.audit_trail_arn != null && module.audit.audit_bucket_name == "tollgate-test-audit-111122223333" && module.audit.access_log_bucket_name == "tollgate-test-access-logs-111122223333"
    error_message = "The trail, the archive and access logs have their buckets."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_kms_key.this.policy).Statement : statement.Condition.StringEquals["aws:SourceArn"] if statement.Sid == "Trail"
    ] == ["arn:aws:cloudtrail:us-east-1:111122223333:trail/tollgate-test-audit"]
    error_message = "The key is open to that trail of CloudTrail's."
  }
}

run "own_web_acl" {
  command = plan

  variables {
    waf = {}
  }

  assert {
    condition     = length(module.web_acl) == 1
    error_message = "A web ACL is made."
  }
}

run "existing_web_acl" {
  command = plan

  variables {
    waf = { web_acl_arn = "arn:aws:wafv2:us-east-1:111122223333:regional/webacl/company/0" }
  }

  assert {
    condition     = length(module.web_acl) == 0
    error_message = "A web ACL that exists is used as it is."
  }
}

run "rejects_values_out_of_range" {
  command = plan

  variables {
    audit                  = { trail = "none" }
    error_expiration_days  = 0
    report_expiration_days = 90
    waf                    = { requests_per_5_minutes = 1, web_acl_arn = "company" }
  }

  expect_failures = [
    var.audit,
    var.error_expiration_days,
    var.report_expiration_days,
    var.waf,
  ]
}

run "rejects_transitions_that_s3_refuses" {
  command = plan

  variables {
    lake_transition_days   = 29
    report_transition_days = 29
  }

  expect_failures = [var.lake_transition_days, var.report_transition_days]
}

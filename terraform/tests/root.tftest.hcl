mock_provider "aws" {
  source = "../modules/_mocks/aws"
}

variables {
  artifact_dir = "tests/fixtures/artifacts"
  environment  = "test"
  prefix       = "tollgate-test"
  region       = "us-east-1"
  tenants_dir  = "tests/fixtures/tenants"

  tiers = {
    pro = {
      budget     = { month_usd = "100" }
      limits     = { requests_per_minute = 60, requests_per_day = 1000 }
      max_tokens = { default = 512, maximum = 4096 }
    }
  }
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
    athena_bucket_name = "tollgate-test-athena-111122223333"
    glue_database_name = "tollgate_test"
    lake_bucket_arn    = "arn:aws:s3:::tollgate-test-lake-111122223333"
    lake_bucket_name   = "tollgate-test-lake-111122223333"
    workgroup_name     = "tollgate-test"
  }
}

run "deployment" {
  assert {
    condition = output.function_names == {
      for name in ["aggregate", "authorize", "invoke", "models", "stream", "sweep"] : name => "tollgate-test-${name}"
    }
    error_message = "There are six functions, named after the prefix."
  }

  assert {
    condition     = aws_kms_alias.this.name == "alias/tollgate-test" && aws_kms_key.this.enable_key_rotation && aws_kms_key.this.deletion_window_in_days == 30
    error_message = "The key has an alias, rotates and is kept for a month after its deletion."
  }

  assert {
    condition     = [for statement in jsondecode(aws_kms_key.this.policy).Statement : statement.Sid] == ["Account", "Logs"]
    error_message = "The key is open to IAM of the account and to CloudWatch Logs."
  }

  assert {
    condition     = jsondecode(aws_kms_key.this.policy).Statement[1].Condition.ArnLike["kms:EncryptionContext:aws:logs:arn"] == "arn:aws:logs:us-east-1:111122223333:log-group:*"
    error_message = "CloudWatch Logs uses the key for this account's log groups only."
  }

  assert {
    condition     = keys(output.key_parameter_names) == ["acme", "globex"] && keys(output.key_parameter_names["acme"]) == ["web/old", "web/primary"]
    error_message = "Each tenant file makes a tenant, and each of its keys a parameter."
  }

  assert {
    condition     = output.stage_name == "v1"
    error_message = "The stage is called v1."
  }
}

run "invocation_logs" {
  variables {
    invocation_logs = {
      bucket      = "acme-bedrock-logs"
      prefix      = "/bedrock/"
      kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"
    }
  }

  assert {
    condition = local._environments["sweep"] == merge(local.functions["sweep"].environment, {
      INVOCATION_LOGS_BUCKET = "acme-bedrock-logs"
      INVOCATION_LOGS_ROOT   = "bedrock/AWSLogs/111122223333/BedrockModelInvocationLogs/"
      LOG_GRACE_MINUTES      = "65"
    })
    error_message = "Sweep knows where the logs are and how long to wait for them."
  }

  assert {
    condition = [
      for name, environment in local._environments : name if can(environment.INVOCATION_LOGS_BUCKET)
    ] == ["invoke", "stream", "sweep"]
    error_message = "Who makes calls knows that sweep reads logs."
  }

  assert {
    condition = {
      for statement in local._statements["sweep"] : statement.sid => statement.resources if endswith(statement.sid, "InvocationLogs")
      } == {
      ListInvocationLogs    = ["arn:aws:s3:::acme-bedrock-logs"]
      ReadInvocationLogs    = ["arn:aws:s3:::acme-bedrock-logs/bedrock/AWSLogs/111122223333/BedrockModelInvocationLogs/*"]
      DecryptInvocationLogs = ["arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555"]
    }
    error_message = "Sweep may read the logs, and nothing else of that bucket."
  }

  assert {
    condition = alltrue([
      for name, statements in local._statements : statements == local.functions[name].statements if name != "sweep"
    ])
    error_message = "No other function may do more."
  }
}

run "invocation_logs_are_off" {
  assert {
    condition = alltrue([
      for name, function in local.functions :
      local._environments[name] == function.environment && length(local._statements[name]) == length(function.statements)
    ])
    error_message = "Without a bucket nobody gets anything of the logs."
  }
}

run "invocation_logs_rules" {
  command = plan

  variables {
    invocation_logs = { bucket = "No_Bucket", grace_minutes = 1 }
  }

  expect_failures = [var.invocation_logs]
}

run "settings" {
  # Names that every function shares with the Python settings; see also the contract tests.
  assert {
    condition = {
      for name, function in local.functions : name => keys(function.environment)
      } == {
      aggregate = ["ACCOUNTS_TABLE", "LAKE_BUCKET", "USAGE_TABLE"]
      authorize = ["TENANTS_TABLE"]
      invoke    = ["ACCOUNTS_TABLE", "JOBS_QUEUE_URL", "PAYLOADS_BUCKET", "STREAMS_TABLE", "TENANTS_TABLE", "USAGE_TABLE"]
      models    = ["TENANTS_TABLE"]
      stream    = ["ACCOUNTS_TABLE", "PAYLOADS_BUCKET", "STREAMS_TABLE", "USAGE_TABLE"]
      sweep     = ["ACCOUNTS_TABLE", "STREAMS_TABLE", "TENANTS_TABLE", "USAGE_TABLE"]
    }
    error_message = "Every function gets the names that its settings ask for."
  }

  assert {
    condition = {
      for name, function in local.functions : name => function.timeout_seconds
    } == { aggregate = 900, authorize = 10, invoke = 300, models = 30, stream = 900, sweep = 300 }
    error_message = "Timeouts are those of the design."
  }

  assert {
    condition = {
      for name, function in local.functions : name => function.schedule if function.schedule != null
    } == { aggregate = "rate(15 minutes)", sweep = "rate(5 minutes)" }
    error_message = "Aggregate and sweep run by the clock."
  }
}

run "permissions" {
  assert {
    condition = alltrue(flatten([
      for name, function in local.functions : [
        for statement in function.statements :
        contains(["ListModels", "DenyMantle"], statement.sid) || !contains(statement.resources, "*")
      ]
    ]))
    error_message = "Only listing models, which knows no resources, and a denial name every resource."
  }

  assert {
    condition = alltrue([
      for name in ["invoke", "models", "stream"] :
      contains([for statement in local.functions[name].statements : try(statement.effect, "Allow")], "Deny")
    ])
    error_message = "Functions that reach Bedrock are denied its unmetered endpoint."
  }

  assert {
    condition = sort(distinct(flatten([
      for name in ["aggregate", "authorize", "sweep"] : [
        for statement in local.functions[name].statements : [for action in statement.actions : split(":", action)[0]]
      ]
    ]))) == tolist(["dynamodb", "s3"])
    error_message = "Functions off the request path never reach Bedrock."
  }

  assert {
    condition = flatten([
      for statement in local.functions.invoke.statements : statement.resources if statement.sid == "CallModels"
      ]) == [
      "arn:aws:bedrock:*::foundation-model/*",
      "arn:aws:bedrock:us-east-1:111122223333:inference-profile/*",
    ]
    error_message = "Models are called by model or by cross-region profile of this account."
  }
}

run "tenant_models" {
  variables {
    tenants_dir = "tests/fixtures/tenant_models"
  }

  assert {
    condition = jsonencode([
      for statement in concat(local._statements["invoke"], local._statements["stream"]) : [statement.actions, statement.resources] if statement.sid == "CallTenantModels"
      ]) == jsonencode([
      for action in ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"] : [[action], [
        "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123def456",
        "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/xyz789abc123",
      ]]
    ])
    error_message = "The tenants' own profiles and models are called, and no others of the account."
  }

  assert {
    condition = alltrue([
      for name, statements in local._statements : length(statements) == length(local.functions[name].statements) if name != "invoke" && name != "stream"
    ])
    error_message = "Functions that call no model get none."
  }
}

run "no_tenants" {
  variables {
    tenants_dir = "tests/fixtures/no_tenants"
  }

  assert {
    condition     = length(output.key_parameter_names) == 0
    error_message = "A deployment may start without tenants."
  }
}

run "rejects_missing_artifacts" {
  command = plan

  variables {
    artifact_dir = "tests/fixtures/tenants"
  }

  expect_failures = [terraform_data.artifacts]
}

run "rejects_values_out_of_range" {
  command = plan

  variables {
    allowed_account_ids              = ["1234"]
    environment                      = "Test"
    kms_deletion_window_days         = 6
    permissions_boundary_arn         = "boundary"
    prefix                           = "T"
    region                           = "Virginia"
    reserved_concurrency_by_function = { converse = 1 }
    tiers                            = {}
  }

  expect_failures = [
    var.allowed_account_ids,
    var.environment,
    var.kms_deletion_window_days,
    var.permissions_boundary_arn,
    var.prefix,
    var.region,
    var.reserved_concurrency_by_function,
    var.tiers,
  ]
}

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
    athena_bucket_name = "tollgate-test-athena-111122223333"
    glue_database_name = "tollgate_test"
    lake_bucket_arn    = "arn:aws:s3:::tollgate-test-lake-111122223333"
    lake_bucket_name   = "tollgate-test-lake-111122223333"

    statements_bucket_arn  = "arn:aws:s3:::tollgate-test-statements-111122223333"
    statements_bucket_name = "tollgate-test-statements-111122223333"
    workgroup_name         = "tollgate-test"
  }
}

run "deployment" {
  command = plan

  assert {
    condition = output.function_names == {
      for name in ["aggregate", "authorize", "converse", "invoke", "models", "stream", "sweep"] : name => "tollgate-test-${name}"
    }
    error_message = "There are seven functions, named after the prefix."
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
  command = plan

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
    ] == ["converse", "invoke", "stream", "sweep"]
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
      for name, statements in local._statements : statements == concat(local.functions[name].statements, [for statement in try(local._on_tenants_behalf[name], []) : statement if length(statement.resources) > 0]) if name != "sweep"
    ])
    error_message = "No other function may do more."
  }
}

run "invocation_logs_are_off" {
  command = plan

  assert {
    condition = alltrue([
      for name, function in local.functions :
      local._environments[name] == merge(function.environment, { for path in compact([try(function.exec_wrapper, null)]) : "AWS_LAMBDA_EXEC_WRAPPER" => path }) && length(local._statements[name]) == length(function.statements) + length([for statement in try(local._on_tenants_behalf[name], []) : statement if length(statement.resources) > 0])
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
  command = plan

  # Names that every function shares with the Python settings; see also the contract tests.
  assert {
    condition = {
      for name, function in local.functions : name => keys(function.environment)
      } == {
      aggregate = ["ACCOUNTS_TABLE", "LAKE_BUCKET", "USAGE_TABLE"]
      authorize = ["TENANTS_TABLE"]
      converse  = ["ACCOUNTS_TABLE", "ACCOUNT_ID", "PAYLOADS_BUCKET", "POLLS_PER_MINUTE", "STREAMS_TABLE", "TENANTS_TABLE", "TOKEN_COUNTS_PER_MINUTE", "USAGE_TABLE", "WAITING_REQUESTS"]
      invoke    = ["ACCOUNTS_TABLE", "ACCOUNT_ID", "JOBS_QUEUE_URL", "PAYLOADS_BUCKET", "POLLS_PER_MINUTE", "STREAMS_TABLE", "TENANTS_TABLE", "TOKEN_COUNTS_PER_MINUTE", "USAGE_TABLE", "WAITING_REQUESTS"]
      models    = ["ACCOUNTS_TABLE", "TENANTS_TABLE"]
      stream    = ["ACCOUNTS_TABLE", "ACCOUNT_ID", "JOBS_QUEUE_URL", "PAYLOADS_BUCKET", "POLLS_PER_MINUTE", "STREAMS_TABLE", "TENANTS_TABLE", "TOKEN_COUNTS_PER_MINUTE", "USAGE_TABLE", "WAITING_REQUESTS"]
      sweep     = ["ACCOUNTS_TABLE", "ACCOUNT_ID", "STREAMS_TABLE", "TENANTS_TABLE", "USAGE_TABLE"]
    }
    error_message = "Every function gets the names that its settings ask for."
  }

  assert {
    condition = {
      for name, function in local.functions : name => function.timeout_seconds
    } == { aggregate = 900, authorize = 10, converse = 900, invoke = 300, models = 30, stream = 900, sweep = 300 }
    error_message = "Timeouts are those of the design."
  }

  assert {
    condition = {
      for name, function in local.functions : name => function.schedule if function.schedule != null
    } == { aggregate = "rate(15 minutes)", sweep = "rate(1 minute)" }
    error_message = "Aggregate and sweep run by the clock."
  }
}

run "permissions" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for name, statements in local._statements : [
        for statement in statements :
        contains(["ListModels", "DenyMantle"], statement.sid) || !contains(statement.resources, "*")
      ]
    ]))
    error_message = "Only listing models, which knows no resources, and a denial name every resource."
  }

  assert {
    condition = alltrue([
      for name in ["converse", "invoke", "models", "stream"] :
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
      for statement in local._statements["invoke"] : statement.resources if statement.sid == "CallModels"
      ]) == [
      "arn:aws:bedrock:*::foundation-model/*",
      "arn:aws:bedrock:us-east-1:111122223333:inference-profile/*",
    ]
    error_message = "Models are called by model or by cross-region profile of this account."
  }
}

run "tenant_models" {
  command = plan

  variables {
    tenants_dir = "tests/fixtures/tenant_models"
  }

  assert {
    condition = { for name, characters in local._tenant_policy_characters : name => characters > 0 } == { converse = true, invoke = true, stream = true } && {
      for name, role in local._caller_roles : name => [role.role_name, role.actions]
      } == {
      converse = ["tollgate-test-converse", ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]]
      invoke   = ["tollgate-test-invoke", ["bedrock:InvokeModel"]]
      stream   = ["tollgate-test-stream", ["bedrock:InvokeModelWithResponseStream"]]
    }
    error_message = "The functions that call models get a policy for a tenant's own."
  }

  assert {
    condition = alltrue([
      for name, statements in local._statements : length(jsonencode(statements)) < local._own_role_policy_reserve
    ])
    error_message = "A role's own policy leaves the tenants their share of what IAM allows."
  }
}

run "no_tenants" {
  command = plan

  variables {
    tenants_dir = "tests/fixtures/no_tenants"
  }

  assert {
    condition     = length(output.key_parameter_names) == 0
    error_message = "A deployment may start without tenants."
  }
}

run "plans_per_tenant" {
  command = plan

  assert {
    condition     = local._usage_plan_count == 2 && length(output.tier_usage_plan_ids) == 0 && length(distinct(keys(module.tenant))) == 2
    error_message = "Every tenant has a usage plan of its own."
  }
}

run "plans_per_tier" {
  command = plan

  variables {
    tenants_dir = "tests/fixtures/tiers"
    usage_plans = { per = "tier", methods = { "/invoke_model/POST" = { rate_limit = 5, burst_limit = 10 } } }
  }

  assert {
    condition     = keys(output.tier_usage_plan_ids) == ["pro"]
    error_message = "Every tier has a usage plan, whether a tenant is in it or not."
  }

  assert {
    condition     = local._is_in_tier_plan == { acme = true, globex = false, hooli = true } && local._usage_plan_count == 2
    error_message = "A tenant with higher limits than its tier's has a plan of its own; an offboarded one has none."
  }

  assert {
    condition     = module.tenant["initech"].usage_plan_id == null && length(module.tenant["initech"].api_key_ids_by_key) == 0
    error_message = "An offboarded tenant has no key."
  }
}

run "keys_in_secrets_manager" {
  command = plan

  variables {
    key_store = "secrets_manager"
  }

  assert {
    condition     = keys(output.key_secret_names["acme"]) == ["web/old", "web/primary"] && length(output.key_parameter_names["acme"]) == 0
    error_message = "Each key lies in the store that was chosen."
  }
}

run "keys_outside_terraform" {
  command = plan

  variables {
    key_store = "external"
  }

  assert {
    condition     = length(output.key_secret_names["acme"]) + length(output.key_parameter_names["acme"]) + length(module.tenant["acme"].api_key_ids_by_key) == 0
    error_message = "Terraform makes no key."
  }
}

run "cost_allocation_tags" {
  command = plan

  variables {
    activate_cost_allocation_tags = true
  }

  assert {
    condition     = { for key, tag in aws_ce_cost_allocation_tag.this : key => tag.status } == { app = "Active", cost_center = "Active", tenant = "Active", "tollgate-unit" = "Active" }
    error_message = "The tags of inference profiles are activated."
  }
}

run "cost_allocation_tags_are_off" {
  command = plan

  assert {
    condition     = length(aws_ce_cost_allocation_tag.this) == 0
    error_message = "Tags of the payer account are touched only where that is asked for."
  }
}

run "the_bill" {
  command = plan

  variables {
    bill_export = { activate_session_tags = true }
  }

  assert {
    condition     = output.bill_location == "s3://tollgate-test-bill-111122223333/cur/tollgate-test-bill"
    error_message = "The bill lies in a bucket of its own."
  }

  assert {
    condition     = { for key, tag in aws_ce_cost_allocation_tag.session : key => tag.status } == { "iamPrincipal/app" = "Active", "iamPrincipal/tenant" = "Active" }
    error_message = "Sessions' tags are activated with the prefix that AWS gives them."
  }
}

run "no_bill_unless_asked_for" {
  command = plan

  assert {
    condition     = output.bill_location == null && length(aws_ce_cost_allocation_tag.session) == 0
    error_message = "Nothing about the bill is made by default."
  }
}

run "rejects_a_bill_without_a_folder" {
  command = plan

  variables {
    bill_export = { location = "payer-exports" }
  }

  expect_failures = [var.bill_export]
}

run "rejects_more_usage_plans_than_aws_allows" {
  command = plan

  variables {
    usage_plan_quota = 1
  }

  expect_failures = [terraform_data.tenant_quotas]
}

run "rejects_usage_plans_that_take_aws_too_long" {
  command = plan

  variables {
    usage_plans = { most = 1 }
  }

  expect_failures = [terraform_data.tenant_quotas]
}

run "plans_per_tier_are_few_enough" {
  command = plan

  variables {
    usage_plans = { most = 1, per = "tier" }
  }

  assert {
    condition     = local._usage_plan_count == 1 && length(local._tenants) == 2
    error_message = "The tenants of a tier share its one plan."
  }
}

run "rejects_more_inference_profiles_than_aws_allows" {
  command = plan

  variables {
    tenants_dir             = "tests/fixtures/profiles"
    inference_profile_quota = 1
  }

  expect_failures = [terraform_data.tenant_quotas]
}

run "inference_profiles_within_the_quota" {
  command = plan

  variables {
    tenants_dir             = "tests/fixtures/profiles"
    inference_profile_quota = 2
  }

  assert {
    condition     = local._inference_profile_names == tolist(["tollgate-test-acme-web-lite", "tollgate-test-acme-web-pro"])
    error_message = "Every profile of a file is made."
  }
}

run "rejects_more_keys_than_aws_allows" {
  command = plan

  variables {
    api_key_quota = 2
    # Whoever makes them, keys take from the quota.
    key_store = "external"
  }

  expect_failures = [terraform_data.tenant_quotas]
}

run "rejects_two_profiles_of_one_name" {
  command = plan

  variables {
    tenants_dir = "tests/fixtures/equal_profiles"
  }

  expect_failures = [terraform_data.tenant_quotas]
}

run "rejects_more_models_than_a_role_has_room_for" {
  command = plan

  variables {
    tenants_dir = "tests/fixtures/too_many_models"
  }

  expect_failures = [terraform_data.tenant_quotas]
}

run "rejects_methods_that_the_api_has_not" {
  command = plan

  variables {
    usage_plans = { methods = { "/invoke_model/PUT" = { rate_limit = 5, burst_limit = 10 } } }
  }

  expect_failures = [terraform_data.tenant_quotas]
}

run "rejects_missing_artifacts" {
  command = plan

  variables {
    artifact_dir = "tests/fixtures/tenants"
  }

  expect_failures = [terraform_data.artifacts]
}

run "rejects_transitions_after_the_end" {
  command = plan

  variables {
    lake_expiration_days   = 365
    lake_transition_days   = 365
    report_expiration_days = 100
    report_transition_days = 101
  }

  expect_failures = [var.lake_transition_days, var.report_transition_days]
}

run "rejects_values_out_of_range" {
  command = plan

  variables {
    account_concurrency              = 9
    allowed_account_ids              = ["1234"]
    api_key_quota                    = 10001
    environment                      = "Test"
    free_work                        = { waiting_requests = 0 }
    inference_profile_quota          = -1
    job_concurrency                  = 1
    key_store                        = "vault"
    kms_deletion_window_days         = 6
    permissions_boundary_arn         = "boundary"
    prefix                           = "T"
    region                           = "Virginia"
    reserved_concurrency_by_function = { imaginary = 1 }
    tiers                            = {}
    usage_plan_quota                 = 0.5
    usage_plans                      = { most = 0, per = "app", stage_share = 1 }
  }

  expect_failures = [
    var.account_concurrency,
    var.allowed_account_ids,
    var.api_key_quota,
    var.environment,
    var.free_work,
    var.inference_profile_quota,
    var.job_concurrency,
    var.key_store,
    var.kms_deletion_window_days,
    var.permissions_boundary_arn,
    var.prefix,
    var.region,
    var.reserved_concurrency_by_function,
    var.tiers,
    var.usage_plan_quota,
    var.usage_plans,
  ]
}

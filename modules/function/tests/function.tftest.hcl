mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  name_prefix     = "tollgate-test"
  name            = "invoke"
  description     = "Answers buffered calls"
  handler         = "tollgate_invoke.handler.lambda_handler"
  kms_key_arn     = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
  timeout_seconds = 300

  artifact = {
    path   = "dist/invoke.zip"
    sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
  }
}

run "defaults" {
  assert {
    condition     = aws_lambda_function.this.function_name == "tollgate-test-invoke"
    error_message = "The function's name is <prefix>-<name>."
  }

  assert {
    condition     = aws_lambda_function.this.runtime == "python3.13" && aws_lambda_function.this.architectures == tolist(["arm64"])
    error_message = "python3.13 on arm64 is the default."
  }

  assert {
    condition     = aws_lambda_function.this.timeout == 300 && aws_lambda_function.this.memory_size == 256
    error_message = "Timeout and memory come from the inputs."
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "Without a reservation the function stays in the account's pool."
  }

  assert {
    condition = aws_lambda_function.this.environment[0].variables == tomap({
      POWERTOOLS_LOG_LEVEL    = "INFO"
      POWERTOOLS_SERVICE_NAME = "tollgate-test-invoke"
    })
    error_message = "The module sets the Powertools variables and nothing else."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/tollgate-test-invoke" && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.this.retention_in_days == 365
    error_message = "The function has a log group of its own, encrypted and kept for a year."
  }

  assert {
    condition     = aws_lambda_function.this.logging_config[0].log_format == "JSON" && aws_lambda_function.this.tracing_config[0].mode == "PassThrough"
    error_message = "Logs are JSON and tracing follows the caller."
  }

  assert {
    condition     = length(aws_lambda_function_event_invoke_config.schedule) == 0 && length(aws_sqs_queue.dead) == 0 && length(aws_scheduler_schedule.this) == 0 && length(aws_lambda_event_source_mapping.queue) == 0
    error_message = "A function that is only called synchronously has no queue, schedule or event source."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.metric) == 0 && length(aws_cloudwatch_metric_alarm.failed_runs) == 0
    error_message = "Without alarms and a schedule nothing is watched."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement == [
      {
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = ["arn:aws:logs:us-east-1:111122223333:log-group:mock:*"]
      },
      {
        Sid      = "UseKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = ["arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"]
      },
    ]
    error_message = "Without statements of its own the function may log and use the key."
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal.Service == "lambda.amazonaws.com"
    error_message = "Only Lambda assumes the role."
  }
}

run "statements_environment_and_options" {
  variables {
    architecture             = "x86_64"
    environment              = { TENANTS_TABLE = "tollgate-test-tenants" }
    log_retention_days       = 30
    memory_mb                = 512
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
    reserved_concurrency     = 5
    runtime                  = "python3.12"
    tags                     = { Team = "platform" }
    tracing_mode             = "Active"

    policy_statements = [
      {
        sid        = "ReadTenants"
        actions    = ["dynamodb:GetItem"]
        resources  = ["arn:aws:dynamodb:us-east-1:111122223333:table/tollgate-test-tenants"]
        conditions = { StringEquals = { "aws:ResourceAccount" = ["111122223333"] } }
      },
      {
        sid       = "NoMantle"
        effect    = "Deny"
        actions   = ["bedrock-mantle:*"]
        resources = ["*"]
      },
    ]
  }

  command = plan

  override_resource {
    target          = aws_cloudwatch_log_group.this
    override_during = plan
    values          = { arn = "arn:aws:logs:us-east-1:111122223333:log-group:mock" }
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid] == ["WriteLog", "UseKey", "Trace", "ReadTenants", "NoMantle"]
    error_message = "Statements keep their order: the module's, then the caller's."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[3].Condition == { StringEquals = { "aws:ResourceAccount" = ["111122223333"] } }
    error_message = "Conditions are kept."
  }

  assert {
    condition     = !can(jsondecode(aws_iam_role_policy.this.policy).Statement[4].Condition) && jsondecode(aws_iam_role_policy.this.policy).Statement[4].Effect == "Deny"
    error_message = "A statement without conditions has no Condition element."
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["TENANTS_TABLE"] == "tollgate-test-tenants" && aws_lambda_function.this.environment[0].variables["POWERTOOLS_SERVICE_NAME"] == "tollgate-test-invoke"
    error_message = "The caller's variables and the module's are both set."
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 5 && aws_lambda_function.this.memory_size == 512 && aws_lambda_function.this.architectures == tolist(["x86_64"])
    error_message = "The options reach the function."
  }

  assert {
    condition     = aws_iam_role.this.permissions_boundary == "arn:aws:iam::111122223333:policy/boundary"
    error_message = "The boundary is on the role."
  }
}

run "queue" {
  command = plan

  variables {
    event_queue = { arn = "arn:aws:sqs:us-east-1:111122223333:tollgate-test-jobs", maximum_concurrency = 200 }
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue[0].batch_size == 1 && aws_lambda_event_source_mapping.queue[0].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "A message is handled alone and reported on alone."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.queue[0].scaling_config[0].maximum_concurrency == 200
    error_message = "No more messages are handled at once than the queue is given."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement[2] == {
      Sid      = "ReadQueue"
      Effect   = "Allow"
      Action   = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
      Resource = ["arn:aws:sqs:us-east-1:111122223333:tollgate-test-jobs"]
    }
    error_message = "The function may read that queue only."
  }

  assert {
    condition     = length(aws_sqs_queue.dead) == 0
    error_message = "The queue's own redrive policy keeps what fails."
  }
}

run "queue_without_a_ceiling" {
  command = plan

  variables {
    event_queue = { arn = "arn:aws:sqs:us-east-1:111122223333:tollgate-test-jobs" }
  }

  assert {
    condition     = length(aws_lambda_event_source_mapping.queue[0].scaling_config) == 0
    error_message = "Lambda decides how many messages are handled at once."
  }
}

run "rejects_a_queue_for_one_message" {
  command = plan

  variables {
    event_queue = { arn = "arn:aws:sqs:us-east-1:111122223333:tollgate-test-jobs", maximum_concurrency = 1 }
  }

  expect_failures = [var.event_queue]
}

run "schedule" {
  variables {
    schedule_expression = "rate(15 minutes)"
  }

  assert {
    condition     = aws_scheduler_schedule.this[0].schedule_expression == "rate(15 minutes)" && aws_scheduler_schedule.this[0].kms_key_arn == var.kms_key_arn
    error_message = "The schedule is set and encrypted."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.schedule[0].destination_config[0].on_failure[0].destination == aws_sqs_queue.dead[0].arn && aws_sqs_queue.dead[0].kms_master_key_id == var.kms_key_arn
    error_message = "A scheduled run is asynchronous, so what fails is kept."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.schedule[0].maximum_retry_attempts == 0
    error_message = "The next run is the retry."
  }

  assert {
    condition     = jsondecode(aws_iam_role.schedule[0].assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "111122223333"
    error_message = "Only schedules of this account assume the role."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.schedule[0].policy).Statement : statement.Action] == [["lambda:InvokeFunction"], ["sqs:SendMessage"], ["kms:Decrypt", "kms:GenerateDataKey"]]
    error_message = "The scheduler may invoke the function and keep failed events."
  }

  assert {
    condition     = output.dead_queue_arn == aws_sqs_queue.dead[0].arn
    error_message = "The queue is an output, to alarm on."
  }
}

run "network" {
  variables {
    network = {
      security_group_ids = ["sg-0f1"]
      subnet_ids         = ["subnet-0a1", "subnet-0b2"]
    }
  }

  command = plan

  override_resource {
    target          = aws_cloudwatch_log_group.this
    override_during = plan
    values          = { arn = "arn:aws:logs:us-east-1:111122223333:log-group:mock" }
  }

  assert {
    condition     = toset(aws_lambda_function.this.vpc_config[0].subnet_ids) == toset(["subnet-0a1", "subnet-0b2"]) && toset(aws_lambda_function.this.vpc_config[0].security_group_ids) == toset(["sg-0f1"])
    error_message = "The function runs in the given subnets."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_iam_role_policy.this.policy).Statement :
      statement.Sid => [statement.Effect, try(statement.Condition.ArnEquals["lambda:SourceFunctionArn"], [])]
      if contains(flatten([statement.Action]), "ec2:CreateNetworkInterface")
      } == {
      AttachToNetwork        = ["Allow", []]
      NotByTheFunctionItself = ["Deny", ["arn:aws:lambda:us-east-1:111122223333:function:tollgate-test-invoke"]]
    }
    error_message = "Lambda may make the function's interfaces, and the function's code may not."
  }
}

run "no_network" {
  command = plan

  assert {
    condition     = length(aws_lambda_function.this.vpc_config) == 0 && !strcontains(aws_iam_role_policy.this.policy, "ec2:")
    error_message = "Without a network the function has no right to make interfaces."
  }
}

run "endpoint_urls" {
  command = plan

  variables {
    environment = {
      AWS_ENDPOINT_URL_SQS    = "https://sqs-fips.us-east-1.amazonaws.com"
      AWS_LAMBDA_EXEC_WRAPPER = "/var/task/bootstrap"
    }
  }

  assert {
    condition     = aws_lambda_function.this.environment[0].variables["AWS_ENDPOINT_URL_SQS"] == "https://sqs-fips.us-east-1.amazonaws.com"
    error_message = "A service's address may be overridden."
  }
}

run "one_trigger_only" {
  command = plan

  variables {
    event_queue         = { arn = "arn:aws:sqs:us-east-1:111122223333:tollgate-test-jobs" }
    schedule_expression = "rate(15 minutes)"
  }

  expect_failures = [aws_lambda_function.this]
}

run "rejects_values_out_of_range" {
  command = plan

  variables {
    architecture             = "mips"
    artifact                 = { path = "dist/invoke.tar", sha256 = "abc" }
    description              = ""
    environment              = { lower = "x" }
    event_queue              = { arn = "jobs" }
    handler                  = "handler"
    kms_key_arn              = "alias/tollgate"
    log_retention_days       = 2
    memory_mb                = 64
    name                     = "Invoke"
    name_prefix              = "T"
    network                  = { security_group_ids = [], subnet_ids = ["subnet-0a1"] }
    permissions_boundary_arn = "boundary"
    reserved_concurrency     = 0
    runtime                  = "python3.9"
    schedule_expression      = "every minute"
    timeout_seconds          = 901
    tracing_mode             = "On"
    policy_statements = [
      { sid = "All-Of-It", effect = "Maybe", actions = ["dynamodb:*"], resources = ["*"] },
      { sid = "All-Of-It", actions = ["s3:GetObject"], resources = ["*"] },
    ]
  }

  expect_failures = [
    var.architecture,
    var.artifact,
    var.description,
    var.environment,
    var.event_queue,
    var.handler,
    var.kms_key_arn,
    var.log_retention_days,
    var.memory_mb,
    var.name,
    var.name_prefix,
    var.network,
    var.permissions_boundary_arn,
    var.policy_statements,
    var.reserved_concurrency,
    var.runtime,
    var.schedule_expression,
    var.timeout_seconds,
    var.tracing_mode,
  ]
}

run "rejects_reserved_environment_names" {
  command = plan

  variables {
    environment = { POWERTOOLS_LOG_LEVEL = "DEBUG" }
  }

  expect_failures = [var.environment]
}

run "rejects_environment_names_of_lambda" {
  command = plan

  variables {
    environment = { AWS_REGION = "us-east-1" }
  }

  expect_failures = [var.environment]
}

run "rejects_wildcard_actions" {
  command = plan

  variables {
    policy_statements = [{ sid = "All", actions = ["dynamodb:*"], resources = ["arn:aws:dynamodb:us-east-1:111122223333:table/x"] }]
  }

  expect_failures = [var.policy_statements]
}

run "alarms" {
  command = plan

  variables {
    alarm_topic_arns    = ["arn:aws:sns:us-east-1:111122223333:on-call"]
    schedule_expression = "rate(5 minutes)"

    alarms = {
      FailedHolds = { description = "Holds could not be ended." }
      OpenHours   = { description = "Hours stay open.", threshold = 24 }
    }
  }

  assert {
    condition = alltrue([
      for name, threshold in { FailedHolds = 0, OpenHours = 24 } :
      aws_cloudwatch_metric_alarm.metric[name].alarm_name == "tollgate-test-invoke-${name}"
      && aws_cloudwatch_metric_alarm.metric[name].namespace == "Tollgate"
      && aws_cloudwatch_metric_alarm.metric[name].metric_name == name
      && aws_cloudwatch_metric_alarm.metric[name].dimensions == tomap({ service = "tollgate-test-invoke" })
      && aws_cloudwatch_metric_alarm.metric[name].threshold == threshold
      && aws_cloudwatch_metric_alarm.metric[name].treat_missing_data == "notBreaching"
    ])
    error_message = "An alarm watches the function's own metric, of which there is no figure where all went well."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.failed_runs[0].namespace == "AWS/Lambda" && aws_cloudwatch_metric_alarm.failed_runs[0].metric_name == "Errors" && aws_cloudwatch_metric_alarm.failed_runs[0].dimensions == tomap({ FunctionName = "tollgate-test-invoke" })
    error_message = "Failed runs of a scheduled function are watched."
  }

  assert {
    condition     = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.metric), aws_cloudwatch_metric_alarm.failed_runs) : alarm.alarm_actions == toset(var.alarm_topic_arns) && alarm.ok_actions == toset(var.alarm_topic_arns)])
    error_message = "The topics are told when an alarm begins and ends."
  }
}

run "alarms_that_are_none" {
  command = plan

  variables {
    alarm_topic_arns = ["on-call"]
    alarms           = { "failed holds" = { description = "", threshold = -1 } }
  }

  expect_failures = [var.alarm_topic_arns, var.alarms]
}

# The functions: what each reads from its environment, what each may do, and what starts it.
# A variable here is a field of the function's settings, and an action here is a call that its code
# makes; contract tests hold both sides together.
locals {
  _manifest_path = "${path.root}/${var.artifact_dir}/manifest.json"
  _manifest      = fileexists(local._manifest_path) ? jsondecode(file(local._manifest_path)).functions : {}

  # Placeholders keep the graph valid, so that the one message about `make package` is what is read.
  _artifacts = {
    for name in keys(local.functions) : name => try(
      {
        architecture = local._manifest[name].architecture
        handler      = local._manifest[name].handler
        path         = "${path.root}/${var.artifact_dir}/${local._manifest[name].file}"
        runtime      = local._manifest[name].runtime
        sha256       = local._manifest[name].sha256_base64
      },
      {
        architecture = "arm64"
        handler      = "missing.handler"
        path         = "${path.root}/${var.artifact_dir}/${name}.zip"
        runtime      = "python3.13"
        sha256       = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
      },
    )
  }

  _missing_artifacts = [
    for name in keys(local.functions) : "${name}.zip"
    if !can(local._manifest[name]) || !fileexists(local._artifacts[name].path)
  ]

  # A cross-region profile needs the model's ARN in every region that it may route to.
  _models = [
    "arn:${local.partition}:bedrock:*::foundation-model/*",
    "arn:${local.partition}:bedrock:${var.region}:${local.account_id}:inference-profile/*",
  ]

  # Tenant files name guardrails, which come and go without the deployment. One with cross-region inference
  # is applied in any region of its profile, and AWS asks for that profile there.
  _guardrails = [
    "arn:${local.partition}:bedrock:${var.region}:${local.account_id}:guardrail/*",
    "arn:${local.partition}:bedrock:*:${local.account_id}:guardrail-profile/*",
  ]

  # Inference profiles of the tenants' apps come and go with tenant files. Their tag tells those of
  # this deployment from others in the account, so that no function's role changes with a tenant.
  _app_profiles        = ["arn:${local.partition}:bedrock:${var.region}:${local.account_id}:application-inference-profile/*"]
  _tagged_as_this_unit = { StringEquals = { "aws:ResourceTag/tollgate-unit" = [var.prefix] } }

  # Tenants' own keys likewise: their alias tells them.
  _tenant_keys        = ["arn:${local.partition}:kms:${var.region}:${local.account_id}:key/*"]
  _aliased_for_tenant = { "ForAnyValue:StringLike" = { "kms:ResourceAliases" = ["alias/${var.prefix}/tenants/*"] } }

  # The other Bedrock endpoint is not metered here, and a policy for `bedrock:*` does not cover it.
  _deny_mantle = {
    sid       = "DenyMantle"
    effect    = "Deny"
    actions   = ["bedrock-mantle:*"]
    resources = ["*"]
  }

  _read_tenants = {
    sid       = "ReadTenants"
    actions   = ["dynamodb:GetItem"]
    resources = [module.metering.tenants_table_arn]
  }

  # A policy and its override, read in one request.
  _read_policies = {
    sid       = "ReadPolicies"
    actions   = ["dynamodb:BatchGetItem"]
    resources = [module.metering.tenants_table_arn]
  }

  _hold_and_settle = {
    sid       = "HoldAndSettle"
    actions   = ["dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = [module.metering.accounts_table_arn]
  }

  _record_usage = {
    sid       = "RecordUsage"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem"]
    resources = [module.metering.usage_table_arn]
  }

  functions = {
    aggregate = {
      description     = "Writes usage rows to the lake"
      memory_mb       = 1024
      timeout_seconds = 900
      event_queue     = null
      schedule        = "rate(15 minutes)"
      environment = {
        ACCOUNTS_TABLE = module.metering.accounts_table_name
        LAKE_BUCKET    = module.analytics.lake_bucket_name
        USAGE_TABLE    = module.metering.usage_table_name
      }
      statements = [
        {
          # Rows are deleted in batches, once the lake has them.
          sid       = "ReadAndExpireUsage"
          actions   = ["dynamodb:BatchWriteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
          resources = [module.metering.usage_table_arn]
        },
        {
          sid       = "ReadAccounts"
          actions   = ["dynamodb:Scan"]
          resources = [module.metering.accounts_table_arn]
        },
        {
          sid       = "WriteLake"
          actions   = ["s3:GetObject", "s3:PutObject"]
          resources = ["${module.analytics.lake_bucket_arn}/*"]
        },
        {
          sid       = "ListLake"
          actions   = ["s3:ListBucket"]
          resources = [module.analytics.lake_bucket_arn]
        },
      ]
    }

    authorize = {
      description     = "Turns a key into the caller's tenant"
      memory_mb       = 256
      timeout_seconds = 10
      event_queue     = null
      schedule        = null
      environment = {
        TENANTS_TABLE = module.metering.tenants_table_name
      }
      statements = [local._read_tenants]
    }

    converse = {
      description     = "Answers in the dialects of OpenAI, Anthropic and Bedrock Runtime, streamed"
      memory_mb       = 512
      timeout_seconds = 900
      event_queue     = null
      schedule        = null
      # Lambda starts this script of the zip in place of its own runtime, which cannot stream.
      exec_wrapper = "/var/task/bootstrap"
      environment = {
        ACCOUNT_ID      = local.account_id
        ACCOUNTS_TABLE  = module.metering.accounts_table_name
        PAYLOADS_BUCKET = module.streaming.payloads_bucket_name
        STREAMS_TABLE   = module.streaming.streams_table_name
        TENANTS_TABLE   = module.metering.tenants_table_name
        USAGE_TABLE     = module.metering.usage_table_name

        POLLS_PER_MINUTE        = var.free_work.polls_per_minute
        TOKEN_COUNTS_PER_MINUTE = var.free_work.token_counts_per_minute
        WAITING_REQUESTS        = var.free_work.waiting_requests
      }
      statements = [
        local._read_policies,
        local._hold_and_settle,
        local._record_usage,
        local._assume_tenant_roles,
        local._deny_mantle,
      ]
    }

    invoke = {
      description     = "Answers buffered calls and submits streamed jobs"
      memory_mb       = 512
      timeout_seconds = 300
      event_queue     = null
      schedule        = null
      environment = {
        ACCOUNT_ID      = local.account_id
        ACCOUNTS_TABLE  = module.metering.accounts_table_name
        JOBS_QUEUE_URL  = module.streaming.jobs_queue_url
        PAYLOADS_BUCKET = module.streaming.payloads_bucket_name
        STREAMS_TABLE   = module.streaming.streams_table_name
        TENANTS_TABLE   = module.metering.tenants_table_name
        USAGE_TABLE     = module.metering.usage_table_name

        POLLS_PER_MINUTE        = var.free_work.polls_per_minute
        TOKEN_COUNTS_PER_MINUTE = var.free_work.token_counts_per_minute
        WAITING_REQUESTS        = var.free_work.waiting_requests
      }
      statements = [
        local._read_policies,
        local._hold_and_settle,
        local._record_usage,
        {
          sid       = "QueueJobs"
          actions   = ["sqs:SendMessage"]
          resources = [module.streaming.jobs_queue_arn]
        },
        local._assume_tenant_roles,
        local._deny_mantle,
      ]
    }

    models = {
      description     = "Tells a tenant what it may call and what it has used"
      memory_mb       = 256
      timeout_seconds = 30
      event_queue     = null
      schedule        = null
      environment = {
        ACCOUNTS_TABLE = module.metering.accounts_table_name
        TENANTS_TABLE  = module.metering.tenants_table_name
      }
      statements = [
        local._read_policies,
        {
          sid       = "ReadAccounts"
          actions   = ["dynamodb:GetItem"]
          resources = [module.metering.accounts_table_arn]
        },
        {
          sid     = "ListModels"
          actions = ["bedrock:ListFoundationModels", "bedrock:ListInferenceProfiles"]
          # Neither action knows resources.
          resources = ["*"]
        },
        local._deny_mantle,
      ]
    }

    stream = {
      description     = "Runs streamed jobs and serves their polls"
      memory_mb       = 512
      timeout_seconds = 900
      event_queue     = { arn = module.streaming.jobs_queue_arn, maximum_concurrency = local._job_concurrency }
      schedule        = null
      environment = {
        ACCOUNT_ID      = local.account_id
        ACCOUNTS_TABLE  = module.metering.accounts_table_name
        JOBS_QUEUE_URL  = module.streaming.jobs_queue_url
        PAYLOADS_BUCKET = module.streaming.payloads_bucket_name
        STREAMS_TABLE   = module.streaming.streams_table_name
        TENANTS_TABLE   = module.metering.tenants_table_name
        USAGE_TABLE     = module.metering.usage_table_name

        POLLS_PER_MINUTE        = var.free_work.polls_per_minute
        TOKEN_COUNTS_PER_MINUTE = var.free_work.token_counts_per_minute
        WAITING_REQUESTS        = var.free_work.waiting_requests
      }
      statements = [
        local._read_policies,
        {
          sid       = "Settle"
          actions   = ["dynamodb:UpdateItem"]
          resources = [module.metering.accounts_table_arn]
        },
        {
          sid       = "DelayFailedJobs"
          actions   = ["sqs:ChangeMessageVisibility"]
          resources = [module.streaming.jobs_queue_arn]
        },
        local._record_usage,
        local._assume_tenant_roles,
        local._deny_mantle,
      ]
    }

    sweep = {
      description     = "Ends holds whose caller died"
      memory_mb       = 512
      timeout_seconds = 300
      event_queue     = null
      schedule        = "rate(1 minute)"
      environment = {
        ACCOUNT_ID     = local.account_id
        ACCOUNTS_TABLE = module.metering.accounts_table_name
        STREAMS_TABLE  = module.streaming.streams_table_name
        TENANTS_TABLE  = module.metering.tenants_table_name
        USAGE_TABLE    = module.metering.usage_table_name
      }
      statements = [
        local._read_tenants,
        {
          sid       = "EndHolds"
          actions   = ["dynamodb:Scan", "dynamodb:UpdateItem"]
          resources = [module.metering.accounts_table_arn]
        },
        local._record_usage,
        {
          sid       = "ReleaseJobs"
          actions   = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
          resources = [module.streaming.streams_table_arn]
        },
      ]
    }
  }
}

# What functions get besides where Bedrock's invocation logs are on. Functions that call models leave a
# call that ended unknown to `sweep`, which reads the logs.
locals {
  _invocation_logs_bucket     = try(var.invocation_logs.bucket, "")
  _invocation_logs_bucket_arn = "arn:${local.partition}:s3:::${local._invocation_logs_bucket}"
  _invocation_logs_root = join("/", concat(
    compact([trim(try(var.invocation_logs.prefix, ""), "/")]),
    ["AWSLogs/${local.account_id}/BedrockModelInvocationLogs/"],
  ))

  _with_invocation_logs = {
    converse = {
      environment = { INVOCATION_LOGS_BUCKET = local._invocation_logs_bucket }
      statements  = []
    }

    invoke = {
      environment = { INVOCATION_LOGS_BUCKET = local._invocation_logs_bucket }
      statements  = []
    }

    stream = {
      environment = { INVOCATION_LOGS_BUCKET = local._invocation_logs_bucket }
      statements  = []
    }

    sweep = {
      environment = {
        INVOCATION_LOGS_BUCKET = local._invocation_logs_bucket
        INVOCATION_LOGS_ROOT   = local._invocation_logs_root
        LOG_GRACE_MINUTES      = tostring(try(var.invocation_logs.grace_minutes, 0))
      }
      statements = [
        {
          sid        = "ListInvocationLogs"
          actions    = ["s3:ListBucket"]
          resources  = [local._invocation_logs_bucket_arn]
          conditions = { StringLike = { "s3:prefix" = ["${local._invocation_logs_root}*"] } }
        },
        {
          sid       = "ReadInvocationLogs"
          actions   = ["s3:GetObject"]
          resources = ["${local._invocation_logs_bucket_arn}/${local._invocation_logs_root}*"]
        },
      ]
    }
  }

  _decrypt_invocation_logs = [
    for arn in compact([try(var.invocation_logs.kms_key_arn, null)]) : {
      sid       = "DecryptInvocationLogs"
      actions   = ["kms:Decrypt"]
      resources = [arn]
    }
  ]

  _environments = {
    for name, function in local.functions : name => merge(
      function.environment,
      { for key, value in try(local._with_invocation_logs[name].environment, {}) : key => value if var.invocation_logs != null },
      { for key, value in try(local._with_pool_sessions[name].environment, {}) : key => value if var.pool_sessions },
      { for key, value in try(local._with_endpoints[name].environment, {}) : key => value if length(local._endpoints_given) > 0 },
      { for path in compact([try(function.exec_wrapper, null)]) : "AWS_LAMBDA_EXEC_WRAPPER" => path },
      # The SDK looks for a service's address under this name.
      { for service, url in var.endpoint_urls : "AWS_ENDPOINT_URL_${upper(replace(service, "-", "_"))}" => url },
    )
  }

  _statements = {
    for name, function in local.functions : name => concat(
      function.statements,
      # Not `try`: of statements whose resources are not known yet, it would not know the actions.
      flatten([for caller, statements in local._on_tenants_behalf : [for statement in statements : statement if length(statement.resources) > 0] if caller == name && !var.pool_sessions]),
      [for statement in try(local._with_invocation_logs[name].statements, []) : statement if var.invocation_logs != null],
      [for statement in local._decrypt_invocation_logs : statement if name == "sweep"],
    )
  }
}

# What somebody has to look at, by the function and the metric that tells of it. Terraform's README says what to do.
locals {
  _above_bound = { CallsAboveBound = { description = "The provider counted more than calls can use: they are booked at their bound, with usage_source = bound. Either a bound is too low, or the bill is too high." } }

  _alarms = {
    aggregate = {
      FailedPeriods   = { description = "Hours or days could not be written to the lake, or old rows not deleted; the log says which. They stay open, and their rows in the table." }
      OpenHours       = { description = "Hours have been open for more than a day: a hold is not ended, or an hour cannot be written.", threshold = 24 }
      QuarantinedRows = { description = "Usage rows cannot be read. They lie below quarantine/ in the lake, and no report has them." }
    }

    converse = local._above_bound
    invoke   = local._above_bound

    stream = merge(local._above_bound, {
      FailedMessages = { description = "Queued jobs could not be run. They come again, and after some times lie in the queue of dead messages." }
    })

    sweep = merge(local._above_bound, {
      FailedHolds = { description = "Expired holds could not be ended; the log has their ids. They block their tenants' budgets, and their hours stay open." }
    })
  }
}

resource "terraform_data" "artifacts" {
  lifecycle {
    precondition {
      condition     = length(local._missing_artifacts) == 0
      error_message = "${var.artifact_dir}: ${join(", ", local._missing_artifacts)} not in manifest.json or not on disk; run `make package`."
    }
  }
}

module "function" {
  source   = "../modules/function"
  for_each = local.functions

  name_prefix     = var.prefix
  name            = each.key
  description     = each.value.description
  handler         = local._artifacts[each.key].handler
  runtime         = local._artifacts[each.key].runtime
  architecture    = local._artifacts[each.key].architecture
  memory_mb       = each.value.memory_mb
  timeout_seconds = each.value.timeout_seconds

  artifact = {
    path   = local._artifacts[each.key].path
    sha256 = local._artifacts[each.key].sha256
  }

  environment              = local._environments[each.key]
  alarm_topic_arns         = var.alarm_topic_arns
  alarms                   = lookup(local._alarms, each.key, {})
  policy_statements        = local._statements[each.key]
  event_queue              = each.value.event_queue
  schedule_expression      = each.value.schedule
  reserved_concurrency     = lookup(local._reserved_concurrency, each.key, null)
  kms_key_arn              = aws_kms_key.this.arn
  log_retention_days       = var.log_retention_days
  network                  = module.network.function_network
  permissions_boundary_arn = var.permissions_boundary_arn

  depends_on = [terraform_data.artifacts]
}

mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  business_unit_item_id = "BUSINESS_UNIT#retail"

  prefix             = "tollgate-test"
  account_id         = "111122223333"
  region             = "us-east-1"
  tenant_id          = "acme"
  tenants_table_name = "tollgate-test-tenants"
  lake_bucket_name   = "tollgate-test-lake-111122223333"
  rest_api_id        = "abcde12345"
  api_url            = "https://abcde12345.execute-api.us-east-1.amazonaws.com/v1"
  stage_name         = "v1"
  kms_key_arn        = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"

  policy = {
    schema_version    = 1
    tenant_id         = "acme"
    name              = "Acme Search"
    kind              = "team"
    cost_center       = "CC-1001"
    business_unit     = "retail"
    tier              = "pro"
    status            = "active"
    isolation         = "pool"
    silo              = null
    models            = ["amazon.nova-*"]
    deny_models       = []
    compliance        = ["HIPAA"]
    tags              = { Division = "retail" }
    markup            = "1.20"
    subscription_usd  = "250"
    sla               = { availability = "99.9", latency_p95_ms = 8000, first_token_p95_ms = null }
    guardrail         = null
    system_preamble   = null
    teams             = []
    allow_fields      = []
    model_limits      = {}
    alert_thresholds  = [50, 80, 100]
    retention_minutes = 1440
    own_kms_key       = false
    budget            = { month_usd = "500", day_usd = null, mode = "hard" }
    max_tokens        = { default = 1024, maximum = null, clamp = false, count = "bytes" }
    shards            = 1
    model_arns        = {}
    prices            = {}
    unpriced          = null

    limits = {
      requests_per_minute = 600
      requests_per_day    = 10000
      tokens_per_minute   = null
      concurrent_requests = 50
    }

    apps = {
      websearch = {
        status = "active"
        tags   = { ApplicationID = "websearch" }
        budget = { month_usd = null, day_usd = "20", mode = "hard" }

        limits = {
          requests_per_minute = null
          requests_per_day    = null
          tokens_per_minute   = null
          concurrent_requests = null
        }

        inference_profiles = {
          nova-lite = { model = "amazon.nova-lite-v1:0", description = "Answers of the search page", tags = { CreatedBy = "search" } }
        }
      }
    }
  }

  keys = {
    "websearch/primary" = { app_id = "websearch", key_name = "primary", status = "active", expires = "" }
    "websearch/old"     = { app_id = "websearch", key_name = "old", status = "suspended", expires = "2027-01-31" }
  }
}

run "usage_plan" {
  assert {
    condition     = output.usage_plan_id == "pl4n01" && length(module.usage_plan) == 1
    error_message = "A tenant has a usage plan of its own by default."
  }
}

run "a_plan_made_elsewhere" {
  command = plan

  variables {
    usage_plan = { id = "t1er01" }
  }

  assert {
    condition     = length(module.usage_plan) == 0 && output.usage_plan_id == "t1er01" && alltrue([for key in aws_api_gateway_usage_plan_key.this : key.usage_plan_id == "t1er01"])
    error_message = "With a plan that is given, keys are put in it and none is made."
  }
}

run "keys" {
  command = plan

  assert {
    condition     = aws_api_gateway_api_key.this["websearch/primary"].name == "tollgate-test-acme-websearch-primary" && aws_api_gateway_api_key.this["websearch/primary"].enabled && !aws_api_gateway_api_key.this["websearch/old"].enabled
    error_message = "Keys are named by tenant, app and key; a suspended one is disabled."
  }

  assert {
    condition     = output.parameter_names_by_key["websearch/primary"] == "/tollgate-test/tenants/acme/websearch/primary" && aws_ssm_parameter.key["websearch/primary"].type == "SecureString" && aws_ssm_parameter.key["websearch/primary"].key_id == var.kms_key_arn
    error_message = "A key's value lies encrypted under /<prefix>/tenants/<tenant>/<app>/<key>."
  }

  assert {
    condition     = length(aws_secretsmanager_secret.key) == 0 && length(output.secret_names_by_key) == 0
    error_message = "A key's value lies in one store."
  }

  assert {
    condition     = alltrue([for key in aws_api_gateway_usage_plan_key.this : key.usage_plan_id == output.usage_plan_id]) && keys(output.api_key_ids_by_key) == ["websearch/old", "websearch/primary"]
    error_message = "Every key is in the tenant's plan."
  }

  assert {
    condition     = aws_api_gateway_api_key.this["websearch/primary"].tags == tomap({ Tenant = "acme", "tollgate-unit" = "tollgate-test" })
    error_message = "What a tenant has tells whose it is."
  }
}

run "keys_in_secrets_manager" {
  command = plan

  variables {
    key_store = "secrets_manager"
  }

  assert {
    condition     = aws_secretsmanager_secret.key["websearch/primary"].name == "tollgate-test/tenants/acme/websearch/primary" && aws_secretsmanager_secret.key["websearch/primary"].kms_key_id == var.kms_key_arn && aws_secretsmanager_secret.key["websearch/primary"].recovery_window_in_days == 0
    error_message = "A key's value lies encrypted under <prefix>/tenants/<tenant>/<app>/<key>."
  }

  assert {
    condition     = aws_secretsmanager_secret_version.key["websearch/primary"].secret_string == aws_api_gateway_api_key.this["websearch/primary"].value && keys(output.secret_names_by_key) == ["websearch/old", "websearch/primary"]
    error_message = "The secret is the key that API Gateway made."
  }

  assert {
    condition     = length(aws_ssm_parameter.key) == 0 && length(output.parameter_names_by_key) == 0 && length(aws_dynamodb_table_item.key) == 2
    error_message = "A key's value lies in one store, and functions know its hash."
  }
}

run "keys_outside_terraform" {
  command = plan

  variables {
    key_store = "external"
  }

  assert {
    condition = length(concat(
      values(aws_api_gateway_api_key.this),
      values(aws_api_gateway_usage_plan_key.this),
      values(aws_dynamodb_table_item.key),
      values(aws_secretsmanager_secret.key),
      values(aws_ssm_parameter.key),
    )) == 0
    error_message = "No key is made, so none can be in the state."
  }

  assert {
    condition     = output.usage_plan_id == "pl4n01" && jsondecode(aws_dynamodb_table_item.policy.item).pk.S == "TENANT#acme"
    error_message = "The plan that keys are put in and the policy are there."
  }
}

run "items" {
  command = plan

  assert {
    condition     = jsondecode(aws_dynamodb_table_item.policy.item).pk.S == "TENANT#acme" && jsondecode(jsondecode(aws_dynamodb_table_item.policy.item).document.S).budget.month_usd == "500"
    error_message = "The policy is one JSON document."
  }

  assert {
    condition     = startswith(jsondecode(aws_dynamodb_table_item.policy.item).document.S, "{\"alert_thresholds\":[50,80,100],\"allow_fields\":[],\"apps\":{\"websearch\":{\"budget\":{\"day_usd\":\"20\",")
    error_message = "The document is compact and its keys are sorted."
  }

  assert {
    condition     = jsondecode(jsondecode(aws_dynamodb_table_item.policy.item).document.S).kms_key_arn == null
    error_message = "Without a key of its own, the document says so."
  }

  assert {
    condition = jsondecode(jsondecode(aws_dynamodb_table_item.policy.item).document.S).apps.websearch.inference_profiles == {
      nova-lite = {
        arn         = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123def456"
        description = "Answers of the search page"
        model       = "amazon.nova-lite-v1:0"
        tags        = { CreatedBy = "search" }
      }
    }
    error_message = "The document names each profile's ARN."
  }

  assert {
    condition = jsondecode(aws_dynamodb_table_item.key["websearch/old"].item) == {
      pk        = { S = "KEY#${sha256("abcdefghijklmnopqrstuvwxyz0123456789ABCD")}" }
      tenant_id = { S = "acme" }
      app_id    = { S = "websearch" }
      key_id    = { S = "websearch/old" }
      tier      = { S = "pro" }
      status    = { S = "suspended" }
      expires   = { S = "2027-01-31" }
    }
    error_message = "A key's item holds its hash, never the key."
  }
}

run "dimension" {
  command = plan

  assert {
    condition     = aws_s3_object.dimension.bucket == "tollgate-test-lake-111122223333" && aws_s3_object.dimension.key == "tenants/acme.json" && aws_s3_object.dimension.kms_key_id == var.kms_key_arn
    error_message = "Reports find the tenant in the lake, encrypted as everything there."
  }

  assert {
    condition = aws_s3_object.dimension.content == format("%s\n", jsonencode({
      account_id             = "111122223333"
      budget_mode            = "hard"
      business_unit          = "retail"
      compliance             = ["HIPAA"]
      cost_center            = "CC-1001"
      day_usd                = null
      deny_models            = []
      isolation              = "pool"
      key_expires            = { for id, key in var.keys : id => key.expires }
      key_status             = { for id, key in var.keys : id => key.status }
      keys                   = keys(var.keys)
      kind                   = "team"
      markup                 = "1.20"
      models                 = ["amazon.nova-*"]
      month_usd              = "500"
      name                   = "Acme Search"
      sla_availability       = "99.9"
      sla_first_token_p95_ms = null
      sla_latency_p95_ms     = 8000
      status                 = "active"
      subscription_usd       = "250"
      tags                   = { Division = "retail" }
      tenant_id              = "acme"
      tier                   = "pro"
    }))
    error_message = "It is one line with what usage rows do not know."
  }
}

run "inference_profiles" {
  command = plan

  assert {
    condition     = aws_bedrock_inference_profile.this["websearch/nova-lite"].name == "tollgate-test-acme-websearch-nova-lite" && aws_bedrock_inference_profile.this["websearch/nova-lite"].model_source[0].copy_from == "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"
    error_message = "A profile is named by unit, tenant, app and name, and copies the foundation model of the region."
  }

  assert {
    condition = aws_bedrock_inference_profile.this["websearch/nova-lite"].tags == tomap({
      CreatedBy       = "search"
      "tollgate-unit" = "tollgate-test"
      app             = "websearch"
      cost_center     = "CC-1001"
      tenant          = "acme"
    })
    error_message = "A profile has its file's tags, and ours."
  }

  assert {
    condition     = output.inference_profile_arns == { "websearch/nova-lite" = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc123def456" }
    error_message = "ARNs are told by app and name."
  }
}

run "what_the_tenant_is_told" {
  assert {
    condition     = aws_ssm_parameter.published[0].name == "/tollgate-test/outputs/tenants/acme" && aws_ssm_parameter.published[0].type == "String"
    error_message = "It lies beside the outputs of the deployment, where no key lies."
  }

  assert {
    condition = jsondecode(nonsensitive(aws_ssm_parameter.published[0].value)) == {
      api_url            = "https://abcde12345.execute-api.us-east-1.amazonaws.com/v1"
      rest_api_id        = "abcde12345"
      inference_profiles = { "websearch/nova-lite" = { id = "abc123def456", model = "amazon.nova-lite-v1:0" } }
    }
    error_message = "A tenant is told the API and the ids of its profiles."
  }

  assert {
    condition     = jsonencode(output.published) == nonsensitive(aws_ssm_parameter.published[0].value)
    error_message = "The output is what the parameter holds."
  }
}

run "refuses_more_profiles_than_a_parameter_holds" {
  command = plan

  variables {
    policy = merge(var.policy, { apps = { websearch = merge(var.policy.apps.websearch, { inference_profiles = {
      for n in range(130) : "nova-${n}" => { model = "amazon.nova-lite-v1:0", description = "", tags = {} }
    } }) } })
  }

  expect_failures = [aws_ssm_parameter.published]
}

run "inference_profiles_of_many_kinds" {
  command = plan

  variables {
    partition = "aws-us-gov"
    region    = "us-gov-west-1"
    policy = merge(var.policy, {
      apps = {
        web = merge(var.policy.apps.websearch, {
          inference_profiles = {
            geo       = { model = "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", description = "", tags = {} }
            worldwide = { model = "global.amazon.nova-2-lite-v1:0", description = "", tags = { tenant = "globex", "tollgate-unit" = "other" } }
            us        = { model = "us.amazon.nova-lite-v1:0", description = "", tags = {} }
            plain     = { model = "amazon.nova-lite-v1:0", description = "", tags = {} }
          }
        })
        a-name__with-two-separators = merge(var.policy.apps.websearch, {
          inference_profiles = { short = { model = "amazon.nova-lite-v1:0", description = "", tags = {} } }
        })
        a-long-name-of-an-app-that-leaves-no-room = merge(var.policy.apps.websearch, {
          inference_profiles = {
            first-profile  = { model = "amazon.nova-lite-v1:0", description = "", tags = {} }
            second-profile = { model = "amazon.nova-lite-v1:0", description = "", tags = {} }
          }
        })
      }
    })
    keys = {}
  }

  assert {
    condition = { for id, profile in aws_bedrock_inference_profile.this : id => profile.model_source[0].copy_from if startswith(id, "web/") } == {
      "web/geo"       = "arn:aws-us-gov:bedrock:us-gov-west-1:111122223333:inference-profile/us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0"
      "web/plain"     = "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/amazon.nova-lite-v1:0"
      "web/us"        = "arn:aws-us-gov:bedrock:us-gov-west-1:111122223333:inference-profile/us.amazon.nova-lite-v1:0"
      "web/worldwide" = "arn:aws-us-gov:bedrock:us-gov-west-1:111122223333:inference-profile/global.amazon.nova-2-lite-v1:0"
    }
    error_message = "A profile copies the foundation model, or the system profile of an area."
  }

  assert {
    condition     = alltrue([for name in values(output.inference_profile_names) : length(name) <= 64 && can(regex("^([0-9a-zA-Z][ _-]?)+$", name))]) && length(distinct(values(output.inference_profile_names))) == 7
    error_message = "Names are what Bedrock takes, and no two are the same."
  }

  assert {
    condition     = output.inference_profile_names["a-name__with-two-separators/short"] == "tollgate-test-acme-a-name-with-two-separators-short-${substr(sha256("tollgate-test-acme-a-name__with-two-separators-short"), 0, 8)}"
    error_message = "A name that Bedrock refuses is made of its letters and a hash of the whole."
  }

  assert {
    condition     = aws_bedrock_inference_profile.this["web/worldwide"].tags["tenant"] == "acme" && aws_bedrock_inference_profile.this["web/worldwide"].tags["tollgate-unit"] == "tollgate-test"
    error_message = "A file cannot change whose profile it is."
  }

  assert {
    condition     = aws_bedrock_inference_profile.this["web/plain"].description == null
    error_message = "No description is none, which Bedrock takes; an empty one it does not."
  }
}

run "a_key_of_its_own" {
  variables {
    kms_deletion_window_days = 7
    policy                   = merge(var.policy, { own_kms_key = true })
  }

  assert {
    condition     = aws_kms_alias.this[0].name == "alias/tollgate-test/tenants/acme" && aws_kms_key.this[0].enable_key_rotation && aws_kms_key.this[0].deletion_window_in_days == 7
    error_message = "The key is found by its alias, rotates, and can be had back for a while."
  }

  assert {
    condition     = [for statement in jsondecode(aws_kms_key.this[0].policy).Statement : statement.Principal.AWS] == ["arn:aws:iam::111122223333:root"]
    error_message = "The key is open to IAM of the account, and to nobody else."
  }

  assert {
    condition     = jsondecode(jsondecode(aws_dynamodb_table_item.policy.item).document.S).kms_key_arn == output.kms_key_arn && output.kms_key_arn != null
    error_message = "Functions read which key it is."
  }
}

run "models_of_its_own" {
  command = plan

  variables {
    caller_roles = {
      invoke = { role_name = "tollgate-test-invoke", actions = ["bedrock:InvokeModel"] }
      stream = { role_name = "tollgate-test-stream", actions = ["bedrock:InvokeModelWithResponseStream"] }
    }
    policy = merge(var.policy, {
      model_arns = {
        "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/xyz789abc123" = "amazon.nova-pro-v1:0"
        "arn:aws:bedrock:us-east-1:111122223333:custom-model/abc"               = "amazon.nova-lite-v1:0"
      }
    })
  }

  assert {
    condition     = { for name, policy in aws_iam_role_policy.caller : name => policy.role } == { invoke = "tollgate-test-invoke", stream = "tollgate-test-stream" } && alltrue([for policy in aws_iam_role_policy.caller : policy.name == "tollgate-test-tenant-acme"])
    error_message = "Each role that calls gets a policy of the tenant's."
  }

  assert {
    condition = jsondecode(aws_iam_role_policy.caller["stream"].policy).Statement == [{
      Sid    = "CallTenantModels"
      Effect = "Allow"
      Action = ["bedrock:InvokeModelWithResponseStream"]
      Resource = [
        "arn:aws:bedrock:us-east-1:111122223333:custom-model/abc",
        "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/xyz789abc123",
      ]
    }]
    error_message = "It allows the role's actions on the tenant's models, and nothing else."
  }

  assert {
    condition     = output.caller_policy_characters == { for name, policy in aws_iam_role_policy.caller : name => length(policy.policy) }
    error_message = "How much room the policies take is told."
  }
}

run "models_of_its_own_in_sessions" {
  command = plan

  variables {
    caller_roles = {
      session = { role_name = "pool-session", actions = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"], is_session_role = true }
    }
    policy = merge(var.policy, {
      model_arns = { "arn:aws:bedrock:us-east-1:111122223333:custom-model/abc" = "amazon.nova-lite-v1:0" }
    })
  }

  assert {
    condition     = one(jsondecode(aws_iam_role_policy.caller["session"].policy).Statement).Condition == { StringEquals = { "aws:PrincipalTag/tenant" = "acme" } }
    error_message = "A role that serves every tenant allows the models in this tenant's sessions only."
  }
}

run "no_models_of_its_own" {
  command = plan

  variables {
    caller_roles = {
      invoke = { role_name = "tollgate-test-invoke", actions = ["bedrock:InvokeModel"] }
    }
  }

  assert {
    condition     = length(aws_iam_role_policy.caller) == 0 && length(output.caller_policy_characters) == 0
    error_message = "A tenant without models of its own changes no role."
  }
}

run "silo" {
  command = plan

  variables {
    caller_roles = {
      invoke = { role_name = "tollgate-test-invoke", actions = ["bedrock:InvokeModel"] }
    }
    policy = merge(var.policy, {
      isolation  = "silo"
      silo       = { role_arn = "arn:aws:iam::444455556666:role/tollgate/tollgate-test/acme", external_id = "acme-external-id" }
      model_arns = { "arn:aws:bedrock:us-east-1:444455556666:custom-model/abc" = "amazon.nova-lite-v1:0" }
      apps       = { websearch = merge(var.policy.apps.websearch, { inference_profiles = {} }) }
    })
  }

  assert {
    condition     = jsondecode(aws_s3_object.dimension.content).account_id == "444455556666" && jsondecode(aws_s3_object.dimension.content).isolation == "silo"
    error_message = "Reports know the account that a silo tenant's calls are billed to."
  }

  assert {
    condition     = length(aws_iam_role_policy.caller) == 0
    error_message = "A silo tenant's models are called with the role of its own account."
  }

  assert {
    condition     = jsondecode(jsondecode(aws_dynamodb_table_item.policy.item).document.S).silo == { external_id = "acme-external-id", role_arn = "arn:aws:iam::444455556666:role/tollgate/tollgate-test/acme" }
    error_message = "Functions read which role to take."
  }

  assert {
    condition     = length(aws_api_gateway_api_key.this) == 2 && length(module.usage_plan) == 1
    error_message = "Its keys and its plan are the gateway's, as any tenant's."
  }
}

run "suspended" {
  command = plan

  variables {
    policy = merge(var.policy, { status = "suspended" })
  }

  assert {
    condition     = length(aws_api_gateway_api_key.this) == 2 && length(module.usage_plan) == 1 && length(aws_bedrock_inference_profile.this) == 1
    error_message = "A suspended tenant keeps everything, so that it can come back as it was."
  }
}

run "offboarded" {
  command = plan

  variables {
    caller_roles = {
      invoke = { role_name = "tollgate-test-invoke", actions = ["bedrock:InvokeModel"] }
    }
    policy = merge(var.policy, {
      status      = "offboarded"
      own_kms_key = true
      model_arns  = { "arn:aws:bedrock:us-east-1:111122223333:custom-model/abc" = "amazon.nova-lite-v1:0" }
    })
  }

  assert {
    condition     = length(aws_api_gateway_api_key.this) + length(aws_ssm_parameter.key) + length(aws_ssm_parameter.published) + length(aws_dynamodb_table_item.key) + length(module.usage_plan) + length(aws_bedrock_inference_profile.this) + length(aws_iam_role_policy.caller) == 0
    error_message = "What calls and what could be called with is gone."
  }

  assert {
    condition     = length(aws_kms_key.this) == 1 && jsondecode(aws_s3_object.dimension.content).status == "offboarded" && jsondecode(jsondecode(aws_dynamodb_table_item.policy.item).document.S).status == "offboarded"
    error_message = "The key, the policy and what reports need stay."
  }

  assert {
    condition     = output.usage_plan_id == null && output.published == null
    error_message = "It has no plan, and is told nothing."
  }
}

run "refuses_a_bad_tenant_id" {
  command = plan

  variables {
    tenant_id = "Acme"
  }

  expect_failures = [var.tenant_id]
}

run "refuses_a_policy_of_another_tenant" {
  command = plan

  variables {
    tenant_id = "globex"
  }

  expect_failures = [var.policy]
}

run "refuses_an_unknown_status" {
  command = plan

  variables {
    policy = merge(var.policy, { status = "gone" })
  }

  expect_failures = [var.policy]
}

run "refuses_a_silo_without_a_role" {
  command = plan

  variables {
    policy = merge(var.policy, {
      isolation = "silo"
      apps      = { websearch = merge(var.policy.apps.websearch, { inference_profiles = {} }) }
    })
  }

  expect_failures = [var.policy]
}

run "refuses_profiles_of_a_silo" {
  command = plan

  variables {
    policy = merge(var.policy, {
      isolation = "silo"
      silo      = { role_arn = "arn:aws:iam::444455556666:role/tollgate/tollgate-test/acme", external_id = "acme-external-id" }
    })
  }

  expect_failures = [var.policy]
}

run "refuses_bad_values" {
  command = plan

  variables {
    account_id               = "12345"
    api_url                  = "abcde12345"
    caller_roles             = { invoke = { role_name = "tollgate-test-invoke", actions = ["bedrock:*"] } }
    key_store                = "vault"
    kms_deletion_window_days = 6
    kms_key_arn              = "alias/tollgate-test"
    lake_bucket_name         = "Lake"
    partition                = "aws-elsewhere"
    prefix                   = "1tollgate"
    region                   = "Virginia"
    rest_api_id              = "abc/def"
    stage_name               = "v1/"
    tags                     = { "aws:x" = "y" }
    tenants_table_name       = "t"
    usage_plan               = { id = "" }
  }

  expect_failures = [
    var.account_id,
    var.api_url,
    var.caller_roles,
    var.key_store,
    var.kms_deletion_window_days,
    var.kms_key_arn,
    var.lake_bucket_name,
    var.partition,
    var.prefix,
    var.region,
    var.rest_api_id,
    var.stage_name,
    var.tags,
    var.tenants_table_name,
    var.usage_plan,
  ]
}

run "refuses_methods_of_a_plan_made_elsewhere" {
  command = plan

  variables {
    usage_plan         = { id = "t1er01" }
    usage_plan_methods = { "/invoke_model/POST" = { rate_limit = 1, burst_limit = 1 } }
  }

  expect_failures = [var.usage_plan_methods]
}

run "refuses_a_misnamed_key" {
  command = plan

  variables {
    keys = {
      "websearch/primary" = { app_id = "websearch", key_name = "other", status = "active", expires = "" }
    }
  }

  expect_failures = [var.keys]
}

run "refuses_an_unknown_key_status" {
  command = plan

  variables {
    keys = {
      "websearch/primary" = { app_id = "websearch", key_name = "primary", status = "off", expires = "" }
    }
  }

  expect_failures = [var.keys]
}

run "refuses_a_day_that_does_not_exist" {
  command = plan

  variables {
    keys = {
      "websearch/primary" = { app_id = "websearch", key_name = "primary", status = "active", expires = "2027-02-30" }
    }
  }

  expect_failures = [var.keys]
}

run "refuses_a_key_of_an_unknown_app" {
  command = plan

  variables {
    keys = {
      "ranker/primary" = { app_id = "ranker", key_name = "primary", status = "active", expires = "" }
    }
  }

  expect_failures = [var.keys]
}

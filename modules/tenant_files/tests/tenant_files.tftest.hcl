# One valid folder and the ways to fail as a whole. The single rules are held against their Python
# twin by tests/contract/test_terraform_tenants.py.

variables {
  directory = "examples/basic/tenants"
  prefix    = "tollgate-dev"

  tiers = {
    pro = {
      budget     = { month_usd = "500", day_usd = "50" }
      limits     = { requests_per_minute = 600 }
      max_tokens = { default = 1024 }
    }
  }
}

run "a_file_becomes_a_policy" {
  command = plan

  assert {
    condition     = keys(output.tenants_by_id) == ["acme"] && output.tenants_by_id.acme.policy.tenant_id == "acme" && output.tenants_by_id.acme.policy.status == "active"
    error_message = "The file's name is the tenant's id, and a tenant is active unless told otherwise."
  }

  assert {
    condition     = output.tenants_by_id.acme.policy.budget == { month_usd = "200", day_usd = "50", mode = "hard" }
    error_message = "The file's own field wins, the tier fills in the others."
  }

  assert {
    condition     = output.tenants_by_id.acme.policy.limits.requests_per_minute == 600 && output.tenants_by_id.acme.policy.limits.requests_per_day == null
    error_message = "Limits that nobody set are null."
  }

  assert {
    condition     = output.tenants_by_id.acme.policy.max_tokens.default == 1024 && output.tenants_by_id.acme.policy.max_tokens.maximum == null
    error_message = "The tier's token counts are merged, too."
  }

  assert {
    condition     = output.tenants_by_id.acme.policy.apps.websearch.limits.requests_per_minute == null && output.tenants_by_id.acme.policy.apps.websearch.budget.month_usd == null
    error_message = "An app takes nothing from the tier."
  }
}

run "tenants_belong_to_business_units" {
  command = plan

  variables {
    business_units = {
      retail = { name = "Retail", owner = "Jo Miller", budget = { month_usd = "900" }, shards = 4 }
      web    = { name = "Web", owner = "Al Brown" }
    }
  }

  assert {
    condition     = jsonencode(output.business_units_by_id.retail) == jsonencode({ schema_version = 1, id = "retail", name = "Retail", owner = "Jo Miller", budget = { month_usd = "900", day_usd = null, mode = "hard" }, shards = 4 })
    error_message = "A unit's document has its defaults."
  }

  assert {
    condition     = output.business_units_by_id.web.budget.month_usd == null && output.business_units_by_id.web.budget.mode == "hard" && output.business_units_by_id.web.shards == 1
    error_message = "A unit needs no budget."
  }

  assert {
    condition     = output.tenants_by_id.acme.policy.business_unit == null
    error_message = "A tenant need not belong to one."
  }
}

run "refuses_a_business_unit_with_bad_money" {
  command = plan

  variables {
    business_units = { retail = { name = "Retail", owner = "Jo Miller", budget = { month_usd = "a lot" } } }
  }

  expect_failures = [output.tenants_by_id]
}

run "keys_are_named_by_app" {
  command = plan

  assert {
    condition     = keys(output.tenants_by_id.acme.keys) == ["websearch/old", "websearch/primary"]
    error_message = "A key's id is <app>/<key name>."
  }

  assert {
    condition     = output.tenants_by_id.acme.keys["websearch/old"].expires == "2027-01-31" && output.tenants_by_id.acme.keys["websearch/primary"].expires == ""
    error_message = "A key without a date has an empty one."
  }
}

run "options_reach_the_policy" {
  command = plan

  variables {
    directory = "tests/tenants"
  }

  assert {
    condition = output.tenants_by_id.full.policy.isolation == "silo" && output.tenants_by_id.full.policy.silo == {
      role_arn    = "arn:aws:iam::444455556666:role/tollgate/tollgate-dev/full"
      external_id = "full-1"
    }
    error_message = "A silo tenant names the role in its own account."
  }

  assert {
    condition     = output.tenants_by_id.full.policy.guardrail == { id = "a1b2c3d4e5f6", version = "1" } && output.tenants_by_id.full.policy.deny_models[0] == "*premier*"
    error_message = "Guardrail and denied models are taken over."
  }

  assert {
    condition     = output.tenants_by_id.full.policy.system_preamble == "Answer in German.\nCite documents." && join(",", output.tenants_by_id.full.policy.teams) == "search,support"
    error_message = "Preamble and teams are taken over."
  }

  assert {
    condition = output.tenants_by_id.full.policy.model_limits == {
      "anthropic.claude-*" = { concurrent_requests = null, requests_per_day = null, requests_per_minute = null, tokens_per_minute = 200000 }
    } && length(output.tenants_by_id.plain.policy.model_limits) == 0
    error_message = "A tenant's share of a model is in its policy, with every limit."
  }

  assert {
    condition     = join(",", output.tenants_by_id.full.policy.allow_fields) == "safety.level,tools:notes_20261101" && length(output.tenants_by_id.plain.policy.allow_fields) == 0
    error_message = "Members beyond those that are known are taken over, and none are allowed unless the file says so."
  }

  assert {
    condition     = output.tenants_by_id.full.policy.markup == "1.20" && length(output.tenants_by_id.full.policy.alert_thresholds) == 0
    error_message = "A markup is a text, and no thresholds are an answer, too."
  }

  assert {
    condition     = output.tenants_by_id.full.policy.retention_minutes == 5 && output.tenants_by_id.full.policy.own_kms_key
    error_message = "Retention and an own key are taken over."
  }

  assert {
    condition = output.tenants_by_id.plain.policy.apps.web.inference_profiles == {
      lite = { model = "amazon.nova-lite-v1:0", description = "Search", tags = { Stage = "trial" } }
    }
    error_message = "An app's profiles are taken over."
  }
}

run "options_have_defaults" {
  command = plan

  variables {
    directory = "tests/tenants"
  }

  assert {
    condition     = output.tenants_by_id.plain.policy.isolation == "pool" && output.tenants_by_id.plain.policy.silo == null && output.tenants_by_id.plain.policy.guardrail == null
    error_message = "A tenant lives in the pool, without a guardrail, unless its file says otherwise."
  }

  assert {
    condition     = output.tenants_by_id.plain.policy.system_preamble == null && length(output.tenants_by_id.plain.policy.teams) == 0
    error_message = "Nothing is said before a caller, and nobody but the tenant has a name."
  }

  assert {
    condition     = output.tenants_by_id.plain.policy.markup == "1" && output.tenants_by_id.plain.policy.alert_thresholds == tolist([50, 80, 100])
    error_message = "Cost is charged as it is, and told at half, four fifths and all of a budget."
  }

  assert {
    condition     = output.tenants_by_id.plain.policy.retention_minutes == 1440 && !output.tenants_by_id.plain.policy.own_kms_key && length(output.tenants_by_id.plain.policy.deny_models) == 0
    error_message = "Texts stay for a day, under the deployment's key, and nothing is denied."
  }
}

run "a_tiers_terms_come_before_the_defaults" {
  command = plan

  variables {
    directory = "tests/tenants"
    tiers     = { pro = { markup = "1.5", alert_thresholds = [90] } }
  }

  assert {
    condition     = output.tenants_by_id.plain.policy.markup == "1.5" && output.tenants_by_id.plain.policy.alert_thresholds == tolist([90])
    error_message = "The tier fills in what the file leaves out."
  }

  assert {
    condition     = output.tenants_by_id.full.policy.markup == "1.20" && length(output.tenants_by_id.full.policy.alert_thresholds) == 0
    error_message = "The file's own terms win."
  }
}

run "an_offboarded_tenant_keeps_its_policy_only" {
  command = plan

  variables {
    directory = "tests/tenants"
  }

  assert {
    condition     = output.tenants_by_id.gone.policy.status == "offboarded" && output.tenants_by_id.gone.policy.own_kms_key
    error_message = "The policy stays, and with it the key that its data is under."
  }

  assert {
    condition     = length(output.tenants_by_id.gone.keys) == 0 && length(output.tenants_by_id.gone.policy.apps.web.inference_profiles) == 0
    error_message = "Keys and inference profiles go."
  }
}

run "refuses_a_silo_of_another_unit" {
  command = plan

  variables {
    directory = "tests/tenants"
    prefix    = "tollgate-prod"
  }

  expect_failures = [output.tenants_by_id]
}

run "refuses_a_prefix_that_is_no_name" {
  command = plan

  variables {
    prefix = "Tollgate_Dev"
  }

  expect_failures = [var.prefix]
}

run "refuses_thresholds_that_go_down" {
  command = plan

  variables {
    tiers = { pro = { alert_thresholds = [80, 50] } }
  }

  expect_failures = [output.tenants_by_id]
}

run "refuses_a_markup_that_is_no_factor" {
  command = plan

  variables {
    tiers = { pro = { markup = "20%" } }
  }

  expect_failures = [output.tenants_by_id]
}

run "a_missing_folder_means_no_tenants" {
  command = plan

  variables {
    directory = "examples/basic/absent"
  }

  assert {
    condition     = length(output.tenants_by_id) == 0
    error_message = "No folder, no tenants."
  }
}

run "refuses_an_unknown_tier" {
  command = plan

  variables {
    tiers = { free = {} }
  }

  expect_failures = [output.tenants_by_id]
}

run "refuses_a_tier_with_bad_money" {
  command = plan

  variables {
    tiers = { pro = { budget = { month_usd = "1,000" } } }
  }

  expect_failures = [output.tenants_by_id]
}

run "refuses_a_default_above_the_maximum" {
  command = plan

  variables {
    tiers = { pro = { max_tokens = { default = 2, maximum = 1 } } }
  }

  expect_failures = [output.tenants_by_id]
}

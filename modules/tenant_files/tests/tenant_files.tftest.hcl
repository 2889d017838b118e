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

run "keys_are_named_by_app" {
  assert {
    condition     = keys(output.tenants_by_id.acme.keys) == ["websearch/old", "websearch/primary"]
    error_message = "A key's id is <app>/<key name>."
  }

  assert {
    condition     = output.tenants_by_id.acme.keys["websearch/old"].expires == "2027-01-31" && output.tenants_by_id.acme.keys["websearch/primary"].expires == ""
    error_message = "A key without a date has an empty one."
  }
}

run "a_missing_folder_means_no_tenants" {
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

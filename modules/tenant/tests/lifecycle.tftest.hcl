# What exists of a tenant in each stage of its life, as its file alone decides it. Which of it changes
# from one stage to the next is in tests/contract/test_tenant_lifecycle.py, on plans of the real provider.
mock_provider "aws" {
  source = "../_mocks/aws"
}

run "a_tenant_is_served" {
  module {
    source = "./tests/lifecycle"
  }

  variables {
    stage = "start"
  }

  assert {
    condition     = keys(output.tenant.api_key_ids_by_key) == ["web/primary"] && keys(output.tenant.parameter_names_by_key) == keys(output.tenant.api_key_ids_by_key)
    error_message = "A key has its parameter."
  }

  assert {
    condition     = output.tenant.usage_plan_id != null && keys(output.tenant.inference_profile_arns) == ["web/nova-lite"] && output.tenant.kms_key_arn != null
    error_message = "A tenant has a usage plan, its profiles and the KMS key that it asked for."
  }
}

run "renamed" {
  module {
    source = "./tests/lifecycle"
  }

  variables {
    stage = "renamed"
  }

  assert {
    condition     = keys(output.tenant.api_key_ids_by_key) == ["web/primary"] && keys(output.tenant.parameter_names_by_key) == keys(output.tenant.api_key_ids_by_key) && output.tenant.usage_plan_id != null && keys(output.tenant.inference_profile_arns) == ["web/nova-lite"]
    error_message = "A new name changes nothing that callers hold."
  }
}

run "suspended" {
  module {
    source = "./tests/lifecycle"
  }

  variables {
    stage = "suspended"
  }

  assert {
    condition     = keys(output.tenant.api_key_ids_by_key) == ["web/primary"] && keys(output.tenant.parameter_names_by_key) == keys(output.tenant.api_key_ids_by_key) && output.tenant.usage_plan_id != null && keys(output.tenant.inference_profile_arns) == ["web/nova-lite"] && output.tenant.kms_key_arn != null
    error_message = "Everything stays for the day that the tenant comes back: the policy alone refuses its calls."
  }
}

run "rotating" {
  module {
    source = "./tests/lifecycle"
  }

  variables {
    stage = "rotating"
  }

  assert {
    condition     = keys(output.tenant.api_key_ids_by_key) == ["web/next", "web/primary"] && keys(output.tenant.parameter_names_by_key) == keys(output.tenant.api_key_ids_by_key)
    error_message = "Both keys exist while callers change over."
  }
}

run "rotated" {
  module {
    source = "./tests/lifecycle"
  }

  variables {
    stage = "rotated"
  }

  assert {
    condition     = keys(output.tenant.api_key_ids_by_key) == ["web/next"] && keys(output.tenant.parameter_names_by_key) == keys(output.tenant.api_key_ids_by_key)
    error_message = "A key that is out of the file is gone, with its parameter."
  }
}

run "prepared_for_a_silo" {
  module {
    source = "./tests/lifecycle"
  }

  variables {
    stage = "prepared"
  }

  assert {
    condition     = keys(output.tenant.api_key_ids_by_key) == ["web/primary"] && keys(output.tenant.parameter_names_by_key) == keys(output.tenant.api_key_ids_by_key) && keys(output.tenant.inference_profile_arns) == ["web/nova-lite"]
    error_message = "Naming the role moves nothing yet."
  }
}

run "moved_to_a_silo" {
  module {
    source = "./tests/lifecycle"
  }

  variables {
    stage = "silo"
  }

  assert {
    condition     = keys(output.tenant.api_key_ids_by_key) == ["web/primary"] && keys(output.tenant.parameter_names_by_key) == keys(output.tenant.api_key_ids_by_key) && output.tenant.usage_plan_id != null && output.tenant.kms_key_arn != null
    error_message = "The move keeps keys, plan and KMS key."
  }

  assert {
    condition     = length(output.tenant.inference_profile_arns) == 0
    error_message = "Profiles would be in the wrong account."
  }
}

run "offboarded" {
  module {
    source = "./tests/lifecycle"
  }

  variables {
    stage = "offboarded"
  }

  assert {
    condition     = length(output.tenant.api_key_ids_by_key) == 0 && length(output.tenant.parameter_names_by_key) == 0
    error_message = "No key is left."
  }

  assert {
    condition     = output.tenant.usage_plan_id == null && length(output.tenant.inference_profile_arns) == 0
    error_message = "Neither a usage plan nor a profile is left."
  }

  assert {
    condition     = output.tenant.kms_key_arn != null
    error_message = "What was encrypted under the key stays readable until the file goes, too."
  }
}

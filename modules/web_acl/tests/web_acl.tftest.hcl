mock_provider "aws" {
  source = "../_mocks/aws"
}

variables {
  prefix      = "tollgate-test"
  kms_key_arn = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
}

override_resource {
  target = aws_wafv2_web_acl.this
  values = { arn = "arn:aws:wafv2:us-east-1:111122223333:regional/webacl/tollgate-test/0" }
}

run "rules" {
  command = plan

  assert {
    condition = {
      for rule in aws_wafv2_web_acl.this.rule : rule.name => rule.priority
      } == {
      AWSManagedRulesAmazonIpReputationList = 1
      AWSManagedRulesKnownBadInputsRuleSet  = 2
      requests-per-address                  = 0
    }
    error_message = "Addresses are counted first, then AWS's lists apply."
  }

  assert {
    condition = one([
      for rule in aws_wafv2_web_acl.this.rule : rule.statement[0].rate_based_statement[0].limit if rule.name == "requests-per-address"
    ]) == 5000
    error_message = "An address may make 5,000 requests in 5 minutes."
  }

  assert {
    condition     = aws_wafv2_web_acl.this.scope == "REGIONAL" && length(aws_wafv2_web_acl.this.default_action[0].allow) == 1
    error_message = "What no rule blocks passes, in the API's own region."
  }
}

run "log" {
  variables {
    log_retention_days     = 30
    requests_per_5_minutes = 100
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "aws-waf-logs-tollgate-test" && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "The log has the name that WAF demands, is encrypted and expires."
  }

  assert {
    condition     = toset(flatten([for field in aws_wafv2_web_acl_logging_configuration.this.redacted_fields : field.single_header[*].name])) == toset(["authorization", "x-api-key"])
    error_message = "No key is logged."
  }

  assert {
    condition     = !aws_wafv2_web_acl.this.visibility_config[0].sampled_requests_enabled && alltrue([for rule in aws_wafv2_web_acl.this.rule : !rule.visibility_config[0].sampled_requests_enabled])
    error_message = "No request is sampled with its headers."
  }

  assert {
    condition = one([
      for rule in aws_wafv2_web_acl.this.rule : rule.statement[0].rate_based_statement[0].limit if rule.name == "requests-per-address"
    ]) == 100 && output.web_acl_arn == aws_wafv2_web_acl.this.arn
    error_message = "The limit follows the input."
  }
}

run "refuses_values_out_of_range" {
  command = plan

  variables {
    kms_key_arn            = "alias/tollgate"
    log_retention_days     = 2
    prefix                 = "T"
    requests_per_5_minutes = 9
  }

  expect_failures = [
    var.kms_key_arn,
    var.log_retention_days,
    var.prefix,
    var.requests_per_5_minutes,
  ]
}

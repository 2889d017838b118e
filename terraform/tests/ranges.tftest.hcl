mock_provider "aws" {
  source = "../modules/_mocks/aws"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "../modules/_mocks/aws"
}

variables {
  tenants_dir = "tests/fixtures/no_tenants"
}

run "rejects_too_little" {
  command = plan

  variables {
    athena_bytes_scanned_cutoff = 9999999
    lake_expiration_days        = 90
    log_retention_days          = 0
    payload_retention_days      = 0
    statement_lock              = { mode = "NONE" }
  }

  expect_failures = [
    var.athena_bytes_scanned_cutoff,
    var.lake_expiration_days,
    var.log_retention_days,
    var.payload_retention_days,
    var.statement_lock,
  ]
}

run "rejects_too_much" {
  command = plan

  variables {
    athena_bytes_scanned_cutoff = 7696581394433
    lake_expiration_days        = 36501
    log_retention_days          = 31
    payload_retention_days      = 1.5
    statement_lock              = { years = 101 }
  }

  expect_failures = [
    var.athena_bytes_scanned_cutoff,
    var.lake_expiration_days,
    var.log_retention_days,
    var.payload_retention_days,
    var.statement_lock,
  ]
}

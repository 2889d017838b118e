# The roles of the local environment, as `terraform apply` would make them there: tests/aws/roles.py reads their
# policies from what `terraform test` shows of these runs, and decides the local stack's calls by them.
mock_provider "aws" {
  source = "../modules/_mocks/aws"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "../modules/_mocks/aws"
}

variables {
  artifact_dir = "tests/fixtures/artifacts"
  environment  = "local"
  region       = "us-east-1"
}

override_data {
  target = data.aws_caller_identity.this
  values = { account_id = "000000000000" }
}

override_resource {
  target = aws_kms_key.this
  values = {
    arn    = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000000"
    key_id = "00000000-0000-4000-8000-000000000000"
  }
}

override_module {
  target = module.metering
  outputs = {
    accounts_table_arn  = "arn:aws:dynamodb:us-east-1:000000000000:table/tollgate-local-accounts"
    accounts_table_name = "tollgate-local-accounts"
    tenants_table_arn   = "arn:aws:dynamodb:us-east-1:000000000000:table/tollgate-local-tenants"
    tenants_table_name  = "tollgate-local-tenants"
    usage_table_arn     = "arn:aws:dynamodb:us-east-1:000000000000:table/tollgate-local-usage"
    usage_table_name    = "tollgate-local-usage"
  }
}

override_module {
  target = module.streaming
  outputs = {
    jobs_dead_queue_arn  = "arn:aws:sqs:us-east-1:000000000000:tollgate-local-jobs-dead"
    jobs_queue_arn       = "arn:aws:sqs:us-east-1:000000000000:tollgate-local-jobs"
    jobs_queue_url       = "https://sqs.us-east-1.amazonaws.com/000000000000/tollgate-local-jobs"
    payloads_bucket_arn  = "arn:aws:s3:::tollgate-local-payloads-000000000000"
    payloads_bucket_name = "tollgate-local-payloads-000000000000"
    streams_table_arn    = "arn:aws:dynamodb:us-east-1:000000000000:table/tollgate-local-streams"
    streams_table_name   = "tollgate-local-streams"
  }
}

override_module {
  target = module.analytics
  outputs = {
    athena_bucket_name = "tollgate-local-athena-000000000000"
    glue_database_name = "tollgate_local"
    lake_bucket_arn    = "arn:aws:s3:::tollgate-local-lake-000000000000"
    lake_bucket_name   = "tollgate-local-lake-000000000000"

    statements_bucket_arn  = "arn:aws:s3:::tollgate-local-statements-000000000000"
    statements_bucket_name = "tollgate-local-statements-000000000000"
    workgroup_name         = "tollgate-local"
  }
}

# Whom the role of pool sessions trusts.
override_resource {
  target = module.function["converse"].aws_iam_role.this
  values = { arn = "arn:aws:iam::000000000000:role/tollgate-local-converse" }
}

override_resource {
  target = module.function["invoke"].aws_iam_role.this
  values = { arn = "arn:aws:iam::000000000000:role/tollgate-local-invoke" }
}

override_resource {
  target = module.function["stream"].aws_iam_role.this
  values = { arn = "arn:aws:iam::000000000000:role/tollgate-local-stream" }
}

run "plain" {
}

# All that can be switched on, so that every policy there is can be looked at.
run "everything" {
  variables {
    audit           = { trail = "own", access_logs = true, log_archive = true }
    invocation_logs = { bucket = "tollgate-local-invocation-logs-000000000000" }
    network         = { mode = "private" }
    operator_roles = {
      operator_principals     = ["arn:aws:iam::000000000000:role/platform"]
      tenant_admin_principals = ["arn:aws:iam::000000000000:role/teams"]
    }
    pool_sessions = true
  }
}

# The tenant of tests/fakes/environments.py that has an account of its own.
run "silo" {
  module {
    source = "../modules/tenant_role"
  }

  variables {
    account_id         = "222233334444"
    apps               = ["websearch"]
    external_id        = "x-1"
    gateway_account_id = "000000000000"
    name               = "silo"
    prefix             = "tollgate-local"
    tenant_id          = "silo"
  }
}

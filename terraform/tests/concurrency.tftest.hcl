# How the account's concurrent executions are shared out, and what is refused before AWS would.
mock_provider "aws" {
  source = "../modules/_mocks/aws"
}

mock_provider "aws" {
  alias  = "us_east_1"
  source = "../modules/_mocks/aws"
}

run "each_kind_of_work_has_its_part" {
  command = plan

  assert {
    condition     = local._reserved_concurrency == { authorize = 100, converse = 400, stream = 300 } && local._job_concurrency == 200
    error_message = "Of 1000 executions the authorizer, calls and jobs with their polls have a part of their own, and jobs a part of that."
  }

  assert {
    condition     = local._usage_plan_ceiling == { rate_limit = 125, burst_limit = 250 }
    error_message = "A key's fence is half of the throttle that all keys share."
  }
}

run "an_account_of_its_own_size" {
  command = plan

  variables {
    account_concurrency              = 3000
    api                              = { throttle = { rate_limit = 10, burst_limit = 7 } }
    job_concurrency                  = 50
    reserved_concurrency_by_function = { converse = null, invoke = 700, stream = 60 }
    usage_plans                      = { stage_share = 0.2 }
  }

  assert {
    condition     = local._usage_plan_ceiling == { rate_limit = 2, burst_limit = 1 }
    error_message = "A key's fence follows the stage's throttle."
  }

  assert {
    condition     = local._reserved_concurrency == { authorize = 300, invoke = 700, stream = 60 } && local._job_concurrency == 50
    error_message = "What is named takes the place of the default; null leaves a function in the pool."
  }
}

run "a_new_account_reserves_nothing" {
  command = plan

  variables {
    account_concurrency = 10
  }

  assert {
    condition     = length(local._reserved_concurrency) == 0 && local._job_concurrency == 2
    error_message = "AWS would refuse any reservation out of 10 executions."
  }
}

run "rejects_more_than_the_account_has" {
  command = plan

  variables {
    reserved_concurrency_by_function = { invoke = 101 }
  }

  expect_failures = [terraform_data.concurrency]
}

run "rejects_jobs_that_leave_polls_no_room" {
  command = plan

  variables {
    job_concurrency = 300
  }

  expect_failures = [terraform_data.concurrency]
}

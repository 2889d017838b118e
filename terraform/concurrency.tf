# Who gets how much of the account's concurrent executions, so that no kind of work starves another:
# a request that no authorizer has room for is refused whatever its tenant may do, and jobs that hold
# their function leave its polls no room. A reservation is a ceiling as well as a floor.
locals {
  # AWS keeps so many for functions without a reservation, and refuses one that would take of them.
  _unreserved_concurrency = 100

  _default_reserved_concurrency = {
    authorize = floor(var.account_concurrency * 0.1)
    converse  = floor(var.account_concurrency * 0.4)
    stream    = floor(var.account_concurrency * 0.3)
  }
  # An account whose quota is that small, as a new one's of 10, has nothing to reserve.
  _reserves_by_default = (
    sum(values(local._default_reserved_concurrency)) + local._unreserved_concurrency <= var.account_concurrency
  )
  _reserved_concurrency = {
    for name, reserved in merge(
      local._reserves_by_default ? local._default_reserved_concurrency : {},
      var.reserved_concurrency_by_function,
    ) : name => reserved if reserved != null
  }
  _reserved_concurrency_total = sum(concat([0], values(local._reserved_concurrency)))

  # Jobs are called by the queue, and leave the rest of their function to polls. AWS takes 2 to 1000.
  _job_concurrency      = coalesce(var.job_concurrency, min(max(floor(var.account_concurrency * 0.2), 2), 1000))
  _job_concurrency_most = lookup(local._reserved_concurrency, "stream", var.account_concurrency)
}

resource "terraform_data" "concurrency" {
  lifecycle {
    precondition {
      condition     = local._reserved_concurrency_total == 0 || local._reserved_concurrency_total + local._unreserved_concurrency <= var.account_concurrency
      error_message = "reserved_concurrency_by_function: got ${join(", ", [for name, reserved in local._reserved_concurrency : "${name} ${reserved}"])}, ${local._reserved_concurrency_total} together; allowed: ${max(var.account_concurrency - local._unreserved_concurrency, 0)}, what account_concurrency of ${var.account_concurrency} leaves beside the ${local._unreserved_concurrency} that AWS keeps for other functions. Reserve less, or have AWS raise the quota and set account_concurrency to it."
    }

    precondition {
      condition     = local._job_concurrency < local._job_concurrency_most
      error_message = "job_concurrency: got ${local._job_concurrency}; allowed: fewer than the ${local._job_concurrency_most} executions that the function stream can have, so that polls have room beside jobs."
    }
  }
}
